"""``kill -9`` before and after every commit: nothing half-visible, nothing acknowledged lost."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from casevault.clock import SystemClock
from casevault.crypto import cards as crypto_cards
from casevault.crypto.principals import is_raw_signature
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.staff.granting import TEAM_GROUPS, ObjectKind
from casevault.ledger.verify import verify_export
from casevault.matching.people import decode
from casevault.services.casework.assignments import Assignments
from casevault.services.casework.casework import Casework
from casevault.store.context import intents
from casevault.store.context.caller import Gate
from casevault.store.engine import keyring_tables, tables
from casevault.store.keys import grants, principals, teams
from casevault.store.keys.grants import Grantee
from casevault.store.log import exporting, ledger_reading
from casevault.store.log.checkpoints import Checkpoints
from casevault.store.log.ledger import pseudonym
from casevault.store.log.tree import integrate_all
from casevault.store.search import cards
from casevault.store.staff import departing
from tests.builders import SUPERVISOR, a_vault
from tests.faults.child import caller_of, stores_of
from tests.faults.nursery import run

ROOT = Path(__file__).parents[2]
# `make faults KILLS=n` sets the number of the long ones (of kills in a row).
KILLS = min(60, int(os.environ.get("CASEVAULT_TEST_KILLS", "500")))
SLOWER = ("amend", "assign", "sweep")
ORIGIN = "example.org/casevault/faults"


@pytest.fixture
def plan(database, tmp_path):
    """Give a vault with one case and a colleague, as a file for child processes."""
    vault = a_vault(database, tmp_path, SystemClock())
    colleague = vault.enrolled("amal", {"caseworker"}, vault.team)
    found = {
        "data_url": database.data_url,
        "keyring_url": database.keyring_url,
        "keys_dir": str(vault.keys_dir),
        "organisation": str(vault.stores.organisation),
        "root_pin": vault.outcome.root_pin,
        "team": str(vault.team),
        "supervisor": {
            "id": str(vault.staff(SUPERVISOR)),
            "role": "supervisor",
            "seed": vault.secret(SUPERVISOR).seed.hex(),
        },
        "colleague": {
            "id": str(colleague.id),
            "role": "caseworker",
            "seed": colleague.secret.seed.hex(),
        },
        "file": str(tmp_path / "plan.json"),
    }
    casework = Casework(vault.stores, Gate(vault.stores, "passphrase"))
    caller = caller_of(found, vault.stores)
    first = casework.open_case(caller, {"name_to_use": "First Testperson"}, {}, "standard")
    found["case"] = str(first.case.id)
    Path(found["file"]).write_text(json.dumps(found))
    vault.close()
    return found


def prepare(plan, act):
    """Give the colleague what the act takes away again."""
    if act not in ("revoke", "sweep"):
        return
    stores = stores_of(plan)
    try:
        caller, colleague = caller_of(plan, stores), UUID(plan["colleague"]["id"])
        until = stores.now() + 1 if act == "sweep" else None
        Assignments(stores, Gate(stores, "passphrase")).assign(
            caller, UUID(plan["case"]), colleague, frozenset({"identity"}), until
        )
        while until is not None and stores.now() < until:
            time.sleep(0.05)
    finally:
        stores.close()


def state(plan, tmp_path):
    """Reopen the vault, check every invariant, return what is there."""
    stores = stores_of(plan)
    try:
        casework = Casework(stores, Gate(stores, "passphrase"))
        caller = caller_of(plan, stores)
        # What the service does soon after it was started again.
        finish_left_behind(stores)
        cases = {view.case.id: view for view in casework.list_cases(caller).items}
        names = {}
        for case in cases:
            names[case] = casework.read_document(caller, case, DocumentKind.IDENTITY).content
            casework.read_document(caller, case, DocumentKind.PROFILE)
        integrate_all(stores.data, stores.roots)
        entries = entries_of(stores)
        month = stores.months.current()
        for case in cases:
            mark = pseudonym(month, "subject", case)
            codes = [e.body.code for e in entries if mark in {x.record for x in e.body.entities}]
            assert "case.open" in codes, "a case without its entry"
        colleague = UUID(plan["colleague"]["id"])
        with stores.keyring.reading() as tx:
            granted = grants.objects_of(tx, ObjectKind.CASE, [colleague])
        check_tree(stores, plan, tmp_path)
        check_cards(stores, plan, caller, names)
        return {
            "cases": len(cases),
            "name": names[UUID(plan["case"])]["name_to_use"],
            "assigned": bool(granted),
            "rekey_due": cases[UUID(plan["case"])].case.rekey_due,
            "key_version": cases[UUID(plan["case"])].case.key_version,
            "recorded": [e.body.code for e in entries],
        }
    finally:
        stores.close()


def finish_left_behind(stores):
    """Record what died between keyring and ledger, without waiting for it to grow old."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intents, "LEFT_BEHIND_SECONDS", 0)
        intents.finish_all(stores)


