"""The plaintext twin: the same API as an ordinary product would do it. For comparison only.

What it has in common with CaseVault is CaseVault's own code, so that neither side does less: the
server and its settings, request ids, security headers, log line, body limit and strict JSON; the
shapes of requests and answers; the checks of the data dictionary; the database settings (WAL, a
sync at every commit, one writer at a time); sessions that expire and are touched once a minute,
looked up by the digest of their token together with the person; passphrases under Argon2 with the
parameters of the vault's smallest profile; ETag and If-Match; idempotency keys.

What it does instead of keys: a permission is an `if` on team, role and a row of `share`; content
is JSON in a column; names and phones are columns with an index; the audit is one row for each
case that was seen or changed, in the transaction of the act, a commit for each read.
What it leaves out because an ordinary product has none of it: sealing, keys, manifests, a tree of
hashes, equal work for refusals. Nothing in it waits or works on purpose.
Its operations run as FastAPI runs them (three crossings into a thread), the vault's in one thread.
"""

import hashlib
import json
import os
import re
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from argon2 import PasswordHasher
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from pydantic import Field
from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from benchmarks import twin_tables as tables
from casevault import logs
from casevault.api import problems
from casevault.api.deps import RequestId, Token, Version, etag
from casevault.api.middleware import BodyGuard, RequestContext
from casevault.api.schemas.cases import Case, CasePage, IdentityContent, NewCase
from casevault.api.schemas.common import Shape
from casevault.api.schemas.records import Made, NewRecord
from casevault.cli.serve import listen, run
from casevault.domain.case import casefile, dictionary, facts
from casevault.domain.case.casefile import CaseMetadata, DocumentKind, Status
from casevault.domain.case.dictionary import Dictionary, known_purposes
from casevault.errors import NotFound, Stale, Unauthenticated
from casevault.ids import CaseId, TeamId, new_reference
from casevault.services.casework.casework import CaseView
from casevault.store.engine.database import Database

PAGE, TOUCH, IDLE, ABSOLUTE = 25, 60, 15 * 60, 10 * 3600
BODY_LIMIT = 1_048_576
TEAM = UUID(int=7)
ALL = ("facts", "identity", "narrative")
WORDS = Dictionary.of(known_purposes())
_FOLD = re.compile(r"[^\w]+")
# Made once, as the product does it.
_CALLER = (
    select(tables.session.c.token, tables.session.c.created_at, tables.session.c.seen_at)
    .add_columns(tables.staff.c.id, tables.staff.c.role, tables.staff.c.team)
    .join(tables.staff, tables.staff.c.id == tables.session.c.staff_id)
    .where(tables.session.c.token == bindparam("token"), tables.staff.c.active)
)
_CASE = select(tables.case_file).where(tables.case_file.c.id == bindparam("case"))
_SHARED = select(tables.share.c.case_id).where(
    tables.share.c.case_id == bindparam("case"), tables.share.c.staff_id == bindparam("staff")
)
_DOCUMENT = select(tables.document.c.content, tables.document.c.version).where(
    tables.document.c.case_id == bindparam("case"), tables.document.c.kind == bindparam("kind")
)
_NAMES = select(tables.document.c.case_id, tables.document.c.content).where(
    tables.document.c.case_id.in_(bindparam("cases", expanding=True)),
    tables.document.c.kind == "identity",
)
_REPEATED = select(tables.idempotency.c.made).where(
    *(
        column == bindparam(name)
        for name, column in (
            ("staff", tables.idempotency.c.staff_id),
            ("route_", tables.idempotency.c.route),
            ("key_", tables.idempotency.c.key),
        )
    )
)


class SignIn(Shape):
    """Login and passphrase."""

    login: str = Field(max_length=120)
    passphrase: str = Field(max_length=200)


class SignedIn(Shape):
    """A token."""

    token: str


class Assignment(Shape):
    """To whom a case is given."""

    staff_id: UUID = Field(strict=False)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    staff: UUID
    team: UUID
    role: str
    session: bytes
    request: str | None


async def _database(request: Request) -> Database:
    found: Database = request.app.state.database
    return found


Store = Annotated[Database, Depends(_database)]
router = APIRouter()


def _caller(request: Request, database: Store, token: Token, request_id: RequestId) -> Caller:
    digest, now = hashlib.sha256((token or "").encode()).digest(), int(time.time())
    with database.reading() as connection:
        found = connection.execute(_CALLER, {"token": digest}).one_or_none()
    if found is None or now - found.seen_at > IDLE or now - found.created_at > ABSOLUTE:
        raise Unauthenticated("Your session has ended. Sign in again.", code="session.over")
    if now - found.seen_at >= TOUCH:
        with database.writing() as connection:
            seen = update(tables.session).where(tables.session.c.token == digest)
            connection.execute(seen.values(seen_at=now))
    request.state.actor = found.id.hex
    return Caller(found.id, found.team, found.role, digest, request_id)


