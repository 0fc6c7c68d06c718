"""The copy of a file for the person whose file it is: everything that is held, but for others.

Pure. Whoever holds the case marks what speaks of somebody else; it is kept back, and the copy says
that it was and why. Made and shown first, then given exactly as it was shown: the digest of the
preview is the word for it. Must never name a colleague by id, nor another case.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from casevault.domain.case import dictionary
from casevault.domain.case.fields import Type
from casevault.domain.texts import filenames
from casevault.errors import FieldError, Invalid

FORMAT = "casevault/copy/1"
KEPT_BACK = "[…]"
# Of an attached file: what is in it, beside its name and kind.
FILE = "file"
# In the order of the copy.
PARTS = (
    "identity",
    "profile",
    "note",
    "service",
    "task",
    "consent",
    "basis",
    "referral",
    "transition",
    "link",
    "refused_staff",
    "file",
    "facts",
)
# Fields that speak of somebody else by their nature: whoever makes a copy is pointed at them.
ABOUT_OTHERS = frozenset(
    {
        ("identity", "safe_contact"),
        ("profile", "perpetrators"),
        ("profile", "risk_reasons"),
        ("consent", "guardian"),
    }
)
_FREE = frozenset({Type.TEXT, Type.LONG})


class KeepBack(StrEnum):
    """Why something is not in the copy, as it says in the reader's language."""

    OTHER_PERSON = "other_person"
    SAFETY_OF_OTHERS = "safety_of_others"
    LEGAL_ADVICE = "legal_advice"
    CONFIDENTIAL_SOURCE = "confidential_source"


@dataclass(frozen=True, slots=True)
class Edition:
    """What a part said from a day on; `reason` says why it was corrected."""

    on: str
    content: Mapping[str, Any] = field(repr=False)
    reason: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Attachment:
    """What a copy says of a file's bytes, so that they are the ones that were looked at."""

    media_type: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Part:
    """One document of a case; of a record every edition, oldest first."""

    kind: str
    id: str
    editions: tuple[Edition, ...]
    marks: Mapping[str, str] = field(default_factory=dict)
    redacted: int = 0
    file: Attachment | None = None


@dataclass(frozen=True, slots=True)
class Withheld:
    """What is kept back: a part, a field of it (`file`: its bytes), or a passage of its texts."""

    id: str
    reason: KeepBack
    name: str | None = None
    passage: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Something to be looked at first: it is, or may be, about somebody else."""

    id: str
    kind: str
    name: str
    certain: bool


def to_review(parts: Iterable[Part]) -> list[Place]:
    """Return every place that may speak of others: fields by nature, free text, each file."""
    found = []
    for part in parts:
        for one in dictionary.fields_of(part.kind):
            if any(one.name in edition.content for edition in part.editions):
                certain = (part.kind, one.name) in ABOUT_OTHERS
                if certain or one.type in _FREE or one.type is Type.GROUP:
                    found.append(Place(part.id, part.kind, one.name, certain))
        if part.file is not None:
            found.append(Place(part.id, part.kind, FILE, certain=False))
    return found


def made(
    about: Mapping[str, Any],
    parts: Sequence[Part],
    withheld: Sequence[Withheld],
    looks: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the copy as JSON; `about` is what is said of the file as a whole.

    :raises Invalid: something is to be kept back that is not there.
    """
    known = {part.id: part for part in parts}
    for number, one in enumerate(withheld):
        if one.id not in known or not _occurs(known[one.id], one):
            raise Invalid(
                "What is to be kept back is not in this file.",
                code="copy.absent",
                errors=(FieldError(f"/withheld/{number}", "copy.absent"),),
            )
    by_part = {part.id: [one for one in withheld if one.id == part.id] for part in parts}
    ordered = sorted(parts, key=lambda part: (PARTS.index(part.kind), part.editions[0].on, part.id))
    paths = _paths(ordered, by_part)
    return {
        "format": FORMAT,
        **about,
        "parts": [_shown(part, by_part[part.id]) | _file(paths.get(part.id)) for part in ordered],
        "looks": looks,
    }


