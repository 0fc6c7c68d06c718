"""Which days an import may count as: none that could be counted twice."""

from __future__ import annotations

from datetime import date

import pytest

from casevault.domain.importing.counted import Counted
from casevault.errors import CaseVaultError

TODAY = date(2026, 11, 26)


@pytest.mark.parametrize(
    ("taken", "accepted", "released", "code"),
    [
        (date(2026, 11, 25), TODAY, (), None),
        (date(2026, 3, 2), date(2026, 1, 1), (2024, 2025), None),
        (TODAY, TODAY, (), "release.historic"),
        (date(2026, 3, 2), date(2026, 11, 27), (), "release.historic"),
        (date(2026, 3, 2), date(1989, 12, 31), (), "release.historic"),
        (date(2026, 3, 2), date(2026, 1, 1), (2026,), "release.period-released"),
        (date(2026, 3, 2), date(2024, 1, 1), (2025,), "release.period-released"),
    ],
)
def test_days_that_an_import_may_count_as(taken, accepted, released, code):
    """Its day is over, the other is not to come, and no release was of that year or after it."""
    wanted = Counted(taken, accepted)
    if code is None:
        wanted.check(TODAY, released)
        return
    with pytest.raises(CaseVaultError) as caught:
        wanted.check(TODAY, released)
    assert caught.value.code == code


def test_what_is_signed_is_what_is_read():
    """The object of the decision is the import's day alone, so a day is decided once."""
    wanted = Counted(date(2026, 3, 2), date(2026, 4, 1))
    assert Counted.of(wanted.parameters()) == wanted
    assert wanted.object_id == Counted(date(2026, 3, 2), TODAY).object_id
