"""Equality classes of every sealed column are singletons: equal contents never look equal.

The same requests twice, in two cases and in one: no sealed value, salt, commitment or block of a
ciphertext appears twice in either store, and no other binary column repeats a value.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from types import SimpleNamespace
from uuid import uuid4

import pytest
from sqlalchemy import LargeBinary

from casevault.crypto import sealing
from casevault.domain.staff.access import Role
from casevault.services.casework.casework import Casework
from casevault.store.context.caller import Gate
from casevault.store.engine import idempotency
from tests.builders import SUPERVISOR, a_vault
from tests.security.interface import Stage, operations, request_for, send
from tests.security.stored import rows

# Binary columns whose values may repeat, each with the reason.
REPEATING = {("import_line", "became"): "which lines became one case: an HMAC, for a rerun"}
_BLOCK = 16


def parts(table, column, value):
    """Yield what of a value must be nowhere else, with a name for it."""
    if column != "sealed":
        yield f"{table}.{column}", value
        return
    # The first 28 bytes name format, key, version and revision.
    yield "a salt", value[28:52]
    yield "a commitment", value[52:84]
    for at in range(84, len(value), _BLOCK):
        yield "a block of a ciphertext", value[at : at + _BLOCK]


def repeated(vault):
    """Return what appears more than once in a column, or in all sealed columns together."""
    seen = defaultdict(set)
    found, count = set(), 0
    for table, row in rows(vault):
        for column, raw in zip(table.columns, row, strict=True):
            if not isinstance(column.type, LargeBinary) or raw is None:
                continue
            if (table.name, column.name) in REPEATING:
                continue
            count += 1
            for name, part in parts(table.name, column.name, bytes(raw)):
                if part in seen[name]:
                    found.add(f"{name} appears twice, in {table.name}.{column.name}")
                seen[name].add(part)
    assert count > 50, "there is something to compare"
    return sorted(found)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_equal_requests_leave_nothing_equal(worlds, kind):
    """Every operation that writes, with the same body, in two cases and twice in one."""
    world = worlds(kind)
    one, two = Stage.opened(world), Stage.opened(world)
    written = 0
    for operation in operations(world.client):
        if operation.method == "GET" or operation.who is None:
            continue
        for stage in (one, two, one):
            stage.by = operation.who
            ask = request_for(operation, stage)
            headers = {"Idempotency-Key": uuid4().hex}
            answer = send(world, operation, stage, ask, operation.who, headers=headers)
            written += answer.status_code < 300
    assert written > 60
    assert repeated(world.vault) == []


# --- planted violations --------------------------------------------------------------------------


@pytest.fixture
def vault(sqlite_databases, tmp_path):
    """Give a vault of its own: what is planted stays in it."""
    made = a_vault(sqlite_databases, tmp_path)
    yield made
    made.close()


def open_twice(vault):
    """Open two cases with the same words, with the same body under two Idempotency-Keys."""
    casework = Casework(vault.stores, Gate(vault.stores, "passphrase"))
    caller = vault.caller(SUPERVISOR, Role.SUPERVISOR)
    for _ in range(2):
        repeat = idempotency.Repeat(caller.staff, "open_case", uuid4().hex, b"the same body")
        name = {"name_to_use": "Twice Madeup"}
        casework.open_case(replace(caller, repeat=repeat), name, {}, "standard")


def test_a_fresh_vault_repeats_nothing(vault):
    """Without a plant, nothing is found in it."""
    open_twice(vault)
    assert repeated(vault) == []


def test_a_salt_that_is_not_random_is_found(vault, monkeypatch):
    """The same salt everywhere: salts repeat, whatever else differs."""
    monkeypatch.setattr(sealing, "os", SimpleNamespace(urandom=bytes))
    open_twice(vault)
    found = "\n".join(repeated(vault))
    assert "a salt appears twice, in document.sealed" in found
    assert "a salt appears twice, in access_grant.sealed" in found


def test_a_digest_of_the_body_alone_is_found(vault, monkeypatch):
    """What is kept of a request must not tell that two requests said the same."""
    monkeypatch.setattr(idempotency, "_request", lambda _key, repeat, *_: repeat.request.ljust(32))
    open_twice(vault)
    assert repeated(vault) == ["idempotency.request appears twice, in idempotency.request"]
