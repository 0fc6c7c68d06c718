"""`casevault keys recover` and `drill`: k shares, two people, one named thing."""

from __future__ import annotations

import re
from itertools import pairwise
from uuid import UUID

import pytest

from casevault.cli.app import app
from casevault.crypto import recovery
from casevault.crypto.recovery import combine, new_seed, split
from casevault.domain.staff.granting import ObjectKind
from casevault.store.engine import milestones
from casevault.store.keys import grants
from tests.api.world import NORTH, unknown_id


@pytest.fixture
def casevault(config_of, runner):
    """Run a command of a world; secrets are typed."""

    def run(world, *args, typed=""):
        result = runner.invoke(app, [*args, "--config", str(config_of(world))], input=typed)
        for share in world.outcome.shares:
            assert share not in result.output
            assert share[:40] not in result.output
        return result

    return run


@pytest.fixture
def recover(casevault):
    """Run `keys recover` as somebody, with shares."""

    def run(world, *args, by="adi", shares=()):
        typed = world.typed(by) + "".join(share + "\n" for share in shares)
        return casevault(world, "keys", "recover", "--login", by, *args, typed=typed)

    return run


def enough(world):
    """Return as many shares as are needed."""
    return list(world.outcome.shares[-world.outcome.threshold :])


def approve(world, by, asked, approve=True):
    """Decide what a command asked for, as somebody in their own session."""
    wish = re.search(r"approvals/([0-9a-f-]{36})/decision", asked.stderr).group(1)
    assert wish in {one["id"] for one in world.get("/v1/approvals", by).json()["items"]}
    answer = world.post(f"/v1/approvals/{wish}/decision", by, {"approve": approve})
    assert answer.status_code == 200, answer.text
    return wish


def code_of(result):
    """Return the code of the error that ended a command."""
    return getattr(result.exception, "code", None)


def test_the_only_auditor_is_gone(world, recover):
    """A new auditor, vouched for by the DPO, gets the auditors' group: asked, approved, shared."""
    login = world.person(roles=("auditor",), team=None, by="dora")
    at = ("--scope", "auditors", "--to", login)
    first = recover(world, *at)
    assert first.exit_code == 0, first.output
    assert "dpo or supervisor" in first.stderr
    assert world.get("/v1/me", login).json()["fingerprint"] in first.stderr
    again = recover(world, *at, shares=enough(world))
    assert "Not approved yet" in again.stderr
    assert world.get("/v1/ledger/entries", login).status_code in (403, 404)
    wish = approve(world, "dora", first)
    done = recover(world, *at, shares=enough(world))
    assert done.exit_code == 0, done.output
    found = world.entries(by=login, actor=world.staff["adi"])
    given = next(one for one in found if one["code"] == "key.recover")
    assert given["outcome"] == 0
    assert wish not in {one["id"] for one in world.get("/v1/approvals", "sue").json()["items"]}
    once_more = recover(world, *at, shares=enough(world))
    assert "Asked." in once_more.stderr


def test_one_case_for_one_person(world, recover):
    """The named case opens, its neighbour does not."""
    login = world.person()
    named, other = world.open("cara"), world.open("cara")
    at = ("--scope", "case", "--case", named, "--to", login)
    approve(world, "dora", recover(world, *at))
    assert recover(world, *at, shares=enough(world)).exit_code == 0
    reads = [world.get(f"/v1/cases/{case}/identity", login).status_code for case in (named, other)]
    assert reads == [200, 404]
    assert world.get(f"/v1/cases/{named}/identity", "colin").status_code == 404


def test_a_teams_last_supervisor_is_gone(world, recover):
    """The root vouches for the new one and recovery lets them into the team's groups."""
    login = world.person(roles=("supervisor",), by=None)
    case = world.open("cara")
    at = ("--scope", "team", "--team", NORTH, "--to", login, "--vouch")
    asked = recover(world, *at)
    assert "a dpo who" in asked.stderr
    approve(world, "dora", asked)
    assert recover(world, *at, shares=enough(world)).exit_code == 0
    assert world.get("/v1/me", login).json()["vouched"] is True
    assert world.get(f"/v1/cases/{case}/identity", login).status_code == 200
    assert world.person(by=login)