def entries_of(stores):
    """Return all entries of this month."""
    with stores.data.reading() as connection:
        return ledger_reading.entries(
            connection, stores.roots, stores.organisation, stores.months.current(), limit=100_000
        )


def check_tree(stores, plan, tmp_path):
    """Export the log and verify every byte of it."""
    signer = Checkpoints(stores.data, stores.roots, ORIGIN, Path(plan["keys_dir"]))
    folder = tmp_path / f"export-{len(list(tmp_path.iterdir()))}"
    exporting.write_folder(folder, exporting.pieces(stores.data, signer))
    key = signer.verifier_key
    assert verify_export(folder, key.name, key.public, is_raw_signature).gaps == ()


def check_cards(stores, plan, caller, names):
    """See that search shows of each case what its record says, whatever died between the two."""
    with stores.keyring.reading() as tx:
        directory = cards.directory_of(tx, stores.trust, caller, UUID(plan["team"]))
        pages = cards.pages(tx, directory.group, 0, cards.PAGES).values()
        # A new key may lie beside the one in use: the card names its own.
        by_key = {crypto_cards.key_id(entry): entry for page in pages for entry in page}
    wrapping = crypto_cards.wrapping_key(directory.key)
    opener = crypto_cards.Opener(wrapping, directory.group, stores.organisation)
    with stores.data.reading() as connection:
        rows = connection.execute(select(tables.search_card)).all()
    found = {}
    for row in rows:
        content = opener.open(by_key[bytes(row.sealed)[4:20]], bytes(row.sealed))
        found[UUID(bytes=content[:16])] = decode(content[16:])[1]
    assert found.keys() == names.keys()
    for case, content in names.items():
        shown = [str(part) for part in found[case].names[0]]
        assert shown == content["name_to_use"].lower().split()


def check_effect(act, before, after, acknowledged):
    """Say what an act may have left behind, acknowledged or not."""
    if act == "open":
        assert after["cases"] - before["cases"] in ((1,) if acknowledged else (0, 1))
    elif act == "amend":
        allowed = {"Amended Testperson"} | (set() if acknowledged else {before["name"]})
        assert after["name"] in allowed
        amended = after["recorded"].count("case.amend")
        assert (after["name"] == "Amended Testperson") == (amended > 0)
    elif act == "revoke":
        assert not (after["assigned"] and acknowledged)
        # Until the taken-over intent is recorded, at most this one is missing.
        assert after["assigned"] or after["recorded"].count("case.revoke") > before[
            "recorded"
        ].count("case.revoke")
    elif act == "sweep":
        assert not (after["assigned"] and acknowledged)
        assert after["assigned"] or after["rekey_due"] or after["key_version"] > 1
    else:
        assert after["assigned"] or not acknowledged
        # What gives power is on the log before it has an effect.
        assert not after["assigned"] or "case.assign" in after["recorded"]


