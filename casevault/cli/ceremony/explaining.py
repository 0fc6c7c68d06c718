"""What a profile or a plan means, before anybody types a passphrase."""

from __future__ import annotations

from collections.abc import Sequence

from casevault.cli.output import say
from casevault.domain.staff.access import Role
from casevault.domain.staff.organisation import (
    OUTLINES,
    Profile,
    Seat,
    Undoable,
    held_alone,
    undoable,
)

# Readable names of every act that takes two people; a test holds the list to the rules.
_WORDS = {
    "break_glass": "opening a case in an emergency, for somebody who is not on call",
    "case.close": "closing a case",
    "case.disclose": "disclosing without consent",
    "case.erase": "erasing a case before its time",
    "case.hold_release": "ending a hold on a case",
    "case.refer": "sending a referral out of the house",
    "data.settle": "saying what a restored backup lost",
    "keys.recover": "recovery by the shares",
    "ledger.violation": "finding that a look was a violation",
    "lockdown.end": "ending a lockdown",
    "release.count_import": "letting imported cases count",
    "release.publish": "publishing counts",
    "retention.schedule": "changing how long things are kept",
    "staff:reset": "a reset by an administrator",
    "vouch:issue": "a vouch for new keys after a loss, without the recovery shares",
}
_ONE_TEAM = frozenset({Role.SUPERVISOR, Role.CASEWORKER})


def explain_profile(profile: Profile) -> None:
    """Say what a profile asks for, what it means and what its people cannot do."""
    outline = OUTLINES[profile]
    say(f"Profile {profile.value}. {outline.meaning}")
    say("It asks for:")
    for roles in outline.seats:
        say(f"  {Seat(roles)}")
    for roles in outline.spare:
        say(f"  second {Seat(roles)} (may stay empty for now)")
    seats = [Seat(roles, "one" if roles & _ONE_TEAM else None) for roles in outline.seats]
    explain_limits(seats, outline.threshold, outline.shares)


def explain_limits(seats: Sequence[Seat], threshold: int, shares: int) -> None:
    """Name the roles held by one person and every two-person act that is out of reach."""
    say(f"Recovery shares: any {threshold} of {shares}.")
    if threshold < OUTLINES[Profile.STANDARD].threshold:
        say(f"Warning: {threshold} people, or {threshold} sheets that are found, open everything.")
    alone = held_alone(seats)
    if alone:
        say(
            f"One person alone holds: {', '.join(alone)}. If they are lost, only a reset by the"
            " right colleague or the recovery shares help (docs/runbook.md)."
        )
    lacking = undoable(seats)
    if lacking:
        say("These people cannot do the following, because nobody else here may be the second:")
    for one in lacking:
        say(f"  {_sentence(one)}")


def _sentence(one: Undoable) -> str:
    code = one.act.partition(" ")[0]
    act = f"{_WORDS[code]} [{one.act}]"
    verb = "for" if ":" in code else "asked by"
    people = "anybody" if one.everybody else "; ".join(one.people)
    return f"{act} {verb}: {people}"