def test_the_only_dpo_is_gone(world, recover):
    """Root and recovery bring a new DPO in; an auditor approves; the new one vouches."""
    login = world.person(roles=("dpo",), team=None, by=None)
    assert world.vouch(login, "dora").json()["code"] == "vouch.scope"
    at = ("--scope", "dpo", "--to", login, "--vouch")
    approve(world, "ada", recover(world, *at))
    assert recover(world, *at, shares=enough(world)).exit_code == 0
    assert world.person(roles=("reporter",), team=None, by=login)


def test_a_dpo_who_began_anew(world, recover):
    """Nothing before the quorum vouches; another DPO cannot, and gives the group again."""
    login = world.person(roles=("dpo",), team=None, by=None)
    at = ("--scope", "dpo", "--to", login, "--vouch")
    approve(world, "ada", recover(world, *at))
    assert recover(world, *at, shares=enough(world)).exit_code == 0
    reason = f"Made up reason {unknown_id()}"
    body = {"case": world.open("cara"), "reason": reason}
    asked = world.post("/v1/break-glass", world.person(), body).json()["id"]
    opened = world.post(f"/v1/approvals/{asked}/decision", "sue", {"approve": True})
    assert opened.status_code == 200
    assert reason in world.get("/v1/break-glass", login).text
    reset = world.post(f"/v1/staff/{world.staff[login]}/reset", "adi", None)
    world.phones.pop(login, None)
    world.enrol(login, reset.json()["code"])
    world._tokens.pop(login, None)
    again = f"/v1/staff/{world.staff[login]}/regrants"
    assert world.get("/v1/break-glass", login).status_code == 403
    assert world.vouch(login, "dora").json()["code"] == "vouch.scope"
    assert world.post(again, "dora", None).json()["code"] == "vouch.missing"
    approve(world, "ada", recover(world, *at))
    assert recover(world, *at, shares=enough(world)).exit_code == 0
    assert reason in world.get("/v1/break-glass", login).text
    # The group was lost between: the vouch stands, and another DPO gives it again.
    with world.vault.stores.keyring.writing() as tx:
        grants.take_kinds(tx, (ObjectKind.GROUP,), UUID(world.staff[login]))
    assert reason not in world.get("/v1/break-glass", login).text
    assert world.post(again, "dora", None).json() == {"groups": 1, "cases": 0, "left": 0}
    assert reason in world.get("/v1/break-glass", login).text


def test_without_vouch_nobody_is_brought_in(sqlite_world, recover):
    """Somebody for whom nobody vouches gets nothing; the approval stays for another try."""
    world = sqlite_world
    login = world.person(roles=("auditor",), team=None, by=None)
    at = ("--scope", "auditors", "--to", login)
    approve(world, "sue", recover(world, *at))
    result = recover(world, *at, shares=enough(world))
    assert code_of(result) == "vouch.missing"
    assert world.vouch(login, "dora").status_code == 201
    assert recover(world, *at, shares=enough(world)).exit_code == 0


def test_new_keys_need_a_new_approval(sqlite_world, recover):
    """What was approved is for the pair of that moment: after a reset it is asked for anew."""
    world = sqlite_world
    login = world.person(roles=("auditor",), team=None, by="dora")
    at = ("--scope", "auditors", "--to", login)
    approve(world, "dora", recover(world, *at))
    code = world.post(f"/v1/staff/{world.staff[login]}/reset", "adi", None).json()["code"]
    world.phones.pop(login, None)
    world.enrol(login, code)
    assert "Asked." in recover(world, *at, shares=enough(world)).stderr


def test_an_expired_or_declined_approval_opens_nothing(sqlite_world, recover):
    """Declined is declined; after a week it is asked for anew."""
    world = sqlite_world
    login = world.person(roles=("auditor",), team=None, by="dora")
    at = ("--scope", "auditors", "--to", login)
    approve(world, "dora", recover(world, *at), approve=False)
    assert code_of(recover(world, *at, shares=enough(world))) == "approval.declined"