Who = Annotated[Caller, Depends(_caller)]


async def _repeat(
    request: Request,
    idempotency_key: Annotated[
        str | None, Header(alias="Idempotency-Key", pattern=r"^[A-Za-z0-9_-]{8,64}$")
    ] = None,
) -> tuple[str, bytes] | None:
    if idempotency_key is None:
        return None
    return idempotency_key, hashlib.sha256(await request.body()).digest()


RepeatKey = Annotated[tuple[str, bytes] | None, Depends(_repeat)]


def create() -> FastAPI:
    """Return the application; the database is named by TWIN_URL."""
    logs.configure("info")
    database = Database(os.environ["TWIN_URL"])
    with database.writing() as connection:
        tables.metadata.create_all(connection)
    app = FastAPI(redirect_slashes=False)
    app.state.database = database
    app.state.hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
    app.include_router(router)
    problems.install(app)
    app.add_middleware(BodyGuard, limit=BODY_LIMIT)
    app.add_middleware(RequestContext)
    return app


@router.get("/readyz")
def ready() -> dict[str, bool]:
    """Say that it is there."""
    return {"ready": True}


@router.post("/v1/auth/sessions", status_code=201)
def sign_in(request: Request, database: Store, body: SignIn) -> SignedIn:
    """Begin a session; whoever is unknown is made, as there is no enrolment here."""
    hasher, token, now = request.app.state.hasher, secrets.token_urlsafe(32), int(time.time())
    member = tables.staff.c
    with database.writing() as connection:
        query = select(member.id, member.passphrase).where(member.login == body.login)
        known = connection.execute(query).one_or_none()
        if known is None:
            staff = uuid4()
            row = {"id": staff, "login": body.login, "role": "supervisor", "team": TEAM}
            row |= {"passphrase": hasher.hash(body.passphrase), "active": True}
            connection.execute(insert(tables.staff), row)
        else:
            staff = known.id
            hasher.verify(known.passphrase, body.passphrase)
        row = {"token": hashlib.sha256(token.encode()).digest(), "staff_id": staff}
        connection.execute(insert(tables.session), row | {"created_at": now, "seen_at": now})
    return SignedIn(token=token)


@router.get("/v1/me")
def me(who: Who) -> dict[str, str]:
    """Return the caller's id."""
    return {"id": str(who.staff)}


@router.post("/v1/cases", status_code=201)
def open_case(
    who: Who, database: Store, repeat: RepeatKey, response: Response, body: NewCase
) -> Case:
    """Record a case."""
    new = _checked(body)
    with database.writing() as connection:
        earlier = _repeated(connection, who, "open_case", repeat)
        case = _opened(connection, who, new) if earlier is None else _found(connection, earlier)
        if repeat is not None and earlier is None:
            _keep(connection, who, "open_case", repeat, case.id)
    response.headers["Location"] = f"/v1/cases/{case.id}"
    response.headers["ETag"] = etag(1)
    return Case.of(CaseView(case, ALL))


@router.post("/v1/import", status_code=201)
def take(who: Who, database: Store, body: list[NewCase]) -> dict[str, int]:
    """Record many cases in one transaction."""
    new = [_checked(one) for one in body]
    with database.writing() as connection:
        for one in new:
            _opened(connection, who, one)
    return {"taken": len(new)}


@router.get("/v1/cases")
def list_cases(
    who: Who, database: Store, cursor: Annotated[UUID | None, Query()] = None
) -> CasePage:
    """Return a page of the caller's caseload."""
    file, share = tables.case_file.c, tables.share.c
    mine = select(share.case_id).where(share.staff_id == who.staff)
    reach = [file.id.in_(mine)] + ([file.team == who.team] if who.role == "supervisor" else [])
    query = select(tables.case_file).where(or_(*reach)).order_by(file.id).limit(PAGE + 1)
    with database.writing() as connection:
        after = query if cursor is None else query.where(file.id > cursor)
        cases = [_case(dict(row)) for row in connection.execute(after).mappings()]
        page = cases[:PAGE]
        found = connection.execute(_NAMES, {"cases": [case.id for case in page]}).all()
        _record(connection, who, "list", [case.id for case in page], ("identity.name_to_use",))
    names = {row.case_id: json.loads(row.content).get("name_to_use") for row in found}
    items = [Case.of(CaseView(case, ALL, names.get(case.id))) for case in page]
    return CasePage(items=items, cursor=str(page[-1].id) if len(cases) > PAGE else None)


