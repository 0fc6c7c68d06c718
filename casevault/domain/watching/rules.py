"""The rules of the watch: each a small function from a day to what should be looked at.

Pure; `RULES` is the closed list. A rule sees entries and numbers and never content. Its reason
stands in its docstring, its numbers in `limits`. One rule says one thing about one person and day,
so that an alert can be judged; whatever it says, a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from statistics import median
from types import MappingProxyType

from casevault.domain.watching.events import (
    DENIED,
    EXPORTS,
    FAILED,
    GIVING,
    READS,
    SEARCH,
    Day,
    Event,
    Finding,
    cases_seen,
    typical,
)
from casevault.domain.watching.limits import Limits

Rule = Callable[[Day, Limits], Iterable[Finding]]
_SHOWN = 200
_AFTER_SEARCH = timedelta(minutes=20)
_SETTLED = timedelta(minutes=10)


def volume_own(day: Day, limits: Limits) -> Iterator[Finding]:
    """Find who saw far more cases than on their own days of the last four weeks.

    Gathering is not working: a copy of a caseload shows up as breadth, whoever's it is.
    """
    for actor, events in day.by_actor().items():
        own = typical(day.history.get(actor, ()))
        seen = cases_seen(events)
        if own is not None and len(seen) > max(limits.volume_least, limits.volume_factor * own):
            yield _of(day, "volume-own", actor, _looks(events))


def volume_peers(day: Day, limits: Limits) -> Iterator[Finding]:
    """Find who saw far more cases than colleagues of the same role usually do.

    For people who are new, and for those who were always beyond measure.
    """
    typicals = {actor: typical(history) for actor, history in day.history.items()}
    for actor, events in day.by_actor().items():
        roles = day.person(actor).roles
        peers = [
            value
            for other, value in typicals.items()
            if value is not None and other != actor and day.person(other).roles & roles
        ]
        seen = cases_seen(events)
        usual = median(peers) if len(peers) >= 2 else None
        own = typicals.get(actor)
        # Whoever has a history is measured by it; this finds those without one, or far above all.
        beyond = own is None or (usual is not None and own > limits.volume_factor * usual)
        if usual is not None and beyond and _is_many(len(seen), usual, limits):
            yield _of(day, "volume-peers", actor, _looks(events))


def out_of_caseload(day: Day, limits: Limits) -> Iterator[Finding]:
    """Find who looked at cases that nobody gave them: open to them through a group's key only.

    A supervisor may; a supervisor who does it all day should be able to say why. What was assigned
    or opened on the day or the day before counts as given, also if it was taken back since.
    """
    given = _given(day)
    for actor, events in day.by_actor().items():
        known = day.person(actor).held | given.get(actor, set())
        outside = [e for e in events if e.looks and e.code in READS and not set(e.cases) & known]
        outside = [e for e in outside if e.rule != "permit:break-glass"]
        if len(cases_seen(outside)) > limits.outside_cases:
            yield _of(day, "out-of-caseload", actor, outside)


def break_glass(day: Day, _limits: Limits) -> Iterator[Finding]:
    """Find every broken glass, and every review of one that is overdue. There are few of them."""
    for event in day.events:
        if event.code in ("breakglass.start", "breakglass.overdue") and event.outcome != FAILED:
            actors = (event.actor,) if event.actor is not None else ()
            key = f"{event.code}/{event.position}"
            yield Finding("break-glass", day.day, key, actors, event.cases, (event.position,), 1)


def after_hours(day: Day, limits: Limits) -> Iterator[Finding]:
    """Find who looked at several cases' content at night although they do not work at night."""
    for actor, events in day.by_actor().items():
        night = [
            e for e in events if e.looks and day.is_night(e, limits.day_begins, limits.day_ends)
        ]
        nights = sum(one.after_hours > 0 for one in day.history.get(actor, ()))
        if len(night) >= limits.after_hours_looks and nights < limits.night_days:
            yield _of(day, "after-hours", actor, night)


def search_without_opening(day: Day, limits: Limits) -> Iterator[Finding]:
    """Find who searches again and again and opens hardly anything: looking for somebody.

    A search shows names of cards; whoever is looking for one person needs to open nothing.
    """
    for actor, events in day.by_actor().items():
        searches = [e for e in events if e.code == SEARCH and e.outcome == 0]
        if len(searches) < limits.searches:
            continue
        if _used(searches, events) <= limits.search_opened * len(searches):
            yield _of(day, "search-without-opening", actor, searches)


def id_probing(day: Day, limits: Limits) -> Iterator[Finding]:
    """Find who asks for one case after the other that they cannot open: guessing ids."""
    span = timedelta(minutes=limits.probe_minutes)
    for actor, events in day.by_actor().items():
        denied = [e for e in events if e.outcome == DENIED and e.cases]
        burst = _densest(denied, span, lambda some: len({c for e in some for c in e.cases}))
        if len({case for event in burst for case in event.cases}) >= limits.probes:
            yield _of(day, "id-probing", actor, burst)


