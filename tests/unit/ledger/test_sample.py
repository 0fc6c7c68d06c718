"""The weekly sample: a fixed draw that an outsider writes again in ten lines."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from casevault.errors import Invalid
from casevault.ledger import sample
from casevault.ledger.entry import Body, make_leaf
from casevault.ledger.note import Checkpoint
from casevault.ledger.sample import Week

WEEK = Week.parse("2026-W47")
HEAD = Checkpoint("example.org/log", 5000, bytes(range(32)))


def leaf(recorded, code="case.read"):
    """Return the leaf of an entry recorded then."""
    body = Body(recorded=recorded + ".000000Z", code=code)
    return make_leaf(body, bytes(32), writer="w" * 8, counter=0, key_month=recorded[:7])


def test_a_week_goes_from_monday_to_monday():
    """In UTC, by ISO 8601; the last week that is over can be asked for."""
    assert WEEK.begins == datetime(2026, 11, 16, tzinfo=UTC)
    assert WEEK.ends == datetime(2026, 11, 23, tzinfo=UTC)
    assert Week.before(datetime(2026, 11, 23, tzinfo=UTC)).name == "2026-W47"
    assert Week.before(datetime(2026, 11, 22, 23, tzinfo=UTC)).name == "2026-W46"
    assert Week.before(datetime(2027, 1, 5, tzinfo=UTC)).name == "2026-W53"


@pytest.mark.parametrize(
    "text", ["2026-W00", "2026-W54", "2025-W53", "2026-47", "W47", "", "0000-W01"]
)
def test_what_is_no_week_is_refused(text):
    """Also a week 53 in a year that has none."""
    with pytest.raises(Invalid):
        Week.parse(text)


def test_the_week_decides_and_the_system_is_left_out():
    """The hour of the leaf counts; the first of the next week is not in it."""
    leaves = [
        leaf("2026-11-15T23:59:59"),
        leaf("2026-11-16T00:00:00"),
        leaf("2026-11-22T23:59:59"),
        leaf("2026-11-23T00:00:00"),
        leaf("2026-11-18T12:00:00", "system.start"),
    ]
    assert sample.population(enumerate(leaves), WEEK) == (1, 2)


def test_an_outsider_draws_the_same():
    """By the words of docs/formats/audit.md, without this module."""
    among = list(range(100, 1150))
    text = f"{HEAD.origin}\n{HEAD.size}\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    seed = hashlib.sha256(b"casevault/1/sample\n2026-W47\n" + text.encode()).digest()
    ranks = sorted(among, key=lambda i: hashlib.sha256(seed + i.to_bytes(8, "big")).digest())
    assert sample.draw(HEAD, WEEK, among) == tuple(sorted(ranks[:21]))


def test_two_percent_are_rounded_up():
    """Of few entries one is drawn, of none none."""
    for number, drawn in ((0, 0), (1, 1), (50, 1), (51, 2), (1000, 20)):
        assert len(sample.draw(HEAD, WEEK, range(number))) == drawn


def test_another_checkpoint_or_week_draws_others():
    """Nobody who does not know the checkpoint knows the sample."""
    among = range(2000)
    other = Checkpoint(HEAD.origin, HEAD.size, bytes(32))
    draws = {
        sample.draw(HEAD, WEEK, among),
        sample.draw(other, WEEK, among),
        sample.draw(HEAD, Week.parse("2026-W46"), among),
    }
    assert len(draws) == 3


def test_every_entry_has_the_same_chance():
    """Over many checkpoints each of ten tenths of a week is drawn about as often."""
    counts = [0] * 10
    for n in range(300):
        head = Checkpoint(
            HEAD.origin, HEAD.size, hashlib.sha256(bytes([n % 256, n // 256])).digest()
        )
        for index in sample.draw(head, WEEK, range(500)):
            counts[index // 50] += 1
    assert sum(counts) == 3000
    assert all(220 < count < 380 for count in counts)
