"""What everybody would choose is refused; what is somebody's own, or drawn, is not."""

from __future__ import annotations

import random
import time
from hashlib import sha256
from pathlib import Path

import pytest

from casevault.domain import vocabulary
from casevault.domain.staff import passphrases
from casevault.domain.staff.passphrases import is_common


@pytest.mark.parametrize(
    "passphrase",
    [
        "Password-Password-1",
        "P@ssw0rd!P@ssw0rd!",
        "passwordpassword2026",
        "qwertyuiopasdfgh",
        "azertyuiopqsdfgh",
        "abcdefghijklmnopq",
        "1234567890123456",
        "9876543210987654",
        "1qaz2wsx3edc4rfv",
        "RedCross2026!Winter",
        "Croix-Rouge Bienvenue",
        "correct horse battery staple",
        "Correct Horse Battery Staple 1!",
        "To be, or not to be, that is the question",
        "The quick brown fox jumps over the lazy dog",
        "may the force be with you",
        "contraseña contraseña",
        "iloveyou iloveyou",
        "CaseVault CaseVault 1",
        "пароль пароль 123456",
        "كلمة المرور كلمة المرور",
        "xyzxyzxyzxyzxyzxyz",
        "y" * 240 + "abcdefgh",
        "liverpool steelers",
        "Michelle1Jordan23!",
        "mustangcorvette99",
    ],
)
def test_common_ones_are_common(passphrase):
    """Spelling, signs, years, repetition and another language do not hide them."""
    assert is_common(passphrase)


@pytest.mark.parametrize(
    "passphrase",
    [
        "seven violet herons drink slowly",
        "made up words for root material",
        "my password is a purple walrus",
        "Frühling am blauen Teich mit Ada",
        "семь лиловых цапель пьют",
        "سبع طيور بنفسجية تشرب",
        "Kf93-tPq0-xLw7-Zm2",
        "七羽の紫色の鷺がゆっくりと水を飲む朝",
    ],
)
def test_own_ones_are_not(passphrase):
    """A common word in a sentence of one's own does no harm; every script has letters."""
    assert not is_common(passphrase)


def test_what_the_program_draws_is_never_common():
    """Six words of the list, a thousand times over (seeded)."""
    chance, words = random.Random(6), vocabulary.passphrase_words()  # noqa: S311 - not for keys
    for _ in range(1000):
        assert not is_common(" ".join(chance.choice(words) for _ in range(6)))


def test_the_list_is_folded_as_passphrases_are():
    """A line that folding would change could never be found."""
    phrases, leaked = vocabulary.common_phrases(), vocabulary.common_passwords()
    assert len(phrases) > 100
    assert len(leaked) > 9_000
    assert all(passphrases._folded(one) == one for one in phrases | leaked)
    assert all(is_common(phrase * 2) for phrase in phrases)
    assert sum(is_common(one) for one in leaked) / len(leaked) > 0.99


def test_the_lists_are_what_their_licences_speak_of():
    """Each with its sum: whoever changes a list says so there."""
    folder = Path(vocabulary.__file__).parent
    licences = (folder / "LICENCES.md").read_text()
    for name in ("passphrase_words.txt", "common_passwords.txt"):
        assert sha256((folder / name).read_bytes()).hexdigest() in licences


def test_looking_takes_no_time_that_anybody_would_notice():
    """The longest that is accepted, of nothing that is known."""
    began = time.perf_counter()
    assert not is_common("ж1ю" * 80 + "".join(chr(0x4E00 + n) for n in range(200)))
    assert time.perf_counter() - began < 0.5
