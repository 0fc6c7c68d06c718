"""The lock of a collect page: the code and the secret, both, or nothing."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from casevault.crypto import collecting
from casevault.crypto.credentials import SMALL, KdfProfile, PassphraseKdf
from casevault.crypto.sealing import Place
from casevault.errors import Tampered

KDF = PassphraseKdf(SMALL, 4)
PLACE = Place(UUID(int=1), "collect-page", UUID(int=2))
CODE = "123412341234"
CONTENT = b"<p>Made up</p>"
LOCK, SEALED = collecting.close(KDF, PLACE, CODE, CONTENT)
RIGHT = collecting.stretched(KDF, LOCK, CODE)


def test_the_code_opens_the_page():
    """And is known to be right without opening it."""
    assert collecting.is_right(LOCK, PLACE.row, RIGHT)
    assert collecting.open_(LOCK, PLACE, RIGHT, SEALED) == CONTENT
    assert CODE not in repr(LOCK)


def test_another_code_opens_nothing():
    """Nor does the right one another page."""
    wrong = collecting.stretched(KDF, LOCK, "000000000000")
    assert not collecting.is_right(LOCK, PLACE.row, wrong)
    assert not collecting.is_right(LOCK, UUID(int=3), RIGHT)
    with pytest.raises(Tampered):
        collecting.open_(LOCK, PLACE, wrong, SEALED)


def test_without_the_secret_the_code_opens_nothing():
    """It still says that it was right, so that a recipient can answer."""
    ended = replace(LOCK, secret=None)
    assert collecting.is_right(ended, PLACE.row, RIGHT)
    for lock in (ended, replace(LOCK, secret=bytes(32))):
        with pytest.raises(Tampered):
            collecting.open_(lock, PLACE, RIGHT, SEALED)


def test_a_lock_whose_cost_was_changed_is_refused_before_any_work():
    """So that guessing never becomes cheap."""
    cheap = replace(LOCK, profile=KdfProfile(memory=8, passes=1, lanes=1))
    with pytest.raises(Tampered):
        collecting.stretched(KDF, cheap, CODE)


def test_codes_have_their_digits():
    """Leading zeros too; and no two are alike."""
    codes = {collecting.new_code(12) for _ in range(50)}
    assert len(codes) == 50
    assert all(len(code) == 12 and code.isdecimal() for code in codes)
