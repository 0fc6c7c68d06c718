"""Collect pages: how long, how often, and codes as people say and type them."""

from __future__ import annotations

import pytest

from casevault.domain.sharing.collecting import (
    MAX_DAYS,
    MAX_OPENINGS,
    Offer,
    PageState,
    spoken,
    typed,
)
from casevault.errors import Invalid


def test_an_offer_is_within_its_limits():
    """Each fault is named."""
    Offer("en").check()
    Offer("en", MAX_DAYS, MAX_OPENINGS).check()
    for offer, fields in (
        (Offer("en", 0, 1), ["/days"]),
        (Offer("en", 1, MAX_OPENINGS + 1), ["/openings"]),
        (Offer("en", MAX_DAYS + 1, 0), ["/days", "/openings"]),
    ):
        with pytest.raises(Invalid) as caught:
            offer.check()
        assert [fault.pointer for fault in caught.value.errors] == fields


def test_codes_are_read_out_in_groups_and_typed_in_any_script():
    """Whatever stands between the digits."""
    assert spoken("123456789012") == "1234 5678 9012"
    assert typed(" 1234-5678 9012\n") == "123456789012"
    assert typed("١٢٣٤") == "1234"
    assert typed("no digit") == ""
    assert len(PageState) == 5
