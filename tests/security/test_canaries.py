"""Five hundred canaries through every path, forced errors included; then found nowhere.

A real server process logging at debug level, over loopback. Searched: all that the process wrote,
every file of both stores with WAL (SQLite) or every table, every file of the databases, the
write-ahead log and the server's own log (PostgreSQL), every refusal, the ledger's export and the
auditor's view of it, what goes to backups and to the second medium.
"""

from __future__ import annotations

import base64
import itertools
import json
import socket
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import select, update

from casevault.clock import SystemClock
from casevault.crypto.roots import PRINCIPALS
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.staff.access import Role
from casevault.domain.staff.granting import ObjectKind
from casevault.services.casework.casework import Casework
from casevault.services.recovery.backups import Backups, Source
from casevault.services.recovery.rolls import Rolls
from casevault.store.case import cases, documents
from casevault.store.context.caller import Gate
from casevault.store.engine import tables
from casevault.store.keys.grants import Object
from casevault.store.log import exporting
from casevault.store.recovery.media import Medium
from tests.api.world import a_login
from tests.builders import SUPERVISOR, a_vault
from tests.conftest import libpq_url
from tests.security.canaries import Canaries, filled, found_in, spellings
from tests.security.interface import Ask, Stage, operations, request_for, send
from tests.security.server import running
from tests.security.stored import unwritable_ledger

MANY_RECORDS = (DocumentKind.NOTE, DocumentKind.SERVICE, DocumentKind.TASK)


@dataclass
class Run:
    """What one exercise sent and left behind."""

    world: object
    canaries: Canaries
    refusals: list[bytes] = field(default_factory=list)
    kept: int = 0
    codes: set[str] = field(default_factory=set)
    secrets: dict[str, bytes] = field(default_factory=dict)
    evidence: dict[str, bytes] = field(default_factory=dict)
    sign_in_here: object = None

    def note(self, answer):
        """Keep what a refusal said: status line, headers and body."""
        assert answer.status_code < 500 or answer.status_code in (500, 503), answer.status_code
        if answer.status_code >= 400:
            head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
            self.refusals.append(head.encode() + b"\n\n" + answer.content)
            if "problem" in answer.headers.get("content-type", ""):
                self.codes.add(answer.json()["code"])
        return answer

    def refused(self, *args, **kwargs):
        """Send something that must be refused."""
        answer = self.note(self.world.call(*args, **kwargs))
        assert answer.status_code >= 400, (args[:2], answer.status_code)
        return answer


def leaves(value, at=()):
    """Yield the places of all texts in a body."""
    if isinstance(value, str):
        yield at
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from leaves(one, (*at, name))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from leaves(one, (*at, place))


def replaced(value, at, new):
    """Return a body with something else at a place."""
    if not at:
        return new
    head, *rest = at
    if isinstance(value, dict):
        return {**value, head: replaced(value[head], rest, new)}
    return [replaced(one, rest, new) if n == head else one for n, one in enumerate(value)]


# --- the exercise --------------------------------------------------------------------------------


def keep_what_is_typed(run):
    """Fill every field that takes words with canaries, and read them back."""
    world, birds = run.world, run.canaries
    identity, profile = filled(DocumentKind.IDENTITY, birds), filled(DocumentKind.PROFILE, birds)
    stage = Stage(world, "cara", world.open("cara", identity, profile))
    assert world.get(stage.at + "/identity", "cara").json() == identity
    assert world.get(stage.at + "/profile", "cara").json() == profile
    for kind in MANY_RECORDS:
        content = filled(kind, birds)
        at = f"{stage.at}/{kind.value}s"
        made = world.post(at, "cara", {"content": content}).json()["id"]
        assert world.get(f"{at}/{made}", "cara").json()["content"] == content
    run.kept = len(birds.sent)
    return stage


def type_canaries_everywhere(run, stage):
    """Put a canary into each text of each valid request: some are taken, some refused."""
    world, birds = run.world, run.canaries
    for operation in operations(world.client):
        stage.by = operation.who or "cara"
        ask = request_for(operation, stage)
        # The register is plain by design: it holds numbers of trainings, not people.
        if ask.body is None or operation.path.startswith("/v1/register"):
            continue
        places = list(leaves(ask.body))
        for at in places:
            for new in (birds.next(), {birds.next(): 1}, birds.next() * 3000, [birds.next()]):
                wrong = Ask(ask.ids, replaced(ask.body, at, new), '"v1"', ask.query)
                run.note(send(world, operation, stage, wrong, operation.who))
        for body in (birds.next(), [birds.next()], {**ask.body, birds.next(): birds.next()}):
            wrong = Ask(ask.ids, body, '"v1"', ask.query)
            assert run.note(send(world, operation, stage, wrong, operation.who)).status_code >= 400
        stale = Ask(ask.ids, ask.body, f'"{birds.ascii()}"', ask.query)
        run.note(send(world, operation, stage, stale, operation.who))
        headers = {"Idempotency-Key": birds.ascii(), "Accept-Language": birds.ascii()}
        run.note(send(world, operation, stage, ask, operation.who, headers=headers))


