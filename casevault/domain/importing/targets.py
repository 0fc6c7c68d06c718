"""Where the value of a column goes: a path to a field of the dictionary.

``identity.name_to_use`` · ``identity.names[0].family`` (the first entry of a list) ·
``profile.history[].exploitation`` (one entry for each part of the cell) · ``case.opened``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from casevault.domain.case import dictionary
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.case.fields import Field, Type
from casevault.errors import Invalid

EACH: Final = -1
_STEP = re.compile(r"([a-z_]{1,40})(?:\[([0-9]?)\])?")
# What a case has besides its documents, and a source may know.
_CASE = (
    Field("opened", Type.DATE, "When the source opened the case"),
    Field("last_contact", Type.DATE, "From when the case is kept; else the day it was opened"),
    Field("status", Type.CODE, "Where the case stands", codes="case_status"),
)
_ROOTS: Mapping[str, tuple[Field, ...]] = {
    "identity": dictionary.fields_of(DocumentKind.IDENTITY),
    "profile": dictionary.fields_of(DocumentKind.PROFILE),
    "case": _CASE,
}


@dataclass(frozen=True, slots=True)
class Target:
    """A field; `groups` are the groups above it, with the entry of the list (None: no list)."""

    path: str
    root: str
    groups: tuple[tuple[str, int | None], ...]
    field: Field

    @property
    def for_each(self) -> bool:
        """Say whether a cell holds a part for each entry of a list."""
        return any(entry == EACH for _, entry in self.groups)

    @property
    def takes_many(self) -> bool:
        """Say whether several columns may go here: as a list, or as one text."""
        return self.field.many or self.field.type in {Type.TEXT, Type.LONG}

    def pointer(self, entry: int = 0) -> str:
        """Return the place as an RFC 6901 pointer; `entry` stands for each."""
        steps = [self.root]
        for name, number in self.groups:
            steps.append(name)
            if number is not None:
                steps.append(str(entry if number == EACH else number))
        return "/" + "/".join([*steps, self.field.name])

    def put(self, documents: dict[str, dict[str, Any]], value: object, entry: int = 0) -> None:
        """Put a value into its place; texts that share a place are joined, lists grow."""
        at = documents.setdefault(self.root, {})
        for name, number in self.groups:
            at = at.setdefault(name, {})
            if number is not None:
                at = at.setdefault(entry if number == EACH else number, {})
        name = self.field.name
        if self.field.many:
            at[name] = [*at.get(name, []), *(value if isinstance(value, list) else [value])]
        elif name in at and isinstance(at[name], str) and isinstance(value, str):
            at[name] = f"{at[name]} {value}"
        else:
            at[name] = value

    def fill(self, documents: Mapping[str, dict[str, Any]], value: object) -> None:
        """Put a constant where it is missing; a group that is not there is not made for it."""
        found: list[dict[Any, Any]] = [documents.get(self.root, {})]
        for name, number in self.groups:
            inside = [at[name] for at in found if name in at]
            if number == EACH:
                found = [each for at in inside for each in at.values()]
            elif number is None:
                found = inside
            else:
                found = [at[number] for at in inside if number in at]
        for at in found:
            at.setdefault(self.field.name, value)


def parse_target(text: object) -> Target:
    """Read a path; one that leads to no field that may be written is `Invalid`."""
    steps = text.split(".") if isinstance(text, str) and len(text) <= 200 else []
    fields = _ROOTS.get(steps[0]) if steps else None
    if fields is None:
        raise _no_such_field()
    groups: list[tuple[str, int | None]] = []
    field: Field | None = None
    for step in steps[1:]:
        found = _STEP.fullmatch(step)
        field = None if found is None else _named(fields, found[1])
        if found is None or field is None or ((found[2] is not None) and not _is_list(field)):
            raise _no_such_field()
        fields = field.fields
        if fields:
            groups.append((field.name, _entry(found[2], field)))
    if field is None or fields or not isinstance(text, str):
        raise _no_such_field()
    return Target(text, steps[0], tuple(groups), field)


def finished(group: Mapping[Any, Any]) -> Any:  # noqa: ANN401 - any JSON value
    """Return a document with its numbered entries as lists, in their order."""
    if group and all(isinstance(key, int) for key in group):
        return [finished(group[number]) for number in sorted(group)]
    return {
        name: finished(value) if isinstance(value, dict) else value for name, value in group.items()
    }


def _named(fields: tuple[Field, ...], name: str) -> Field | None:
    return next((f for f in fields if f.name == name and not f.system), None)


def _is_list(field: Field) -> bool:
    return field.type is Type.GROUP and field.many


def _entry(text: str | None, field: Field) -> int | None:
    if not field.many:
        return None
    if text is None:
        raise _no_such_field()
    return EACH if text == "" else int(text)


def _no_such_field() -> Invalid:
    return Invalid(
        "The mapping names a field that there is not.",
        code="mapping.target",
        hint="Paths look like identity.name_to_use, identity.names[0].family,"
        " profile.history[].exploitation, case.opened. docs/data-dictionary.md lists the fields.",
    )
