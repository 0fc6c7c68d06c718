"""What every object that holds a secret must pass: it prints nothing of it."""

from __future__ import annotations

import base64

_LEAST = 8


def spellings(secret: bytes) -> set[str]:
    """Return the ways in which bytes usually end up in a text."""
    return {
        secret.hex(),
        base64.b64encode(secret).decode().rstrip("="),
        base64.urlsafe_b64encode(secret).decode().rstrip("="),
        repr(secret)[2:-1],
        repr(list(secret))[1:-1],
        str(int.from_bytes(secret, "big")),
    }


def assert_silent(thing: object, *secrets: bytes) -> None:
    """Assert that neither `repr` nor `str` nor a format shows any of these secrets."""
    for printed in (repr(thing), str(thing), f"{thing}", "%r" % (thing,)):  # noqa: UP031
        for secret in secrets:
            assert len(secret) >= _LEAST, "too short to be looked for"
            for spelling in spellings(secret):
                assert spelling not in printed
                assert spelling[: 2 * _LEAST] not in printed
