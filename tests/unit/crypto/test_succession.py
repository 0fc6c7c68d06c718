"""Versions of a key: backwards for whoever holds the newest, never forwards."""

from __future__ import annotations

import dataclasses
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.crypto.sealing import Key, Place, seal
from casevault.crypto.succession import Step, _lineage_key, check_succession, predecessor, succeed
from casevault.errors import Tampered

from .secrecy import assert_silent

PLACE = Place(UUID(int=1), "case-key", UUID(int=2), UUID(int=2), "narrative")
OLD = Key(b"o" * 32, 1)
NEW = Key(b"n" * 32, 2)
STEP = succeed(OLD, NEW, PLACE)


@given(st.integers(2, 6))
def test_the_newest_key_opens_every_older_one(count):
    """From version v all the way down to 1."""
    keys = [Key.random(n + 1) for n in range(count)]
    steps = [succeed(keys[n], keys[n + 1], PLACE) for n in range(count - 1)]
    held = keys[-1]
    for n in range(count - 2, -1, -1):
        held = predecessor(held, PLACE, steps[n], keys[n].id)
        assert held == keys[n]


def test_a_holder_of_the_old_key_cannot_walk_forward():
    """Neither part of the step opens or contains anything with the old key."""
    for key in (OLD, Key(OLD.material, 2), Key(OLD.material, 3)):
        with pytest.raises(Tampered):
            predecessor(key, PLACE, STEP, NEW.id)
        with pytest.raises(Tampered):
            predecessor(key, PLACE, STEP, OLD.id)
    for secret in (NEW.material, OLD.material):
        assert secret not in STEP.lineage + STEP.succession


def test_the_true_successor_is_accepted():
    """A holder of the old key made it."""
    check_succession(OLD, NEW, PLACE, STEP)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (OLD, Key(b"x" * 32, 2)),
        (OLD, Key(NEW.material, 3)),
        (OLD, Key(NEW.material, 1)),
        (Key(b"x" * 32, 1), NEW),
        (NEW, OLD),
        (Key(OLD.material, 2), Key(NEW.material, 3)),
    ],
)
def test_a_forged_successor_is_refused(old, new):
    """Another key, another version, another predecessor."""
    with pytest.raises(Tampered):
        check_succession(old, new, PLACE, STEP)


@pytest.mark.parametrize(
    "succession", [b"", bytes(32), STEP.succession[:-1], STEP.succession + b"x"]
)
def test_a_forged_succession_is_refused(succession):
    """Without the old key nobody makes the MAC."""
    forged = dataclasses.replace(STEP, succession=succession)
    with pytest.raises(Tampered):
        check_succession(OLD, NEW, PLACE, forged)


@pytest.mark.parametrize(
    "change",
    [
        {"organisation": UUID(int=9)},
        {"kind": "x"},
        {"row": UUID(int=9)},
        {"case": UUID(int=9)},
        {"case": None},
        {"compartment": "identity"},
    ],
)
def test_a_step_belongs_to_one_compartment_of_one_case(change):
    """Moved elsewhere, neither lineage nor succession holds."""
    elsewhere = dataclasses.replace(PLACE, **change)
    with pytest.raises(Tampered):
        check_succession(OLD, NEW, elsewhere, STEP)
    with pytest.raises(Tampered):
        predecessor(NEW, elsewhere, STEP, OLD.id)


def test_versions_follow_one_another():
    """No version is skipped, repeated or turned back."""
    for old, new in ((1, 1), (1, 3), (2, 1)):
        with pytest.raises(ValueError, match="follow"):
            succeed(Key.random(old), Key.random(new), PLACE)


def test_the_predecessor_must_be_the_one_the_keyring_names():
    """A lineage to another key, of another length or before the first version is `Tampered`."""
    with pytest.raises(Tampered):
        predecessor(NEW, PLACE, STEP, NEW.id)
    short = Step(seal(_lineage_key(NEW), PLACE, b"short", 2), b"")
    with pytest.raises(Tampered):
        predecessor(NEW, PLACE, short, OLD.id)
    first = Key(NEW.material, 1)
    before = Step(seal(_lineage_key(first), PLACE, OLD.material, 1), b"")
    with pytest.raises(Tampered):
        predecessor(first, PLACE, before, OLD.id)


def test_nothing_prints_its_secret():
    """A step prints neither of its parts."""
    assert_silent(STEP, STEP.lineage, STEP.succession)