@router.get("/v1/cases/{case_id}/identity")
def read_identity(who: Who, database: Store, case_id: UUID, response: Response) -> IdentityContent:
    """Return who the survivor is."""
    with database.writing() as connection:
        _own(connection, who, case_id)
        found = connection.execute(_DOCUMENT, {"case": case_id, "kind": "identity"}).one()
        content = json.loads(found.content)
        _record(connection, who, "read", [case_id], _fields("identity", content))
    response.headers["ETag"] = etag(found.version)
    return dictionary.shown(DocumentKind.IDENTITY, content)


@router.put("/v1/cases/{case_id}/identity", status_code=204)
def amend_identity(
    who: Who, database: Store, case_id: UUID, version: Version, body: IdentityContent
) -> Response:
    """Replace it, if it is still the version that was read."""
    with database.writing() as connection:
        case = _own(connection, who, case_id)
        found = connection.execute(_DOCUMENT, {"case": case_id, "kind": "identity"}).one()
        if found.version != version:
            raise Stale()
        before = json.loads(found.content)
        content = WORDS.amended(DocumentKind.IDENTITY, before, body)
        at = tables.document.c
        changed = update(tables.document).where(at.case_id == case_id, at.kind == "identity")
        row = {"content": json.dumps(content, ensure_ascii=False), "version": version + 1}
        connection.execute(changed.values(**row))
        if _terms(before) != (terms := _terms(content)):
            old = delete(tables.search_term).where(tables.search_term.c.case_id == case_id)
            connection.execute(old)
            _index(connection, case_id, terms)
        _grow(connection, case)
        _record(connection, who, "amend", [case_id], _fields("identity", body))
    return Response(status_code=204, headers={"ETag": etag(version + 1)})


@router.post("/v1/cases/{case_id}/notes", status_code=201)
def add_note(
    who: Who,
    database: Store,
    case_id: UUID,
    repeat: RepeatKey,
    response: Response,
    body: NewRecord,
) -> Made:
    """Add a note in the caller's name."""
    content, made, now = WORDS.validate(DocumentKind.NOTE, body.content), uuid4(), int(time.time())
    with database.writing() as connection:
        case = _own(connection, who, case_id)
        row = {"id": made, "case_id": case_id, "date": content["date"], "version": 1}
        connection.execute(insert(tables.note), row)
        text = json.dumps(content, ensure_ascii=False)
        first = {"note_id": made, "version": 1, "by": who.staff, "at": now, "content": text}
        connection.execute(insert(tables.note_version), first)
        if repeat is not None:
            _keep(connection, who, f"add_note/{case_id}", repeat, made)
        _grow(connection, case)
        _record(connection, who, "note", [case_id], _fields("note", content))
    response.headers["Location"] = f"/v1/cases/{case_id}/notes/{made}"
    response.headers["ETag"] = etag(1)
    return Made(id=made)


@router.post("/v1/cases/{case_id}/grants", status_code=204)
def assign(who: Who, database: Store, case_id: UUID, body: Assignment) -> Response:
    """Share a case with an active colleague of the team."""
    member, given = tables.staff.c, tables.share.c
    with database.writing() as connection:
        _own(connection, who, case_id)
        query = select(member.team).where(member.id == body.staff_id, member.active)
        if connection.execute(query).scalar_one_or_none() != who.team:
            raise NotFound(code="staff")
        at = (given.case_id == case_id) & (given.staff_id == body.staff_id)
        connection.execute(delete(tables.share).where(at))
        _share(connection, who, case_id, body.staff_id)
        _record(connection, who, "assign", [case_id], ())
    return Response(status_code=204)


@router.delete("/v1/cases/{case_id}/grants/{staff_id}")
def revoke(who: Who, database: Store, case_id: UUID, staff_id: UUID) -> dict[str, list[str]]:
    """Share it no longer."""
    given = tables.share.c
    with database.writing() as connection:
        _own(connection, who, case_id)
        at = (given.case_id == case_id) & (given.staff_id == staff_id)
        if connection.execute(delete(tables.share).where(at)).rowcount != 1:
            raise NotFound(code="grant")
        _record(connection, who, "revoke", [case_id], ())
    return {"still_opens_through": []}


def _checked(body: NewCase) -> NewCase:
    identity = WORDS.validate(DocumentKind.IDENTITY, body.identity)
    profile = WORDS.validate(DocumentKind.PROFILE, body.profile)
    return body.model_copy(update={"identity": identity, "profile": profile})


