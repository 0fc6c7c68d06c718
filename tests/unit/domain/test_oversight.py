"""What the DPO may say about an act that was looked at afterwards."""

from __future__ import annotations

from casevault.domain.audit.oversight import Finding


def test_the_findings_are_codes_that_never_change():
    """They are kept sealed and shown in four languages: another spelling would be unreadable."""
    assert [finding.value for finding in Finding] == ["justified", "violation", "unclear"]
