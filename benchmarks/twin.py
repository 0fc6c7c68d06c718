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
from sqlalchemy import Column, LargeBinary, MetaData, String, Table, Text, insert, select

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

    @app.post("/v1/cases", status_code=201)
    def open_case(body: dict[str, Any], who: caller, response: Response) -> dict[str, str]:
        made = str(uuid.uuid4())
        with database.writing() as connection:
            row = {"identity": json.dumps(body["identity"]), "profile": json.dumps({})}
            connection.execute(insert(case).values(id=made, owner=who, **row))
            connection.execute(_entry(who, "open", made))
        response.headers["Location"] = f"/v1/cases/{made}"
        return {"id": made}

    @app.get("/v1/cases/{case_id}/identity")
    def read(case_id: str, who: caller) -> dict[str, Any]:
        with database.writing() as connection:
            found = connection.execute(select(case).where(case.c.id == case_id)).one_or_none()
            if found is None or found.owner != who:
                raise HTTPException(404)
            connection.execute(_entry(who, "read", case_id))
        content: dict[str, Any] = json.loads(found.identity)
        return content

    return app


def _entry(who: str, what: str, case_id: str) -> Any:  # noqa: ANN401 - a statement
    return insert(audit).values(id=str(uuid.uuid4()), who=who, what=what, case_id=case_id)


if __name__ == "__main__":
    run("benchmarks.twin:create", listen("127.0.0.1", int(sys.argv[1])), 2)
