"""What somebody outside wrote, checked field by field before anybody here believes its shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from casevault.crypto.packages import Package
from casevault.domain.case import dictionary
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.sharing.arriving import Intake
from casevault.errors import FieldError, Invalid
from casevault.store.context.stores import Stores


def checked(
    stores: Stores, identity: Mapping[str, Any], profile: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return both documents as the dictionary has them, else `Invalid` with every fault."""
    faults: list[FieldError] = []
    found = []
    for kind, content in ((DocumentKind.IDENTITY, identity), (DocumentKind.PROFILE, profile)):
        try:
            found.append(stores.dictionary.validate(kind, content))
        except Invalid as error:
            faults += [FieldError(f"/{kind.value}{e.pointer}", e.code) for e in error.errors]
    if faults:
        raise Invalid("Some fields cannot be taken as they are.", errors=tuple(faults[:50]))
    return found[0], found[1]


def of_package(stores: Stores, package: Package, sender: str, signed: str) -> Intake:
    """Return what a package from outside says once every field of it was checked.

    `sender` and `signed`: who it is from, and how surely.
    """
    found = Intake.of_package(package.statement.kind, package.files)
    identity, profile = checked(stores, found.identity, found.profile)
    told = {name: str(value) for name, value in found.letter.items()}
    letter = told | {"from": sender, "signed": signed}
    _check_words({**letter, "words": found.words})
    return Intake(identity, profile, found.words, letter)


def _check_words(texts: Mapping[str, str]) -> None:
    faults = tuple(
        FieldError(f"/{name}", f"field.{fault}")
        for name, text in texts.items()
        if text and (fault := dictionary.words_fault(text, long=name == "words")) is not None
    )
    if faults:
        raise Invalid("Some fields cannot be taken as they are.", errors=faults)