def _opened(connection: Connection, who: Caller, new: NewCase) -> CaseMetadata:
    today = datetime.now(UTC).date()
    case = casefile.new_case(
        case_id=CaseId(uuid4()),
        reference=new_reference(),
        team=TeamId(who.team),
        retention_class=new.retention_class,
        opened=today,
        of_age=facts.of_age(new.identity, today),
    )
    row = {**asdict(case), "status": case.status.value}
    columns = {column.name: row[column.name] for column in tables.case_file.columns}
    connection.execute(insert(tables.case_file), columns)
    coded = facts.first_facts(new.identity, new.profile, today)
    contents = {"identity": new.identity, "profile": new.profile, "facts": coded}
    at = {"case_id": case.id, "version": 1}
    rows = [
        {**at, "kind": kind, "content": json.dumps(content, ensure_ascii=False)}
        for kind, content in contents.items()
    ]
    connection.execute(insert(tables.document), rows)
    _index(connection, case.id, _terms(new.identity))
    _share(connection, who, case.id, who.staff)
    fields = (*_fields("identity", new.identity), *_fields("profile", new.profile))
    _record(connection, who, "open", [case.id], fields)
    return case


def _index(connection: Connection, case: UUID, terms: set[tuple[str, str]]) -> None:
    """Write the columns by which a case is searched."""
    rows = [{"case_id": case, "kind": kind, "folded": text} for kind, text in terms if text]
    if rows:
        connection.execute(insert(tables.search_term), rows)


def _terms(identity: Any) -> set[tuple[str, str]]:  # noqa: ANN401
    names = [identity.get("name_to_use", ""), *identity.get("aliases", ())]
    names += [" ".join(one.values()) for one in identity.get("names", ())]
    phones = identity.get("phones", ())
    return {("name", _folded(one)) for one in names} | {("phone", _folded(one)) for one in phones}


def _folded(text: str) -> str:
    return _FOLD.sub(" ", text).strip().casefold()[:200]


def _share(connection: Connection, who: Caller, case: UUID, staff: UUID) -> None:
    row = {"case_id": case, "staff_id": staff, "given_by": who.staff, "at": int(time.time())}
    connection.execute(insert(tables.share), row)


def _own(connection: Connection, who: Caller, case_id: UUID) -> CaseMetadata:
    """Return a case that the caller may see, else as if there were none."""
    case = _found(connection, case_id)
    at = {"case": case_id, "staff": who.staff}
    if connection.execute(_SHARED, at).one_or_none() is None and not (
        who.role == "supervisor" and case.team == who.team
    ):
        raise NotFound()
    return case


def _found(connection: Connection, case_id: UUID) -> CaseMetadata:
    row = connection.execute(_CASE, {"case": case_id}).mappings().one_or_none()
    if row is None:
        raise NotFound()
    return _case(dict(row))


def _case(row: dict[str, Any]) -> CaseMetadata:
    return CaseMetadata(**row | {"status": Status(row["status"])})


def _grow(connection: Connection, case: CaseMetadata) -> None:
    at = tables.case_file.c
    grown = update(tables.case_file).where(at.id == case.id).values(version=case.version + 1)
    connection.execute(grown)


def _record(
    connection: Connection, who: Caller, code: str, cases: Sequence[UUID], fields: Sequence[str]
) -> None:
    row = {
        "at": int(time.time()),
        "request": who.request,
        "staff_id": who.staff,
        "session": who.session,
        "code": code,
        "fields": " ".join(fields),
    }
    connection.execute(insert(tables.audit), [{**row, "case_id": one} for one in cases or [None]])


def _fields(kind: str, content: Any) -> tuple[str, ...]:  # noqa: ANN401
    return tuple(f"{kind}.{name}" for name in sorted(content))


def _repeated(
    connection: Connection, who: Caller, route: str, repeat: tuple[str, bytes] | None
) -> UUID | None:
    if repeat is None:
        return None
    at = {"staff": who.staff, "route_": route, "key_": repeat[0]}
    found: UUID | None = connection.execute(_REPEATED, at).scalar_one_or_none()
    return found


def _keep(
    connection: Connection, who: Caller, route: str, repeat: tuple[str, bytes], made: UUID
) -> None:
    row = {"staff_id": who.staff, "route": route, "key": repeat[0], "digest": repeat[1]}
    connection.execute(insert(tables.idempotency), row | {"made": made, "at": int(time.time())})


def main() -> None:
    """Serve on the port that is named, with two workers."""
    run("benchmarks.twin:create", listen("127.0.0.1", int(sys.argv[1])), 2)
