"""Passphrases: the envelope opens with the right one, and guessing never becomes cheap."""

from __future__ import annotations

import dataclasses
import statistics
import time
from uuid import UUID

import pytest
from argon2.low_level import hash_secret_raw
from hypothesis import example, given, settings
from hypothesis import strategies as st

from casevault.crypto import canonical, credentials
from casevault.crypto.credentials import (
    FLOOR,
    MAX_CHARACTERS,
    PROFILES,
    SMALL,
    STANDARD,
    Envelope,
    KdfProfile,
    PassphraseKdf,
    check_strength,
    normalise,
)
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.sealing import Key
from casevault.errors import Busy, Invalid, Tampered

from .secrecy import assert_silent

ORGANISATION, AMAL, BASIL = UUID(int=1), UUID(int=2), UUID(int=3)
PEPPER = Key(b"p" * 32, 2)
SECRET = PrincipalSecret(bytes(range(64)))
PASSPHRASE = "seven violet herons drink slowly"
KDF = PassphraseKdf(SMALL, 4)
ENVELOPE = KDF.close(ORGANISATION, AMAL, SECRET, PASSPHRASE, PEPPER)


@pytest.fixture(autouse=True, scope="module")
def stretched_each_time():
    """Here it matters what Argon2 costs; elsewhere it is asked once (tests/conftest.py)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(credentials, "hash_secret_raw", hash_secret_raw)
        yield


def opened(envelope=ENVELOPE, passphrase=PASSPHRASE, staff=AMAL, pepper=PEPPER, kdf=KDF):
    return kdf.open(ORGANISATION, staff, envelope, passphrase, pepper)


def assert_no_work(envelope):
    """Refused at once: no Argon2 was computed (one costs more than ten milliseconds)."""
    spent = []
    for _ in range(3):
        start = time.process_time()
        with pytest.raises(Tampered):
            opened(envelope)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.005


def test_the_right_passphrase_opens_the_envelope():
    """Opening is the verification."""
    assert opened().seed == SECRET.seed
    assert Envelope.decode(ENVELOPE.encode()) == ENVELOPE


@pytest.mark.parametrize(
    "wrong",
    ["", PASSPHRASE + "x", PASSPHRASE.upper(), PASSPHRASE[:-1], "another seven quiet herons"],
)
def test_a_wrong_passphrase_is_tampered(wrong):
    """And looks like any other failure."""
    with pytest.raises(Tampered) as caught:
        opened(passphrase=wrong)
    assert wrong not in str(caught.value) or not wrong


def test_an_envelope_belongs_to_one_person_one_organisation_and_one_pepper():
    """Moved to a colleague, or opened without the root material, it stays closed."""
    for changes in (
        {"staff": BASIL},
        {"pepper": Key(b"q" * 32, 2)},
        {"pepper": Key(PEPPER.material, 3)},
    ):
        with pytest.raises(Tampered):
            opened(**changes)
    with pytest.raises(Tampered):
        KDF.open(UUID(int=9), AMAL, ENVELOPE, PASSPHRASE, PEPPER)


@pytest.mark.parametrize(
    "profile",
    [
        KdfProfile(FLOOR.memory - 1, FLOOR.passes, 1),
        KdfProfile(FLOOR.memory, FLOOR.passes - 1, 1),
        KdfProfile(8, 1, 1),
        KdfProfile(0, 0, 0),
        KdfProfile(1 << 40, 1, 1),
    ],
)
def test_parameters_below_the_floor_are_refused_before_any_work(profile):
    """A weakened row does not make guessing cheap."""
    assert_no_work(dataclasses.replace(ENVELOPE, profile=profile))


def test_an_old_pepper_is_refused_before_any_work():
    """The envelope names its pepper."""
    assert_no_work(dataclasses.replace(ENVELOPE, pepper_version=1))


@pytest.mark.parametrize(
    "change",
    [
        {"profile": KdfProfile(SMALL.memory + 1024, SMALL.passes, SMALL.lanes)},
        {"profile": KdfProfile(SMALL.memory, SMALL.passes + 1, SMALL.lanes)},
        {"profile": KdfProfile(SMALL.memory, SMALL.passes, SMALL.lanes + 1)},
        {"salt": bytes(16)},
        {"salt": ENVELOPE.salt + b"x"},
        {"sealed": ENVELOPE.sealed[:-1] + bytes([ENVELOPE.sealed[-1] ^ 1])},
        {"sealed": b""},
    ],
)
def test_changed_parameters_are_refused(change):
    """Costs, salt and pepper version are authenticated."""
    with pytest.raises(Tampered):
        opened(dataclasses.replace(ENVELOPE, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"profile": KdfProfile(SMALL.memory, SMALL.passes, 0)},
        {"profile": KdfProfile(SMALL.memory, SMALL.passes, 1 << 30)},
        {"profile": KdfProfile(1 << 62, SMALL.passes, 1)},
        {"salt": b""},
        {"salt": b"short"},
    ],
)
def test_impossible_parameters_are_tampered(change):
    """What Argon2 itself refuses is one more way in which a row was changed."""
    with pytest.raises(Tampered):
        opened(dataclasses.replace(ENVELOPE, **change))


@pytest.mark.parametrize("act", ["open", "close"])
def test_a_passphrase_that_is_no_text_is_an_error_of_ours(act):
    """A lone surrogate (from a terminal with surrogateescape) is refused, not a crash."""
    with pytest.raises((Tampered, Invalid)):
        if act == "open":
            opened(passphrase="seven violet herons \ud800")
        else:
            check_strength("seven violet herons \ud800")
            KDF.close(ORGANISATION, AMAL, SECRET, "seven violet herons \ud800", PEPPER)


def test_two_envelopes_of_one_secret_have_nothing_in_common():
    """Salt and seal are fresh each time."""
    twin = KDF.close(ORGANISATION, AMAL, SECRET, PASSPHRASE, PEPPER)
    assert twin.salt != ENVELOPE.salt
    assert len(twin.salt) == 16
    assert twin.sealed[20:] != ENVELOPE.sealed[20:]


def _median(act):
    spent = []
    for _ in range(5):
        start = time.perf_counter()
        act()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


def test_an_unknown_name_costs_about_the_same():
    """`waste` spends what `open` spends, within a factor of three."""
    known = _median(opened)
    unknown = _median(lambda: KDF.waste(PASSPHRASE, PEPPER))
    assert known / 3 < unknown < known * 3
    assert unknown > 0.003


def test_the_number_of_derivations_at_once_is_bounded(monkeypatch):
    """When all slots are taken for too long, the answer is `Busy`; then they serve again."""
    monkeypatch.setattr(credentials, "_WAIT_SECONDS", 0.05)
    kdf = PassphraseKdf(SMALL, 1)
    assert kdf._slots.acquire(timeout=0)
    with pytest.raises(Busy) as caught:
        opened(kdf=kdf)
    assert caught.value.code == "busy.sign-in"
    kdf._slots.release()
    assert opened(kdf=kdf).seed == SECRET.seed
    with pytest.raises(Tampered):
        opened(kdf=kdf, passphrase="wrong")
    assert opened(kdf=kdf).seed == SECRET.seed


def test_the_profiles_are_no_weaker_than_their_sources():
    """RFC 9106's second choice and OWASP's second choice."""
    assert KdfProfile(65_536, 3, 4) == STANDARD
    assert SMALL == FLOOR == KdfProfile(19_456, 2, 1)
    assert set(PROFILES.values()) == {STANDARD, SMALL}
    assert all(profile.is_acceptable() for profile in PROFILES.values())


def test_the_standard_profile_works():
    """The one that servers use."""
    kdf = PassphraseKdf(STANDARD, 1)
    envelope = kdf.close(ORGANISATION, AMAL, SECRET, PASSPHRASE, PEPPER)
    assert envelope.profile == STANDARD
    # Whoever changes the profile still opens what was closed under another.
    assert opened(envelope).seed == SECRET.seed


@settings(max_examples=20)
@given(st.binary(max_size=80))
@example(b"")
def test_random_bytes_are_no_envelope(data):
    """And never another exception."""
    with pytest.raises(Tampered):
        Envelope.decode(data)
    with pytest.raises(Tampered):
        Envelope.decode(ENVELOPE.encode() + canonical.encode(1))


@pytest.mark.parametrize(
    "typed",
    [
        f"  {PASSPHRASE} ",
        PASSPHRASE.replace(" ", "  "),
        PASSPHRASE.replace(" ", "\u00a0"),
        PASSPHRASE.replace(" ", "\t"),
        PASSPHRASE.replace("seven", "\uff53\uff45\uff56\uff45\uff4e"),
    ],
)
def test_what_keyboards_do_differently_is_one_passphrase(typed):
    """Full-width letters, double and non-breaking spaces open the same envelope."""
    assert opened(passphrase=typed).seed == SECRET.seed


def test_composed_and_decomposed_letters_are_one():
    """NFKC: é is é, however the keyboard made it."""
    assert normalise("caf\u00e9") == normalise("cafe\u0301")


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing_more(text):
    """Folding is stable, so a passphrase that opened once opens again."""
    once = normalise(text)
    assert normalise(once) == once
    assert once == once.strip()


@pytest.mark.parametrize(
    ("passphrase", "code"),
    [
        ("", "passphrase.short"),
        ("fourteen chars", "passphrase.short"),
        (" short   but   wide   ", "passphrase.short")
        if len(normalise(" short   but   wide   ")) < 15
        else ("ab cd", "passphrase.short"),
        ("x" * 300 + "abcdefg", "passphrase.long"),
        ("aaaaaaaaaaaaaaaaaaaa", "passphrase.simple"),
        ("ababababABABABABAB", "passphrase.simple"),
        ("Password Password 1", "passphrase.common"),
    ],
)
def test_weak_passphrases_are_refused(passphrase, code):
    """By length and variety; the message never echoes what was typed."""
    with pytest.raises(Invalid) as caught:
        check_strength(passphrase, "/new")
    error = caught.value
    assert error.code == code
    assert [(e.pointer, e.code) for e in error.errors] == [("/new", code)]
    assert not passphrase or passphrase not in str(error) + repr(error.errors)


@pytest.mark.parametrize(
    "passphrase", [PASSPHRASE, "a boat of reeds", "herons " * 34 + "drink slowly"]
)
def test_good_passphrases_pass(passphrase):
    """Fifteen characters of one's own, up to 256."""
    assert len(passphrase) <= MAX_CHARACTERS
    check_strength(passphrase)


def test_nothing_prints_its_secret():
    """Envelopes, secrets and the KDF are silent."""
    assert_silent(ENVELOPE, ENVELOPE.salt, ENVELOPE.sealed)
    assert_silent(opened(), SECRET.seed)
    assert PASSPHRASE not in repr(KDF)


def test_a_full_queue_says_so_at_once():
    """Three places for each slot; as many again as there are slots for devices that are known."""
    kdf = PassphraseKdf(SMALL, 1)
    with kdf.queued(), kdf.queued(), kdf.queued():
        with pytest.raises(Busy) as caught, kdf.queued():
            pass
        assert caught.value.code == "busy.sign-in"
        with kdf.queued(reserved=True), pytest.raises(Busy), kdf.queued(reserved=True):
            pass
        with kdf.queued(reserved=True):
            pass
    with kdf.queued():
        pass


def test_an_envelope_of_other_parameters_is_outdated():
    """So that it is sealed anew while the passphrase is at hand."""
    assert not KDF.is_outdated(ENVELOPE, PEPPER)
    assert PassphraseKdf(STANDARD, 4).is_outdated(ENVELOPE, PEPPER)
    assert KDF.is_outdated(ENVELOPE, Key(b"q" * 32, 3))
