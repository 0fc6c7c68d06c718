"""A vault with staff of every role behind the real application, one per database and process.

Tests share a world: they open cases and add people of their own and put back what they break.
Nothing is simulated but time, which `World.later` moves and puts back.
"""

from __future__ import annotations

import base64
import itertools
import math
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import RLock
from typing import Any
from uuid import UUID, uuid4

import httpx2
from fastapi import FastAPI

from casevault import bootstrap, founding
from casevault.api.app import create_app
from casevault.bootstrap import Vault
from casevault.clock import unix_seconds
from casevault.config import Settings
from casevault.crypto import totp
from casevault.domain.staff.access import Role
from casevault.errors import Unauthenticated
from casevault.services.recovery.ceremony import FirstPerson, Outcome, Plan
from casevault.store.staff.open_sessions import Limits, OpenSessions
from tests.asgi import Client
from tests.conftest import Databases

ORIGIN = "http://localhost"
NORTH, SOUTH = "North team (made up)", "South team (made up)"
# These join when first needed: most tests ask nothing of them.
REPORTER, REFERRER = "rita", "remo"
_LATE = {REPORTER: ("reporter",), REFERRER: ("referrer",)}
# Enrolled in the ceremony: login → role and team.
FIRST: Mapping[str, tuple[Role, str | None]] = {
    "sue": (Role.SUPERVISOR, NORTH),
    "sid": (Role.SUPERVISOR, SOUTH),
    "dora": (Role.DPO, None),
    "ada": (Role.AUDITOR, None),
    "adi": (Role.ADMINISTRATOR, None),
}
# Enrolled afterwards: login → team and the supervisor who vouches, if anybody does.
LATER: Mapping[str, tuple[str, str | None]] = {
    "cara": (NORTH, "sue"),
    "colin": (NORTH, "sue"),
    "stra": (NORTH, "sue"),
    "sofia": (SOUTH, "sid"),
    "uma": (NORTH, None),
}
EVERYBODY = (*FIRST, *LATER)
_numbers = itertools.count(1)
_description: dict[str, Any] = {}


