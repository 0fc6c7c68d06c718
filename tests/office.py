"""Three months of made-up ordinary work, and incidents put into it: what the watch is measured on.

A seed makes the same months again. Ordinary work is not tidy: holidays, night shifts, busy days,
new colleagues, covers, mistyped references, reviews of whole teams, a colleague who hands over and
leaves. An incident is a story (somebody copies a caseload, somebody looks for one person) whose
strength is drawn from a range that the rules do not know; `slow` ones are meant to be missed.
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from casevault.domain.watching.events import Day, Event, Finding, Person, Tally, tallies
from casevault.domain.watching.limits import Limits
from casevault.domain.watching.rules import findings

BEGIN = date(2026, 8, 31)  # a Monday
SLOW = "slow"


@dataclass
class Colleague:
    """Somebody with habits: how many cases a day, at what hours, since when."""

    name: str
    role: str
    team: int
    pace: float
    caseload: list[str]
    nights: bool = False
    since: date = BEGIN
    until: date | None = None
    away: frozenset[date] = frozenset()

    def works(self, day: date) -> bool:
        """Say whether this is a working day of theirs."""
        present = self.since <= day and (self.until is None or day <= self.until)
        return present and day.weekday() < 5 and day not in self.away


@dataclass(frozen=True)
class Incident:
    """What was put in: the rule that should find it, whose access it was, and on which day."""

    rule: str
    actor: str | None
    day: date


@dataclass
class Measured:
    """What the rules found of what was put in, and how much they said about the rest."""

    put_in: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    ordinary: Counter[str] = field(default_factory=Counter)
    accesses: int = 0

    def recall(self, rule: str) -> float:
        """Return which part of the incidents of a rule it found."""
        return self.found[rule] / self.put_in[rule]

    @property
    def per_thousand(self) -> float:
        """Return the alerts about ordinary work per 1,000 ordinary accesses."""
        return 1000 * sum(self.ordinary.values()) / self.accesses


class Office:
    """A programme with three teams; `weeks` of its work."""

    def __init__(self, seed: int, weeks: int = 13, workers: int = 15) -> None:
        self.random = random.Random(seed)  # noqa: S311 - made-up work, not keys
        self.weeks = weeks
        self.position = 0
        self.counter = 0
        self.people = self._staff(workers)
        self.all_cases = [case for one in self.people for case in one.caseload]

    def _staff(self, workers: int) -> list[Colleague]:
        draw = self.random
        last = BEGIN + timedelta(weeks=self.weeks)
        found = []
        for n in range(workers):
            caseload = [f"case-{n}-{i}" for i in range(draw.randint(14, 38))]
            pace = draw.lognormvariate(math.log(7), 0.3)
            found.append(Colleague(f"worker-{n}", "caseworker", n % 3, pace, caseload))
        found[1].nights = found[2].nights = True
        found[3].since = BEGIN + timedelta(weeks=max(1, self.weeks // 3))
        found[4].until = last - timedelta(weeks=2)
        for n in range(3):
            found.append(Colleague(f"supervisor-{n}", "supervisor", n, 4, [f"case-s{n}-0"]))
        found.append(Colleague("auditor-0", "auditor", 9, 0, []))
        for one in found:
            start = BEGIN + timedelta(days=draw.randrange(7 * self.weeks))
            one.away = frozenset(start + timedelta(days=i) for i in range(draw.randint(4, 15)))
        return found

    # --- ordinary work ----------------------------------------------------------------------------

    def days(self) -> list[date]:
        """Return the days, weekends included."""
        return [BEGIN + timedelta(days=n) for n in range(7 * self.weeks)]

    def ordinary(self, day: date) -> list[Event]:
        """Return what everybody does on a day."""
        found: list[Event] = []
        for one in self.people:
            if one.works(day):
                found += self._work(one, day)
            elif one.role == "caseworker" and one.since <= day and self.random.random() < 0.03:
                # A telephone call on the weekend.
                found += self._look(one, self.random.choice(one.caseload), self._at(day, 20))
        return [*found, *self._letters(day)]

    def _work(self, one: Colleague, day: date) -> list[Event]:
        draw = self.random
        if one.role == "auditor":
            return self._audit(one, day)
        # Busy days and quiet ones; a colleague who hands over sees more.
        pace = one.pace * draw.lognormvariate(0, 0.32)
        if one.until is not None and (one.until - day).days < 10:
            pace *= 1.35
        number = min(len(one.caseload), max(1, round(pace)))
        shift = 22 if one.nights and day.weekday() in (1, 3) else 9
        found = [self.event(one, self._at(day, shift), "worklist.read")]
        for case in draw.sample(one.caseload, number):
            found += self._look(one, case, self._at(day, shift))
        found += self._intakes(one, day) + self._slips(one, day)
        if one.role == "supervisor":
            found += self._lead(one, day)
        return found

    def _look(self, one: Colleague, case: str, at: datetime) -> list[Event]:
        draw, codes = self.random, ["case.read"]
        codes += draw.sample(
            ["case.read", "note.list", "note.add", "task.list"], draw.randint(0, 4)
        )
        return [
            self.event(one, at + timedelta(seconds=40 * n), code, cases=(case,))
            for n, code in enumerate(codes)
        ]

    def _intakes(self, one: Colleague, day: date) -> list[Event]:
        draw, found = self.random, []
        for _ in range(_poisson(draw, 0.35)):
            at, case = self._at(day, 9), f"case-new-{self.position}"
            # Is this person known? Two or three spellings, then a new case or an old one.
            for n in range(draw.randint(1, 4)):
                shown = tuple(draw.sample(self.all_cases, draw.randint(0, 3)))
                moment = at + timedelta(seconds=30 * n)
                found.append(self.event(one, moment, "search.run", cases=shown, count=len(shown)))
            if draw.random() < 0.7:
                one.caseload.append(case)
                found.append(self.event(one, at + timedelta(minutes=3), "case.open", cases=(case,)))
                found += self._look(one, case, at + timedelta(minutes=20))
        return found

    def _slips(self, one: Colleague, day: date) -> list[Event]:
        draw = self.random
        return [
            self.event(
                one, self._at(day, 9), "authz.deny", outcome=4, rule="deny:no-grant",
                cases=(f"case-mistyped-{draw.random()}",),
            )
            for _ in range(_poisson(draw, 0.15))
        ]  # fmt: skip

    def _lead(self, one: Colleague, day: date) -> list[Event]:
        draw = self.random
        team = [c for c in self.people if c.team == one.team and c.role == "caseworker"]
        # Once a month, a supervisor goes through many cases of the team.
        number = 11 if day.day == 12 + one.team else min(6, _poisson(draw, 1.6))
        found: list[Event] = []
        for _ in range(number):
            found += self._look(one, draw.choice(draw.choice(team).caseload), self._at(day, 10))
        if draw.random() < 0.5:
            other, case = draw.choice(team), f"case-given-{self.position}"
            at = self._at(day, 10)
            found.append(self._assign(one, other, case, at))
            if draw.random() < 0.02:
                # Given to the wrong colleague, who looked before anybody noticed.
                found += self._look(other, case, at + timedelta(minutes=20))
                found.append(self._revoke(one, other, case, at + timedelta(hours=1)))
            else:
                other.caseload.append(case)
                if other.works(day):
                    found += self._look(other, case, at + timedelta(minutes=draw.randint(1, 200)))
        if draw.random() < 0.015:
            worker = draw.choice(team)
            found.append(
                self.event(worker, self._at(day, 19), "breakglass.start", cases=("case-e",))
            )
        return found

    def _audit(self, one: Colleague, day: date) -> list[Event]:
        draw = self.random
        found = [
            self.event(one, self._at(day, 9), "audit.query", cases=(draw.choice(self.all_cases),))
            for _ in range(draw.randint(2, 15))
        ]
        if day.weekday() == 0:
            number = 9000 if day.day <= 7 else draw.randint(10, 200)
            found += self._export(one, self._at(day, 10), number)
        return found

    # --- incidents --------------------------------------------------------------------------------

    def stories(self) -> dict[str, Callable[[date], tuple[list[Event], str | None] | None]]:
        """Return for each rule what puts one incident of it into a day, if it can on that day."""
        return {
            "volume-own": self._copies_caseload,
            "volume-peers": self._new_and_everywhere,
            "out-of-caseload": self._neighbours,
            "break-glass": self._needless_emergency,
            "after-hours": self._at_night,
            "search-without-opening": self._looks_for_somebody,
            "id-probing": self._guesses_ids,
            "denied-burst": self._program,
            "exports": self._carries_off,
            "export-unfinished": self._cut_off,
            "brief-grant": self._for_one_look,
            "own-trace": self._own_trace,
            "leaver": self._gathers_before_leaving,
            "letter-guessed": self._guesses_a_code,
            "ledger-health": self._log_altered,
            SLOW: self._a_few_more,
        }

    def _somebody(self, day: date, role: str = "caseworker", weeks: int = 2) -> Colleague | None:
        known = [
            one
            for one in self.people
            if one.role == role and one.works(day) and one.until is None
            and (day - one.since).days > 7 * weeks and not one.nights
        ]  # fmt: skip
        return self.random.choice(known) if known else None

    def _many(self, one: Colleague, day: date, number: int, pool: list[str]) -> list[Event]:
        cases = self.random.sample(pool, min(number, len(pool)))
        at = self._at(day, 9)
        return [
            self.event(one, at + timedelta(seconds=35 * n), "case.read", cases=(case,))
            for n, case in enumerate(cases)
        ]

    def _copies_caseload(self, day):
        one = self._somebody(day, weeks=3)
        if one is None or len(one.caseload) < max(24, 3.2 * one.pace):
            return None
        number = round(len(one.caseload) * self.random.uniform(0.95, 1))
        return self._many(one, day, number, one.caseload), one.name

    def _new_and_everywhere(self, day):
        new = [p for p in self.people if p.role == "caseworker" and p.works(day)]
        new = [
            p for p in new if 0 <= (day - p.since).days < 5 and day >= BEGIN + timedelta(weeks=2)
        ]
        if not new:
            return None
        cases = [f"case-handed-{self.position}-{n}" for n in range(80)]
        new[0].caseload += cases
        return self._many(new[0], day, self.random.randint(38, 70), cases), new[0].name

    def _neighbours(self, day):
        one = self._somebody(day, "supervisor")
        if one is None:
            return None
        team = [c for p in self.people if p.team == one.team and p is not one for c in p.caseload]
        return self._many(one, day, self.random.randint(9, 30), team), one.name

    def _needless_emergency(self, day):
        one = self._somebody(day)
        if one is None:
            return None
        return [self.event(one, self._at(day, 9), "breakglass.start", cases=("case-e",))], one.name

    def _at_night(self, day):
        one = self._somebody(day)
        if one is None:
            return None
        begin = datetime.combine(day, time(self.random.choice((1, 2, 3, 22))), UTC)
        pool = self.random.sample(one.caseload, self.random.randint(5, 12))
        looks = [
            self.event(one, begin + timedelta(minutes=3 * n), "case.read", cases=(case,))
            for n, case in enumerate(pool)
        ]
        return looks, one.name

    def _looks_for_somebody(self, day):
        one = self._somebody(day)
        if one is None:
            return None
        at, found = self._at(day, 9), []
        for n in range(self.random.randint(18, 40)):
            shown = tuple(self.random.sample(self.all_cases, self.random.randint(0, 2)))
            moment = at + timedelta(minutes=n)
            found.append(self.event(one, moment, "search.run", cases=shown, count=len(shown)))
        return found, one.name

    def _guesses_ids(self, day):
        one = self._somebody(day)
        if one is None:
            return None
        return self._denials(one, day, self.random.randint(8, 60), 25 * 60, known=False), one.name

    def _program(self, day):
        one = self._somebody(day)
        if one is None:
            return None
        return self._denials(one, day, self.random.randint(15, 100), 8 * 60, known=True), one.name

    def _denials(self, one, day, number, seconds, known):
        at = self._at(day, 9)
        step = self.random.randint(max(1, seconds // (3 * number)), max(1, seconds // number))
        return [
            self.event(
                one, at + timedelta(seconds=step * n), "authz.deny", outcome=4,
                rule="deny:role", cases=() if known else (f"case-guess-{day}-{n}",),
            )
            for n in range(number)
        ]  # fmt: skip

    def _carries_off(self, day):
        one = self._somebody(day)
        if one is None:
            return None
        kind = self.random.choice(("large", "many", "night"))
        if kind == "large":
            return self._export(one, self._at(day, 9), self.random.randint(600, 5000)), one.name
        if kind == "many":
            times = range(self.random.randint(4, 9))
            parts = [self._export(one, self._at(day, 9), 20) for _ in times]
            return [event for part in parts for event in part], one.name
        return self._export(one, datetime.combine(day, time(2), UTC), 40), one.name

    def _export(self, one, at, number):
        mark = (f"export-{self.position}",)
        end = at + timedelta(seconds=20)
        return [
            self.event(one, at, "audit.export_start", objects=mark),
            self.event(one, end, "audit.export_end", objects=mark, count=number),
        ]

    def _cut_off(self, day):
        one = self._somebody(day, "auditor")
        if one is None:
            return None
        mark = (f"export-{self.position}",)
        return [self.event(one, self._at(day, 9), "audit.export_start", objects=mark)], one.name

    def _for_one_look(self, day):
        boss, one = self._somebody(day, "supervisor"), self._somebody(day)
        if boss is None or one is None:
            return None
        at, case = self._at(day, 9), f"case-other-{self.position}"
        if self.random.random() < 0.3:
            look = self.event(boss, at + timedelta(minutes=4), "case.read", cases=(case,))
            return [self._assign(boss, boss, case, at), look], boss.name
        wait = timedelta(minutes=self.random.randint(1, 30))
        look = self.event(one, at + wait, "case.read", cases=(case,))
        end = self._revoke(
            boss, one, case, at + wait + timedelta(minutes=self.random.randint(5, 200))
        )
        return [self._assign(boss, one, case, at), look, end], one.name

    def _own_trace(self, day):
        one = self._somebody(day, "auditor")
        if one is None:
            return None
        event = self.event(one, self._at(day, 9), "audit.query", staff=(one.name,))
        return [event], one.name

    def _gathers_before_leaving(self, day):
        leaver = next((p for p in self.people if p.until is not None), None)
        if leaver is None or not leaver.works(day) or not 0 <= (leaver.until - day).days <= 13:
            return None
        number = round(leaver.pace * self.random.uniform(3, 6))
        pool = [*leaver.caseload, *(f"case-team-{n}" for n in range(60))]
        return self._many(leaver, day, max(14, number), pool), leaver.name

    def _guesses_a_code(self, day):
        """Somebody has a link that was passed on, and tries."""
        at, case = self._at(day, 9), (self.random.choice(self.all_cases),)
        tries = [self.guess(at + timedelta(seconds=7 * n), case) for n in range(4)]
        dead = Event(
            at + timedelta(seconds=40), self._next(), "referral.dead", outcome=8,
            rule="failed:guessed", cases=case,
        )  # fmt: skip
        return [*tries, dead], None

    def guess(self, at: datetime, case: tuple[str, ...]) -> Event:
        """Return an entry of a wrong code at a letter: nobody is signed in there."""
        return Event(at, self._next(), "referral.guess", outcome=4, rule="deny:code", cases=case)

    def _letters(self, day: date) -> list[Event]:
        """Return the slips of recipients: a code misheard, now and then all five times."""
        found = []
        for _ in range(_poisson(self.random, 0.4)):
            at, case = self._at(day, 9), (self.random.choice(self.all_cases),)
            found += [self.guess(at, case) for _ in range(self.random.randint(1, 3))]
        if self.random.random() < 0.005:
            found += self._guesses_a_code(day)[0]
        return found

    def _log_altered(self, day):
        if self.random.random() < 0.5:
            event = Event(self._at(day, 9), self._next(), "system.tamper", outcome=8)
            return [event], None
        one = self._somebody(day)
        if one is None:
            return None
        # A number was taken, and no entry has it.
        self.counter += 1
        return [self.event(one, self._at(day, 9), "worklist.read")], None

    def _a_few_more(self, day):
        one = self._somebody(day)
        if one is None:
            return None
        return self._many(
            one, day, 3, [c for c in self.all_cases if c not in one.caseload]
        ), one.name

    # --- events -----------------------------------------------------------------------------------

    def event(self, one: Colleague, at: datetime, code: str, **more) -> Event:
        """Return an entry of somebody's."""
        self.counter += 1
        return Event(
            at, self._next(), code, actor=one.name, roles=(one.role,), writer="w",
            counter=self.counter, **more,
        )  # fmt: skip

    def _assign(self, by, to, case, at):
        return self.event(by, at, "case.assign", cases=(case,), staff=(to.name,))

    def _revoke(self, by, whom, case, at):
        return self.event(by, at, "case.revoke", cases=(case,), staff=(whom.name,))

    def _next(self) -> int:
        self.position += 1
        return self.position

    def _at(self, day: date, hour: int) -> datetime:
        spread = 8 * 3600 if hour < 18 else 2 * 3600 - 400
        begin = datetime.combine(day, time(hour), UTC)
        return begin + timedelta(seconds=self.random.randrange(spread))

    def known(self) -> dict[str, Person]:
        """Return the people as the watch knows them."""
        return {
            one.name: Person(frozenset({one.role}), frozenset(one.caseload), one.until)
            for one in self.people
        }


