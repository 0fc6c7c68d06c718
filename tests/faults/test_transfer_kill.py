"""A case between two teams, and ``kill -9`` before and after every commit of each step.

Whatever died, one supervisor holds the case whole, and asking again ends what was begun.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from casevault.clock import SystemClock
from casevault.crypto.credentials import PROFILES, PassphraseKdf
from casevault.domain import vocabulary
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.sharing.referral import ReferralState, stage_of
from casevault.domain.staff.access import Role
from casevault.errors import NotFound
from casevault.services.casework.casework import Casework
from casevault.services.casework.records import Records
from casevault.services.casework.transfers import Transfers
from casevault.services.recovery.ceremony import FirstPerson
from casevault.services.sharing.consents import Consents
from casevault.services.sharing.referrals import Referrals
from casevault.store.casework import transferring
from casevault.store.context import intents
from casevault.store.context.caller import Gate
from casevault.store.log import ledger_reading
from casevault.store.log.ledger import pseudonym
from casevault.store.log.tree import integrate_all
from casevault.store.sharing import arrivals
from casevault.store.sharing.leaving import TEAM as TEAM_MARK
from casevault.store.sharing.leaving import Recipient, Sender
from tests.builders import FIRST_PEOPLE, PASSPHRASE, PLAN, SUPERVISOR, TEAM, a_vault
from tests.faults.child import caller_of, stores_of
from tests.faults.nursery import run

ROOT = Path(__file__).parents[2]
POINTS = ("interview", "purpose", "use", "research", "access", "storage", "withdrawal")
OTHER, HILL = "sami", "Hill"
NAME = "Transferred Testperson"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.faults)])
def plan(request, tmp_path):
    """Give a vault of two teams with one case that may go to and fro, as a file for children."""
    kind = {"sqlite": "sqlite_databases", "postgresql": "pg_databases"}[request.param]
    database = request.getfixturevalue(kind)
    second = FirstPerson("Sami S.", OTHER, frozenset({Role.SUPERVISOR}), HILL, PASSPHRASE)
    people = replace(PLAN, people=(*FIRST_PEOPLE, second))
    vault = a_vault(database, tmp_path, SystemClock(), people)
    teams = vault.outcome.teams
    found = {
        "data_url": database.data_url,
        "keyring_url": database.keyring_url,
        "keys_dir": str(vault.keys_dir),
        "organisation": str(vault.stores.organisation),
        "root_pin": vault.outcome.root_pin,
        "team": str(teams[TEAM]),
        "other_team": str(teams[HILL]),
        "supervisor": person(vault, SUPERVISOR, teams[TEAM]),
        "other": person(vault, OTHER, teams[HILL]),
        "file": str(tmp_path / "plan.json"),
    }
    found["case"] = str(a_case(vault.stores, found))
    vault.close()
    save(found)
    return found


def person(vault, login, team):
    """Return a supervisor as children are told of them."""
    seed = vault.secret(login).seed.hex()
    return {
        "id": str(vault.staff(login)), "role": "supervisor", "seed": seed, "team": str(team),
    }  # fmt: skip


def a_case(stores, found):
    """Open a case whose survivor agreed that either team has it."""
    gate, caller = Gate(stores, "passphrase"), caller_of(found, stores)
    opened = Casework(stores, gate).open_case(caller, {"name_to_use": NAME}, {}, "standard")
    today = stores.clock.now().date()
    content = {
        "purpose": "referral",
        "categories": list(vocabulary.code_list("data_category")),
        "recipients": [found["team"], found["other_team"]],
        "method": "verbal",
        "language": "fr",
        "wording": "2026-1",
        "given_on": today.isoformat(),
        "valid_until": (today + timedelta(days=90)).isoformat(),
        "explained": dict.fromkeys(POINTS, True),
    }
    Consents(stores, gate).record(caller, opened.case.id, content)
    return opened.case.id


def save(plan):
    """Tell children what there is now."""
    Path(plan["file"]).write_text(json.dumps(plan))


def look(plan):
    """Return who reads the case whole, and what is on its way; note it for the next child."""
    stores = stores_of(plan)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(intents, "LEFT_BEHIND_SECONDS", 0)
            intents.finish_all(stores)
        readers = [one for one in ("supervisor", "other") if holds(stores, plan, one)]
        teams = [UUID(plan[one]) for one in ("team", "other_team")]
        with stores.keyring.reading() as tx:
            on_way = transferring.between(tx, teams)
    finally:
        stores.close()
    plan["transfer"] = str(on_way[0].id) if on_way else plan.get("transfer")
    save(plan)
    return readers, on_way


def holds(stores, plan, who):
    """Say whether somebody opens the identity of the case, in which team it may be."""
    casework, caller = Casework(stores, Gate(stores, "passphrase")), caller_of(plan, stores, who)
    case = UUID(plan["case"])
    opened = caller.keys
    with stores.keyring.reading() as tx:
        for team in (plan["team"], plan["other_team"]):
            target = transferring.Object(transferring.ObjectKind.CASE, case, UUID(team))
            if "identity" in opened.open(tx, target):
                break
        else:
            return False
    try:
        found = casework.read_document(caller, case, DocumentKind.IDENTITY)
    except NotFound:
        # On its way: it is held, and not of this team yet.
        return True
    return found.content["name_to_use"] == NAME


def ended(plan, act, on_way):
    """Say whether a step has had its effect."""
    if act == "give":
        return bool(on_way)
    if act == "take":
        return not on_way
    return any(one.returned for one in on_way)


def killed_at(plan, act, number, moment):
    """Kill one step, see that the case is held, and end the step; return whether it was killed."""
    acknowledged, died = run(plan, act, number, moment)
    readers, on_way = look(plan)
    assert len(readers) == 1, (act, number, moment, readers)
    if not ended(plan, act, on_way):
        assert not acknowledged, (act, number, moment)
        acknowledged, _ = run(plan, act)
        assert acknowledged
        readers, on_way = look(plan)
        assert ended(plan, act, on_way)
    assert len(readers) == 1
    return died


@pytest.mark.faults
def test_no_step_strands_the_case(plan):
    """Given, given back, taken back; given, taken: each killed at each of its commits in turn."""
    killed = 0
    for number in range(1, 9):
        for moment in ("before", "after"):
            for act, who in (("give", "supervisor"), ("decline", "other"), ("take", "supervisor")):
                plan["who"] = who
                save(plan)
                killed += killed_at(plan, act, number, moment)
    assert killed >= 20
    readers, on_way = look(plan)
    assert (readers, on_way) == (["supervisor"], [])


def test_giving_back_is_killed_and_ended(plan):
    """Where it matters most: the keys have changed, the data not yet."""
    stores = stores_of(plan)
    transfers = Transfers(stores, Gate(stores, "passphrase"))
    transfers.give(caller_of(plan, stores), UUID(plan["case"]), UUID(plan["other_team"]))
    stores.close()
    plan["who"] = "other"
    assert look(plan)[0] == ["other"]
    assert killed_at(plan, "decline", 3, "after")
    assert look(plan)[0] == ["supervisor"]


def a_letter(plan, stores):
    """Write a letter to the other team, to which the survivor agrees; return its id."""
    gate, caller = Gate(stores, "passphrase"), caller_of(plan, stores)
    kdf = PassphraseKdf(next(iter(PROFILES.values())), 1)
    sender = Sender("Made-up society")
    refers = Referrals(stores, gate, kdf, sender, needs_approval=False)
    case, team = UUID(plan["case"]), Recipient(TEAM_MARK, UUID(plan["other_team"]))
    content = {"service": "food", "urgency": "today", "disclose": ["name"]}
    row = refers.draft(caller, case, team, content)
    refers.agree(caller, case, row, refers.preview(caller, case, row).digest, "en")
    return str(row)


def sent(plan, stores):
    """Return how far the letter is, how often the log says it went, and what lies in the inbox."""
    caller, case, row = caller_of(plan, stores), UUID(plan["case"]), UUID(plan["referral"])
    gate = Gate(stores, "passphrase")
    record = Records(stores, gate).read(caller, case, DocumentKind.REFERRAL, row).record
    month = stores.months.current()
    integrate_all(stores.data, stores.roots)
    with stores.data.reading() as connection:
        found = ledger_reading.entries(
            connection, stores.roots, stores.organisation, month, limit=100_000
        )
    with stores.keyring.reading() as tx:
        there = arrivals.referrals_of(tx, [case])
    mark = pseudonym(month, "subject", row)
    on_log = [e for e in found if mark in {x.record for x in e.body.entities}]
    codes = [e.body.code for e in on_log]
    return stage_of(record), codes.count("referral.send"), row in there


@pytest.mark.faults
def test_a_letter_to_a_team_is_on_the_log_before_it_is_there(plan):
    """Killed at each commit: never there unrecorded; sent again it is there, once."""
    killed, undelivered = 0, 0
    for number in range(1, 9):
        for moment in ("before", "after"):
            stores = stores_of(plan)
            plan["referral"] = a_letter(plan, stores)
            save(plan)
            acknowledged, died = run(plan, "refer", number, moment)
            stage, recorded, there = sent(plan, stores)
            killed += died
            assert (stage is ReferralState.SENT) == (recorded > 0)
            assert recorded or not there, (number, moment)
            assert there or not acknowledged
            if not there:
                undelivered += recorded > 0
                assert run(plan, "refer") == (True, False)
            assert sent(plan, stores)[2]
            with stores.keyring.writing() as tx:
                arrivals.forget(tx, [UUID(plan["case"])])
            stores.close()
        if acknowledged and not died:
            break
    assert killed >= 3
    assert undelivered >= 1