class ShiftedClock:
    """The system's time plus a shift that tests may change."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def now(self) -> datetime:
        """Return the shifted present."""
        return datetime.now(UTC) + self.shift


def an_identity(name: str = "Ondine Obvious-Madeup", **fields: Any) -> dict[str, Any]:
    """Return a small identity."""
    return {"name_to_use": name, "phones": ["+390000000001"], **fields}


def a_passphrase() -> str:
    """Return a passphrase that nobody else has."""
    return f"made up words {secrets.token_hex(8)} for a test"


def a_login(stem: str = "temp") -> str:
    """Return a login that is free."""
    return f"{stem}.{next(_numbers)}.{secrets.token_hex(3)}"


@dataclass
class Phone:
    """An authenticator, and the paper with the printed codes."""

    secret: bytes = field(repr=False)
    printed: list[str] = field(default_factory=list, repr=False)
    used: int = 0

    def next_code(self, now: int) -> str | None:
        """Return the code of the first step that is valid now and was not used, if any."""
        # Not the step before, though it is valid: it may be over when the request arrives.
        step = max(self.used + 1, totp.step_at(now))
        if step > totp.step_at(now) + 1:
            return None
        self.used = step
        return totp.code_of(self.secret, step)


@dataclass
class World:
    """One vault, its application and its people."""

    kind: str
    folder: Path
    databases: Databases
    settings: Settings
    outcome: Outcome
    clock: ShiftedClock
    vault: Vault
    client: Client
    boot_secret: bytes
    staff: dict[str, str] = field(default_factory=dict)
    passphrases: dict[str, str] = field(default_factory=dict)
    phones: dict[str, Phone] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)
    _signing_in: Any = field(default_factory=RLock, repr=False)
    # Whose session an earlier test may have ended.
    _unsure: set[str] = field(default_factory=set)
    _begun: Counter[str] = field(default_factory=Counter)
    _shared: str | None = None

    # --- requests --------------------------------------------------------------------------------

    def call(
        self, method: str, path: str, by: str | None = None, body: object = None, **kwargs: Any
    ) -> httpx2.Response:
        """Send one request as somebody (a login, or None for nobody)."""
        headers = dict(kwargs.pop("headers", None) or {})
        if by is not None and "Authorization" not in headers:
            headers["Authorization"] = f"Bearer {self.token(by)}"
        if body is not None:
            kwargs["json"] = body
        step_up = kwargs.pop("step_up", True)
        answer: httpx2.Response = self.client.request(method, path, headers=headers, **kwargs)
        if step_up and by is not None and _asks_for_passphrase(answer):
            # People give their passphrase and try again.
            assert self.confirm(by, headers["Authorization"]).status_code == 200
            answer = self.client.request(method, path, headers=headers, **kwargs)
        return answer

    def confirm(self, login: str, authorization: str | None = None) -> httpx2.Response:
        """Step up: give the passphrase once more."""
        # Who joins when first needed has a passphrase only then.
        by = authorization or f"Bearer {self.token(login)}"
        return self.client.post(
            "/v1/auth/step-up",
            json={"passphrase": self.passphrases[login]},
            headers={"Authorization": by},
        )

    def get(self, path: str, by: str | None = None, **kwargs: Any) -> httpx2.Response:
        """Send a GET."""
        return self.call("GET", path, by, **kwargs)

    def post(self, path: str, by: str | None, body: object, **kwargs: Any) -> httpx2.Response:
        """Send a POST with a JSON body."""
        return self.call("POST", path, by, body, **kwargs)

    def put(self, path: str, by: str | None, body: object, etag: str | None) -> httpx2.Response:
        """Send a PUT with If-Match (None: without)."""
        headers = {} if etag is None else {"If-Match": etag}
        return self.call("PUT", path, by, body, headers=headers)

    # --- people ----------------------------------------------------------------------------------

    def token(self, login: str) -> str:
        """Return a token of a person who stays signed in; of several threads one signs them in."""
        with self._signing_in:
            if login in _LATE and login not in self.staff:
                self.person(login, _LATE[login], None, "dora")
            if login in self._unsure:
                self._forget_ended({login})
            if login not in self._tokens:
                self._tokens[login] = self.sign_in(login)
            return self._tokens[login]

    def forget_ended_sessions(self) -> None:
        """Let people whose session an earlier test ended sign in anew when they are next asked.

        Those who are always there are looked at now; of all others, only who is asked for again.
        """
        self._unsure.update(self._tokens)
        self._forget_ended(self._tokens.keys() & {*EVERYBODY, *_LATE})

    def _forget_ended(self, logins: Iterable[str]) -> None:
        limits = Limits(60 * self.settings.idle_minutes, 3600 * self.settings.absolute_hours)
        sessions = OpenSessions(self.vault.stores, limits, self.boot_secret)
        with self.vault.stores.keyring.reading() as tx:
            for login in sorted(logins):
                self._unsure.discard(login)
                try:
                    # Also one that was begun while the clock was moved ahead.
                    sessions.find(tx, sessions.parse(self._tokens.get(login)))
                except Unauthenticated:
                    self._tokens.pop(login, None)

    def sign_in(self, login: str) -> str:
        """Begin a session with both factors; who has no phone yet sets it up."""
        if login not in self.phones:
            return self.set_up_phone(login)
        return self.begin(login, self.code(login))

    def begin(self, login: str, code: str | None = None) -> str:
        """Begin a session with a passphrase, and with a code if one is given."""
        body = {"login": login, "passphrase": self.passphrases[login], "code": code}
        answer = self.client.post("/v1/auth/sessions", json=body)
        assert answer.status_code == 201, answer.text
        self._begun[login] += 1
        if self._begun[login] % 4 == 0:
            # Ten sessions at a time: the one who stays signed in would be the first to go.
            self._tokens.pop(login, None)
        return str(answer.json()["token"])

    def typed(self, login: str) -> str:
        """Return what a person types into a command that asks who they are: two lines."""
        if login not in self.phones:
            self.set_up_phone(login)
        return f"{self.passphrases[login]}\n{self.code(login)}\n"

    def code(self, login: str) -> str:
        """Return a code that this person did not use yet.

        Each step of the authenticator counts once, so that quick sign-ins use the printed codes;
        the last two of them buy ten new ones.
        """
        phone = self.phones[login]
        digits = phone.next_code(unix_seconds(self.clock.now()))
        if digits is not None:
            return digits
        if len(phone.printed) == 2:
            token = self.begin(login, phone.printed.pop())
            answer = self._as(token, "POST", "/codes", {"code": phone.printed.pop()})
            phone.printed = answer.json()["codes"]
            self.call("DELETE", "/v1/auth/sessions/current", headers=bearer(token))
        return phone.printed.pop()

    def set_up_phone(self, login: str) -> str:
        """Set a second factor up in a session that was begun without one; return its token."""
        token = self.begin(login)
        proposed = self._as(token, "POST", "", {}).json()
        phone = Phone(base64.b32decode(proposed["secret"]))
        body = {"code": phone.next_code(unix_seconds(self.clock.now()))}
        phone.printed = self._as(token, "POST", "/confirmation", body).json()["codes"]
        self.phones[login] = phone
        return token

    def _as(self, token: str, method: str, path: str, body: object) -> httpx2.Response:
        at = "/v1/me/second-factor" + path
        answer = self.call(method, at, None, body, headers=bearer(token))
        assert answer.status_code == 201, answer.text
        return answer

    def team(self, name: str = NORTH) -> str:
        """Return a team's id."""
        return str(self.outcome.teams[name])

    def add(
        self, login: str, roles: tuple[str, ...] = ("caseworker",), team: str | None = NORTH
    ) -> str:
        """Make an account; return its one-time code."""
        body = {
            "name": f"{login.title()} Madeup",
            "login": login,
            "roles": list(roles),
            "team": None if team is None else self.team(team),
        }
        answer = self.post("/v1/staff", "adi", body)
        assert answer.status_code == 201, answer.text
        self.staff[login] = answer.json()["id"]
        return str(answer.json()["code"])

    def enrol(self, login: str, code: str) -> None:
        """Use a one-time code."""
        self.passphrases[login] = a_passphrase()
        body = {"code": code, "passphrase": self.passphrases[login]}
        answer = self.client.post("/v1/auth/enrolments", json=body)
        assert answer.status_code == 201, answer.text

    def vouch(self, login: str, by: str) -> httpx2.Response:
        """Vouch for a person with the fingerprint that they see themselves."""
        fingerprint = self.get("/v1/me", login).json()["fingerprint"]
        body = {"staff_id": self.staff[login], "fingerprint": fingerprint}
        return self.post("/v1/vouches", by, body)

    def person(
        self,
        login: str | None = None,
        roles: tuple[str, ...] = ("caseworker",),
        team: str | None = NORTH,
        by: str | None = "sue",
    ) -> str:
        """Add, enrol and (with `by`) vouch for a new person; return the login."""
        chosen = login or a_login()
        self.enrol(chosen, self.add(chosen, roles, team))
        if by is not None:
            answer = self.vouch(chosen, by)
            assert answer.status_code == 201, answer.text
        return chosen

    # --- cases -----------------------------------------------------------------------------------

    def open(
        self, by: str = "cara", identity: object = None, profile: object = None, **extra: Any
    ) -> str:
        """Open a case; return its id."""
        body = {"identity": identity or an_identity(), "profile": profile or {}, **extra}
        answer = self.post("/v1/cases", by, body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def worklist(self, by: str, **kwargs: Any) -> list[dict[str, Any]]:
        """Return what waits for a person, of all pages: a shared world has many cases."""
        found: list[dict[str, Any]] = []
        params: dict[str, str] = {}
        while True:
            answer = self.get("/v1/worklist", by, params=params, **kwargs)
            assert answer.status_code == 200, answer.text
            found += answer.json()["items"]
            if answer.json()["cursor"] is None:
                return found
            params = {"cursor": answer.json()["cursor"]}

    def assign(self, case: str, to: str, by: str = "sue", **extra: Any) -> httpx2.Response:
        """Assign a case to a person."""
        return self.post(f"/v1/cases/{case}/grants", by, {"staff_id": self.staff[to], **extra})

    @property
    def case(self) -> str:
        """A case opened by cara and assigned to colin that no test changes."""
        if self._shared is None:
            self._shared = self.open("cara", an_identity(), {"risk_level": None})
            assert self.assign(self._shared, "colin").status_code == 204
        return self._shared

    # --- time, ledger ----------------------------------------------------------------------------

    @contextmanager
    def later(self, **by: float) -> Iterator[None]:
        """Move the vault's clock for a while.

        Days, not months: the service would give up this month's key of the log, as it should.
        """
        before = self.clock.shift
        self.clock.shift = before + timedelta(**by)
        try:
            yield
        finally:
            self.clock.shift = before

    def entries(self, by: str = "ada", **filters: str) -> list[dict[str, Any]]:
        """Return the newest page of ledger entries that fit, as an auditor sees it."""
        self.vault.caretaker.integrate()
        answer = self.get("/v1/ledger/entries", by, params=filters)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    def close(self) -> None:
        """Stop the application and close the vault."""
        self.client.__exit__(None, None, None)


def build(
    databases: Databases, folder: Path, later: Iterable[str] = tuple(LATER), **changes: Any
) -> World:
    """Hold the ceremony and bring everybody in (of those who enrol later, these)."""
    passphrases = {login: a_passphrase() for login in FIRST}
    settings = Settings(
        organisation_name="Example Red Cross (made up)",
        country="IT",
        exchange_address="https://vault.example.org",
        exchange_plain_loopback=True,
        ledger_origin="example.org/casevault/test",
        # Tests run the rules themselves.
        watch_minutes=60,
        kdf_profile="small",
        data_url=databases.data_url,
        keyring_url=databases.keyring_url,
        keys_dir=folder / "keys",
        runtime_dir=folder / "run",
        # What the organisation says in public: without it no release can be made.
        **{"declared_people": 20_000, **changes},
    )
    organisation = uuid4()
    first = tuple(
        FirstPerson(f"{login.title()} Madeup", login, frozenset({role}), team, passphrases[login])
        for login, (role, team) in FIRST.items()
    )
    outcome = founding.hold_ceremony(settings, organisation, Plan(first))
    settings = settings.model_copy(
        update={"organisation_id": organisation, "root_fingerprint": outcome.root_pin}
    )
    clock, boot_secret = ShiftedClock(), secrets.token_bytes(32)
    vault = bootstrap.open_vault(settings, boot_secret, clock)
    client = started(vault)
    world = World(
        databases.kind, folder, databases, settings, outcome, clock, vault, client, boot_secret
    )
    world.staff = {login: str(found) for login, found in outcome.staff.items()}
    world.passphrases = passphrases
    for login in later:
        team, by = LATER[login]
        world.person(login, team=team, by=by)
    return world


def started(vault: Vault) -> Client:
    """Return a client of a running application; `__exit__` stops it and closes the vault."""
    # A round of the caretaker in the middle of a test would change what the test compares.
    vault.caretaker.round_seconds = math.inf
    if not vault.stores.data.is_sqlite:
        # Whoever reads the log asks for it (`World.entries`). Looking five times a second, in every
        # world that is open, costs a process some seconds of a run.
        vault.caretaker.integrate_seconds = 2.0
    client = Client(_described(create_app(vault)), ORIGIN)
    client.__enter__()
    return client


def _described(app: FastAPI) -> FastAPI:
    """Let applications share their description: it is made of routes that all of them have.

    Making it takes most of a second, and every module of tests/security reads it from a world.
    """
    make = app.openapi

    def openapi() -> dict[str, Any]:
        if not _description:
            _description.update(make())
        return _description

    setattr(app, "openapi", openapi)  # noqa: B010 - a method, for mypy
    return app


def _asks_for_passphrase(answer: httpx2.Response) -> bool:
    return answer.status_code == 403 and answer.json()["code"] == "refused.step-up"


def bearer(token: str) -> dict[str, str]:
    """Return the header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


def unknown_id() -> str:
    """Return an id that nothing has."""
    return str(UUID(bytes=secrets.token_bytes(16), version=4))
