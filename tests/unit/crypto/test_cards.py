"""Keys of search cards: each opens its own card in its own directory, and nothing else."""

from __future__ import annotations

from uuid import UUID

import pytest

from casevault.crypto import cards
from casevault.crypto.sealing import HEADER_BYTES, Key, seal
from casevault.errors import Tampered

ORGANISATION, DIRECTORY = UUID(int=1), UUID(int=2)
CARD = bytes(range(16))
WRAPPING = cards.wrapping_key(Key(b"d" * 32))
KEY = Key(b"c" * 32)
ENTRY = cards.wrap(WRAPPING, DIRECTORY, CARD, KEY, 1_764_000_000)
CONTENT = b"Ondine Obvious-Madeup"
SEALED = seal(KEY, cards.place(ORGANISATION, CARD), CONTENT)


def opener(directory=DIRECTORY, wrapping=WRAPPING, organisation=ORGANISATION):
    """Return what opens the cards of a directory."""
    return cards.Opener(wrapping, directory, organisation)


def changed(data, at):
    """Return bytes of which one is another."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_an_entry_names_its_card_and_key():
    """Without the directory key one sees which key it is and when it was made, not more."""
    assert len(ENTRY) == cards.ENTRY_BYTES
    assert (cards.card_id(ENTRY), cards.key_id(ENTRY)) == (CARD, KEY.id)
    assert cards.made_at(ENTRY) == 1_764_000_000
    assert KEY.material not in ENTRY


def test_a_card_opens_with_the_key_of_its_directory():
    """One by one, and by the thousand."""
    assert cards.unwrap(WRAPPING, DIRECTORY, ENTRY) == KEY
    assert opener().open(ENTRY, SEALED) == CONTENT


def test_another_directory_opens_nothing():
    """Its key or its id: either is enough."""
    elsewhere = cards.wrapping_key(Key(b"e" * 32))
    for wrapping, directory in ((elsewhere, DIRECTORY), (WRAPPING, UUID(int=3))):
        with pytest.raises(Tampered):
            cards.unwrap(wrapping, directory, ENTRY)
        with pytest.raises(Tampered):
            opener(directory, wrapping).open(ENTRY, SEALED)


def test_a_card_of_another_organisation_or_another_card_is_refused():
    """A card is bound to where it lies."""
    with pytest.raises(Tampered):
        opener(organisation=UUID(int=9)).open(ENTRY, SEALED)
    other = cards.wrap(WRAPPING, DIRECTORY, bytes(16), KEY, 1)
    with pytest.raises(Tampered):
        opener().open(other, SEALED)


def test_a_key_that_is_not_the_named_one_is_refused():
    """Whoever holds the directory key could wrap one key under the name of another."""
    named = CARD + Key(b"x" * 32).id + bytes(4)
    nonce = bytes(12)
    lying = cards.AESGCM(WRAPPING).encrypt(nonce, KEY.material, DIRECTORY.bytes + named)
    with pytest.raises(Tampered):
        cards.unwrap(WRAPPING, DIRECTORY, named + nonce + lying)


@pytest.mark.parametrize("at", [0, 16, 32, 36, 48, 95])
def test_an_altered_entry_is_refused(at):
    """Card, key id, time, nonce, wrapped key, tag."""
    with pytest.raises(Tampered):
        cards.unwrap(WRAPPING, DIRECTORY, changed(ENTRY, at))
    with pytest.raises(Tampered):
        opener().open(changed(ENTRY, at), SEALED)


@pytest.mark.parametrize("at", [0, 4, 20, 28, 52, HEADER_BYTES, -1])
def test_an_altered_card_is_refused(at):
    """Magic, key id, version, salt, commitment, ciphertext, tag."""
    with pytest.raises(Tampered):
        opener().open(ENTRY, changed(SEALED, at % len(SEALED)))


@pytest.mark.parametrize("length", [0, 3, 40, HEADER_BYTES, len(SEALED) - 1])
def test_a_card_cut_off_is_refused(length):
    """And so is an entry."""
    with pytest.raises(Tampered):
        opener().open(ENTRY, SEALED[:length])
    with pytest.raises(Tampered):
        cards.unwrap(WRAPPING, DIRECTORY, ENTRY[: min(length, 90)])


@pytest.mark.parametrize("plain", [(9).to_bytes(4, "big") + b"short", bytes(4) + b"\x01"])
def test_content_that_does_not_fit_its_length_is_refused(plain):
    """A length beyond the end, and padding that is not zero: no writer of ours makes them."""
    with pytest.raises(Tampered):
        cards._unpadded(plain)


def test_a_card_id_has_16_bytes():
    """Anything else is an error of ours."""
    with pytest.raises(ValueError, match="16 bytes"):
        cards.wrap(WRAPPING, DIRECTORY, b"short", KEY, 1)