def send_files(run, stage):
    """Canaries in files, in their names and kinds: kept and given out, or refused."""
    world, birds, at = run.world, run.canaries, stage.at + "/files"
    for ending in ("txt", "pdf", "zip"):
        for kind in ("text/plain", "application/pdf", birds.ascii()):
            name = quote(birds.next("name latin"), safe="")
            named = f"attachment; filename*=UTF-8''{name}.{ending}"
            headers = {"Content-Type": kind, "Content-Disposition": named}
            content = birds.next().encode()
            run.note(world.call("POST", at, "cara", content=content, headers=headers))
    kept = world.get(at, "cara").json()["items"]
    assert kept
    for one in kept:
        assert world.get(f"{at}/{one['id']}", "cara").status_code == 200


def break_bodies(run):
    """Bodies that are no JSON, not strictly JSON, of another type, or too large."""
    birds = run.canaries
    bad = [
        '{{"identity": "{0}',
        '{{"{0}": NaN}}',
        '{{"{0}": 1, "{0}": 2}}',
        '\ufeff{{"{0}": 1}}',
        '{{"a": "{0}\\u0000"}}',
        '{{"a": "{0}\\ud800"}}',
        "[" * 40 + '"{0}"' + "]" * 40,
        '["{0}", 1e999]',
    ]
    headers = {"Content-Type": "application/json"}
    for text in bad:
        content = text.format(birds.next()).encode()
        run.refused("POST", "/v1/cases", "cara", content=content, headers=headers)
    latin = birds.next("name latin").encode("utf-16")
    run.refused("POST", "/v1/cases", "cara", content=latin, headers=headers)
    large = b'"' + birds.next().encode() * 60_000 + b'"'
    run.refused("POST", "/v1/cases", "cara", content=large, headers=headers)
    for kind in ("text/plain", "multipart/form-data; boundary=" + birds.ascii()):
        content, headers = birds.next().encode(), {"Content-Type": kind}
        run.refused("POST", "/v1/cases", "cara", content=content, headers=headers)


def break_addresses(run, stage):
    """Paths, queries, methods and headers that hold canaries."""
    world, birds = run.world, run.canaries
    for _ in range(12):
        bird = quote(birds.next())
        for path in (f"/v1/cases/{bird}", f"/v1/{bird}", f"{stage.at}/notes/{bird}", f"/{bird}"):
            run.refused("GET", path, "cara")
        run.refused("GET", f"/v1/cases?cursor={bird}", "cara")
        run.refused("GET", f"{stage.at}/timeline?cursor={bird}", "cara")
        for name in ("month", "case", "actor", "code", "outcome", "since", "cursor"):
            run.refused("GET", f"/v1/ledger/entries?{name}={bird}", "ada")
        # Some canaries have the form of a pseudonym: nothing is found then.
        for name in ("session", "record"):
            run.note(world.get(f"/v1/ledger/entries?{name}={bird}", "ada"))
        run.refused("PATCH", f"{stage.at}?{bird}={bird}", "cara")
    for name in ("User-Agent", "Referer", "Cookie", "X-Request-Id", "X-Forwarded-For", "Origin"):
        world.get("/v1/me", "cara", headers={name: birds.ascii()})
    run.refused("GET", "/v1/me", "cara", headers={"Host": birds.ascii().split()[0].strip("=")})
    for _ in range(40):
        run.refused("GET", "/v1/me", headers={"Authorization": "Bearer " + birds.next("token")})
    run.refused("GET", "/v1/me", headers={"Authorization": "Basic " + birds.next("base64")})
    for line in (
        "{0} /{0} HTTP/1.1",
        "{0} /{0} HTTP/9.9",
        "GET {0}",
        "{0}",
        "GET /{0}\x00 HTTP/1.1",
    ):
        for kind in ("name latin", "token", "hex", "base64"):
            speak(run, line.format(birds.next(kind).replace(" ", "-")))


