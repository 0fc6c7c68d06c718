"""What happens between two steps of an act: a letter that its case names, and is not there yet.

Somebody calls it back, or the case is erased, before the letter is made: then it is not made.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from casevault.crypto import cards as crypto_cards
from casevault.domain.case.casefile import Compartment
from casevault.domain.case.retention import Reason
from casevault.domain.sharing.exchanging import Saying
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import Busy
from casevault.services.search.search_cards import SearchCards
from casevault.services.sharing.team_referrals import TeamReferrals
from casevault.services.sharing.vault_letters import VaultLetters
from casevault.store.case import cases
from casevault.store.keys import principals
from casevault.store.log.ledger import SERVICE
from casevault.store.retention import erasures
from casevault.store.search import cards
from casevault.store.sharing import arrivals, exchanges
from casevault.store.sharing.courier import Courier
from tests.api.world import NORTH, SOUTH, an_identity
from tests.security.interface import Stage, _may_move, _referred, _send_referral_to_vault

# By its way: what makes the letter, how it is written, and where it is sent.
WAYS = {
    "team": (TeamReferrals, "_deliver", lambda stage: _referred(stage, SOUTH), "team"),
    "vault": (
        VaultLetters,
        "_kept",
        lambda stage: _send_referral_to_vault(stage).ids["record_id"],
        "vault",
    ),
}


def planned_erasure(world, case):
    """Look at a case that is to be erased, whole."""
    stores = world.vault.stores
    with stores.data.reading() as connection:
        row = cases.find_case(connection, stores.roots, UUID(case))
    return erasures.plan(row, Reason.REQUEST, [one.value for one in Compartment])


def begin_erasure(world, planned):
    """Take the keys of a case, as a request that two people signed does."""
    stores = world.vault.stores
    with stores.keyring.writing() as tx:
        return erasures.begin(tx, [planned], stores.now(), SERVICE, "permit:approval")


def erase(world, case):
    """Erase a case, to the end."""
    erasures.finish(world.vault.stores, begin_erasure(world, planned_erasure(world, case)))


def letters(world, case):
    """Return the ids of all letters of a case, in inboxes and on their way to vaults."""
    with world.vault.stores.keyring.reading() as tx:
        found = tx.lookups(exchanges.tables.matter, object_id=UUID(case), kind=exchanges.SENT)
        return {one.id for one in arrivals.about(tx, [UUID(case)])} | {row["id"] for row in found}


def before(monkeypatch, owner, name, act):
    """Let something happen once before a step."""
    step, waiting = getattr(owner, name), [act]

    def stepped(*given, **named):
        while waiting:
            waiting.pop()()
        return step(*given, **named)

    monkeypatch.setattr(owner, name, stepped)


@pytest.mark.parametrize("way", WAYS)
def test_a_letter_called_back_before_it_is_made_is_not_made(world, monkeypatch, way):
    """Whoever sends it is told; a consent that is withdrawn ends it in the same way."""
    owner, step, written, path = WAYS[way]
    stage = Stage.opened(world)
    row = written(stage)
    at = f"{stage.at}/referrals/{row}"
    recalled = []

    def recall():
        recalled.append(world.post(at + "/recall", "cara", {"reason": "made up"}).status_code)

    before(monkeypatch, owner, step, recall)
    answer = world.post(f"{at}/{path}", "cara", None)
    assert recalled == [200]
    assert (answer.status_code, answer.json()["code"]) == (409, "referral.transition")
    assert letters(world, stage.case) == set()


@pytest.mark.parametrize("way", WAYS)
def test_a_change_in_between_does_not_stop_a_letter(world, monkeypatch, way):
    """A colleague's note in the same moment: what the case says now is looked at again."""
    owner, step, written, path = WAYS[way]
    stage = Stage.opened(world)
    row = written(stage)
    note = {"content": {"type": "visit", "date": "2026-11-20", "text": "Made up"}}
    before(monkeypatch, owner, step, lambda: world.post(stage.at + "/notes", "cara", note))
    answer = world.post(f"{stage.at}/referrals/{row}/{path}", "cara", None)
    assert answer.status_code in {200, 201}, answer.text
    assert len(letters(world, stage.case)) == 1