def months(
    seed: int, each: int, weeks: int = 13, workers: int = 15, changed: Limits | None = None
) -> Measured:
    """Let an office work, put `each` incidents of every kind in, and measure the rules."""
    office, limits, measured = Office(seed, weeks, workers), changed or Limits(), Measured()
    plan = _plan(office, each)
    history: defaultdict[str, list[tuple[date, Tally]]] = defaultdict(list)
    before: list[Event] = []
    recent: list[Incident] = []
    missing: set[Incident] = set()
    known: set[tuple[str, date, str]] = set()
    for day in office.days():
        ordinary = office.ordinary(day)
        put_in: list[Incident] = []
        events = list(ordinary)
        for rule in plan.get(day, ()):
            told = office.stories()[rule](day)
            if told is not None:
                events += told[0]
                put_in.append(Incident(rule, told[1], day))
            else:
                _again(plan, office, rule, day)
        events.sort(key=lambda event: (event.at, event.position))
        seen = Day(
            day, events, before,
            {actor: [t for at, t in kept if (day - at).days <= limits.history_days]
             for actor, kept in history.items()},
            office.known(),
        )  # fmt: skip
        fresh = [f for f in findings(seen, limits) if (f.rule, f.day, f.key) not in known]
        known |= {(one.rule, one.day, one.key) for one in fresh}
        measured.accesses += sum(event.looks for event in ordinary)
        # Two of one kind by one person on one day are one.
        put_in = list(dict.fromkeys(put_in))
        measured.put_in.update(incident.rule for incident in put_in)
        missing |= set(put_in)
        # One that is found on the day after is found.
        recent = [one for one in recent if (day - one.day).days <= 1] + put_in
        missing &= set(recent)
        _score(measured, fresh, recent, missing)
        for actor, tally in tallies(seen, limits.day_begins, limits.day_ends).items():
            history[actor].append((day, tally))
        before = events
    return measured


