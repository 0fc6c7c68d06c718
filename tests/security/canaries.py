"""Canaries: strings that nobody else types, and the search for them in whatever a vault leaves.

Five hundred strings of eleven kinds. Each holds its kind's mark, a piece that is random in every
run, so that a search for the marks finds them all. Secrets that a mark cannot be put into (tokens
that the service made, key bytes) are searched for one by one. Nothing is tested here.
"""

from __future__ import annotations

import base64
import itertools
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import numpy as np

from casevault.domain import vocabulary
from casevault.domain.case import dictionary
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.case.fields import Field, Type

_ALPHABETS = {
    "latin": "bcdfghjklmnpqrstvwxz",
    "cyrillic": "бвгджзклмнпрстфхцчшщ",
    "greek": "βγδζθκλμνξπρστφχψ",
    "arabic": "بتثجحخدذرزسشصضطظعغفقكل",
    "ethiopic": "ሀለሐመሠረሰቀበተኀነአከወዘየደ",
    "devanagari": "कखगघचछजझटठडतथदधनपफबभ",
}
_LETTERS = 12
# A multiple of three, so that what follows does not change their base64.
_MARKED_BYTES = 9
# How many bytes of a needle are looked for at first, and in how large a piece at a time.
_BEGIN = 3
_PIECE = 1 << 20


@dataclass
class Canaries:
    """A run's canaries by kind; `next` gives them in turn, again and again."""

    marks: dict[str, str] = field(default_factory=dict)
    of_kind: dict[str, list[str]] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    _turns: dict[str, Iterator[str]] = field(default_factory=dict)

    @classmethod
    def fresh(cls) -> Canaries:
        """Make 500."""
        made = cls()
        for script, letters in _ALPHABETS.items():
            mark = "".join(secrets.choice(letters) for _ in range(_LETTERS))
            made._add("name " + script, mark, [f"{mark} {n}" for n in range(45)])
        digits = "9" + "".join(secrets.choice("0123456789") for _ in range(9))
        made._add("phone", digits, [f"+{digits}{n:03}" for n in range(80)])
        words = "".join(secrets.choice(_ALPHABETS["latin"]) for _ in range(_LETTERS))
        phrases = [f"made up words {words} number {n}" for n in range(50)]
        made._add("passphrase", words, phrases)
        for kind, count, length, spelt in (
            ("hex", 35, 32, bytes.hex),
            ("base64", 35, 32, lambda raw: base64.b64encode(raw).decode()),
            ("token", 30, 52, _urlsafe),
        ):
            begin = secrets.token_bytes(_MARKED_BYTES)
            raws = [begin + secrets.token_bytes(length - len(begin)) for _ in range(count)]
            made._add(kind, spelt(begin), [spelt(raw) for raw in raws])
        assert len(made.everything) == 500
        return made

    @property
    def everything(self) -> set[str]:
        """All canaries."""
        return {one for found in self.of_kind.values() for one in found}

    def next(self, *kinds: str) -> str:
        """Return the next canary of one of these kinds (by default any but phones)."""
        wanted = "/".join(kinds)
        if wanted not in self._turns:
            names = kinds or tuple(kind for kind in self.of_kind if kind != "phone")
            columns = [self.of_kind[name] for name in names]
            mixed = [one for row in itertools.zip_longest(*columns) for one in row if one]
            self._turns[wanted] = itertools.cycle(mixed)
        found = next(self._turns[wanted])
        self.sent.add(found)
        return found

    def ascii(self) -> str:
        """Return the next canary that fits into a header or a path."""
        return self.next("name latin", "token", "hex", "base64", "passphrase")

    def needles(self, more: Mapping[str, bytes] = {}) -> dict[bytes, str]:
        """Return what to search for, in every spelling, and what it is."""
        found = {}
        for kind, mark in self.marks.items():
            found |= dict.fromkeys(spellings(mark.encode(), mark), kind)
        for name, raw in more.items():
            found |= dict.fromkeys(spellings(raw), name)
        return found

    def _add(self, kind: str, mark: str, found: list[str]) -> None:
        self.marks[kind] = mark
        self.of_kind[kind] = found


def _urlsafe(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def spellings(raw: bytes, text: str | None = None) -> set[bytes]:
    """Return bytes as they may stand somewhere: raw, hexadecimal, base64, JSON, URL, UTF-16."""
    found = {raw, raw.hex().encode(), raw.hex().upper().encode()}
    for shift in range(3):
        # What stands before decides how bytes fall into groups of three: leave the borders out.
        body = base64.b64encode(bytes(shift) + raw)
        begin = -(-shift * 8 // 6)
        end = (len(raw) + shift) // 3 * 4
        inner = body[begin:end]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    if text is not None:
        found |= {
            json.dumps(text)[1:-1].encode(),
            quote(text).encode(),
            quote(text).lower().encode(),
            text.encode("utf-16-le"),
            text.encode("utf-16-be"),
            text.encode("unicode_escape"),
            text.upper().encode(),
        }
    assert all(len(needle) >= 10 for needle in found), "too short to mean anything"
    return found


def found_in(needles: Mapping[bytes, str], evidence: Mapping[str, bytes]) -> list[str]:
    """Return in sentences what of the needles stands where."""
    by_begin: dict[bytes, list[tuple[bytes, str]]] = {}
    for needle, kind in needles.items():
        by_begin.setdefault(needle[:_BEGIN], []).append((needle, kind))
    begins = np.zeros(1 << 8 * _BEGIN, dtype=bool)
    begins[[int.from_bytes(begin, "big") for begin in by_begin]] = True
    return sorted(
        {
            f"{kind} is in {where}"
            for where, data in evidence.items()
            for at in _beginnings(data, begins)
            for needle, kind in by_begin[data[at : at + _BEGIN]]
            if data.startswith(needle, at)
        }
    )


def _beginnings(data: bytes, begins: np.ndarray) -> Iterator[int]:
    """Yield where any needle may begin: looking for each of a thousand alone takes long."""
    for start in range(0, len(data), _PIECE):
        piece = np.frombuffer(data[start : start + _PIECE + _BEGIN - 1], dtype=np.uint8)
        wide = piece.astype(np.uint32)
        if len(wide) >= _BEGIN:
            first, second, third = wide[:-2], wide[1:-1], wide[2:]
            here = np.flatnonzero(begins[first << 16 | second << 8 | third])
            yield from (start + here).tolist()


def filled(kind: DocumentKind, canaries: Canaries) -> dict[str, Any]:
    """Return a document in which every field that takes words or a phone holds a canary."""
    return _filled(dictionary.fields_of(kind), canaries)


def _filled(fields: Iterable[Field], canaries: Canaries) -> dict[str, Any]:
    found = {}
    for one in fields:
        if one.system or one.switch:
            continue
        value = _value(one, canaries)
        if value is not None:
            found[one.name] = [value] if one.many else value
    return found


def _value(one: Field, canaries: Canaries) -> Any:
    if one.type in (Type.TEXT, Type.LONG):
        return canaries.next()
    if one.type is Type.PHONE:
        return canaries.next("phone")
    if one.type is Type.GROUP:
        return _filled(one.fields, canaries)
    if one.type is Type.CODE and one.required:
        return sorted(vocabulary.code_list(one.codes))[0]
    if one.type is Type.DATE and one.required:
        return "2026-11-20"
    return None