@pytest.mark.parametrize("way", WAYS)
def test_no_letter_of_an_erased_case_is_made(world, monkeypatch, way):
    """The erasure is over before the letter is made."""
    owner, step, written, path = WAYS[way]
    stage = Stage.opened(world)
    row = written(stage)
    before(monkeypatch, owner, step, lambda: erase(world, stage.case))
    answer = world.post(f"{stage.at}/referrals/{row}/{path}", "cara", None)
    assert answer.status_code == 404
    assert letters(world, stage.case) == set()


def test_an_answer_in_the_moment_of_an_erasure_goes_too(world):
    """The other team holds the letter while it answers; the erasure waits, and takes the words."""
    stage, stores = Stage.opened(world), world.vault.stores
    row = _referred(stage, SOUTH)
    assert world.post(f"{stage.at}/referrals/{row}/team", "cara", None).status_code == 200
    case = UUID(stage.case)
    (letter,) = letters(world, stage.case)
    with ThreadPoolExecutor(1) as pool:
        with stores.keyring.writing() as tx:
            found = arrivals.find(tx, letter, lock=True)
            arrivals.keep_words(stores, tx, case, UUID(world.team(NORTH)), UUID(row), None, "Yes")
            arrivals.settle(tx, found, arrivals.ArrivalState.COMPLETED)
            erasing = pool.submit(erase, world, stage.case)
            with pytest.raises(TimeoutError):
                erasing.result(timeout=0.3)
        erasing.result()
    assert letters(world, stage.case) == set()


def test_a_card_made_in_the_moment_of_an_erasure_keeps_no_key(world, monkeypatch):
    """Cards are made anew while the erasure has taken the keys and not yet the rows."""
    case = world.open("cara", an_identity("Ephemera Rebuilt-Madeup"))
    stores, begun = world.vault.stores, []
    before(
        monkeypatch,
        SearchCards,
        "_batch",
        lambda: begun.append(begin_erasure(world, planned_erasure(world, case))),
    )
    caller = world.vault.sessions.authenticate(world.token("cara"))
    world.vault.search_cards.rebuild(lambda: caller)
    (batch,) = begun
    erasures.finish(stores, batch)
    assert not keys_of_cards(world, case, NORTH)


def keys_of_cards(world, case, team):
    """Return the names of a case's cards in a team's directory that have keys."""
    stores = world.vault.stores
    named = cards.cards_of(stores.roots, UUID(world.team(team)), UUID(case))
    with stores.keyring.reading() as tx:
        return named & {
            crypto_cards.card_id(entry)
            for group in principals.groups(tx, PrincipalKind.DIRECTORY, UUID(world.team(team)))
            for entries in cards.pages(tx, group.id, 0, cards.PAGES).values()
            for entry in entries
        }


def test_a_case_that_is_taken_before_its_erasure_leaves_no_card(world):
    """It was looked at as one team's case, and is another's when its keys are taken."""
    stage = Stage.opened(world, "sofia")
    _may_move(stage, stage.case, "sofia", NORTH)
    planned = planned_erasure(world, stage.case)
    given = world.post(f"{stage.at}/transfer", "sid", {"team_id": world.team(NORTH)})
    receipt = f"/v1/transfers/{given.json()['id']}/receipt"
    assert world.post(receipt, "sue", None).status_code == 200
    assert keys_of_cards(world, stage.case, NORTH)
    erasures.finish(world.vault.stores, begin_erasure(world, planned))
    assert not keys_of_cards(world, stage.case, NORTH)


def test_a_round_carries_nothing_that_was_called_back_meanwhile(sqlite_world, monkeypatch):
    """A round waits half a minute for a vault that is away; it looks again before each letter."""
    world, carried = sqlite_world, []
    stage = Stage.opened(world)
    row = _send_referral_to_vault(stage).ids["record_id"]
    at = f"{stage.at}/referrals/{row}"
    assert world.post(at + "/vault", "cara", None).status_code == 201
    with world.vault.stores.keyring.reading() as tx:
        before = exchanges.of_cases(tx, [UUID(stage.case)], Saying.LETTER)
    (letter,) = before.values()
    assert letter.message is not None
    assert world.post(at + "/recall", "cara", {"reason": "made up"}).status_code == 200

    def carry(_self, _address, message):
        carried.append(message)
        raise Busy(code="exchange.unreachable")

    monkeypatch.setattr(Courier, "carry", carry)
    world.vault.exchange._one_round([letter])
    assert len(carried) == 1
    assert letter.message not in carried