def _plan(office: Office, each: int) -> dict[date, list[str]]:
    """Spread the incidents over the days after the first four weeks."""
    days = [day for day in office.days() if (day - BEGIN).days >= 28 and day.weekday() < 5]
    plan: dict[date, list[str]] = {}
    newcomer = next((p.since for p in office.people if p.since > BEGIN), None)
    leaver = next((p.until for p in office.people if p.until is not None), None)
    for rule in office.stories():
        possible = days
        if rule == "volume-peers" and newcomer is not None:
            possible = [newcomer + timedelta(days=n) for n in range(5)]
        if rule == "leaver" and leaver is not None:
            possible = [d for d in days if 0 <= (leaver - d).days <= 13]
        for day in office.random.sample(possible, min(each, len(possible))):
            plan.setdefault(day, []).append(rule)
    return plan


def _again(plan: dict[date, list[str]], office: Office, rule: str, day: date) -> None:
    """Put an incident that was not possible on a day into the next working day."""
    later = day + timedelta(days=1 if day.weekday() < 4 else 7 - day.weekday())
    if later in set(office.days()):
        plan.setdefault(later, []).append(rule)


def _score(
    measured: Measured, found: list[Finding], recent: list[Incident], missing: set[Incident]
) -> None:
    for incident in sorted(missing, key=lambda one: (one.rule, one.day)):
        if any(_is_of(one, incident) for one in found):
            measured.found[incident.rule] += 1
            missing.discard(incident)
    # What is said of the person of an incident in those days is not about ordinary work.
    accused = {incident.actor for incident in recent}
    rules = {incident.rule for incident in recent}
    for one in found:
        if not (set(one.actors) & accused or (not one.actors and one.rule in rules)):
            measured.ordinary[one.rule] += 1


def _is_of(finding: Finding, incident: Incident) -> bool:
    if incident.rule == SLOW:
        return incident.actor in finding.actors
    same = finding.rule == incident.rule
    return same and (incident.actor is None or incident.actor in finding.actors)


def _poisson(draw: random.Random, mean: float) -> int:
    limit, product, count = math.exp(-mean), draw.random(), 0
    while product > limit:
        product *= draw.random()
        count += 1
    return count


def lines(measured: Measured) -> Iterator[str]:
    """Yield the figures as rows of a table."""
    for rule, number in measured.put_in.items():
        recall = f"{measured.found[rule]:>3} of {number:<3} {measured.recall(rule):.2f}"
        goal = "no goal: meant to stay below every limit" if rule == SLOW else "goal 0.95"
        yield f"{rule:<24}{recall:<16}{measured.ordinary[rule]:>4} about ordinary work  {goal}"
    yield (
        f"alerts per 1,000 ordinary accesses: {measured.per_thousand:.2f}"
        f" ({sum(measured.ordinary.values())} in {measured.accesses}), goal 2"
    )
