"""The organisation's word on a release: good under the given root alone, and in its time."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

import pytest

from casevault.crypto import releases, vouches
from casevault.crypto.principals import PrincipalSecret
from casevault.domain.staff.vouching import VouchStatement
from casevault.errors import Tampered

ROOT, OURS, OTHER = (PrincipalSecret(bytes([n]) * 64) for n in (1, 2, 3))
ORGANISATION = UUID(int=1)
STATEMENT = VouchStatement(
    subject=UUID(int=2),
    kind=releases.KIND,
    roles=(),
    team=None,
    kem_public=OURS.public.kem,
    sign_public=OURS.public.sign,
    issuer=UUID(int=3),
    valid_from=1_800_000_000,
    valid_until=1_830_000_000,
    serial=UUID(int=4),
)
PIN = ROOT.public.pin


def signed(said=None, text=None, **changes):
    """Return a release's signature."""
    vouch = vouches.issue(replace(STATEMENT, **changes), ROOT)
    said = {"published_at": 1_800_000_001, "release": "made up"} if said is None else said
    return releases.sign(ORGANISATION, text or json.dumps(said), OURS, vouch, ROOT.public)


def test_what_was_signed_is_checked_from_its_file():
    """Through JSON, byte for byte; the statement comes back."""
    one = signed()
    read = releases.Signed.from_data(json.loads(json.dumps(one.as_data())))
    assert read == one
    assert releases.check(read, PIN)["release"] == "made up"


def test_another_root_is_another_organisation():
    """Whose fingerprint the reader knows, decides."""
    with pytest.raises(Tampered) as caught:
        releases.check(signed(), OTHER.public.pin)
    assert caught.value.code == "release.root"
    lying = replace(signed(), root=OTHER.public)
    with pytest.raises(Tampered):
        releases.check(lying, OTHER.public.pin)


@pytest.mark.parametrize(
    "one",
    [
        signed(kind="staff"),
        signed({"published_at": 1_799_999_999}),
        signed({"published_at": 1_830_000_001}),
        signed({"released": 1}),
        signed({"published_at": "today"}),
        signed(text="no JSON"),
        signed(text="[1]"),
        replace(signed(), text=signed().text + " "),
        replace(signed(), organisation=UUID(int=9)),
        replace(signed(), signature=OTHER.sign("casevault/1/release", b"")),
    ],
)
def test_whatever_does_not_fit_is_tampered(one):
    """A key that is for something else, another time, another text, another signature."""
    with pytest.raises(Tampered):
        releases.check(one, PIN)


@pytest.mark.parametrize(
    "change",
    [
        {"organisation": "none"},
        {"organisation": ORGANISATION.hex},
        {"signature": "no base64!"},
        {"signature": 7},
        {"root": []},
        {"root": ["AA==", "AA=="]},
        {"vouch": "AA=="},
        {"statement": None, "organisation": None},
    ],
)
def test_a_file_that_is_no_signature_is_tampered(change):
    """Whatever stands in it; a missing part too."""
    data = signed().as_data() | change
    with pytest.raises(Tampered):
        releases.Signed.from_data(data)
    with pytest.raises(Tampered):
        releases.Signed.from_data({name: data[name] for name in list(data)[1:]})
    with pytest.raises(Tampered):
        releases.Signed.from_data([])
