"""Remarks on what somebody writes into a case: where words tell who somebody is.

The narrative may be read by more people than the identity, so it should name nobody. Decides where
a text does, by its own form and by the identity of the case, if the writer holds that; says places
and kinds, never words. Advice only: what goes wrong in it, or takes too long, is "not checked", and
the writing goes on. Must never log, keep or repeat anything of the text.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from casevault.domain.case import dictionary, personal
from casevault.domain.case.casefile import CaseMetadata, Compartment, DocumentKind
from casevault.domain.case.personal import Hint, Sign
from casevault.logs import get_logger
from casevault.matching import noticing
from casevault.matching.noticing import Known
from casevault.store.case.held_case import HeldCase, Look
from casevault.store.casework import listing
from casevault.store.casework.held import Desk
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores

# How much of a processor's time one text may take; a full one takes a tenth of it.
MOST_SECONDS: Final = 0.5
MOST_HINTS: Final = 100
_IDENTITY = Compartment.IDENTITY.value
# What of an identity words are compared with, for the log.
IDENTITY_COMPARED: Final = tuple(
    f"{_IDENTITY}.{name}"
    for name in ("aliases", "name_to_use", "names", "papers", "phones", "spellings")
)


@dataclass(frozen=True, slots=True)
class Remark:
    """A place in one field of a record that tells who somebody is."""

    field: str
    hint: Hint


@dataclass(frozen=True, slots=True)
class Advice:
    """What was remarked; `checked` is false where nobody looked, `compared` with the identity."""

    checked: bool
    compared: bool = False
    remarks: tuple[Remark, ...] = ()


NOT_CHECKED: Final = Advice(checked=False)


class Adviser:
    """Looks at the free texts of a record while its case is held for the writing; never fails."""

    def __init__(
        self,
        stores: Stores,
        desk: Desk,
        caller: Caller,
        kind: DocumentKind,
        content: Mapping[str, Any],
    ) -> None:
        self._stores, self._desk, self._caller = stores, desk, caller
        self._texts = texts_of(kind, content)
        # What is to be remarked; before the case is held nobody looked, unless there is no text.
        self.advice = NOT_CHECKED if self._texts else Advice(checked=True)

    @property
    def look(self) -> Look | None:
        """What has to be seen of the case; nothing where there is no text."""
        return Look(_IDENTITY, self._see) if self._texts else None

    def _see(self, connection: Connection, held: HeldCase) -> None:
        self.advice = NOT_CHECKED
        try:
            known = self._known(connection, held)
            whom, regions = known or Known(), self._stores.search.regions
            found = [
                Remark(name, hint)
                for name, text in self._texts.items()
                for hint in remarked(text, whom, regions, str(held.case.reference))
            ]
        except Exception as error:
            # Whatever it was: advice must not cost anybody their note.
            get_logger().warning("advice failed", exception_type=type(error).__name__)
            return
        self.advice = Advice(True, known is not None, tuple(found[:MOST_HINTS]))

    def _known(self, connection: Connection, held: HeldCase) -> Known | None:
        """Return whom the case's identity names, if the caller holds it."""
        if _IDENTITY not in held.keys:
            return None
        with self._desk.recording_failure(self._caller, held.case.id):
            manifest = held.manifest(connection, _IDENTITY)
            found = held.documents(connection, manifest, [DocumentKind.IDENTITY.value])
        return known_by(self._stores, found[0].content, held.case) if found else None


def texts_of(kind: DocumentKind, content: Mapping[str, Any]) -> dict[str, str]:
    """Return the free texts of a record as they will be kept; what is none is refused elsewhere."""
    names = sorted(dictionary.texts_of(kind))
    found = {name: content.get(name) for name in names}
    return {name: dictionary.normal(text) for name, text in found.items() if isinstance(text, str)}


def known_by(stores: Stores, identity: Mapping[str, Any], case: CaseMetadata) -> Known:
    """Return whom an identity names, as texts are compared with it."""
    person = listing.known_of(stores.search, identity, int(case.opened_month[:4]))
    return Known(person, tuple(listing.names_of(identity)))


def looked_at(stores: Stores, text: str, known: Known) -> list[Hint] | None:
    """Return what is to be remarked about one text; None if it could not be looked at."""
    try:
        return remarked(text, known, stores.search.regions)
    except TimeoutError:
        return None


def remarked(
    text: str, known: Known, regions: Sequence[str] = (), reference: str = ""
) -> list[Hint]:
    """Return where a text tells who somebody is, in its order.

    :raises TimeoutError: it took longer than anybody should wait for advice.
    """
    if len(text) > dictionary.MAX_TEXT:
        raise TimeoutError
    since = time.thread_time()

    def late() -> None:
        if time.thread_time() - since > MOST_SECONDS:
            raise TimeoutError

    found = [_judged(text, hint, known, regions, reference) for hint in personal.hints(text)]
    late()
    named = noticing.names_in(text, known, late)
    found += [Hint(one.start, one.end, Sign.NAME, one.own) for one in named]
    return personal.merged(found)


def _judged(text: str, hint: Hint, known: Known, regions: Sequence[str], reference: str) -> Hint:
    """Return a hint that tells phones from numbers, and whose they are."""
    words = text[hint.start : hint.end]
    if hint.sign is Sign.NUMBER:
        own = noticing.is_number_of(words, known)
        sign = Sign.PHONE if noticing.is_phone(words, regions) else Sign.NUMBER
        return Hint(hint.start, hint.end, sign, own)
    own = hint.sign is Sign.REFERENCE and words.upper() == reference
    return Hint(hint.start, hint.end, hint.sign, own)
