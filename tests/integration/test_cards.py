"""Search cards: there for listed cases, gone for others, in step with the record; both stores."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from casevault.crypto import cards as crypto_cards
from casevault.crypto.sealing import Key, seal, unseal
from casevault.domain.case.casefile import DocumentKind
from casevault.errors import Tampered
from casevault.ids import new_id
from casevault.matching.people import decode
from casevault.services.casework.casework import Casework, NewCase
from casevault.services.search.search_cards import SearchCards
from casevault.store.context.caller import Gate
from casevault.store.engine import tables
from casevault.store.search import cards
from casevault.store.staff import rotating
from tests.builders import a_vault

AMINA = {"name_to_use": "Amina Example", "birth_year": 1994, "phones": ["+447700900123"]}


@pytest.fixture
def vault(reserved, tmp_path):
    """A vault with one team."""
    with_team = a_vault(reserved, tmp_path)
    yield with_team
    with_team.stores.close()


def _casework(vault):
    return Casework(vault.stores, Gate(vault.stores, "passphrase"))


def _rows(vault):
    with vault.stores.data.reading() as connection:
        return connection.execute(select(tables.search_card)).all()


def _entries(vault, caller):
    with vault.stores.keyring.reading() as tx:
        directory = _directory(vault, tx, caller)
        found = cards.pages(tx, directory.group, 0, cards.PAGES)
        return directory, [entry for page in found.values() for entry in page]


def _directory(vault, tx, caller):
    return cards.directory_of(tx, vault.stores.trust, caller, vault.team)


def _opened(vault, caller):
    """Return what each card holds, as a member of the directory opens it."""
    directory, entries = _entries(vault, caller)
    opener = crypto_cards.Opener(
        crypto_cards.wrapping_key(directory.key), directory.group, vault.stores.organisation
    )
    by_card = {crypto_cards.card_id(one): one for one in entries}
    return {
        content[:16]: decode(content[16:])[1]
        for row in _rows(vault)
        for content in [opener.open(by_card[bytes(row.id)], bytes(row.sealed))]
    }


def test_a_case_has_a_card_unless_it_is_unlisted(vault):
    """The card names the case only inside; an unlisted case leaves no trace among cards."""
    caller, casework = vault.caller("salma"), _casework(vault)
    listed = casework.open_case(caller, AMINA, {}, "standard").case.id
    hidden = casework.open_case(caller, AMINA, {"unlisted": True}, "standard").case.id
    opened = _opened(vault, caller)
    assert set(opened) == {listed.bytes}
    assert [str(part) for part in opened[listed.bytes].names[0]] == ["amina", "example"]
    (row,) = _rows(vault)
    assert listed.bytes not in bytes(row.sealed) + bytes(row.id)
    assert not cards.cards_of(vault.stores.roots, vault.team, hidden) & {bytes(row.id)}


def test_a_batch_lists_each_that_is_listed(vault):
    """Of a batch, those who are not unlisted have cards, each with a key of its own."""
    caller = vault.caller("salma")
    new = [NewCase(AMINA, {"unlisted": n == 1}) for n in range(4)]
    _casework(vault).open_cases(caller, new)
    _, entries = _entries(vault, caller)
    assert len(_rows(vault)) == len(entries) == 3
    assert len({crypto_cards.key_id(entry) for entry in entries}) == 3


def test_an_amended_identity_gets_a_card_under_a_new_key(vault):
    """The card follows the record, and what the old card held opens no more."""
    caller, casework = vault.caller("salma"), _casework(vault)
    case = casework.open_case(caller, AMINA, {}, "standard").case.id
    (before,) = _rows(vault)
    _, (old,) = _entries(vault, caller)
    changed = {"name_to_use": "Zo Quill"}
    casework.amend_document(caller, case, DocumentKind.IDENTITY, changed, 1)
    directory, (entry,) = _entries(vault, caller)
    assert crypto_cards.key_id(entry) != crypto_cards.key_id(old)
    (found,) = _opened(vault, caller).values()
    assert [str(part) for part in found.names[0]] == ["zo", "quill"]
    opener = crypto_cards.Opener(
        crypto_cards.wrapping_key(directory.key), directory.group, vault.stores.organisation
    )
    with pytest.raises(Tampered):
        opener.open(entry, bytes(before.sealed))


def test_what_is_not_on_the_card_leaves_it_alone(vault):
    """An amendment that changes nothing by which people are found writes no card."""
    caller, casework = vault.caller("salma"), _casework(vault)
    case = casework.open_case(caller, AMINA, {}, "standard").case.id
    before = _rows(vault)
    changed = AMINA | {"interpreter_needed": True}
    casework.amend_document(caller, case, DocumentKind.IDENTITY, changed, 1)
    assert _rows(vault) == before


def test_unlisting_takes_the_card_away_and_listing_gives_it_back(vault):
    """Key and row are gone while the case is unlisted; an amended identity does not list it."""
    caller, casework = vault.caller("salma"), _casework(vault)
    case = casework.open_case(caller, AMINA, {}, "standard").case.id
    casework.amend_document(caller, case, DocumentKind.PROFILE, {"unlisted": True}, 1)
    assert _rows(vault) == []
    assert _entries(vault, caller)[1] == []
    casework.amend_document(caller, case, DocumentKind.IDENTITY, {"name_to_use": "Zo Quill"}, 1)
    assert _rows(vault) == []
    casework.amend_document(caller, case, DocumentKind.PROFILE, {}, 2)
    (found,) = _opened(vault, caller).values()
    assert [str(part) for part in found.names[0]] == ["zo", "quill"]


def test_forgetting_needs_no_key_and_takes_only_that_case(vault):
    """The keyring's half and the data store's half of an erasure, by the case's id alone."""
    caller, casework = vault.caller("salma"), _casework(vault)
    gone = casework.open_case(caller, AMINA, {}, "standard").case.id
    stays = casework.open_case(caller, AMINA, {}, "standard").case.id
    stores = vault.stores
    with stores.keyring.writing() as tx:
        assert cards.forget(tx, vault.team, [gone]) == 1
        assert cards.forget(tx, vault.team, [gone]) == 0
    with stores.data.writing() as connection:
        assert cards.remove(connection, stores.roots, vault.team, [gone]) == 1
    assert set(_opened(vault, caller)) == {stays.bytes}


