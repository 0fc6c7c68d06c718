"""Second factors: codes as RFC 6238 has them, the window, and printed codes."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from casevault.crypto import totp
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.sealing import Key

RFC_SECRET = b"12345678901234567890"
NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_codes_are_those_of_the_standard(seconds, code):
    """The last six digits of the eight in RFC 6238, appendix B."""
    assert totp.code_of(RFC_SECRET, totp.step_at(seconds)) == code


@pytest.mark.parametrize(
    ("drift", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_a_clock_may_be_one_step_away(drift, taken):
    """Now and both neighbours; nothing beyond."""
    step = totp.step_at(NOW) + drift
    found = totp.matching_step(RFC_SECRET, totp.code_of(RFC_SECRET, step), NOW, 0)
    assert found == (step if taken else None)


@pytest.mark.parametrize("away", [3600, -3600, 315_360_000, -315_360_000])
def test_a_clock_far_away_takes_nothing(away):
    """An hour or ten years before or after."""
    code = totp.code_of(RFC_SECRET, totp.step_at(NOW + away))
    assert totp.matching_step(RFC_SECRET, code, NOW, 0) is None


def test_a_step_that_was_accepted_is_over():
    """So are those before it; the next one is not."""
    step = totp.step_at(NOW)
    for drift, taken in ((-1, False), (0, False), (1, True)):
        code = totp.code_of(RFC_SECRET, step + drift)
        assert (totp.matching_step(RFC_SECRET, code, NOW, step) is not None) is taken


def test_a_clock_before_1970_takes_nothing():
    """Step 0 means 'never', and negative steps have no code."""
    for now in (0, 29, -1, -10_000):
        code = totp.code_of(RFC_SECRET, 0)
        assert totp.matching_step(RFC_SECRET, code, now, 0) is None


def test_spaces_in_a_code_do_not_matter():
    """Phones show it in two groups."""
    code = totp.code_of(RFC_SECRET, totp.step_at(NOW))
    assert totp.matching_step(RFC_SECRET, f" {code[:3]} {code[3:]} ", NOW, 0)


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "abcdef", "１２３４５６", "²²²²²²", "-12345"]
)
def test_what_is_no_code_is_refused(code):
    """Six ASCII digits or nothing."""
    assert totp.matching_step(RFC_SECRET, code, NOW, 0) is None


def test_a_secret_is_as_long_as_the_standard_asks():
    """160 bits, fresh each time."""
    assert len(totp.new_secret()) == 20
    assert totp.new_secret() != totp.new_secret()


def test_the_address_is_what_authenticators_read():
    """Names are escaped; the secret is in base 32."""
    found = urlsplit(totp.uri(RFC_SECRET, "cara/&?x", "Case Vault"))
    assert (found.scheme, found.netloc) == ("otpauth", "totp")
    assert found.path == "/Case%20Vault:cara%2F%26%3Fx"
    assert parse_qs(found.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": ["Case Vault"],
    }


def test_printed_codes_match_however_they_are_spelt():
    """Small letters, no dashes, O for 0; another owner's key gives another digest."""
    key, code = Key.random(), "7K30-9QX1-0ABC"
    digest = totp.printed_digest(key, code)
    assert totp.printed_digest(key, "7k3o 9qxl oabc") == digest
    assert totp.printed_digest(key, "7K30-9QX1-0ABD") != digest
    assert totp.printed_digest(Key.random(), code) != digest
    assert totp.printed_digest(key, "\ud800") != digest
    assert len({totp.new_printed_code() for _ in range(50)}) == 50


def test_own_keys_are_the_persons_alone():
    """The same for the same purpose; another purpose or person gives another key."""
    one, other = PrincipalSecret.generate(), PrincipalSecret.generate()
    assert one.own_key("a").material == one.own_key("a").material
    found = {one.own_key("a").material, one.own_key("b").material, other.own_key("a").material}
    assert len(found | {one.seed[:32], one.seed[32:]}) == 5