def test_faults_of_shares_are_said_without_a_word_of_them(sqlite_world, casevault):
    """Short, misspelt, repeated, foreign: each in a sentence, each may be corrected."""
    world = sqlite_world
    good = enough(world)
    words = good[0].split()
    typed = [
        " ".join(words[:-1]),
        " ".join([*words[:-1], "zzzzz"]),
        " ".join([*words[:-2], words[-1], words[-2]]),
        "  ".join(words).upper(),
        good[0],
        split(new_seed(), 3, 5)[0],
        good[1],
        good[2],
    ]
    result = casevault(world, "keys", "drill", typed="".join(one + "\n" for one in typed))
    assert result.exit_code == 0, result.output
    assert "The shares hold: 3 of them, " in result.stdout
    for sentence in ("33 words", "wrong or not in its place", "already", "another set"):
        assert sentence in result.stderr
    # Single words of the list are words of our sentences too; neighbours on a share are not.
    for one, next_one in pairwise(words):
        assert f"{one} {next_one}" not in result.output


def test_a_share_that_is_wrong_too_often_ends_the_drill(sqlite_world, casevault):
    """After five tries the command ends, and nothing was opened."""
    result = casevault(sqlite_world, "keys", "drill", typed="no share\n" * 5)
    assert result.exit_code == 1
    assert code_of(result) == "recovery.share-length"


def test_shares_of_another_vault_or_a_replaced_set(sqlite_world, casevault, recover):
    """They fit together and are refused: in a drill and in a recovery, with an entry."""
    world = sqlite_world
    foreign = list(split(new_seed(), 3, 5)[:3])
    result = casevault(world, "keys", "drill", typed="".join(one + "\n" for one in foreign))
    assert code_of(result) == "recovery.retired"
    login = world.person(roles=("auditor",), team=None, by="dora")
    at = ("--scope", "auditors", "--to", login)
    approve(world, "dora", recover(world, *at))
    assert code_of(recover(world, *at, shares=foreign)) == "recovery.retired"
    assert world.get("/v1/ledger/entries", login).status_code in (403, 404)
    found = world.entries(actor=world.staff["adi"])
    assert any(e["code"] == "key.recover" and e["outcome"] == 4 for e in found)


def test_a_drill_is_remembered(world, casevault):
    """The date is kept, and it stands on the ledger."""
    typed = "".join(one + "\n" for one in enough(world))
    assert casevault(world, "keys", "drill", typed=typed).exit_code == 0
    with world.vault.stores.keyring.reading() as tx:
        at = milestones.last(tx, milestones.DRILL)
    assert at is not None
    assert abs(world.vault.stores.now() - at) < 120
    assert any(e["code"] == "key.drill" for e in world.entries())


def test_whoever_did_not_ask_does_not_recover(sqlite_world, recover):
    """Another person's approved wish is not theirs: they are asked to ask."""
    world = sqlite_world
    login = world.person(roles=("auditor",), team=None, by="dora")
    at = ("--scope", "auditors", "--to", login)
    approve(world, "dora", recover(world, *at))
    assert "Asked." in recover(world, *at, by="sue", shares=enough(world)).stderr
    assert recover(world, *at, by="cara").exit_code == 1


def test_an_unknown_person_team_or_case(sqlite_world, recover):
    """Each is an error before anything is asked for."""
    world = sqlite_world
    for args in (
        ("--scope", "auditors", "--to", "nobody.at.all"),
        ("--scope", "team", "--team", "No such team", "--to", "sue"),
        ("--scope", "case", "--case", unknown_id(), "--to", "cara"),
    ):
        assert recover(world, *args).exit_code == 1


def test_the_shares_of_a_world_are_the_vaults(sqlite_world):
    """The other tests rest on this: the seed gives the pinned root."""
    root = recovery.root_principal(combine(enough(sqlite_world)))
    assert root.public.pin == sqlite_world.outcome.root_pin