def denied_burst(day: Day, limits: Limits) -> Iterator[Finding]:
    """Find bursts of refusals, whatever they were about: a program tries what it may."""
    span = timedelta(minutes=limits.denial_minutes)
    for actor, events in day.by_actor().items():
        denied = [e for e in events if e.outcome == DENIED and e.code == "authz.deny"]
        burst = _densest(denied, span, len)
        if len(burst) >= limits.denials:
            yield _of(day, "denied-burst", actor, burst)
    guessed = [e for e in day.events if e.code == "auth.limited"]
    if guessed:
        positions = tuple(event.position for event in guessed)
        yield Finding("denied-burst", day.day, "sign-in", positions=positions, count=len(guessed))


def exports(day: Day, limits: Limits) -> Iterator[Finding]:
    """Find exports that are large, many, or at night: what has left is on no log any more."""
    for actor, events in day.by_actor().items():
        found = [e for e in events if e.code in EXPORTS and e.outcome == 0]
        large = [e for e in found if (e.count or 0) >= limits.exported]
        night = [e for e in found if day.is_night(e, limits.day_begins, limits.day_ends)]
        if large or night or len(found) > limits.exports_a_day:
            yield _of(day, "exports", actor, found)


def export_unfinished(day: Day, limits: Limits) -> Iterator[Finding]:
    """Find exports that began and have no end: something left, and nobody knows how much."""
    events = [*day.before, *day.events]
    ended = {o for e in events if e.code.endswith("export_end") for o in e.objects}
    last = day.now or (events[-1].at if events else None)
    waits = timedelta(minutes=limits.unfinished_minutes)
    for event in events:
        begun = event.code.endswith("export_start") and not ended & set(event.objects)
        if begun and last is not None and last - event.at >= waits:
            actors = (event.actor,) if event.actor is not None else ()
            at = event.at.astimezone(day.zone).date()
            places = (event.position,)
            yield Finding(
                "export-unfinished", at, str(event.position), actors, event.cases, places, 1
            )


def brief_grant(day: Day, limits: Limits) -> Iterator[Finding]:
    """Find access right after a grant that was taken back soon: given for one look.

    Also who gave a case to themselves and looked at it at once. An ordinary assignment lasts.
    """
    events = [*day.before, *day.events]
    span = timedelta(hours=limits.brief_grant_hours)
    for position, grant in enumerate(events):
        if grant.code != "case.assign" or grant.outcome != 0:
            continue
        for staff in grant.staff:
            for case in grant.cases:
                found = _brief(events[position + 1 :], grant, staff, case, span)
                # Seen on the day on which the last of it happened: once.
                if found and found[-1].at >= day.events[0].at:
                    actors = tuple(dict.fromkeys(a for a in (staff, grant.actor) if a))
                    places = tuple(event.position for event in (grant, *found))
                    key = f"{grant.position}/{staff}/{case}"
                    yield Finding("brief-grant", day.day, key, actors, (case,), places, 1)


def own_trace(day: Day, _limits: Limits) -> Iterator[Finding]:
    """Find who asked the log about themselves: what is known of me, and what shall I explain?"""
    for actor, events in day.by_actor().items():
        found = [e for e in events if e.code.startswith("audit.") and actor in e.staff]
        if found:
            yield _of(day, "own-trace", actor, found)


def leaver(day: Day, limits: Limits) -> Iterator[Finding]:
    """Find who gathers before the last day, and whoever still looks after it."""
    for actor, events in day.by_actor().items():
        leaves = day.person(actor).leaves_on
        seen = cases_seen(events)
        if leaves is None or not seen:
            continue
        left = (leaves - day.day).days
        own = typical(day.history.get(actor, ()))
        many = len(seen) > max(limits.leaver_least, limits.leaver_factor * (own or 0))
        if left < 0 or (left <= limits.leaver_days and many):
            yield _of(day, "leaver", actor, _looks(events))


def letter_guessed(day: Day, limits: Limits) -> Iterator[Finding]:
    """Find letters behind a link that ended by five wrong codes: somebody has a link, and no code.

    A recipient who mistypes calls whoever sent it. Nobody of ours need have done anything.
    """
    dead = [e for e in day.events if e.code == "referral.dead"]
    if len(dead) >= limits.letters_guessed:
        for event in dead:
            places = (event.position,)
            yield Finding(
                "letter-guessed", day.day, str(event.position), (), event.cases, places, 1
            )


