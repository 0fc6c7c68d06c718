"""A case of before CaseVault: what is taken, what is refused, and which dates it gets."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest

from casevault.domain.case.casefile import Status
from casevault.domain.case.dictionary import Dictionary
from casevault.domain.case.retention import SHIPPED
from casevault.domain.importing.historic import check
from casevault.domain.importing.mapping import Candidate
from casevault.errors import Invalid
from casevault.ids import TeamId

TODAY = date(2026, 11, 26)
WORDS = Dictionary(frozenset())


def a_candidate(case=None, identity=None, profile=None):
    """Return a line's candidate."""
    person = {"name_to_use": "Ondine Obvious-Madeup"} if identity is None else identity
    return Candidate(7, "OLD-7", person, profile or {}, case or {})


def taken(candidate):
    """Return the case that a candidate becomes."""
    return check(WORDS, candidate, "old-system", "standard", TODAY)


def faults(candidate):
    """Return where a candidate is refused, and with which codes."""
    with pytest.raises(Invalid) as caught:
        taken(candidate)
    return [(fault.pointer, fault.code) for fault in caught.value.errors]


def test_a_line_becomes_a_case_with_the_dates_of_its_source():
    """Marked as historic, kept from the last contact on, to be looked at from today on."""
    days = {"opened": "2025-03-04", "last_contact": "2026-01-02", "status": "Closed"}
    found = taken(a_candidate(days))
    assert (found.opened, found.kept_from) == (date(2025, 3, 4), date(2026, 1, 2))
    assert found.status is Status.CLOSED
    assert found.profile["imported"] == {
        "source": "old-system",
        "source_id": "OLD-7",
        "taken_on": "2026-11-26",
        "opened_on": "2025-03-04",
        "last_contact": "2026-01-02",
    }
    assert found.facts["historic"] is True
    assert found.facts["accepted_on"] == "2026-11-26"
    case = found.metadata(TeamId(UUID(int=2)), "standard", TODAY, SHIPPED)
    assert (case.opened_month, case.status) == ("2025-03", Status.CLOSED)
    assert case.next_review > TODAY.isoformat()
    assert "Ondine" not in repr(found)


def test_a_line_without_dates_begins_today():
    """And is open."""
    found = taken(a_candidate())
    assert (found.opened, found.kept_from, found.status) == (TODAY, TODAY, Status.ACTIVE)
    assert not {"opened_on", "last_contact"} & found.profile["imported"].keys()


@pytest.mark.parametrize(
    ("case", "fault"),
    [
        ({"opened": "yesterday"}, ("/case/opened", "field.date")),
        ({"last_contact": 7}, ("/case/last_contact", "field.date")),
        ({"opened": "2027-01-01"}, ("/case/opened", "import.future")),
        ({"status": "Forgotten"}, ("/case/status", "field.code")),
        (
            {"opened": "2026-02-02", "last_contact": "2026-01-01"},
            ("/case/last_contact", "import.before-opening"),
        ),
        ({"opened": "1990-01-01"}, ("/case/opened", "import.keeping-over")),
    ],
)
def test_dates_that_cannot_be_are_refused(case, fault):
    """One whose time of keeping is over would be erased the next night."""
    assert faults(a_candidate(case)) == [fault]


def test_every_fault_of_a_line_is_named_at_once():
    """Of both documents and of the dates, with places and never a value."""
    found = faults(
        a_candidate({"status": "Forgotten"}, {"name_to_use": 7}, {"risk_level": "purple"})
    )
    assert [pointer for pointer, _ in found] == [
        "/identity/name_to_use",
        "/profile/risk_level",
        "/case/status",
    ]