def speak(run, line):
    """Send a request line that no client would send."""
    with socket.create_connection(("127.0.0.1", run.world.port), timeout=5) as raw:
        raw.sendall(f"{line}\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        run.refusals.append(raw.recv(65_536))


def guess_credentials(run):
    """Wrong passphrases, logins and codes; weak passphrases; a right one that is a canary."""
    world, birds = run.world, run.canaries
    for _ in range(15):
        body = {"login": "cara", "passphrase": birds.next("passphrase")}
        run.refused("POST", "/v1/auth/sessions", None, body)
    run.refused("POST", "/v1/auth/sessions", None, {**body, "login": birds.next()})
    known = {"login": "cara", "passphrase": world.passphrases["cara"]}
    run.refused("POST", "/v1/auth/sessions", None, {**known, "code": birds.next("hex")[:40]})
    wrong = {"code": birds.next("base64")[:40]}
    for path in ("/v1/auth/sessions/current/second-factor", "/v1/me/second-factor"):
        run.refused("POST", path, "cara", wrong)
    one = world.add(a_login())
    run.secrets["a one-time code"] = one.encode()
    run.secrets["a one-time code without dashes"] = one.replace("-", "").encode()
    weak = birds.next("name cyrillic")[:11]
    run.refused("POST", "/v1/auth/enrolments", None, {"code": one, "passphrase": weak})
    wrong = {"code": birds.next("hex")[:24], "passphrase": birds.next("passphrase")}
    run.refused("POST", "/v1/auth/enrolments", None, wrong)
    right = {"code": one, "passphrase": birds.next("passphrase")}
    assert world.call("POST", "/v1/auth/enrolments", None, right).status_code == 201
    login = a_login(birds.next("name latin").split()[0])
    body = {"name": birds.next(), "login": login, "roles": ["auditor"], "team": None}
    assert world.post("/v1/staff", "adi", body).status_code == 201
    run.refused("POST", "/v1/staff", "adi", body)
    body = {"staff_id": world.staff["uma"], "fingerprint": birds.next("hex")}
    run.refused("POST", "/v1/vouches", "sue", body)


def use_up_the_rest(run, stage):
    """Every canary is typed at least once: what is left goes into notes."""
    birds, world = run.canaries, run.world
    rest = sorted(birds.everything - birds.sent)
    for some in itertools.batched(rest, 50) if hasattr(itertools, "batched") else [rest]:
        content = {"type": "visit", "date": "2026-11-20", "text": "\n".join(some)}
        assert world.post(stage.at + "/notes", "cara", {"content": content}).status_code == 201
        birds.sent |= set(some)


def break_what_is_stored(run, stage):
    """A tampered row, a ledger that cannot be written."""
    world, table = run.world, tables.document
    where = (table.c.case_id == UUID(stage.case)) & (table.c.compartment == "identity")
    database = world.vault.stores.data
    with database.reading() as connection:
        row, sealed = connection.execute(select(table.c.id, table.c.sealed).where(where)).one()
    broken = bytes(sealed[:-1]) + bytes([sealed[-1] ^ 1])
    for value in (broken, sealed):
        with database.writing() as connection:
            connection.execute(update(table).where(table.c.id == row).values(sealed=value))
        if value is broken:
            assert run.refused("GET", stage.at + "/identity", "cara").status_code == 500
    body = {"identity": filled(DocumentKind.IDENTITY, run.canaries)}
    with unwritable_ledger(world.vault):
        assert run.refused("POST", "/v1/cases", "cara", body).status_code == 503
        assert run.refused("GET", stage.at + "/identity", "cara").status_code == 503
    assert world.get(stage.at + "/identity", "cara").status_code == 200


def real_secrets(run, stage):
    """Collect what must be nowhere: passphrases, tokens, seeds and keys."""
    world = run.world
    stores = world.vault.stores
    run.secrets |= {f"{who}'s passphrase": p.encode() for who, p in world.passphrases.items()}
    run.secrets |= {f"{who}'s token": token.encode() for who, token in world._tokens.items()}
    for who, phone in world.phones.items():
        run.secrets[f"the secret of {who}'s phone"] = phone.secret
        run.secrets[f"the same as typed by {who}"] = base64.b32encode(phone.secret)
        run.secrets |= {
            f"{who}'s printed code {n}": c.encode() for n, c in enumerate(phone.printed)
        }
    run.secrets["the boot secret"] = world.served_boot_secret
    roots = stores.roots
    run.secrets |= {f"epoch key {n}": roots.epoch(n).material for n in roots.epochs()}
    run.secrets |= {"pepper": roots.pepper().material, "service key": roots.service().material}
    run.secrets |= {f"seed of {name}": roots.principal(name).seed for name in PRINCIPALS}
    month = stores.months.current()
    run.secrets |= {"month's body key": month.body.material, "index key": month.index.material}
    # A session of this process: the served one's opens only over there.
    caller = world.vault.sessions.authenticate(run.sign_in_here())
    run.secrets["cara's seed"] = caller.keys.secret.seed
    with stores.data.reading() as connection, stores.keyring.reading() as tx:
        case = cases.find_case(connection, roots, UUID(stage.case))
        opened = caller.keys.open(tx, Object(ObjectKind.CASE, case.id, case.team))
    assert len(opened) == 3
    run.secrets |= {f"key of the {name}": one.key.material for name, one in opened.items()}


# --- the search ----------------------------------------------------------------------------------


def ledger_views(world):
    """Return the export for outsiders, and all pages that an auditor sees."""
    pages, cursor = [], None
    world.vault.caretaker.integrate()
    while True:
        query = {} if cursor is None else {"cursor": cursor}
        answer = world.get("/v1/ledger/entries", "ada", params=query)
        assert answer.status_code == 200
        pages.append(answer.content)
        cursor = answer.json()["cursor"]
        if cursor is None:
            break
    vault = world.vault
    found = exporting.pieces(vault.stores.data, vault.checkpoints)
    exported = [name.encode() + content for name, content in found]
    return {"the ledger's export": b"".join(exported), "the auditor's view": b"".join(pages)}


def sqlite_files(world):
    """Return every file of both stores: databases, WAL, locks."""
    found = {}
    for url in (world.databases.data_url, world.databases.keyring_url):
        path = Path(url.removeprefix("sqlite:///"))
        for file in path.parent.glob(path.name + "*"):
            # By another process: closing the file here would end the locks that SQLite holds on it
            # for this one (POSIX), and the world would be of no use to the tests that follow.
            read = subprocess.run(["/bin/cat", file], capture_output=True, check=True)
            found[f"the file {file.name}"] = read.stdout
    assert any(name.endswith("-wal") for name in found)
    return found


def postgresql_tables(world):
    """Return a dump of every table of both databases, and what lies on the server's disk."""
    found = {}
    for url in (world.databases.data_url, world.databases.keyring_url):
        with psycopg.connect(libpq_url(url)) as connection:
            names = connection.execute(
                "SELECT schemaname, tablename FROM pg_tables"
                " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            ).fetchall()
            for name in names:
                statement = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(*name))
                with connection.cursor().copy(statement) as copy:
                    found[f"the table {name[1]}"] = b"".join(map(bytes, copy))
    host = parse_qs(urlsplit(world.databases.data_url).query).get("host", [""])[0]
    # Only a server that these tests started keeps its files where its socket is.
    if (Path(host) / "PG_VERSION").is_file():
        found |= server_files(world, Path(host))
    return found


def server_files(world, base):
    """Return the files of both databases, the write-ahead log and the server's own log."""
    places = [base / "pg_wal", base / "log"]
    for url in (world.databases.data_url, world.databases.keyring_url):
        with psycopg.connect(libpq_url(url), autocommit=True) as connection:
            connection.execute("CHECKPOINT")
            asked = "SELECT oid FROM pg_database WHERE datname = current_database()"
            (oid,) = connection.execute(asked).fetchone()
            places.append(base / "base" / str(oid))
    files = {one for at in places for one in (at.rglob("*") if at.is_dir() else [at])}
    found = {f"the server's {f.relative_to(base)}": f.read_bytes() for f in files if f.is_file()}
    # The search would find them: a leaf of the log is plain by design, in its table and before.
    for place in ("base", "pg_wal"):
        assert any(b'{"v":1,"t":"' in raw for name, raw in found.items() if f" {place}/" in name)
    return found


def copies(world, folder):
    """Make a backup of the data and the copies of the second medium; return every file of them."""
    stores, medium = world.vault.stores, folder / "medium"
    rolls = Rolls(stores, Medium(medium, stores.roots.keyring_id), 1)
    rolls.roll(new_medium=True)
    if world.kind == "sqlite":
        Backups(stores).make(Source(world.databases.data_url, None, None), folder, lambda *_: None)
    found = {f"the copy {f.name}": f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    assert len(found) >= (4 if world.kind == "sqlite" else 3)
    return found


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
)
def run(request, worlds, tmp_path_factory):
    """Do all of it once per kind of database, and stop the server."""
    with running(worlds(request.param), tmp_path_factory.mktemp("canaries")) as world:
        found = Run(world, Canaries.fresh())
        found.sign_in_here = lambda: worlds(request.param).sign_in("cara")
        stage = keep_what_is_typed(found)
        type_canaries_everywhere(found, stage)
        send_files(found, stage)
        break_bodies(found)
        break_addresses(found, stage)
        guess_credentials(found)
        use_up_the_rest(found, stage)
        break_what_is_stored(found, stage)
        real_secrets(found, stage)
        found.evidence |= ledger_views(world)
        stored = sqlite_files if world.kind == "sqlite" else postgresql_tables
        found.evidence |= stored(world)
    found.evidence |= copies(worlds(request.param), tmp_path_factory.mktemp("copies"))
    found.evidence["the refusals"] = b"\n".join(found.refusals)
    found.evidence["the process's output"] = world.output.read_bytes()
    return found


def test_no_canary_is_anywhere(run):
    """In no log, file, table, refusal or export, in no spelling; nor a secret really used."""
    used = {needle: name for name, raw in run.secrets.items() for needle in spellings(raw)}
    assert len(run.secrets) > 25
    found = found_in(run.canaries.needles() | used, run.evidence)
    assert not found, "\n".join(found)
    went_everywhere(run)


def went_everywhere(run):
    """All canaries were sent, many are kept, and every kind of refusal was seen."""
    assert run.canaries.sent == run.canaries.everything
    assert run.kept >= 20
    assert len(run.refusals) > 400
    assert {
        "credentials", "cursor", "invalid", "json.syntax", "json.number", "json.duplicate-key",
        "json.bom", "json.text", "json.depth", "json.encoding", "body.too-large", "body.type",
        "route.unknown", "method.not-allowed", "session.missing", "stale", "unrecorded",
        "staff.login-taken", "vouch.fingerprint", "passphrase.short",
    } <= run.codes | {"invalid"}, sorted(run.codes)  # fmt: skip
    assert b'"event": "request"' in run.evidence["the process's output"]
    assert sum(map(len, run.evidence.values())) > 1_000_000


# --- planted violations --------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["utf-8", "hex", "base64", "json", "url", "utf-16-le"])
def test_a_planted_canary_is_found(spelling):
    """In every spelling, of every kind, at any place."""
    birds = Canaries.fresh()
    spelt = {
        "utf-8": str.encode,
        "hex": lambda text: text.encode().hex().encode(),
        "base64": lambda text: base64.b64encode(b"before " + text.encode() + b" after"),
        "json": lambda text: json.dumps(text).encode(),
        "url": lambda text: quote(text).encode(),
        "utf-16-le": lambda text: text.encode("utf-16-le"),
    }[spelling]
    needles = birds.needles()
    for kind, found in birds.of_kind.items():
        evidence = {"a place": bytes(999) + spelt(found[7]) + bytes(999)}
        assert found_in(needles, evidence) == [f"{kind} is in a place"]


def test_a_store_that_writes_plain_text_is_found(sqlite_databases, tmp_path, monkeypatch):
    """A document with one field beside the seal: the search of the files finds it."""
    birds = Canaries.fresh()
    vault = a_vault(sqlite_databases, tmp_path, SystemClock())
    seal = documents.seal_compartment

    def leaking(organisation, case, compartment, key, contents):
        made = seal(organisation, case, compartment, key, contents)
        plain = json.dumps([content for _, content in contents]).encode()
        return replace(made, documents=tuple((row, raw + plain) for row, raw in made.documents))

    def a_case(name):
        casework = Casework(vault.stores, Gate(vault.stores, "passphrase"))
        caller = vault.caller(SUPERVISOR, Role.SUPERVISOR)
        casework.open_case(caller, {"name_to_use": name}, {}, "standard")

    class Left:
        databases = sqlite_databases

    try:
        a_case(birds.next("name latin"))
        assert found_in(birds.needles(), sqlite_files(Left)) == []
        monkeypatch.setattr(documents, "seal_compartment", leaking)
        a_case(birds.next("name latin"))
        found = found_in(birds.needles(), sqlite_files(Left))
    finally:
        vault.close()
    assert found, "nothing was found"
    assert all(line.startswith("name latin is in the file casevault.db") for line in found)