# The gate has one act that makes and one that takes, each on one kind; `make faults` has them all.
IN_THE_GATE = {("open", "sqlite"), ("revoke", "postgresql")}
CASES = [
    pytest.param(act, kind, marks=() if (act, kind) in IN_THE_GATE else pytest.mark.faults)
    for act in ("open", "revoke", *SLOWER)
    for kind in ("sqlite", "postgresql")
]


@pytest.mark.parametrize(("act", "database"), CASES, indirect=["database"])
def test_killed_at_every_commit(plan, tmp_path, act):
    """Each commit of the act, once before and once after it."""
    number, killed = 1, 0
    while number < 12:
        finished = False
        for moment in ("before", "after"):
            prepare(plan, act)
            before = state(plan, tmp_path)
            acknowledged, died = run(plan, act, number, moment)
            check_effect(act, before, state(plan, tmp_path), acknowledged)
            killed += died
            finished = finished or not died
        if finished:
            break
        number += 1
    # Whatever was left half done, the next write finds a case that it can write.
    acknowledged, _ = run(plan, "amend", 99, "before")
    assert acknowledged
    assert not state(plan, tmp_path)["rekey_due"]
    assert killed >= 2
    assert finished, "the act ends before the commits run out"


@pytest.mark.faults
def test_a_departure_is_killed_and_goes_on(plan, tmp_path):
    """Killed again and again until it is done: each time the case opens."""
    prepare(plan, "revoke")
    admit_to_groups(plan)
    killed = 0
    # A process first says that it writes, then what it gives, then gives it: after the third each
    # run gets further. The runs before that get nowhere, and must do no harm either.
    for turn in range(40):
        number, moment = min(1 + turn, 3 + turn % 2), ("before", "after")[turn % 2]
        acknowledged, died = run(plan, "leave", number, moment)
        killed += died
        after = state(plan, tmp_path)
        assert after["name"] == "First Testperson"
        if acknowledged:
            break
    assert acknowledged, "it ends before the commits run out"
    assert killed >= 4
    assert not after["assigned"]
    assert {"staff.leave", "key.rotate", "case.revoke", "staff.left"} <= set(after["recorded"])
    left = left_of(plan)
    assert left == {"envelope": 0, "grant": 0, "intent": 0}


def admit_to_groups(plan):
    """Let the colleague into every group of the team, so that there is more to take away."""
    stores, colleague = stores_of(plan), UUID(plan["colleague"]["id"])
    caller = caller_of(plan, stores)
    try:
        with stores.keyring.writing() as tx:
            member = Grantee(colleague, stores.trust.public_keys(tx, colleague))
            for kind in TEAM_GROUPS:
                (group,) = principals.groups(tx, kind, UUID(plan["team"]))
                key = caller.keys.group_key(tx, group)
                teams.admit(tx, caller.keys.granter, group, key, member, stores.now())
    finally:
        stores.close()


def left_of(plan):
    """Return what the keyring still has of the colleague, and what is begun and not finished."""
    stores, colleague = stores_of(plan), UUID(plan["colleague"]["id"])
    try:
        with stores.keyring.reading() as tx:
            return {
                "envelope": len(tx.lookups(keyring_tables.envelope, staff_id=colleague)),
                "grant": len(tx.lookups(keyring_tables.grant, grantee_id=colleague)),
                "intent": len(tx.lookups(keyring_tables.intent, kind=departing.INTENT)),
            }
    finally:
        stores.close()


@pytest.mark.faults
def test_many_random_kills(plan, tmp_path):
    """Acts and moments by chance, one after another on the same vault."""
    chance = random.Random(20261124)  # noqa: S311 - which test runs, no secret
    for _ in range(KILLS):
        act = chance.choice(["open", "amend", "assign"])
        before = state(plan, tmp_path)
        acknowledged, _ = run(plan, act, chance.randint(1, 5), chance.choice(["before", "after"]))
        after = state(plan, tmp_path)
        if act == "open":
            check_effect(act, before, after, acknowledged)
        assert after["cases"] <= 25, "the page holds them all"
        if after["cases"] == 25:
            break