def ledger_health(day: Day, limits: Limits) -> Iterator[Finding]:
    """Find what is wrong with the log itself: tampering, lost numbers, records that did not open.

    A number that was rolled back is named by a later entry of its writer; one that nothing names
    is an entry that is not there.
    """
    for event in day.events:
        if event.code == "system.tamper" or event.outcome > FAILED:
            key = f"{event.code}/{event.position}"
            yield Finding("ledger-health", day.day, key, (), (), (event.position,), 1)
    unread = [e for e in day.events if e.rule == "failed:tampered" and e.code != "system.tamper"]
    if unread:
        positions = tuple(event.position for event in unread)
        cases = tuple(dict.fromkeys(case for event in unread for case in event.cases))
        yield Finding("ledger-health", day.day, "unread", (), cases, positions, len(unread))
    for writer, lost in _lost(day).items():
        if len(lost) >= limits.lost_numbers:
            yield Finding("ledger-health", day.day, f"lost/{writer}", (), (), (), len(lost))


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "volume-own": volume_own,
        "volume-peers": volume_peers,
        "out-of-caseload": out_of_caseload,
        "break-glass": break_glass,
        "after-hours": after_hours,
        "search-without-opening": search_without_opening,
        "id-probing": id_probing,
        "denied-burst": denied_burst,
        "exports": exports,
        "export-unfinished": export_unfinished,
        "brief-grant": brief_grant,
        "own-trace": own_trace,
        "leaver": leaver,
        "letter-guessed": letter_guessed,
        "ledger-health": ledger_health,
    }
)


def findings(day: Day, limits: Limits) -> list[Finding]:
    """Return what all rules find on a day, in the order of the rules."""
    if not day.events:
        return []
    return [found for rule in RULES.values() for found in rule(day, limits)]


def _of(day: Day, rule: str, actor: str, events: Sequence[Event]) -> Finding:
    cases = tuple(dict.fromkeys(case for event in events for case in event.cases))
    positions = tuple(event.position for event in events)
    return Finding(rule, day.day, actor, (actor,), cases[:_SHOWN], positions[:_SHOWN], len(events))


def _looks(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event.looks]


def _is_many(seen: int, usual: float, limits: Limits) -> bool:
    return seen > max(limits.volume_least, limits.peers_factor * usual)


def _used(searches: Iterable[Event], events: Iterable[Event]) -> int:
    """Return after how many searches something found was opened, or a new case recorded."""
    opened = [e for e in events if e.looks or (e.code == "case.open" and e.outcome == 0)]
    return sum(
        any(
            timedelta() <= event.at - search.at <= _AFTER_SEARCH
            and (event.code == "case.open" or set(event.cases) & set(search.cases))
            for event in opened
        )
        for search in searches
    )


def _given(day: Day) -> dict[str, set[str]]:
    """Return which cases somebody was given or opened, on this day or the day before."""
    found: dict[str, set[str]] = {}
    for event in (*day.before, *day.events):
        receivers: tuple[str, ...] = event.staff if event.code in GIVING else ()
        if event.code in ("case.open", "case.import") and event.actor is not None:
            receivers = (event.actor,)
        if event.code == "case.revoke":
            receivers = event.staff
        for staff in receivers:
            found.setdefault(staff, set()).update(event.cases)
    return found


def _densest(
    events: Sequence[Event], span: timedelta, weigh: Callable[[Sequence[Event]], int]
) -> Sequence[Event]:
    """Return the events of the span of time that weighs most."""
    best: Sequence[Event] = ()
    first = 0
    for last in range(len(events)):
        while events[last].at - events[first].at > span:
            first += 1
        some = events[first : last + 1]
        if weigh(some) > weigh(best):
            best = some
    return best


def _brief(
    later: Sequence[Event], grant: Event, staff: str, case: str, span: timedelta
) -> list[Event]:
    """Return the looks and the end of a grant that was for a look only, or nothing."""
    looks: list[Event] = []
    for event in later:
        if event.at - grant.at > span:
            break
        if event.looks and event.actor == staff and case in event.cases:
            looks.append(event)
        taken = event.code == "case.revoke" and staff in event.staff and case in event.cases
        if taken and looks:
            return [*looks, event]
    at_once = looks and looks[0].at - grant.at <= timedelta(hours=1)
    return looks[:1] if grant.actor == staff and at_once else []


def _lost(day: Day) -> dict[str, set[int]]:
    """Return which numbers of which writers nobody used and no later entry explains."""
    numbers: dict[str, list[Event]] = {}
    for event in (*day.before, *day.events):
        if event.writer:
            numbers.setdefault(event.writer, []).append(event)
    found: dict[str, set[int]] = {}
    # What a writer that crashed had begun is gone with it, and `system.crash` says so.
    crashed = {o for e in (*day.before, *day.events) if e.code == "system.crash" for o in e.objects}
    for writer, events in numbers.items():
        if writer in crashed:
            continue
        explained = {number for event in events for number in event.skipped}
        used = sorted({event.counter for event in events})
        # Of what was recorded just now, a neighbour may still be on its way into the tree.
        fresh = {e.counter for e in events if day.now is not None and day.now - e.at < _SETTLED}
        today = {e.counter for e in day.events if e.writer == writer}
        gaps = {
            n
            for low, high in pairwise(used)
            if high in today and high not in fresh
            for n in range(low + 1, min(high, low + _SHOWN))
        }
        if gaps - explained:
            found[writer] = gaps - explained
    return found
