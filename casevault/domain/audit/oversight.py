"""What the DPO says about an act that was looked at afterwards. Pure."""

from __future__ import annotations

from enum import StrEnum


class Finding(StrEnum):
    """What the DPO found."""

    JUSTIFIED = "justified"
    VIOLATION = "violation"
    UNCLEAR = "unclear"
