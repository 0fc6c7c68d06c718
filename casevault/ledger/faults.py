"""How the ledger says that bytes are wrong: one class, a stable code, an index, never the data."""

from __future__ import annotations

from casevault.errors import FieldError, Invalid, Tampered


def tampered(code: str, index: int | None = None) -> Tampered:
    """Return (not raise) a `Tampered` with code ``ledger-<code>``; `index` names entry or line."""
    if index is None:
        return Tampered("The ledger failed its check", code=f"ledger-{code}")
    return Tampered(
        f"The ledger failed its check at index {index}",
        code=f"ledger-{code}",
        errors=(FieldError(f"/{index}", f"ledger-{code}"),),
    )


def invalid(pointer: str, code: str = "format") -> Invalid:
    """Return (not raise) an `Invalid` that names the field and never holds the refused value."""
    return Invalid(
        "A ledger value has the wrong form",
        code="ledger-invalid",
        errors=(FieldError(pointer, code),),
    )
