"""Every operation of the interface, each with a request that the right person could send.

The structural tests walk the OpenAPI document of the running application and send what is
prepared here. Nothing is tested here. An operation without a request fails every one of those
tests with a sentence that says what to add: a function under `@valid` below.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from casevault.clock import unix_seconds
from casevault.crypto.packages import Statement, seal_package
from casevault.crypto.principals import PrincipalSecret
from casevault.domain import vocabulary
from casevault.domain.sharing.packing import PackageKind, PackedFile
from casevault.domain.staff.access import RULES, Permission, Role
from casevault.domain.staff.granting import PrincipalKind
from casevault.store.keys import principals
from tests.api.world import (
    NORTH,
    REFERRER,
    REPORTER,
    SOUTH,
    Phone,
    a_login,
    a_passphrase,
    an_identity,
    bearer,
    unknown_id,
)
from tests.peer import Peer, id_of

METHODS = ("get", "post", "put", "patch", "delete")
CASE = "case_id"
NOTE = {"type": "visit", "date": "2026-11-20", "text": "Made-up talk about Blue Street."}
SERVICE = {"type": "safehouse", "outcome": "provided", "date": "2026-11-21", "text": "Blue Street"}
TASK = {"type": "hearing", "due": "2026-12-01", "text": "A hearing in Blue Street"}
CONTENT = {"note": NOTE, "service": SERVICE, "task": TASK}
# The people of a world who may do most with the fewest roles, in the order of preference.
USUAL = {
    Role.CASEWORKER: "cara",
    Role.SUPERVISOR: "sue",
    Role.ADMINISTRATOR: "adi",
    Role.AUDITOR: "ada",
    Role.DPO: "dora",
    Role.REPORTER: REPORTER,
    Role.REFERRER: REFERRER,
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the OpenAPI document."""

    id: str
    method: str
    path: str
    permission: Permission
    schema: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """How people call it."""
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[str]:
        """The parameters of its path, in their order."""
        return re.findall(r"\{(\w+)\}", self.path)

    @property
    def of_case(self) -> bool:
        """Whether it is about one case."""
        return CASE in self.parameters

    @property
    def nested(self) -> list[str]:
        """The ids that must be resolved through a case."""
        return self.parameters[self.parameters.index(CASE) + 1 :] if self.of_case else []

    @property
    def who(self) -> str | None:
        """Somebody who may do this, or None for what needs no session."""
        rule = RULES[self.permission]
        if rule.public:
            return None
        return next(login for role, login in USUAL.items() if rule.anyone or role in rule.roles)

    def header(self, name: str) -> bool:
        """Say whether the operation takes a header."""
        return any(p["in"] == "header" and p["name"] == name for p in self.schema["parameters"])


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request carries: ids of its path, body, version, query, another session."""

    ids: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    etag: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    # A body that is not JSON: its bytes, and the headers that say what it is.
    raw: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Stage:
    """A case with what is in it, made when first asked for; of an unknown case all is unknown.

    `holder` opened the case and does the preparing. `by` is who will send the request.
    """

    def __init__(self, world, holder="cara", case=None, by=None):
        self.world, self.holder, self.by = world, holder, by or holder
        self.case = case or unknown_id()
        self._made: dict[str, str] = {}

    @classmethod
    def opened(cls, world, holder="cara", by=None):
        """Return a stage with a new case of somebody's."""
        return cls(world, holder, world.open(holder), by)

    @property
    def _unknown(self):
        return self.holder is None

    @property
    def at(self):
        """The address of the case."""
        return f"/v1/cases/{self.case}"

    def made(self, name, path, body, fallback=None, **more):
        """Return the id of something in the case, made by its holder when first asked for."""
        if self._unknown:
            return self._made.setdefault(name, unknown_id())
        if name not in self._made:
            answer = self.world.post(self.at + path, self.holder, body, **more)
            if answer.status_code == 409 and fallback is not None:
                return fallback()
            assert answer.status_code == 201, (name, answer.text)
            self._made[name] = answer.json()["id"]
        return self._made[name]

    def gone(self, name):
        """Forget something that a request may have removed."""
        self._made.pop(name, None)

    def version(self, path):
        """Return the present entity tag of something in the case."""
        if self._unknown:
            return '"v1"'
        return self.world.get(self.at + path, self.holder).headers["etag"]

    def sibling(self):
        """Return another case of the same holder."""
        if self._unknown:
            return unknown_id()
        if "sibling" not in self._made:
            self._made["sibling"] = self.world.open(self.holder)
        return self._made["sibling"]

    def status(self):
        """Return the present status of the case."""
        return "Active" if self._unknown else self.world.get(self.at, self.holder).json()["status"]


Build = Callable[[Stage], Ask]
VALID: dict[str, Build] = {}


def valid(*operation_ids: str) -> Callable[[Build], Build]:
    """Register what makes a valid request of these operations."""

    def register(build: Build) -> Build:
        VALID.update(dict.fromkeys(operation_ids, build))
        return build

    return register