def test_a_card_opens_as_the_sealed_format_says(vault):
    """What is opened by the thousand is byte for byte what `sealing` seals, and only in place."""
    directory, key, card = Key.random(), Key.random(), bytes(range(16))
    organisation, group = vault.stores.organisation, vault.team
    place = crypto_cards.place(organisation, card)
    sealed = seal(key, place, b"content")
    wrapping = crypto_cards.wrapping_key(directory)
    entry = crypto_cards.wrap(wrapping, group, card, key, 7)
    assert len(entry) == crypto_cards.ENTRY_BYTES
    assert crypto_cards.made_at(entry) == 7
    assert unseal(crypto_cards.unwrap(wrapping, group, entry), place, sealed).content == b"content"
    opener = crypto_cards.Opener(wrapping, group, organisation)
    assert opener.open(entry, sealed) == b"content"
    for at in range(len(sealed)):
        spoilt = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(Tampered):
            opener.open(entry, spoilt)
    for at in range(len(entry)):
        with pytest.raises(Tampered):
            opener.open(entry[:at] + bytes([entry[at] ^ 1]) + entry[at + 1 :], sealed)
    for other in (
        crypto_cards.Opener(wrapping, vault.stores.organisation, organisation),
        crypto_cards.Opener(wrapping, group, group),
        crypto_cards.Opener(crypto_cards.wrapping_key(Key.random()), group, organisation),
    ):
        with pytest.raises(Tampered):
            other.open(entry, sealed)
    for short in (b"", sealed[:84], sealed[:-1]):
        with pytest.raises(Tampered):
            opener.open(entry, short)


def test_a_rebuild_writes_every_card_from_the_records(vault):
    """Cards that are lost, stale or of an unlisted case are put right; a second run is the same."""
    caller, casework = vault.caller("salma"), _casework(vault)
    cases = [casework.open_case(caller, AMINA, {}, "standard").case.id for _ in range(3)]
    hidden = casework.open_case(caller, AMINA, {"unlisted": True}, "standard").case.id
    stores = vault.stores
    with stores.keyring.writing() as tx:
        cards.forget(tx, vault.team, cases[:1])
        directory = _directory(vault, tx, caller)
        fresh = cards.renew(tx, directory, [hidden], stores.now())[hidden]
    with stores.data.writing() as connection:
        cards.remove(connection, stores.roots, vault.team, cases[1:2])
        cards.put(connection, stores.roots, fresh, cards.seal_card(stores.organisation, fresh, b""))
    rebuilding = SearchCards(stores, Gate(stores, "passphrase"))
    seen = []
    for _ in range(2):
        done = rebuilding.rebuild(lambda: caller, lambda *at: seen.append(at))
        assert (done.listed, done.unlisted, done.skipped) == (3, 1, ())
        assert set(_opened(vault, caller)) == {case.bytes for case in cases}
        assert len(_entries(vault, caller)[1]) == len(_rows(vault)) == 3
    assert seen[-1] == (4, 4)


def test_a_rebuild_drops_what_belongs_to_no_case(vault):
    """A key that was made for a case which never came to be goes a day later, not before."""
    caller, stores = vault.caller("salma"), vault.stores
    _casework(vault).open_case(caller, AMINA, {}, "standard")
    with stores.keyring.writing() as tx:
        cards.renew(tx, _directory(vault, tx, caller), [new_id()], stores.now())
    rebuilding = SearchCards(stores, Gate(stores, "passphrase"))
    assert rebuilding.rebuild(lambda: caller).orphans == 0
    vault.clock.advance(timedelta(days=2))
    assert rebuilding.rebuild(lambda: caller).orphans == 1
    assert len(_entries(vault, caller)[1]) == 1


def test_cards_move_when_the_directory_gets_a_successor(vault):
    """Whoever left opens no card with what they had; everybody else finds as before."""
    leaver = vault.enrolled("leo", team=vault.team)
    caller, stores = vault.caller("salma"), vault.stores
    case = _casework(vault).open_case(caller, AMINA, {}, "standard").case.id
    old, (before,) = _entries(vault, caller)
    with stores.keyring.writing() as tx:
        rotating.rotate(stores, tx, caller, old.group, leaver.id)
    new, (after,) = _entries(vault, vault.caller("salma"))
    assert new.group != old.group
    assert set(_opened(vault, vault.caller("salma"))) == {case.bytes}
    with pytest.raises(Tampered):
        crypto_cards.unwrap(crypto_cards.wrapping_key(old.key), new.group, after)
    assert before != after
    with stores.keyring.reading() as tx:
        assert not cards.holds_keys(tx, old.group)
