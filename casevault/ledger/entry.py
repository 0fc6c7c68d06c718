"""One entry: the public leaf, the sealed body, and what binds them.

Decides the exact bytes of both. The leaf tells the hour, the kind and the outcome; who, what
and why stand in the body only. Free text never enters: every string of a body is checked
against a closed pattern, and a refused value is never echoed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Final

from casevault.errors import Invalid
from casevault.ledger.codes import CATEGORIES, CODES
from casevault.ledger.faults import invalid, tampered

LEAF_VERSION: Final = 1
FIRST_COUNTER: Final = 0
MAX_COUNTER: Final = 2**53 - 1  # every JSON reader keeps it exact
MAX_LEAF_BYTES: Final = 1024
MAX_BODY_BYTES: Final = 65_536
MAX_ITEMS: Final = 2_000
SALT_BYTES: Final = 32
OUTCOMES: Final = (0, 4, 8, 12)


_WRITER = re.compile(r"[A-Za-z0-9_-]{8,43}")
_HOUR = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([01][0-9]|2[0-3]):00:00Z")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
)
# The last of 43 characters has two spare bits: only the spellings in which they are zero.
_COMMITMENT = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
# Names of fields, filters, rules, roles: what a programmer wrote, never what a person typed.
_NAME = re.compile(r"[a-z0-9_.:/\-]{1,120}")
# Pseudonyms and digests: at least 16 characters, so that no given name passes for one.
_PSEUDONYM = re.compile(r"[A-Za-z0-9_\-]{16,64}")
_TOKEN = re.compile(r"[A-Za-z0-9_.:/+=\-]{1,120}")


@dataclass(frozen=True, slots=True)
class Leaf:
    """The published part of an entry.

    `v` version (1), `t` UTC hour, `w` writer id, `s` that writer's counter from 0, `c` category,
    `o` outcome (FHIR: 0 done, 4 refused, 8 failed, 12 fatal), `k` month of the key that seals
    the body, `b` commitment as unpadded base64url of 32 bytes. A wrong value raises `Invalid`.
    """

    v: int
    t: str
    w: str
    s: int
    c: str
    o: int
    k: str
    b: str

    def __post_init__(self) -> None:
        # `type(x) is int` keeps out booleans, which would survive a JSON round trip.
        _require(type(self.v) is int and self.v == LEAF_VERSION, "/v")
        _require(_is_moment(_HOUR, self.t), "/t")
        _require(_matches(_WRITER, self.w), "/w")
        _require(_is_count(self.s), "/s")
        _require(self.c in CATEGORIES, "/c")
        _require(type(self.o) is int and self.o in OUTCOMES, "/o")
        _require(_matches(_MONTH, self.k), "/k")
        _require(_matches(_COMMITMENT, self.b), "/b")


def encode_leaf(leaf: Leaf) -> bytes:
    """Return the exact bytes that are stored and hashed: one JSON line, no space, no newline."""
    return _json({name: getattr(leaf, name) for name in _LEAF_NAMES})


def parse_leaf(data: bytes) -> Leaf:
    """Read stored leaf bytes; anything but the bytes `encode_leaf` would write is `Tampered`."""
    try:
        found = _load(data, MAX_LEAF_BYTES)
        leaf = Leaf(**found)
    except (Invalid, ValueError, TypeError):
        raise tampered("leaf") from None
    if encode_leaf(leaf) != data:
        raise tampered("leaf")
    return leaf


@dataclass(frozen=True, slots=True)
class Entity:
    """A record that was touched: its type, its pseudonym, and which versions of which parts."""

    type: str
    record: str
    versions: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        _require(_matches(_NAME, self.type), "/entities/type")
        _require(_matches(_PSEUDONYM, self.record), "/entities/record")
        _require(len(self.versions) <= MAX_ITEMS, "/entities/versions")
        for name, version in self.versions:
            _require(_matches(_NAME, name) and _is_count(version), "/entities/versions")


@dataclass(frozen=True, slots=True)
class Body:
    """The sealed part of an entry; names follow FHIR R5 AuditEvent.

    `recorded` UTC with microseconds; `actor`, `session` pseudonyms or None; `rule` the id of the
    decision (``permit:own-grant``); `fields` and `filters` are names, never values; `query` a
    keyed digest; `size` bytes; `links` pairs of kind and id; `skipped` counters of this writer
    that were rolled back. An empty `assurance`, `purpose` or `rule` means: does not apply.
    A wrong value raises `Invalid`, which names the field and not the value.
    """

    recorded: str
    code: str
    actor: str | None = None
    roles: tuple[str, ...] = ()
    session: str | None = None
    assurance: str = ""
    purpose: str = ""
    outcome: int = 0
    rule: str = ""
    entities: tuple[Entity, ...] = ()
    fields: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    count: int | None = None
    query: str | None = None
    size: int | None = None
    request: str | None = None
    links: tuple[tuple[str, str], ...] = ()
    skipped: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _require(_is_moment(_MOMENT, self.recorded), "/recorded")
        _require(self.code in CODES, "/code")
        _require(type(self.outcome) is int and self.outcome in OUTCOMES, "/outcome")
        self._check_texts()
        self._check_lists()

    # Most parts of most entries are empty: those are passed over before anything is called.
    def _check_texts(self) -> None:
        for name in ("assurance", "purpose", "rule"):
            if (value := getattr(self, name)) != "":
                _require(_matches(_NAME, value), f"/{name}")
        for name in ("actor", "session", "query"):
            if (value := getattr(self, name)) is not None:
                _require(_matches(_PSEUDONYM, value), f"/{name}")
        if self.request is not None:
            _require(_matches(_TOKEN, self.request), "/request")
        for name in ("count", "size"):
            if (value := getattr(self, name)) is not None:
                _require(_is_count(value), f"/{name}")

    def _check_lists(self) -> None:
        for name, is_right in _ITEMS:
            if items := getattr(self, name):
                right = len(items) <= MAX_ITEMS and all(map(is_right, items))
                _require(right, f"/{name}")


def _is_name(item: object) -> bool:
    return _matches(_NAME, item)


def _is_entity(item: object) -> bool:
    return isinstance(item, Entity)


def _is_link(item: tuple[object, object]) -> bool:
    kind, target = item
    return _matches(_NAME, kind) and _matches(_TOKEN, target)


def encode_body(body: Body) -> bytes:
    """Return canonical JSON: sorted keys, no white space, UTF-8; None and empty are left out.

    Raises `Invalid` above 65,536 bytes.
    """
    plain: dict[str, Any] = {}
    for name in _BODY_NAMES:
        value = getattr(body, name)
        # None, an empty text or an empty list; a count of nothing is a count.
        if value or value == 0:
            plain[name] = value
    if body.entities:
        plain["entities"] = [_encode_entity(entity) for entity in body.entities]
    data = _json(plain)
    if len(data) > MAX_BODY_BYTES:
        raise invalid("", "too-long")
    return data


def parse_body(data: bytes) -> Body:
    """Read body bytes; anything but the bytes `encode_body` would write is `Tampered`."""
    try:
        found = _load(data, MAX_BODY_BYTES)
        body = _decode_body(found)
        same = encode_body(body) == data
    except (Invalid, ValueError, TypeError, KeyError):
        raise tampered("body") from None
    if not same:
        raise tampered("body")
    return body


def commitment(salt: bytes, body: bytes) -> bytes:
    """Return SHA-256(salt ‖ body), 32 bytes; the salt is 32 random bytes kept with the body."""
    if len(salt) != SALT_BYTES:
        raise invalid("/salt", "length")
    return hashlib.sha256(salt + body).digest()


def tag_input(leaf_bytes: bytes, sealed_body: bytes) -> bytes:
    """Return leaf ‖ SHA-256(sealed body): what the service's HMAC tag covers.

    The hash has a fixed length and stands last, so no two pairs give the same input.
    """
    return leaf_bytes + hashlib.sha256(sealed_body).digest()


def make_leaf(
    body: Body,
    salt: bytes,
    *,
    writer: str,
    counter: int,
    key_month: str,
    encoded: bytes | None = None,
) -> Leaf:
    """Return the public leaf of a body; hour, category and outcome are taken from the body.

    `encoded`: what `encode_body` makes of it, for whoever has that already.
    """
    hour, category, outcome, committed = _told(body, encoded or encode_body(body), salt)
    return Leaf(
        v=LEAF_VERSION,
        t=hour,
        w=writer,
        s=counter,
        c=category,
        o=outcome,
        k=key_month,
        b=committed,
    )


def check_body(leaf: Leaf, salt: bytes, body_bytes: bytes) -> Body:
    """Return the body if it is the one the leaf commits to and tells the same; else `Tampered`."""
    body = parse_body(body_bytes)
    try:
        same = (leaf.t, leaf.c, leaf.o, leaf.b) == _told(body, body_bytes, salt)
    except Invalid:
        raise tampered("commitment") from None
    if not same:
        raise tampered("commitment")
    return body


def _told(body: Body, encoded: bytes, salt: bytes) -> tuple[str, str, int, str]:
    """Return what a leaf tells of a body: hour, category, outcome and the commitment to it."""
    digest = commitment(salt, encoded)
    committed = base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
    return body.recorded[:13] + ":00:00Z", CODES[body.code], body.outcome, committed


def _encode_entity(entity: Entity) -> dict[str, Any]:
    plain: dict[str, Any] = {"record": entity.record, "type": entity.type}
    return plain | ({"versions": entity.versions} if entity.versions else {})


def _decode_body(found: dict[str, Any]) -> Body:
    for name in ("roles", "fields", "filters", "skipped"):
        found[name] = tuple(found.get(name, ()))
    found["links"] = _pairs(found.get("links", ()))
    found["entities"] = tuple(
        Entity(item.pop("type"), item.pop("record"), _pairs(item.pop("versions", ())), **item)
        for item in map(dict, found.get("entities", ()))
    )
    return Body(**found)


def _pairs(items: Iterable[Any]) -> tuple[tuple[Any, Any], ...]:
    return tuple((first, second) for first, second in items)


# Looked up once: an entry is encoded with every look.
_LEAF_NAMES = tuple(one.name for one in fields(Leaf))
_BODY_NAMES = tuple(sorted(one.name for one in fields(Body)))
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def _json(value: object) -> bytes:
    return _ENCODER.encode(value).encode("utf-8")


def _load(data: bytes, limit: int) -> dict[str, Any]:
    if len(data) > limit:
        raise ValueError
    try:
        found = json.loads(data.decode("utf-8"))
    except RecursionError:
        raise ValueError from None
    if not isinstance(found, dict):
        raise ValueError
    return found


def _require(condition: bool, pointer: str) -> None:
    if not condition:
        raise invalid(pointer)


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_COUNTER


def _is_moment(pattern: re.Pattern[str], value: object) -> bool:
    found = pattern.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return False
    try:
        date.fromisoformat(found[1])
    except ValueError:
        return False
    return True


# The lists of a body, and what each of their items must be.
_ITEMS: tuple[tuple[str, Callable[[Any], bool]], ...] = (
    ("roles", _is_name),
    ("entities", _is_entity),
    ("fields", _is_name),
    ("filters", _is_name),
    ("links", _is_link),
    ("skipped", _is_count),
)
