"""The plaintext twin: the same API as an ordinary back end would do it. For comparison only.

Plain JSON columns, opaque sessions in a table, a permission as an `if`, one audit row and one
commit a read; the same framework, server settings, database settings and Argon2.
"""

import json
import os
import secrets
import sys
import uuid
from typing import Annotated, Any

from argon2 import PasswordHasher
from fastapi import Depends, FastAPI, Header, HTTPException, Response
from sqlalchemy import (
    Column,
    Connection,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from casevault.cli.serve import listen, run
from casevault.store.database import Database

metadata = MetaData()
user = Table("user", metadata, Column("login", String, primary_key=True), Column("hash", String))
session = Table(
    "session", metadata, Column("token", String, primary_key=True), Column("login", String)
)
case = Table(
    "case",
    metadata,
    Column("id", String, primary_key=True),
    Column("owner", String, index=True),
    Column("identity", Text),
    Column("profile", Text),
)
note = Table(
    "note",
    metadata,
    Column("id", String, primary_key=True),
    Column("case_id", String, index=True),
    Column("content", Text),
)
share = Table(
    "share",
    metadata,
    Column("case_id", String, primary_key=True),
    Column("login", String, primary_key=True),
)
audit = Table(
    "audit",
    metadata,
    Column("id", String, primary_key=True),
    Column("who", String),
    Column("what", String),
    Column("case_id", String),
    Column("extra", LargeBinary, nullable=True),
)


def create() -> FastAPI:
    """Return the application; the database is named by TWIN_URL."""
    database = Database(os.environ["TWIN_URL"])
    with database.writing() as connection:
        metadata.create_all(connection)
    hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
    app = FastAPI()

    def login_of(authorization: Annotated[str, Header()]) -> str:
        with database.reading() as connection:
            query = select(session.c.login).where(session.c.token == authorization[7:])
            found = connection.execute(query).scalar_one_or_none()
        if found is None:
            raise HTTPException(401)
        return str(found)

    caller = Annotated[str, Depends(login_of)]

    @app.get("/readyz")
    def ready() -> dict[str, bool]:
        return {"ready": True}

    @app.post("/v1/auth/sessions", status_code=201)
    def sign_in(body: dict[str, str]) -> dict[str, str]:
        login = body["login"]
        with database.writing() as connection:
            query = select(user.c.hash).where(user.c.login == login)
            known = connection.execute(query).scalar_one_or_none()
            if known is None:
                row = {"login": login, "hash": hasher.hash(body["passphrase"])}
                connection.execute(insert(user).values(**row))
            else:
                hasher.verify(known, body["passphrase"])
            token = secrets.token_urlsafe(32)
            connection.execute(insert(session).values(token=token, login=login))
        return {"token": token}

    _cases(app, database, caller)
    _records(app, database, caller)
    return app


def _cases(app: FastAPI, database: Database, caller: Any) -> None:  # noqa: ANN401 - an annotation
    @app.post("/v1/cases", status_code=201)
    def open_case(body: dict[str, Any], who: caller, response: Response) -> dict[str, str]:
        with database.writing() as connection:
            made = _open(connection, who, body)
        response.headers["Location"] = f"/v1/cases/{made}"
        return {"id": made}

    @app.post("/v1/import", status_code=201)
    def take(body: list[dict[str, Any]], who: caller) -> dict[str, int]:
        with database.writing() as connection:
            for one in body:
                _open(connection, who, one)
        return {"taken": len(body)}

    @app.get("/v1/cases")
    def listing(who: caller) -> dict[str, Any]:
        with database.writing() as connection:
            query = select(case).where(case.c.owner == who).order_by(case.c.id).limit(25)
            found = connection.execute(query).all()
            connection.execute(_entry(who, "list", ""))
        names = [{"id": f.id, "name": json.loads(f.identity)["name_to_use"]} for f in found]
        return {"items": names}

    @app.get("/v1/cases/{case_id}/identity")
    def read(case_id: str, who: caller) -> dict[str, Any]:
        with database.writing() as connection:
            found = _own(connection, case_id, who)
            connection.execute(_entry(who, "read", case_id))
        content: dict[str, Any] = json.loads(found.identity)
        return content

    @app.put("/v1/cases/{case_id}/identity", status_code=204)
    def amend(case_id: str, body: dict[str, Any], who: caller) -> None:
        with database.writing() as connection:
            _own(connection, case_id, who)
            changed = update(case).where(case.c.id == case_id).values(identity=json.dumps(body))
            connection.execute(changed)
            connection.execute(_entry(who, "amend", case_id))


def _records(app: FastAPI, database: Database, caller: Any) -> None:  # noqa: ANN401 - an annotation
    @app.post("/v1/cases/{case_id}/notes", status_code=201)
    def add_note(case_id: str, body: dict[str, Any], who: caller) -> dict[str, str]:
        made = str(uuid.uuid4())
        with database.writing() as connection:
            _own(connection, case_id, who)
            row = {"id": made, "case_id": case_id, "content": json.dumps(body)}
            connection.execute(insert(note).values(**row))
            connection.execute(_entry(who, "note", case_id))
        return {"id": made}

    @app.post("/v1/cases/{case_id}/grants", status_code=204)
    def assign(case_id: str, body: dict[str, str], who: caller) -> None:
        with database.writing() as connection:
            _own(connection, case_id, who)
            row = {"case_id": case_id, "login": body["staff_id"]}
            connection.execute(delete(share).where(share.c.case_id == case_id))
            connection.execute(insert(share).values(**row))
            connection.execute(_entry(who, "assign", case_id))

    @app.delete("/v1/cases/{case_id}/grants/{login}")
    def revoke(case_id: str, login: str, who: caller) -> dict[str, str]:
        with database.writing() as connection:
            _own(connection, case_id, who)
            at = (share.c.case_id == case_id) & (share.c.login == login)
            connection.execute(delete(share).where(at))
            connection.execute(_entry(who, "revoke", case_id))
        return {}


def _open(connection: Connection, who: str, body: dict[str, Any]) -> str:
    made = str(uuid.uuid4())
    row = {"identity": json.dumps(body["identity"]), "profile": json.dumps(body.get("profile", {}))}
    connection.execute(insert(case).values(id=made, owner=who, **row))
    connection.execute(_entry(who, "open", made))
    return made


def _own(connection: Connection, case_id: str, who: str) -> Any:  # noqa: ANN401 - a row
    found = connection.execute(select(case).where(case.c.id == case_id)).one_or_none()
    if found is None or found.owner != who:
        raise HTTPException(404)
    return found


def _entry(who: str, what: str, case_id: str) -> Any:  # noqa: ANN401 - a statement
    return insert(audit).values(id=str(uuid.uuid4()), who=who, what=what, case_id=case_id)


if __name__ == "__main__":
    run("benchmarks.twin:create", listen("127.0.0.1", int(sys.argv[1])), 2)
