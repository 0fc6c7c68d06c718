"""What comes in from outside: how much of it, what becomes of it, and what it says in words.

Pure. Who may take it in is decided by `access`, who can open it by keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from casevault.domain import vocabulary
from casevault.domain.case import dictionary
from casevault.domain.case.fields import Field, Type
from casevault.domain.sharing.packing import PackageKind, PackedFile
from casevault.domain.sharing.referral import FORMAT, SOURCES
from casevault.domain.texts import strict_json
from casevault.errors import Invalid, Tampered

# Of one referrer, and what may lie in one inbox: a flood must not bury the one who needs help.
A_DAY = 20
MOST_WAITING = 500
_LINES = 19_000
_LETTER = "referral"
_NAMES = ("from", "reference")


class Declined(StrEnum):
    """Why something is not taken over. Codes only: nobody's words about somebody unknown stay."""

    NOT_OURS = "not-ours"
    DUPLICATE = "duplicate"
    NO_CONSENT = "no-consent"
    CANNOT_HELP = "cannot-help"
    SPAM = "spam"


@dataclass(frozen=True, slots=True)
class Intake:
    """What somebody wrote about a person for whom there is no case here yet."""

    identity: Mapping[str, Any] = field(repr=False)
    profile: Mapping[str, Any] = field(repr=False)
    words: str = field(default="", repr=False)
    # Of a referral: which help is asked for, how soon, by whom, under which reference.
    letter: Mapping[str, str] = field(default_factory=dict, repr=False)

    def encode(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "identity": dict(self.identity),
            "profile": dict(self.profile),
            "words": self.words,
            "letter": dict(self.letter),
        }

    @classmethod
    def decode(cls, raw: Mapping[str, Any]) -> Intake:
        """Read what `encode` wrote, else `Tampered`."""
        try:
            return cls(
                dict(raw["identity"]), dict(raw["profile"]), str(raw["words"]), dict(raw["letter"])
            )
        except (KeyError, TypeError, ValueError):
            raise Tampered(code="arrival") from None

    @classmethod
    def of_package(cls, kind: PackageKind, files: Iterable[PackedFile]) -> Intake:
        """Return what a package from outside says; its fields are still to be checked.

        :raises Invalid: it holds something else than one intake or one referral.
        """
        held = {one.name: one.content for one in files}
        wanted = f"{kind.value}.json"
        if kind is PackageKind.FILES or not {wanted} <= held.keys() <= {wanted, "referral.html"}:
            raise _other_package()
        raw = strict_json.parse(held[wanted])
        if not isinstance(raw, dict):
            raise _other_package()
        if kind is PackageKind.INTAKE:
            found = {"identity": {}, "profile": {}, "words": "", "letter": {}, **raw}
            known = {"identity", "profile", "words", "letter"}
        else:
            parts = [raw.get(name, {}) for name in SOURCES]
            if raw.get("format") != FORMAT or not all(isinstance(one, dict) for one in parts):
                raise _other_package()
            return cls.of_referral(held[wanted])
        if found.keys() != known or found["letter"]:
            raise _other_package()
        shapes = [found["identity"], found["profile"]]
        if not all(isinstance(one, dict) for one in shapes) or not isinstance(found["words"], str):
            raise _other_package()
        return cls(found["identity"], found["profile"], found["words"])

    @classmethod
    def of_referral(cls, packed: bytes) -> Intake:
        """Return what the bytes of a referral say (`referral.referral_json`)."""
        content = json.loads(packed)
        letter = {
            name: str(content[name])
            for name in ("from", "reference", "service", "urgency", "reason", "answer_by")
            if name in content
        }
        parts = {name: dict(content.get(name, {})) for name in SOURCES}
        if "safe_contact" in content:
            parts["identity"]["safe_contact"] = content["safe_contact"]
        return cls(parts["identity"], parts["profile"], "", letter)


def _other_package() -> Invalid:
    return Invalid(
        "This package holds no intake and no referral, or more than that.", code="package.content"
    )


def letter_of(intake: Intake, language: str) -> str:
    """Return what no field of a case has room for, as lines of text: who asked for what."""
    lines = [intake.words] if intake.words else []
    for name in _NAMES:
        if name in intake.letter:
            label = vocabulary.form_text(f"referral.{name}", language)
            lines.append(f"{label}: {intake.letter[name]}")
    content = {name: text for name, text in intake.letter.items() if name not in _NAMES}
    lines += _lines(_LETTER, "", dictionary.fields_of(_LETTER), content, language)
    return "\n".join(lines)[:_LINES]


def words_of(intake: Intake, language: str) -> str:
    """Return an intake as lines of text, for a note in a case that there is already."""
    first = letter_of(intake, language)
    lines = [first] if first else []
    for document in SOURCES:
        content = intake.identity if document == SOURCES[0] else intake.profile
        lines += _lines(document, "", dictionary.fields_of(document), content, language)
    return "\n".join(lines)[:_LINES]


def _lines(
    document: str, at: str, fields: tuple[Field, ...], content: Mapping[str, Any], language: str
) -> list[str]:
    found = []
    for one in fields:
        value = content.get(one.name)
        values = (value or []) if one.many else [] if value is None else [value]
        for each in values:
            label = vocabulary.field_label(document, at + one.name, language)
            if one.type is Type.GROUP:
                found.append(label + ":")
                found += _lines(document, f"{at}{one.name}.", one.fields, each, language)
            else:
                found.append(f"{label}: {_words(one, each, language)}")
    return found


def _words(one: Field, value: object, language: str) -> str:
    if one.type is Type.CODE:
        return vocabulary.code_label(one.codes, str(value), language)
    if one.type is Type.YES_NO:
        return vocabulary.form_text("paper.yes" if value else "paper.no", language)
    return str(value)