def operations(client) -> list[Operation]:
    """Return every operation of a running application, from its own OpenAPI document."""
    document = client.get("/openapi.json").json()
    found = [
        Operation(
            id=operation["operationId"],
            method=method.upper(),
            path=path,
            permission=Permission(operation["x-permission"]),
            schema={"parameters": [], **operation},
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]
    assert len(found) >= 40, "the document must name the operations"
    return sorted(found, key=lambda operation: (operation.path, operation.method))


def request_for(operation: Operation, stage: Stage) -> Ask:
    """Return a valid request of an operation on a stage."""
    assert operation.id in VALID, (
        f"{operation.name} has no example request. Add a function under"
        f" @valid({operation.id!r}) to tests/security/interface.py."
    )
    return VALID[operation.id](stage)


def send(world, operation, stage, ask, by=None, **kwargs):
    """Send a request as somebody (a login, or None for nobody)."""
    path = operation.path
    for name, value in {CASE: stage.case, **ask.ids}.items():
        path = path.replace("{" + name + "}", value)
    assert "{" not in path, f"{operation.name}: its example request names no {path}"
    headers = {} if ask.etag is None else {"If-Match": ask.etag}
    if ask.token is not None and by is not None:
        headers["Authorization"] = f"Bearer {ask.token}"
    headers |= {**ask.headers, **kwargs.pop("headers", {})}
    if ask.raw is not None:
        kwargs["content"] = ask.raw
    return world.call(
        operation.method, path, by, ask.body, headers=headers, params=dict(ask.query), **kwargs
    )


def refused_by_content(world, stage):
    """Yield requests whose refusal says what is in a case: operation, stage, request, person."""
    by_id = {operation.id: operation for operation in operations(world.client)}
    note = request_for(by_id["redact_note"], stage)
    guess = {"passage": "Green Street", "reason": "a guess"}
    yield by_id["redact_note"], stage, replace(note, body=guess), "cara"
    for name in ("refuse_staff", "link_case"):
        ask = request_for(by_id[name], stage)
        assert send(world, by_id[name], stage, ask, "cara").status_code == 201
        yield by_id[name], stage, ask, "cara"
    for login in ("uma", "sofia"):
        yield by_id["assign_case"], stage, Ask(body={"staff_id": world.staff[login]}), "sue"
    same = {"content": {"to": stage.status(), "reason": "made up"}}
    yield by_id["change_status"], stage, Ask(body=same), "cara"


# --- without a case ------------------------------------------------------------------------------


@valid(
    "read_docs", "read_docs_style", "read_openapi", "read_liveness", "read_readiness",
    "read_vocabulary", "read_form_style", "read_me", "list_staff", "list_teams", "list_cases",
    "list_sessions", "propose_passphrase",
)  # fmt: skip
def _plain(_stage):
    return Ask()


@valid("read_form", "print_form")
def _read_form(_stage):
    return Ask(ids={"form": "intake"})


@valid("create_session")
def _create_session(stage):
    # Somebody of their own: ten sessions at a time, and others of the world stay signed in.
    login = _twin(stage.world)
    code = stage.world.code(login)
    return Ask(body={"login": login, "passphrase": stage.world.passphrases[login], "code": code})


def _twin(world):
    """Return somebody with a phone whom no other test signs in."""
    if not hasattr(world, "_signs_in"):
        world._signs_in = world.person()
    return world._signs_in


@valid("give_second_factor")
def _give_second_factor(stage):
    login = _twin(stage.world)
    # The code first: buying new ones begins a session, and of ten in a second any may have to go.
    code = stage.world.code(login)
    return Ask(token=stage.world.begin(login), body={"code": code})


@valid("propose_second_factor")
def _propose_second_factor(stage):
    login = a_login()
    stage.world.enrol(login, stage.world.add(login))
    return Ask(token=stage.world.begin(login), body={})


@valid("print_codes")
def _print_codes(stage):
    login = a_login()
    stage.world.enrol(login, stage.world.add(login))
    token = stage.world.set_up_phone(login)
    return Ask(token=token, body={"code": stage.world.phones[login].printed[0]})


@valid("confirm_second_factor")
def _confirm_second_factor(stage):
    ask = _propose_second_factor(stage)
    answer = stage.world.post("/v1/me/second-factor", None, {}, headers=bearer(ask.token))
    phone = Phone(base64.b32decode(answer.json()["secret"]))
    return replace(ask, body={"code": phone.next_code(unix_seconds(stage.world.clock.now()))})


@valid("end_session")
def _end_session(stage):
    return Ask(token=stage.world.sign_in(stage.by))


@valid("end_sessions")
def _end_sessions(stage):
    # Somebody whom no other request signs in.
    return Ask(token=stage.world.sign_in(stage.world.person(by=None)))


@valid("end_other_session")
def _end_other_session(stage):
    # Somebody's who is not asked about: nobody ends the session of another person.
    token = stage.world.sign_in(stage.by)
    (mine,) = [
        one["id"]
        for one in stage.world.get("/v1/auth/sessions", headers=bearer(token)).json()["items"]
        if one["current"]
    ]
    return Ask(ids={"session_id": mine}, token=token)


@valid("change_passphrase")
def _change_passphrase(stage):
    login = stage.world.person()
    body = {"passphrase": stage.world.passphrases[login], "new_passphrase": a_passphrase()}
    return Ask(token=stage.world.sign_in(login), body=body)


@valid("suspend_staff")
def _suspend_staff(stage):
    return Ask(ids={"staff_id": stage.world.staff[stage.world.person()]})


@valid("resume_staff")
def _resume_staff(stage):
    return Ask(ids={"staff_id": stage.world.staff["colin"]})


@valid("begin_lockdown")
def _begin_lockdown(_stage):
    # Not confirmed: refused with a sentence to those who may, and to others for their role.
    return Ask(body={"organisation": "Another organisation (made up)"})


@valid("complete_enrolment")
def _complete_enrolment(stage):
    return Ask(body={"code": stage.world.add(a_login()), "passphrase": a_passphrase()})


@valid("add_staff")
def _add_staff(stage):
    body = {
        "name": "Temporary Madeup",
        "login": a_login(),
        "roles": ["caseworker"],
        "team": stage.world.team(NORTH),
    }
    return Ask(body=body)


@valid("read_staff")
def _read_staff(stage):
    return Ask(ids={"staff_id": stage.world.staff["cara"]})


@valid("reset_staff")
def _reset_staff(stage):
    # Each time somebody who has something to lose.
    login = stage.world.person()
    return Ask(ids={"staff_id": stage.world.staff[login]})


@valid("regrant_staff")
def _regrant_staff(stage):
    # Somebody who has all that belongs to them: then nothing is left to give.
    return Ask(ids={"staff_id": stage.world.staff["colin"]})


@valid("make_recovery_code")
def _make_recovery_code(_stage):
    return Ask()


@valid("restore_passphrase")
def _restore_passphrase(stage):
    login = stage.world.person()
    code = stage.world.post("/v1/me/recovery-code", login, None).json()["code"]
    stage.world.passphrases[login] = a_passphrase()
    return Ask(body={"login": login, "code": code, "passphrase": stage.world.passphrases[login]})


@valid("issue_vouch")
def _issue_vouch(stage):
    login = stage.world.person(by=None)
    fingerprint = stage.world.get("/v1/me", login).json()["fingerprint"]
    return Ask(body={"staff_id": stage.world.staff[login], "fingerprint": fingerprint})


@valid("confirm_session")
def _confirm_session(stage):
    return Ask(body={"passphrase": stage.world.passphrases.get(stage.by, a_passphrase())})


@valid("list_approvals")
def _list_approvals(_stage):
    return Ask()


def _recovery(stage):
    return {"scope": "auditors", "beneficiary": stage.world.staff["ada"]}


@valid("ask_recovery")
def _ask_recovery(stage):
    return Ask(body=_recovery(stage))


@valid("decide_approval")
def _decide_approval(stage):
    asked = stage.world.post("/v1/recoveries", "adi", _recovery(stage))
    assert asked.status_code == 201, asked.text
    return Ask(ids={"approval_id": asked.json()["id"]}, body={"approve": False})


@valid("query_ledger")
def _query_ledger(stage):
    return Ask(query={"case": stage.case})


@valid("list_ledger_months")
def _list_ledger_months(_stage):
    return Ask()


@valid("look_up_pseudonym")
def _look_up_pseudonym(stage):
    return Ask(query={"id": stage.case})


@valid("prove_entry")
def _prove_entry(_stage):
    return Ask(ids={"position": "0"})


@valid("export_ledger")
def _export_ledger(stage):
    return Ask(body={"format": "csv", "case": stage.case})


@valid("list_alerts", "list_sign_offs")
def _list_alerts(_stage):
    return Ask()


def _review(stage):
    """Return a review that the auditor opened by hand, each time another one."""
    world = stage.world
    if not hasattr(world, "_reviewed"):
        # A page of the log costs more than all the rest of a review.
        world._reviewed = world.entries(code="case.open")[0]
    entry = world._reviewed
    body = {"month": entry["recorded"][:7], "positions": [entry["position"]], "note": "Made up."}
    answer = world.post("/v1/ledger/reviews", "ada", body)
    assert answer.status_code == 201, answer.text
    return body, answer.json()["id"]


@valid("open_review")
def _open_review(stage):
    return Ask(body=_review(stage)[0])


@valid("read_alert")
def _read_alert(stage):
    return Ask(ids={"alert_id": _review(stage)[1]})


@valid("step_alert")
def _step_alert(stage):
    return Ask(ids={"alert_id": _review(stage)[1]}, body={"to": "in_review"}, etag='"v1"')


@valid("draw_sample")
def _draw_sample(_stage):
    return Ask(body={})


@valid("sign_off")
def _sign_off(_stage):
    return Ask(body={"first": "2026-01-01", "last": "2026-01-31"})


@valid("who_looked")
def _who_looked(stage):
    return Ask(query={"case": stage.case})


@valid("release_looks")
def _release_looks(stage):
    return Ask(body={"case_id": stage.world.case})


@valid("read_looks", "print_looks")
def _read_looks(stage):
    if not stage._unknown and not getattr(stage, "_released", False):
        stage._released = True
        answer = stage.world.post("/v1/ledger/looks", "ada", {"case_id": stage.case})
        assert answer.status_code == 201, answer.text
    return Ask()


@valid("leaver_saw", "release_counts")
def _leaver_saw(stage):
    return Ask(ids={"staff_id": stage.world.staff["colin"]})


@valid("read_counts")
def _read_counts(stage):
    staff = stage.world.staff["colin"]
    answer = stage.world.post(f"/v1/ledger/leavers/{staff}/counts", "ada", None)
    assert answer.status_code == 201, answer.text
    return Ask(ids={"staff_id": staff})


@valid("open_case")
def _open_case(_stage):
    return Ask(body={"identity": an_identity(), "profile": {"presenting_situation": "Made up."}})


@valid("open_cases")
def _open_cases(_stage):
    return Ask(body={"cases": [{"identity": an_identity()}, {"identity": an_identity("Two")}]})


# --- emergencies ---------------------------------------------------------------------------------


def _emergency(stage, holder="colin"):
    """Return a request about a case of somebody else's, each time another one."""
    return {"case": stage.world.open(holder), "reason": "A made-up ambulance asks."}


@valid("break_glass")
def _break_glass(stage):
    return Ask(body=_emergency(stage))


@valid("list_break_glass")
def _list_break_glass(_stage):
    return Ask()


@valid("review_break_glass")
def _review_break_glass(stage):
    # Not over yet: refused to the DPO with a sentence, and to others for their role.
    world = stage.world
    asked = world.post("/v1/break-glass", "cara", _emergency(stage)).json()
    body = {"outcome": "justified", "note": "Made up."}
    return Ask(ids={"break_glass_id": asked["id"]}, body=body)


@valid("set_duty")
def _set_duty(stage):
    # Nobody: who is on call would be so in the other tests of this world too.
    return Ask(ids={"team_id": stage.world.team(NORTH)}, body={"members": []})


# --- partners ------------------------------------------------------------------------------------

PARTNER = {
    "name": "Made-Up House of Calm",
    "type": "NGO",
    "country": "IT",
    "areas": ["Nowhere"],
    "services": ["safehouse"],
    "languages": ["fr", "ar"],
    "phone": "+390000000009",
    "hours": "Made-up hours",
    "public": True,
    "verified_on": "2026-11-20",
}
KEYS = PrincipalSecret(bytes(range(64))).public


def _partner(stage):
    answer = stage.world.post("/v1/partners", "sue", {"content": PARTNER})
    return {"partner_id": answer.json()["id"]}


def a_vault(world):
    """Return a vault that is pinned in a world, the same one until it has sent much."""
    asked = getattr(world, "_asked_vault", 0)
    if asked % 30 == 0:
        # Nobody sends more than forty a day.
        world._peer = Peer(world).pinned()
    world._asked_vault = asked + 1
    return world._peer


@valid("pin_partner_vault")
def _pin_partner_vault(stage):
    peer = Peer(stage.world)
    body = {"card": peer.card(), "fingerprint": peer.own.public.fingerprint}
    return Ask(ids=_partner(stage), body=body, etag='"v1"')


@valid("read_vault_card")
def _read_vault_card(_stage):
    return Ask(query={"team": NORTH})


@valid("receive_vault_message")
def _receive_vault_message(stage):
    peer = a_vault(stage.world)
    return Ask(body={"message": base64.b64encode(peer.said(peer.question())).decode()})


@valid("list_received")
def _list_received(_stage):
    return Ask()


@valid("answer_received")
def _answer_received(stage):
    peer = a_vault(stage.world)
    sealed = peer.said(peer.question())
    assert peer.deliver(sealed).status_code == 200
    return Ask(ids={"letter_id": str(id_of(sealed))}, body={"answer": "accepted"})


@valid("list_partners", "list_gaps")
def _list_partners(_stage):
    return Ask()


@valid("find_pathways")
def _find_pathways(_stage):
    return Ask(query={"service": "safehouse", "area": "nowhere"})


@valid("print_leaflet")
def _print_leaflet(_stage):
    return Ask(query={"area": "nowhere"})


@valid("add_partner")
def _add_partner(_stage):
    return Ask(body={"content": PARTNER})


@valid("read_partner", "remove_partner")
def _read_partner(stage):
    return Ask(ids=_partner(stage))


@valid("amend_partner")
def _amend_partner(stage):
    return Ask(ids=_partner(stage), body={"content": PARTNER}, etag='"v1"')


@valid("set_partner_key")
def _set_partner_key(stage):
    key = base64.b64encode(KEYS.kem + KEYS.sign).decode()
    body = {"key": key, "fingerprint": KEYS.fingerprint}
    return Ask(ids=_partner(stage), body=body, etag='"v1"')


# --- finding people ------------------------------------------------------------------------------


@valid("search_people")
def _search(_stage):
    return Ask(body={"name": "Ondine Obvious-Madeup", "birth_year": 1994})


@valid("share_directory")
def _share_directory(stage):
    # The setting is off: refused to supervisors with a sentence, and to others for their role.
    return Ask(ids={"team_id": stage.world.team(NORTH)}, body={})


# --- register ------------------------------------------------------------------------------------

TRAINING = {
    "region": "Made-Up North",
    "branch": "Made-Up Harbour",
    "held_on": "2026-11-20",
    "staff_total": 64,
    "people_trained": 41,
}


def _registered(stage):
    body = {"kind": "training", "content": TRAINING}
    answer = stage.world.post("/v1/register", REPORTER, body)
    return {"entry_id": answer.json()["id"]}


@valid("list_register")
def _list_register(_stage):
    return Ask()


@valid("read_indicators")
def _read_indicators(_stage):
    return Ask(ids={"period": "2026"})


@valid("add_register_entry")
def _add_register_entry(_stage):
    return Ask(body={"kind": "training", "content": TRAINING})


@valid("read_register_entry", "read_register_history", "remove_register_entry")
def _read_register_entry(stage):
    return Ask(ids=_registered(stage))


@valid("amend_register_entry")
def _amend_register_entry(stage):
    return Ask(ids=_registered(stage), body={"content": TRAINING}, etag='"v1"')


@valid("check_duplicates")
def _check_duplicates(_stage):
    return Ask()


_UNTIL = "2026-12-20T12:00:00Z"


@valid("ask_access")
def _ask_access(stage):
    # Each time another case: of one, people ask once.
    case = stage.world.open("colin")
    reference = stage.world.get(f"/v1/cases/{case}", "colin").json()["reference"]
    return Ask(ids={"reference": reference}, body={"reason": "Made up.", "until": _UNTIL})


@valid("list_access_requests")
def _list_access_requests(_stage):
    return Ask()


@valid("decide_access")
def _decide_access(stage):
    world = stage.world
    case = world.open("colin")
    reference = world.get(f"/v1/cases/{case}", "colin").json()["reference"]
    body = {"reason": "Made up.", "until": _UNTIL}
    asked = world.post(f"/v1/cases/{reference}/access-requests", "stra", body).json()
    return Ask(ids={"access_request_id": asked["id"]}, body={"grant": False, "reason": "Made up."})


# --- releases ------------------------------------------------------------------------------------


def _quarter(stage) -> str:
    """Return a part of a year that nobody has asked of this world: each is paid once."""
    world = stage.world
    if not hasattr(world, "quarters"):
        every = itertools.product(range(2025, 2002, -1), (1, 2, 3, 4))
        world.quarters = (f"{year}-Q{n}" for year, n in every)
    return next(world.quarters)


def _sealed(stage) -> str:
    """Return a release that waits for its first review."""
    if stage._unknown:
        return unknown_id()
    body = {"period": _quarter(stage), "tables": ["people-total"]}
    made = stage.world.post("/v1/releases", REPORTER, body)
    assert made.status_code == 201, made.text
    return made.json()["id"]


def _reviewed(stage) -> str:
    release = _sealed(stage)
    for login in () if stage._unknown else ("sue", "dora"):
        answer = stage.world.post(f"/v1/releases/{release}/reviews", login, {"approve": True})
        assert answer.status_code == 200, answer.text
    return release


@valid("plan_releases", "list_releases")
def _plain_releases(_stage):
    return Ask()


@valid("list_counted_imports")
def _list_counted_imports(_stage):
    return Ask()


@valid("ask_counted_import")
def _ask_counted_import(stage):
    today = stage.world.clock.now().date()
    taken_on = today - timedelta(days=400)
    return Ask(body={"taken_on": taken_on.isoformat(), "accepted_on": today.isoformat()})


@valid("make_release")
def _make_release(stage):
    return Ask(body={"period": _quarter(stage), "tables": ["people-total"]})


@valid("read_release")
def _read_release(stage):
    return Ask(ids={"release_id": _sealed(stage)})


@valid("read_release_file")
def _read_release_file(stage):
    return Ask(ids={"release_id": _sealed(stage), "name": "people-total.csv"})


@valid("review_release")
def _review_release(stage):
    return Ask(ids={"release_id": _sealed(stage)}, body={"approve": True})


@valid("publish_release")
def _publish_release(stage):
    return Ask(ids={"release_id": _reviewed(stage)})


@valid("withdraw_release")
def _withdraw_release(stage):
    release = _reviewed(stage)
    if not stage._unknown:
        done = stage.world.post(f"/v1/releases/{release}/publication", REPORTER, {})
        assert done.status_code == 200, done.text
    return Ask(ids={"release_id": release}, body={"reason": "error"})


@valid("read_privacy_account")
def _read_privacy_account(_stage):
    return Ask()


@valid("enter_exact_disclosure")
def _enter_exact_disclosure(_stage):
    return Ask(body={"cohort_year": 1999})


# --- consents and deadlines ----------------------------------------------------------------------

_POINTS = ("interview", "purpose", "use", "research", "access", "storage", "withdrawal")
CONSENT = {
    "purpose": "referral",
    "categories": ["name"],
    "recipients": ["Made-Up House of Calm"],
    "method": "verbal",
    "language": "fr",
    "wording": "2026-1",
    "given_on": "2026-11-20",
    "valid_until": "2036-11-20",
    "explained": dict.fromkeys(_POINTS, True),
}
BASIS = {
    "basis": "legal_obligation",
    "purpose": "referral",
    "categories": ["name"],
    "recipients": ["Made-Up House of Calm"],
    "reason": "A made-up law of Blue Street",
    "from": "2026-11-20",
    "valid_until": "2036-11-20",
}


@valid("add_consent")
def _add_consent(_stage):
    return Ask(body={"content": CONSENT})


@valid("read_consent")
def _read_consent(stage):
    return Ask(ids={"record_id": stage.made("consent", "/consents", {"content": CONSENT})})


@valid("withdraw_consent")
def _withdraw_consent(stage):
    # A consent of its own: what was taken back once is not there to be taken back again.
    stage.gone("withdrawable")
    made = stage.made("withdrawable", "/consents", {"content": CONSENT})
    return Ask(ids={"record_id": made}, body={"reason": "made up"})


@valid("add_basis")
def _add_basis(_stage):
    return Ask(body={"content": BASIS})


@valid("read_basis")
def _read_basis(stage):
    return Ask(ids={"record_id": stage.made("basis", "/bases", {"content": BASIS})})


@valid("end_basis")
def _end_basis(stage):
    stage.gone("ended basis")
    made = stage.made("ended basis", "/bases", {"content": BASIS})
    return Ask(ids={"record_id": made}, body={"reason": "made up"})


@valid("decide_basis")
def _decide_basis(stage):
    stage.gone("decidable")
    made = stage.made("decidable", "/bases", {"content": BASIS})
    return Ask(ids={"record_id": made}, body={"approve": False, "reason": "made up"})


# --- referrals -----------------------------------------------------------------------------------

REFERRAL = {"service": "safehouse", "urgency": "today", "disclose": ["name"]}


def _referral(stage, fresh=True):
    """Return the id of a referral of the case that the survivor may agree to."""
    if fresh:
        stage.gone("referral")
    agreed = {**CONSENT, "purpose": "referral", "categories": ["name"]}
    agreed |= {"recipients": [PARTNER["name"]], "valid_until": "2099-01-01"}
    stage.made("referral consent", "/consents", {"content": agreed})
    body = _partner(stage) | {"content": REFERRAL}
    return stage.made("referral", "/referrals", body)


def _agreement(stage, made):
    """Return the agreement to what the preview of a referral shows."""
    if stage.holder is None:
        return {"digest": "0" * 64}
    shown = stage.world.get(f"{stage.at}/referrals/{made}/preview", stage.holder).json()
    return {"digest": shown["digest"]}


@valid("list_referrals")
def _list_referrals(_stage):
    return Ask()


@valid("add_referral")
def _add_referral(stage):
    return Ask(body=_partner(stage) | {"content": REFERRAL})


@valid("read_referral", "preview_referral")
def _read_referral(stage):
    return Ask(ids={"record_id": _referral(stage, fresh=False)})


@valid("amend_referral")
def _amend_referral(stage):
    made = _referral(stage)
    return Ask(ids={"record_id": made}, body={"content": REFERRAL}, etag='"v1"')


@valid("agree_referral")
def _agree_referral(stage):
    made = _referral(stage)
    return Ask(ids={"record_id": made}, body=_agreement(stage, made))


@valid("decide_referral")
def _decide_referral(stage):
    ask = _sendable(stage, ask_approval=True)
    return replace(ask, body={"approve": False, "reason": "made up"})


@valid("send_referral")
def _send_referral(stage):
    return _sendable(stage)


def _sendable(stage, **more):
    """Return how a referral is sent to which the survivor agreed."""
    made = _referral(stage)
    if stage.holder is not None:
        path = f"{stage.at}/referrals/{made}/agreement"
        answer = stage.world.post(path, stage.holder, _agreement(stage, made) | more)
        assert answer.status_code == 200, answer.text
    return Ask(ids={"record_id": made}, body={"openings": 10, "days": 30})


@valid("send_referral_to_team")
def _send_referral_to_team(stage):
    return Ask(ids={"record_id": _referred(stage, SOUTH)})


def _referred(stage, team):
    """Return the id of a referral to a team to which the survivor agreed."""
    stage.gone("team referral")
    team_id = stage.world.team(team)
    agreed = {**CONSENT, "purpose": "referral", "categories": ["name"]}
    agreed |= {"recipients": [team_id], "valid_until": "2099-01-01"}
    stage.made("team consent", "/consents", {"content": agreed})
    body = {"team_id": team_id, "content": REFERRAL}
    made = stage.made("team referral", "/referrals", body)
    if stage.holder is not None:
        path = f"{stage.at}/referrals/{made}/agreement"
        answer = stage.world.post(path, stage.holder, _agreement(stage, made))
        assert answer.status_code == 200, answer.text
    return made


@valid("pack_referral")
def _pack_referral(stage):
    ask = _sendable(stage)
    if stage.holder is not None:
        at = f"{stage.at}/referrals/{ask.ids['record_id']}"
        partner = stage.world.get(at, stage.holder).json()["partner_id"]
        key = _set_partner_key(stage).body
        answer = stage.world.put(f"/v1/partners/{partner}/key", "sue", key, '"v1"')
        assert answer.status_code == 200, answer.text
    return Ask(ids=ask.ids, body={"to": "key"})


@valid("ask_partner_vault")
def _ask_partner_vault(stage):
    made = _referral(stage)
    _pin(stage, made)
    return Ask(ids={"record_id": made})


@valid("send_referral_to_vault")
def _send_referral_to_vault(stage):
    ask = _sendable(stage)
    _pin(stage, ask.ids["record_id"])
    return Ask(ids=ask.ids)


def _pin(stage, referral):
    """Pin a vault of the partner to whom a referral is written; nobody answers there."""
    if stage.holder is not None:
        at = f"{stage.at}/referrals/{referral}"
        partner = stage.world.get(at, stage.holder).json()["partner_id"]
        body = _pin_partner_vault(stage).body
        answer = stage.world.put(f"/v1/partners/{partner}/vault", "sue", body, '"v1"')
        assert answer.status_code == 200, answer.text


@valid("note_referral_answer")
def _note_referral_answer(stage):
    ask = _pack_referral(stage)
    if stage.holder is not None:
        path = f"{stage.at}/referrals/{ask.ids['record_id']}/package"
        assert stage.world.post(path, stage.holder, ask.body).status_code == 201
    return Ask(ids=ask.ids, body={"answer": "accepted"})


@valid("recall_referral")
def _recall_referral(stage):
    return Ask(ids={"record_id": _referral(stage)}, body={"reason": "made up"})


@valid("hand_over_referral")
def _hand_over_referral(stage):
    return Ask(ids=_sendable(stage).ids)


@valid("take_referral_outcome")
def _take_referral_outcome(stage):
    ask = _sendable(stage)
    if stage.holder is not None:
        path = f"{stage.at}/referrals/{ask.ids['record_id']}/sending"
        sent = stage.world.post(path, stage.holder, ask.body).json()
        assert stage.world.post(sent["path"], None, {"code": sent["code"]}).status_code == 200
    return Ask(ids=ask.ids)


def _letter(stage):
    """Return id and code of a letter of the world, sent when first asked for."""
    world = stage.world
    if not hasattr(world, "_letter"):
        own = Stage.opened(world)
        ask = _send_referral(own)
        path = f"{own.at}/referrals/{ask.ids['record_id']}/sending"
        sent = world.post(path, "cara", ask.body).json()
        world._letter = sent["path"].rsplit("/", 1)[1], sent["code"]
    return world._letter


@valid("show_collect_page")
def _show_collect_page(stage):
    return Ask(ids={"page_id": _letter(stage)[0]})


@valid("open_collect_page")
def _open_collect_page(stage):
    page, code = _letter(stage)
    return Ask(ids={"page_id": page}, body={"code": code})


@valid("answer_collect_page")
def _answer_collect_page(stage):
    page, code = _letter(stage)
    shown = stage.world.post(f"/v1/collect/{page}", None, {"code": code}).text
    ticket = re.search(r'name="ticket" value="([^"]+)"', shown).group(1)
    return Ask(ids={"page_id": page}, body={"ticket": ticket, "answer": "accepted"})


# --- inbox ---------------------------------------------------------------------------------------


def _intake(_stage):
    return {
        "team": NORTH,
        "identity": an_identity("Temporary Madeup"),
        "profile": {},
        "words": "Waits at Blue Street",
    }


def _entry(stage):
    """Return the id of something that waits for sue's team, each time another."""
    world = stage.world
    sent = getattr(world, "_intakes", 0)
    if sent % 15 == 0:
        # Nobody sends more than twenty a day.
        world._sends = world.person(roles=("referrer",), team=None, by="dora")
    world._intakes = sent + 1
    answer = world.post("/v1/intakes", world._sends, _intake(stage))
    assert answer.status_code == 201, answer.text
    return {"arrival_id": answer.json()["receipt"]}


@valid("set_intake")
def _set_intake(stage):
    return Ask(ids={"team_id": stage.world.team(NORTH)}, body={"members": []})


@valid("submit_intake")
def _submit_intake(stage):
    return Ask(body=_intake(stage))


@valid("unpack_package")
def _unpack_package(stage):
    return Ask(body={"package": base64.b64encode(a_package(stage.world)).decode()})


def a_package(world, team=NORTH, kind=PackageKind.INTAKE, signer=None, files=None, **changes):
    """Return an intake for a team, sealed by somebody who has only its public keys."""
    with world.vault.stores.keyring.reading() as tx:
        (group,) = principals.groups(tx, PrincipalKind.INTAKE, UUID(world.team(team)))
    content = {"identity": an_identity(), "words": "Made up: waits in Blue Street."}
    held = files or (PackedFile("intake.json", json.dumps(content).encode()),)
    statement = Statement(
        id=uuid4(),
        kind=kind,
        sender="Made-Up Volunteers",
        made_at=unix_seconds(world.clock.now()),
        expires_at=None,
        recipient=group.public.key_id,
        signer=None if signer is None else signer.public,
        files=tuple(one.listed for one in held),
    )
    sealed = seal_package(replace(statement, **changes), signer, group.public, held)
    return b"".join(sealed)


@valid("list_inbox")
def _list_inbox(_stage):
    return Ask()


@valid("read_inbox_entry")
def _read_inbox_entry(stage):
    return Ask(ids=_entry(stage))


@valid("take_over_inbox_entry")
def _take_over_inbox_entry(stage):
    return Ask(ids=_entry(stage), body={})


@valid("answer_inbox_entry")
def _answer_inbox_entry(stage):
    """A referral of another team that sue's took over."""
    world, own = stage.world, Stage.opened(stage.world, holder="sofia")
    before = {one["id"] for one in world.get("/v1/inbox", "sue").json()["items"]}
    path = f"{own.at}/referrals/{_referred(own, NORTH)}/team"
    assert world.post(path, "sofia", None).status_code == 200
    (entry,) = {one["id"] for one in world.get("/v1/inbox", "sue").json()["items"]} - before
    assert world.post(f"/v1/inbox/{entry}/case", "sue", {}).status_code == 201
    return Ask(ids={"arrival_id": entry}, body={"answer": "completed"})


@valid("merge_inbox_entry")
def _merge_inbox_entry(stage):
    return Ask(ids=_entry(stage), body={"case_id": stage.world.open("sue")})


@valid("decline_inbox_entry")
def _decline_inbox_entry(stage):
    return Ask(ids=_entry(stage), body={"reason": "not-ours"})


# --- deadlines -----------------------------------------------------------------------------------


@valid("list_deadlines")
def _list_deadlines(_stage):
    return Ask()


@valid("review_deadline")
def _review_deadline(_stage):
    # None passed here: tests/api/test_consents.py lets one pass.
    return Ask(ids={"deadline_id": unknown_id()}, body={"outcome": "justified"})


# --- how long cases are kept ---------------------------------------------------------------------

CLASS = {
    "counted_from": "closed",
    "identity": 60,
    "narrative": 84,
    "facts": 120,
    "basis": "Made up",
}
SCHEDULE = {"classes": [{"name": n, **CLASS} for n in ("standard", "short", "proceedings")]}
REVIEW = {"review": "2027-02-28"}


@valid("list_schedules", "list_holds", "list_certificates", "read_minimisation", "count_words")
def _kept(_stage):
    return Ask()


@valid("propose_schedule")
def _propose_schedule(_stage):
    return Ask(body=SCHEDULE)


@valid("set_hold")
def _set_hold(stage):
    # A case of its own: others here are to be changed and redacted.
    body = {"case": stage.world.open("cara"), "reason": "Made up", **REVIEW}
    return Ask(body={**body, "owner": stage.world.staff["dora"]})


@valid("review_hold")
def _hold(stage):
    held = stage.world.post("/v1/holds", "dora", _set_hold(stage).body).json()
    return Ask(ids={"hold_id": held["id"]}, body=REVIEW)


@valid("ask_hold_release")
def _release(stage):
    return replace(_hold(stage), body=None)


RIGHT = {"right": "access", "asker": "survivor", "words": "Made-up words", "identity": "code_word"}
COMPLAINT = {"asker": "survivor", "words": "A made-up complaint"}


@valid("ask_right")
def _ask_right(_stage):
    return Ask(body=RIGHT)


def _asked_for(stage):
    """Return a request about a case of its own that reached the DPO."""
    body = {**RIGHT, "case": stage.world.open("cara"), "identity": None}
    return stage.world.post("/v1/rights", "dora", body).json()["id"]


@valid("receive_right")
def _receive_right(stage):
    return Ask(body={**RIGHT, "case": stage.world.open("cara")})


@valid("finish_right")
def _finish_right(stage):
    if stage.holder is None:
        return Ask(ids={"right_id": unknown_id()}, body={"told": "in_person"})
    body = {**RIGHT, "right": "portability"}
    answer = stage.world.post(stage.at + "/rights", stage.holder, body)
    if answer.status_code == 409:
        listed = stage.world.get(stage.at + "/rights", stage.holder).json()["items"]
        made = next(one["id"] for one in listed if one["right"] == "portability")
    else:
        made = answer.json()["id"]
    stage.world.post(f"/v1/rights/{made}/decision", "dora", {"grant": True})
    return Ask(ids={"right_id": made}, body={"told": "in_person"})


def _corrected(stage):
    """Return a granted request to correct this case; it is made once."""
    if stage.holder is None:
        return unknown_id()
    body = {**RIGHT, "right": "rectification"}
    answer = stage.world.post(stage.at + "/rights", stage.holder, body)
    if answer.status_code == 409:
        listed = stage.world.get(stage.at + "/rights", stage.holder).json()["items"]
        return next(one["id"] for one in listed if one["right"] == "rectification")
    made = answer.json()["id"]
    stage.world.post(f"/v1/rights/{made}/decision", "dora", {"grant": True})
    return made


@valid("list_notices")
def _list_notices(stage):
    return Ask(ids={"right_id": _corrected(stage)})


@valid("draw_up_notices")
def _draw_up_notices(stage):
    return Ask(ids={"right_id": _corrected(stage)}, body={"words": "Made up"})


@valid("identify_asker")
def _identify_asker(stage):
    return Ask(ids={"right_id": _asked_for(stage)}, body={"method": "code_word"})


@valid("extend_right")
def _extend_right(stage):
    return Ask(ids={"right_id": _asked_for(stage)}, body={"reason": "Made up"})


@valid("decide_right")
def _decide_right(stage):
    body = {"grant": False, "reason": "Made up", "ground": "not_identified"}
    return Ask(ids={"right_id": _asked_for(stage)}, body=body)


@valid("print_right_answer")
def _print_right_answer(stage):
    ask = _decide_right(stage)
    stage.world.post(f"/v1/rights/{ask.ids['right_id']}/decision", "dora", ask.body)
    return replace(ask, body=None)


@valid("send_complaint")
def _send_complaint(_stage):
    return Ask(body=COMPLAINT)


@valid("answer_complaint")
def _answer_complaint(stage):
    sent = stage.world.post("/v1/complaints", "cara", COMPLAINT).json()
    return Ask(ids={"complaint_id": sent["id"]}, body={"words": "Made up"})


@valid("carry_out_objections", "carry_file")
def _carry_out_objections(_stage):
    return Ask()


@valid("preview_copy")
def _preview_copy(_stage):
    return Ask(body={"withheld": []})


@valid("give_copy")
def _give_copy(stage):
    digest = "0" * 64
    if stage.holder is not None:
        shown = stage.world.post(stage.at + "/copy/preview", stage.holder, {"withheld": []})
        digest = shown.json()["digest"]
    return Ask(body={"withheld": [], "digest": digest, "others_reviewed": True})


@valid("list_restrictions", "list_rights", "list_case_rights", "list_complaints")
def _rights(_stage):
    return Ask()


@valid("set_restriction")
def _restrict(stage):
    # A case of its own: others here are to be changed.
    return Ask(body={"case": stage.world.open("cara"), "reason": "Made up", **REVIEW})


@valid("lift_restriction")
def _lift(stage):
    made = stage.world.post("/v1/restrictions", "dora", _restrict(stage).body).json()
    return Ask(ids={"restriction_id": made["id"]}, body={"told": "in_person"})


@valid("ask_erasure")
def _ask_erasure(_stage):
    return Ask(body={"reason": "request"})


@valid("extend_case")
def _extend_case(_stage):
    return Ask(body={"months": 3, "reason": "A made-up appeal"})


@valid("read_certificate")
def _read_certificate(_stage):
    # None was issued here: tests/integration/test_retention.py has some.
    return Ask(ids={"certificate_id": unknown_id()})


# --- drafts and the desk -----------------------------------------------------------------------


DRAFT = {"form": "note", "content": {"text": "Half a made-up note"}}


def _draft_of(stage):
    # Who may not write drafts has none: any id is as good.
    answer = stage.world.post("/v1/drafts", stage.by, DRAFT)
    return answer.json()["id"] if answer.status_code == 201 else unknown_id()


@valid("save_draft")
def _save_draft(_stage):
    return Ask(body=DRAFT)


@valid("list_drafts", "read_worklist", "read_workload")
def _list_drafts(_stage):
    return Ask()


@valid("make_feed")
def _make_feed(_stage):
    return Ask()


@valid("end_feed")
def _end_feed(stage):
    stage.world.post("/v1/feed", stage.by, None)
    return Ask()


@valid("read_feed")
def _read_feed(stage):
    answer = stage.world.post("/v1/feed", "cara", None)
    return Ask(ids={"token": answer.json()["path"].rsplit("/", 1)[1].removesuffix(".ics")})


@valid("read_draft", "delete_draft")
def _a_draft(stage):
    return Ask(ids={"draft_id": _draft_of(stage)})


@valid("change_draft")
def _change_draft(stage):
    return Ask(ids={"draft_id": _draft_of(stage)}, body=DRAFT, etag='"v1"')


# --- of a case -----------------------------------------------------------------------------------


@valid(
    "read_case", "read_identity", "read_profile", "read_facts", "explain_access", "list_grants",
    "list_notes", "list_services", "list_tasks", "list_links", "list_refused_staff",
    "read_timeline", "list_consents", "list_bases",
)  # fmt: skip
def _read_of_case(_stage):
    return Ask()


@valid("amend_identity")
def _amend_identity(stage):
    return Ask(body=an_identity("Changed Madeup"), etag=stage.version("/identity"))


@valid("amend_profile")
def _amend_profile(stage):
    return Ask(body={"presenting_situation": "Changed."}, etag=stage.version("/profile"))


@valid("amend_facts")
def _amend_facts(stage):
    return Ask(body={"context": ["conflict"]}, etag=stage.version("/facts"))


def _assignee(stage):
    """Return a colleague to whom cases are assigned again and again."""
    login = getattr(stage.world, "_assignee", None) or stage.world.person()
    stage.world._assignee = login
    return login


@valid("assign_case")
def _assign_case(stage):
    return Ask(body={"staff_id": stage.world.staff[_assignee(stage)]})


@valid("review_case")
def _review_case(stage):
    return Ask()


@valid("revoke_case")
def _revoke_case(stage):
    login = _assignee(stage)
    if not stage._unknown:
        stage.world.assign(stage.case, login)
    return Ask(ids={"staff_id": stage.world.staff[login]})


@valid("give_cover")
def _give_cover(stage):
    until = stage.world.clock.now() + timedelta(days=7)
    body = {
        "staff_id": stage.world.staff["stra"],
        "by": stage.world.staff[_assignee(stage)],
        "until": until.isoformat(),
    }
    return Ask(body=body)


def _may_move(stage, case, holder, team):
    """Record that the survivor agrees to give everything to a team."""
    content = {
        **CONSENT,
        "purpose": "referral",
        "categories": list(vocabulary.code_list("data_category")),
        "recipients": [stage.world.team(team)],
    }
    answer = stage.world.post(f"/v1/cases/{case}/consents", holder, {"content": content})
    assert answer.status_code == 201, answer.text


@valid("transfer_case")
def _transfer_case(stage):
    body = {"team_id": stage.world.team(SOUTH)}
    if stage._unknown:
        return Ask(body=body)
    # A case of its own: nobody here would open it afterwards.
    case = stage.world.open(stage.holder)
    _may_move(stage, case, stage.holder, SOUTH)
    return Ask(ids={CASE: case}, body=body)


@valid("take_case")
def _take_case(stage):
    world, case = stage.world, stage.world.open("sofia")
    _may_move(stage, case, "sofia", NORTH)
    given = world.post(f"/v1/cases/{case}/transfer", "sid", {"team_id": world.team(NORTH)})
    return Ask(ids={"transfer_id": given.json()["id"]})


@valid("decline_case")
def _decline_case(stage):
    return replace(_take_case(stage), body={"reason": "no_capacity"})


@valid("depart_staff")
def _depart_staff(stage):
    # Somebody new each time: whoever left cannot leave again.
    return Ask(ids={"staff_id": stage.world.staff[stage.world.person()]}, body={})


@valid("link_case")
def _link_case(stage):
    other = stage.world.open(stage.holder) if stage.holder else unknown_id()
    return Ask(body={"case_id": other, "content": {"type": "family"}})


_FILE = {
    "Content-Type": "text/plain",
    "Content-Disposition": 'attachment; filename="Made-Up Blue Street.txt"',
}


@valid("add_file")
def _add_file(_stage):
    return Ask(raw=b"A made-up letter from Blue Street.", headers=_FILE)


@valid("list_files")
def _list_files(_stage):
    return Ask()


@valid("read_file")
def _read_file(stage):
    return Ask(ids={"file_id": _a_file(stage)})


@valid("remove_file")
def _remove_file(stage):
    ask = Ask(ids={"file_id": _a_file(stage)})
    stage.gone("file")
    return ask


def _a_file(stage):
    return stage.made("file", "/files", None, content=b"A made-up letter.", headers=_FILE)


@valid("unlink_case")
def _unlink_case(stage):
    stage.gone("link")
    body = {"case_id": stage.sibling(), "content": {"type": "same_incident"}}

    def present():
        found = stage.world.get(stage.at + "/links", stage.holder).json()["items"]
        return next(link["id"] for link in found if link["content"]["type"] == "same_incident")

    return Ask(ids={"record_id": stage.made("link", "/links", body, present)})


@valid("refuse_staff")
def _refuse_staff(stage):
    return Ask(body={"staff_id": stage.world.staff["uma"], "content": {"reason": "made up"}})


@valid("accept_staff")
def _accept_staff(stage):
    stage.gone("refusal")
    refused = stage.world.staff["adi"]

    def present():
        found = stage.world.get(stage.at + "/refused-staff", stage.holder).json()["items"]
        return next(one["id"] for one in found if one["staff_id"] == refused)

    body = {"staff_id": refused, "content": {}}
    return Ask(ids={"record_id": stage.made("refusal", "/refused-staff", body, present)})


@valid("change_status")
def _change_status(stage):
    status = stage.status()
    target = {"Active": "FollowUp", "FollowUp": "Active"}[status]
    return Ask(body={"content": {"to": target, "reason": "made up"}})


@valid("decide_closing")
def _decide_closing(stage):
    stage.gone("closing")

    def present():
        page, query = None, {}
        while page is None or page["cursor"]:
            page = stage.world.get(f"{stage.at}/timeline", stage.holder, params=query).json()
            query = {"cursor": page["cursor"]}
            for one in page["items"]:
                if (one["record_type"], one["state"]) == ("transition", "waiting"):
                    return one["id"]
        raise AssertionError("no closing waits")

    body = {"content": {"to": "Closed", "reason": "made up"}}
    closing = stage.made("closing", "/transitions", body, present)
    # Declined, so that the case stays as it was.
    return Ask(ids={"record_id": closing}, body={"approve": False, "reason": "made up"})


def _of_records(name: str) -> None:
    many = f"/{name}s"

    def kept(stage):
        return stage.made(name, many, {"content": CONTENT[name]})

    @valid(f"add_{name}")
    def _add(_stage):
        return Ask(body={"content": CONTENT[name]})

    @valid(f"read_{name}")
    def _read(stage):
        return Ask(ids={"record_id": kept(stage)})

    @valid(f"amend_{name}")
    def _amend(stage):
        row = kept(stage)
        body = {"content": CONTENT[name], "reason": "made up"}
        return Ask(ids={"record_id": row}, body=body, etag=stage.version(f"{many}/{row}"))

    @valid(f"redact_{name}")
    def _redact(stage):
        # A record of its own: what was redacted once is not there to be redacted again.
        stage.gone("redactable " + name)
        row = stage.made("redactable " + name, many, {"content": CONTENT[name]})
        body = {"passage": "Blue Street", "reason": "tells where"}
        return Ask(ids={"record_id": row}, body=body, etag='"v1"')


for _name in CONTENT:
    _of_records(_name)
