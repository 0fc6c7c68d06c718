"""The closed tree of errors.

Decides how the product says no. A message is safe to show: it never holds a value that
somebody typed, a key, a passphrase or text from a library below. Nothing here knows HTTP;
`api.problems` maps each class to a status.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault in an input: where it is (RFC 6901 pointer) and a stable code, never the value."""

    pointer: str
    code: str


class CaseVaultError(Exception):
    """Base of all errors. `code` is stable for ever; `detail` and `hint` are for people."""

    slug: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"

    def __init__(
        self,
        detail: str = "",
        *,
        code: str | None = None,
        hint: str = "",
        errors: tuple[FieldError, ...] = (),
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.code = code or self.slug
        self.hint = hint
        self.errors = errors


class Refused(CaseVaultError):
    """The rules say no to this person, act or moment."""

    slug, title = "refused", "This is not allowed"


class Unauthenticated(Refused):
    """No valid session, or wrong credentials; says no more than that."""

    slug, title = "unauthenticated", "Sign in first"


class NotFound(CaseVaultError):
    """Unknown, or not yours: both look the same."""

    slug, title = "not-found", "Nothing here that you can open"


class Conflict(CaseVaultError):
    """The state does not allow this now, or somebody was quicker."""

    slug, title = "conflict", "The record is in another state"


class Stale(Conflict):
    """If-Match names another version than the stored one."""

    slug, title = "stale", "Somebody changed this record since you read it"


class Invalid(CaseVaultError):
    """The input cannot be taken as it is; `errors` says where and why."""

    slug, title = "invalid", "The input is not valid"


class Locked(CaseVaultError):
    """The vault, account or case is locked for now."""

    slug, title = "locked", "Locked for now"


class Tampered(CaseVaultError):
    """Stored bytes are not what the key holder wrote. Always raises an alarm."""

    slug, title = "tampered", "Stored data failed its integrity check"


class KeyUnavailable(CaseVaultError):
    """No key that would open this is within reach of this session."""

    slug, title = "key-unavailable", "There is no key for this in your keyring"


class Busy(CaseVaultError):
    """A store or a limit is exhausted for the moment; try again."""

    slug, title = "busy", "Try again in a moment"


class Unrecorded(CaseVaultError):
    """The ledger could not be written, so nothing was disclosed or changed."""

    slug, title = "unrecorded", "The access log cannot be written"


class Misconfigured(CaseVaultError):
    """The installation refuses to run like this; the detail says what to do."""

    slug, title = "misconfigured", "The configuration is not safe to run"


class MediumFault(Misconfigured):
    """The second medium did not take a copy, so nothing that needs it was destroyed."""

    slug, title = "medium", "The copies on the second medium are not made"
