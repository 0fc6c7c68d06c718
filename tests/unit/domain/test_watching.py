"""The rules of the watch: each finds its story and leaves its ordinary neighbour alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from casevault.domain.watching import events, rules
from casevault.domain.watching.events import Day, Event, Person, Tally, tallies
from casevault.domain.watching.limits import KNOWN, Limits, limits
from casevault.errors import Invalid
from casevault.ledger.codes import CODES
from tests import office

TODAY = date(2026, 11, 16)
NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
LIMITS = Limits()
USUAL = tuple(Tally(cases=8, looks=20) for _ in range(10))


def looks(number, actor="cara", at=NOON, **more):
    """Return reads of so many cases, a minute apart."""
    return [
        Event(at + timedelta(minutes=n), n, "case.read", actor=actor, cases=(f"c{n}",), **more)
        for n in range(number)
    ]


def a_day(*events, **more):
    """Return a day with these events."""
    return Day(TODAY, sorted(events, key=lambda event: event.at), **more)


def denied(number, seconds, cases=True, at=NOON):
    """Return so many refusals, one every so many seconds."""
    return [
        Event(
            at + timedelta(seconds=seconds * n), n, "authz.deny", outcome=4, actor="cara",
            cases=(f"x{n}",) if cases else (),
        )
        for n in range(number)
    ]  # fmt: skip


def event(code, minutes=0, actor="cara", **more):
    """Return one entry some minutes after noon."""
    return Event(NOON + timedelta(minutes=minutes), 900 + minutes, code, actor=actor, **more)


def ran(rule, day, changed=LIMITS):
    """Return what one rule finds."""
    return list(rules.RULES[rule](day, changed))


GIVEN = event("case.assign", actor="sue", cases=("c0",), staff=("cara",))
TAKEN = event("case.revoke", 60, actor="sue", cases=("c0",), staff=("cara",))
SEARCHES = [event("search.run", n, cases=("c1",)) for n in range(14)]
PEERS = {"colin": USUAL, "stella": USUAL}
WORKERS = {name: Person(frozenset({"caseworker"})) for name in ("cara", "colin", "stella")}
NIGHT = NOON.replace(hour=2)
LEAVES = {"cara": Person(leaves_on=TODAY + timedelta(days=5))}
STARTED = event("audit.export_start", -200, objects=("e1",))
ENDED = event("audit.export_end", -199, objects=("e1",), count=5)

# rule → a day in which it finds something, and one in which it does not.
STORIES = {
    "volume-own": (
        a_day(*looks(25), history={"cara": USUAL}),
        a_day(*looks(24), history={"cara": USUAL}),
    ),
    "volume-peers": (
        a_day(*looks(33), history=PEERS, people=WORKERS),
        a_day(*looks(32), history=PEERS, people=WORKERS),
    ),
    "out-of-caseload": (
        a_day(*looks(7)),
        a_day(*looks(7), people={"cara": Person(held=frozenset({"c3"}))}),
    ),
    "break-glass": (
        a_day(event("breakglass.start", cases=("c1",))),
        a_day(event("breakglass.start", cases=("c1",), outcome=8)),
    ),
    "after-hours": (a_day(*looks(4, at=NIGHT)), a_day(*looks(3, at=NIGHT))),
    "search-without-opening": (
        a_day(*SEARCHES),
        a_day(*SEARCHES, event("case.read", 15, cases=("c1",))),
    ),
    "id-probing": (a_day(*denied(6, 300)), a_day(*denied(5, 60))),
    "denied-burst": (a_day(*denied(12, 50, cases=False)), a_day(*denied(12, 90, cases=False))),
    "exports": (
        a_day(event("audit.export_end", count=500)),
        a_day(event("audit.export_end", count=499), event("audit.export_end", 5, count=3)),
    ),
    "export-unfinished": (
        a_day(STARTED, now=NOON),
        a_day(STARTED, ENDED, now=NOON),
    ),
    "brief-grant": (
        a_day(GIVEN, event("case.read", 5, cases=("c0",)), TAKEN),
        a_day(GIVEN, event("case.read", 5, cases=("c0",))),
    ),
    "own-trace": (
        a_day(event("audit.query", staff=("cara",))),
        a_day(event("audit.query", staff=("colin",))),
    ),
    "leaver": (
        a_day(*looks(17), history={"cara": USUAL}, people=LEAVES),
        a_day(*looks(16), history={"cara": USUAL}, people=LEAVES),
    ),
    "letter-guessed": (
        a_day(event("referral.dead", actor=None, cases=("c1",), outcome=8)),
        a_day(event("referral.guess", actor=None, cases=("c1",), outcome=4)),
    ),
    "ledger-health": (
        a_day(
            event("case.list", writer="w", counter=4),
            event("case.list", 1, writer="w", counter=6),
        ),
        a_day(
            event("case.list", writer="w", counter=4),
            event("case.list", 1, writer="w", counter=6, skipped=(5,)),
        ),
    ),
}  # fmt: skip


def test_every_rule_has_a_story():
    """A rule without one would be a rule without a test."""
    assert STORIES.keys() == rules.RULES.keys()


@pytest.mark.parametrize("rule", STORIES)
def test_a_rule_finds_its_story(rule):
    """One finding, about the right person, with the places to look at."""
    (found,) = ran(rule, STORIES[rule][0])
    assert found.rule == rule
    assert found.day == TODAY
    assert found.count >= 1
    if rule == "letter-guessed":
        # Nobody is signed in at a letter.
        assert (found.actors, found.cases) == ((), ("c1",))
    elif rule != "ledger-health":
        assert "cara" in found.actors
        assert found.positions


@pytest.mark.parametrize("rule", STORIES)
def test_a_rule_leaves_the_neighbour_alone(rule):
    """Just below the limit, or with the thing that explains it."""
    assert ran(rule, STORIES[rule][1]) == []


def test_a_day_without_entries_is_quiet():
    """Nothing happened, nothing is found."""
    assert rules.findings(Day(TODAY, ()), LIMITS) == []


def test_all_rules_run_on_a_day():
    """What several rules find stands side by side."""
    found = rules.findings(a_day(*looks(30, at=NIGHT), history={"cara": USUAL}), LIMITS)
    assert {one.rule for one in found} == {"volume-own", "out-of-caseload", "after-hours"}


def test_whoever_always_works_at_night_may():
    """Four nights of the history with looks, and the rule is silent; three are not enough."""
    nights = (Tally(3, 3, 2),) * 4
    quiet = a_day(*looks(9, at=NIGHT), history={"cara": nights})
    assert ran("after-hours", quiet) == []
    loud = a_day(*looks(9, at=NIGHT), history={"cara": nights[:3]})
    assert len(ran("after-hours", loud)) == 1


def test_night_is_night_where_the_people_are():
    """Noon in London is night in Auckland."""
    there = a_day(*looks(5), zone=ZoneInfo("Pacific/Auckland"))
    assert len(ran("after-hours", there)) == 1
    assert ran("after-hours", a_day(*looks(5))) == []


def test_what_was_given_or_opened_is_no_foreign_case():
    """Assignments, covers and own intakes of this day or the one before count, also when over."""
    given = [
        event("case.assign", -5, actor="sue", cases=("c0", "c1"), staff=("cara",)),
        event("case.open", -4, cases=("c2",)),
        event("case.revoke", 300, actor="sue", cases=("c3",), staff=("cara",)),
    ]
    assert ran("out-of-caseload", a_day(*given, *looks(10))) == []
    assert len(ran("out-of-caseload", a_day(*given, *looks(11)))) == 1
    assert ran("out-of-caseload", a_day(*looks(10), before=given)) == []


def test_broken_glass_is_its_own_rule():
    """It is not counted as a look outside of the caseload too; an overdue review is found."""
    assert ran("out-of-caseload", a_day(*looks(10, rule="permit:break-glass"))) == []
    assert len(ran("break-glass", a_day(event("breakglass.overdue", actor=None)))) == 1


def test_a_new_case_explains_a_search():
    """Looking whether somebody is known already, then recording them."""
    opened = [event("case.open", n, cases=(f"new{n}",)) for n in (1, 9)]
    assert ran("search-without-opening", a_day(*SEARCHES, *opened)) == []
    late = event("case.open", 200, cases=("new",))
    assert len(ran("search-without-opening", a_day(*SEARCHES, late))) == 1


def test_guessed_sign_ins_are_a_burst():
    """Nobody is known who did it."""
    (found,) = ran("denied-burst", a_day(event("auth.limited", actor=None, count=40)))
    assert (found.actors, found.key) == ((), "sign-in")


def test_exports_at_night_or_many_are_found():
    """Large ones, those at night, and the fourth of a day."""
    one = event("case.export", count=1)
    assert ran("exports", a_day(one)) == []
    assert len(ran("exports", a_day(replace(one, at=NIGHT)))) == 1
    assert len(ran("exports", a_day(*(event("case.export", n, count=1) for n in range(4))))) == 1


def test_an_export_is_waited_for():
    """An hour; and yesterday's is found today under yesterday's date, so that it is found once."""
    assert ran("export-unfinished", a_day(STARTED, now=NOON - timedelta(minutes=150))) == []
    (found,) = ran("export-unfinished", a_day(event("case.list"), before=[STARTED], now=NOON))
    assert found.key == str(STARTED.position)
    yesterday = replace(STARTED, at=STARTED.at - timedelta(days=1))
    (found,) = ran("export-unfinished", a_day(event("case.list"), before=[yesterday], now=NOON))
    assert found.day == TODAY - timedelta(days=1)


def test_a_case_given_to_oneself_and_read_at_once():
    """No taking back is needed; an hour later it is ordinary work again."""
    own = event("case.assign", actor="sue", cases=("c0",), staff=("sue",))
    read = event("case.read", 4, actor="sue", cases=("c0",))
    assert len(ran("brief-grant", a_day(own, read))) == 1
    assert ran("brief-grant", a_day(own, replace(read, at=NOON + timedelta(hours=2)))) == []


def test_a_grant_that_lasts_is_no_brief_one():
    """Taken back after more than a day, or never looked at; over midnight it is found once."""
    late = replace(TAKEN, at=NOON + timedelta(hours=25))
    read = event("case.read", 5, cases=("c0",))
    assert ran("brief-grant", a_day(late, before=[GIVEN, read])) == []
    assert ran("brief-grant", a_day(GIVEN, TAKEN)) == []
    assert ran("brief-grant", a_day(replace(GIVEN, outcome=4), read, TAKEN)) == []
    done = [replace(e, at=e.at - timedelta(days=1)) for e in (GIVEN, read, TAKEN)]
    assert ran("brief-grant", a_day(event("case.list"), before=done)) == []
    over = [replace(e, at=e.at - timedelta(hours=13)) for e in (GIVEN, read)]
    taken = replace(TAKEN, at=NOON - timedelta(hours=11))
    assert len(ran("brief-grant", a_day(taken, before=over))) == 1


def test_whoever_left_looks_at_nothing():
    """One look after the last day is found; without any look there is nothing to say."""
    gone = {"cara": Person(leaves_on=TODAY - timedelta(days=1))}
    assert len(ran("leaver", a_day(*looks(1), people=gone))) == 1
    assert ran("leaver", a_day(event("case.list"), people=gone)) == []
    assert ran("leaver", a_day(*looks(30))) == []


def test_tampering_and_unreadable_records_are_found():
    """Each tampering by itself, all records of a day that did not open as one."""
    bad = [event("case.read", n, rule="failed:tampered", outcome=8, cases=("c1",)) for n in (1, 2)]
    found = ran("ledger-health", a_day(event("system.tamper", outcome=8), *bad))
    assert [one.count for one in found] == [1, 2]
    assert len(ran("ledger-health", a_day(event("case.read", outcome=12)))) == 1


def test_a_crash_explains_what_its_writer_lost():
    """And what is not settled yet is not judged yet."""
    gap = [
        event("case.list", 0, writer="w", counter=4),
        event("case.list", 1, writer="w", counter=6),
    ]
    crash = event("system.crash", 2, actor=None, objects=("w",))
    assert ran("ledger-health", a_day(*gap, crash)) == []
    assert ran("ledger-health", a_day(*gap, now=NOON + timedelta(minutes=5))) == []
    assert len(ran("ledger-health", a_day(*gap, now=NOON + timedelta(minutes=30)))) == 1
    assert ran("ledger-health", a_day(event("case.list"), before=gap)) == []


def test_peers_measure_the_new_and_the_boundless():
    """Without two colleagues of the role there is no measure."""
    alone = a_day(*looks(60), history={"colin": USUAL}, people=WORKERS)
    assert ran("volume-peers", alone) == []
    boundless = {**PEERS, "cara": tuple(Tally(cases=60) for _ in range(10))}
    day = a_day(*looks(60), history=boundless, people=WORKERS)
    assert len(ran("volume-peers", day)) == 1
    assert ran("volume-own", day) == []


def test_tallies_are_numbers_only():
    """Distinct cases, looks, looks at night; who looked at nothing has none."""
    day = a_day(*looks(3), *looks(2, at=NIGHT), event("case.list", actor="colin"))
    assert tallies(day, 6, 21) == {"cara": Tally(cases=3, looks=5, after_hours=2)}


def test_the_rules_look_for_codes_that_exist():
    """A rule for a code that nobody records would be silent for ever."""
    named = events.LOOKS | events.EXPORTS | events.GIVING | {events.SEARCH}
    assert named <= set(CODES)
    written = {"breakglass.start", "breakglass.overdue", "authz.deny", "auth.limited", "case.open"}
    written |= {"system.tamper", "system.crash", "case.revoke", "audit.export_start", "case.import"}
    assert written <= set(CODES)


def test_limits_have_a_default_in_their_range_and_a_reason():
    """The table and the dataclass name the same limits."""
    assert KNOWN.keys() == set(Limits.__dataclass_fields__)
    for name, known in KNOWN.items():
        assert known.least <= getattr(LIMITS, name) <= known.most, name
        assert len(known.reason.split()) >= 4, name


@pytest.mark.parametrize("name", KNOWN)
def test_a_limit_goes_to_its_ends_and_no_further(name):
    """Nobody switches a rule off by a number."""
    known = KNOWN[name]
    for good in (known.least, known.most):
        assert getattr(limits({name: good}), name) == good
    for bad in (known.least - 1, known.most + 1, float("nan")):
        with pytest.raises(Invalid):
            limits({name: bad})


def test_an_unknown_limit_or_half_a_number_is_refused():
    """With a sentence; whole numbers are whole."""
    for bad in ({"no_such": 1}, {"searches": 3.5}):
        with pytest.raises(Invalid):
            limits(bad)
    assert limits({}) == LIMITS


def test_three_months_of_work_with_incidents():
    """A short measurement: the goals are held over three seeds; `make bench` takes more of them."""
    measured = [office.months(seed, each=8) for seed in (1, 2, 3)]
    for rule in rules.RULES:
        put_in = sum(one.put_in[rule] for one in measured)
        found = sum(one.found[rule] for one in measured)
        assert put_in >= 5, rule
        assert found >= 0.95 * put_in, rule
    for one in measured:
        assert one.accesses > 10_000
        assert one.per_thousand <= 2
        # It says something about ordinary work too: a generator that never alarms proves nothing.
        assert sum(one.ordinary.values()) > 0


def test_the_measurement_can_fail():
    """With limits that nobody reaches, nothing is found."""
    deaf = {name: known.most for name, known in KNOWN.items() if name not in ("history_days",)}
    measured = office.months(1, each=3, weeks=8, changed=limits(deaf))
    assert measured.recall("volume-own") < 0.95
    assert measured.recall("id-probing") < 0.95


def test_the_same_seed_makes_the_same_months():
    """What was measured can be measured again."""
    assert office.months(5, 2, weeks=6) == office.months(5, 2, weeks=6)
    assert office.months(5, 2, weeks=6) != office.months(6, 2, weeks=6)