def enclosed(copy: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return the files that go with a copy: id of the part, path beside the page, SHA-256."""
    return [
        (part["id"], part[FILE]["path"], part[FILE]["sha256"])
        for part in copy["parts"]
        if FILE in part
    ]


def encoded(copy: Mapping[str, Any]) -> bytes:
    """Return the bytes of a copy: the same copy has the same."""
    return json.dumps(copy, ensure_ascii=False, sort_keys=True, indent=1).encode()


def digest(copy: Mapping[str, Any]) -> str:
    """Return by which word somebody confirms exactly this copy."""
    return hashlib.sha256(encoded(copy)).hexdigest()


def field_names(parts: Iterable[Part]) -> tuple[str, ...]:
    """Return the names of everything that a copy shows, for the ledger."""
    names = {f"{p.kind}.{name}" for p in parts for each in p.editions for name in each.content}
    return tuple(sorted(names))


def _shown(part: Part, withheld: Sequence[Withheld]) -> dict[str, Any]:
    whole = [one for one in withheld if one.name is None and one.passage is None]
    shown: dict[str, Any] = {"part": part.kind, "id": part.id, "from": part.editions[0].on}
    reasons = sorted({one.reason.value for one in withheld})
    if reasons:
        shown["kept_back"] = reasons
    if whole:
        return shown
    *before, last = [_edition(one, withheld) for one in part.editions]
    shown["content"] = last["content"]
    if before:
        shown["before"] = [{"on": one["on"], "content": one["content"]} for one in before]
        shown["corrections"] = [each["reason"] for each in (*before[1:], last)]
    if part.marks:
        shown["state"] = dict(sorted(part.marks.items()))
    if part.redacted:
        shown["redacted"] = part.redacted
    return shown


def _paths(
    ordered: Iterable[Part], withheld: Mapping[str, Sequence[Withheld]]
) -> dict[str, tuple[str, Attachment]]:
    """Return the files that go with a copy, under names that say nothing: real ones are texts."""
    found: dict[str, tuple[str, Attachment]] = {}
    for part in ordered:
        gone = any(one.passage is None and one.name in (None, FILE) for one in withheld[part.id])
        if part.file is not None and not gone:
            ending = filenames.ending_of(part.file.media_type)
            found[part.id] = (f"files/{len(found) + 1:03}{ending}", part.file)
    return found


def _file(path: tuple[str, Attachment] | None) -> dict[str, Any]:
    return {} if path is None else {FILE: {"path": path[0], "sha256": path[1].sha256}}


def _edition(edition: Edition, withheld: Sequence[Withheld]) -> dict[str, Any]:
    gone = {one.name for one in withheld if one.name is not None and one.passage is None}
    content = {name: value for name, value in edition.content.items() if name not in gone}
    reason = edition.reason
    for one in withheld:
        if one.passage is not None:
            content = {
                name: _without(value, one.passage) if one.name in (None, name) else value
                for name, value in content.items()
            }
            reason = None if reason is None else reason.replace(one.passage, KEPT_BACK)
    return {"on": edition.on, "content": content, "reason": reason}


def _without(value: Any, passage: str) -> Any:  # noqa: ANN401 - whatever a field holds
    if isinstance(value, str):
        return value.replace(passage, KEPT_BACK)
    if isinstance(value, Mapping):
        return {name: _without(each, passage) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without(each, passage) for each in value]
    return value


def _occurs(part: Part, one: Withheld) -> bool:
    named = [
        {name: each for name, each in edition.content.items() if one.name in (None, name)}
        for edition in part.editions
    ]
    if one.passage is None:
        if one.name == FILE and part.file is not None:
            return True
        return one.name is None or any(named)
    return any(_without(content, one.passage) != content for content in named)
