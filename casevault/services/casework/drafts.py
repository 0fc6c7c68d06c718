"""Drafts: saved by their author as they type, there again after a lock, gone after a week.

A draft belongs to its author and to nobody else, and exists before its case does; so it has a key
of its own. Must never count, and never be part of a copy of a case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from casevault.domain.pages import drafts
from casevault.domain.pages.drafts import DraftForm
from casevault.domain.staff.access import Permission, Subject
from casevault.errors import Conflict, NotFound, Stale, Tampered
from casevault.store.case.private_rows import PrivateObject
from casevault.store.casework import private
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine import idempotency, stamps
from casevault.store.log.ledger import Touched

PAGE = 25
_SAVE, _READ, _LIST, _DELETE = "draft.save", "draft.read", "draft.list", "draft.delete"


@dataclass(frozen=True, slots=True)
class Draft:
    """A half-filled form; `saved_at` is Unix seconds. One that does not open has no form."""

    id: UUID
    form: DraftForm | None
    case: UUID | None
    content: Mapping[str, Any] = field(repr=False)
    saved_at: int | None
    kept_until: date
    version: int


@dataclass(frozen=True, slots=True)
class DraftPage:
    """One page of the caller's drafts; `cursor` asks for the next."""

    items: tuple[Draft, ...]
    cursor: str | None


class Drafts:
    """The use cases of drafts."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def save(
        self,
        caller: Caller,
        form: DraftForm,
        case: UUID | None,
        content: Mapping[str, Any],
    ) -> Draft:
        """Keep a new draft. A repeated request gives the one that it made before."""
        self._require(caller, Permission.DRAFT_WRITE)
        drafts.check(self._stores.dictionary, form, content)
        if (earlier := self._repeated(caller)) is not None:
            return earlier
        inside = self._inside(form, case, content)
        until = drafts.kept_until(self._today())
        try:
            made = private.keep(
                self._stores, caller, private.DRAFT, inside, until, code=_SAVE, repeat=caller.repeat
            )
        except Conflict:
            # The same request came twice at once: the other one made the draft.
            earlier = self._repeated(caller)
            if earlier is None:
                raise
            return earlier
        return _draft(PrivateObject(made, inside, 1, until))

    def change(
        self,
        caller: Caller,
        draft: UUID,
        form: DraftForm,
        case: UUID | None,
        content: Mapping[str, Any],
        version: int,
    ) -> int:
        """Save again, for another week; return the new version."""
        self._require(caller, Permission.DRAFT_WRITE, draft)
        drafts.check(self._stores.dictionary, form, content)
        inside = self._inside(form, case, content)
        until = drafts.kept_until(self._today())
        with self._denying(caller, Permission.DRAFT_WRITE, draft):
            return private.change(
                self._stores, caller, private.DRAFT, draft, inside, version, until, code=_SAVE
            )

    def read(self, caller: Caller, draft: UUID) -> Draft:
        """Return a draft of the caller's."""
        self._require(caller, Permission.DRAFT_READ, draft)
        with self._denying(caller, Permission.DRAFT_READ, draft):
            found = private.open_(self._stores, caller, private.DRAFT, draft, code=_READ)
        return _draft(found)

    def list_(self, caller: Caller, cursor: str | None = None) -> DraftPage:
        """Return a page of the caller's drafts in the order of their random ids."""
        self._require(caller, Permission.DRAFT_READ)
        roots, purpose = self._stores.roots, "drafts/" + caller.staff.hex
        after = None if cursor is None else UUID(stamps.open_cursor(roots, purpose, cursor)[0])
        found = private.mine(
            self._stores, caller, private.DRAFT, code=_LIST, after=after, limit=PAGE + 1
        )
        page = tuple(_draft(one) for one in found[:PAGE])
        last = [str(page[-1].id)] if len(found) > PAGE else None
        return DraftPage(page, stamps.seal_cursor(roots, purpose, last) if last else None)

    def delete(self, caller: Caller, draft: UUID) -> None:
        """Erase a draft of the caller's: its key, then the rest."""
        self._require(caller, Permission.DRAFT_WRITE, draft)
        with self._denying(caller, Permission.DRAFT_WRITE, draft):
            private.remove(self._stores, caller, private.DRAFT, draft, code=_DELETE)

    def _require(self, caller: Caller, permission: Permission, draft: UUID | None = None) -> None:
        touched = () if draft is None else (Touched("draft", draft),)
        self._gate.require(caller, permission, Subject("draft"), touched)

    @contextmanager
    def _denying(self, caller: Caller, permission: Permission, draft: UUID) -> Iterator[None]:
        """Record that somebody asked for what is not theirs, or for an old version."""
        try:
            yield
        except (NotFound, Stale) as error:
            rule = "deny:no-grant" if isinstance(error, NotFound) else "refused:stale"
            self._gate.deny(caller, permission, rule, (Touched("draft", draft),))
            raise

    def _repeated(self, caller: Caller) -> Draft | None:
        if caller.repeat is None:
            return None
        stores = self._stores
        with stores.data.reading() as connection:
            earlier = idempotency.find(connection, stores.roots, caller.repeat, stores.now())
        return None if earlier is None else self.read(caller, earlier)

    def _inside(
        self, form: DraftForm, case: UUID | None, content: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {
            "form": form.value,
            "case": None if case is None else case.hex,
            "saved_at": self._stores.now(),
            "content": dict(content),
        }

    def _today(self) -> date:
        return self._stores.clock.now().date()


def _draft(found: PrivateObject) -> Draft:
    if not found.readable:
        return Draft(found.id, None, None, {}, None, found.erase_after, found.version)
    inside = found.content
    try:
        form, content = DraftForm(inside["form"]), inside["content"]
        case = None if inside["case"] is None else UUID(inside["case"])
        saved_at = int(inside["saved_at"])
    except (KeyError, TypeError, ValueError):
        raise Tampered(code="draft") from None
    return Draft(found.id, form, case, content, saved_at, found.erase_after, found.version)
