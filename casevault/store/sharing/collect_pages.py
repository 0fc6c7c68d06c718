"""Collect pages as rows of the keyring: one sealed referral each, its lock, and how far it is.

Everything about a page is one row, so that whatever ends it (the last opening, a recall, five wrong
codes, its date, the erasure of its case) ends it in one transaction and without a key. The service
sees whether it was opened and what was answered; never what it holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from uuid import UUID

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.crypto.collecting import Lock
from casevault.crypto.credentials import KdfProfile
from casevault.crypto.sealing import Place
from casevault.domain.sharing.collecting import KEPT_SECONDS, PageState
from casevault.domain.sharing.referral import ReferralState
from casevault.errors import NotFound, Tampered
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction, Row
from casevault.store.log.ledger import SERVICE, Act, Touched

_TABLE = tables.collect_page
# The mark of a referral's record that names its page.
PAGE = "page"


@dataclass(frozen=True, slots=True)
class CollectPage:
    """One page. Times are Unix seconds; `openings` and `tries` are what is left."""

    id: UUID
    case: UUID
    referral: UUID
    sender: UUID
    language: str
    fields: tuple[str, ...]
    expires_at: int
    openings: int
    tries: int
    lock: Lock = field(repr=False)
    sealed: bytes | None = field(repr=False)
    opened: int = 0
    answer: str | None = None
    recalled: bool = False
    # The digest of what the last opening gave its visitor, to answer with.
    ticket: bytes | None = field(default=None, repr=False)

    def state(self, now: int) -> PageState:
        """Return what it does when somebody comes to it."""
        if self.recalled:
            return PageState.RECALLED
        if self.tries == 0:
            return PageState.DEAD
        if self.expires_at <= now:
            return PageState.EXPIRED
        return PageState.SPENT if self.openings == 0 else PageState.OPEN

    def stage(self, now: int) -> ReferralState:
        """Return how far its referral is, as far as the page knows."""
        if self.answer is not None:
            return ReferralState(self.answer)
        if self.recalled:
            return ReferralState.RECALLED
        if self.expires_at <= now:
            return ReferralState.EXPIRED
        return ReferralState.RECEIVED if self.opened else ReferralState.SENT

    def ended(self) -> CollectPage:
        """Return the page without what it held: nothing opens it any more."""
        return replace(self, lock=replace(self.lock, secret=None), sealed=None, openings=0)


def place(organisation: UUID, page: UUID) -> Place:
    """Return where the content of a page is sealed for."""
    return Place(organisation, "collect-page", page)


def add(tx: KeyringTransaction, page: CollectPage) -> None:
    """Keep a page, instead of one with its id."""
    tx.remove(_TABLE, id=page.id)
    tx.add(_TABLE, _content(page), id=page.id, object_id=page.case)


def change(tx: KeyringTransaction, page: CollectPage) -> None:
    """Keep a page as it is now."""
    tx.replace(_TABLE, _content(page), id=page.id, object_id=page.case)


def find(tx: KeyringTransaction, page_id: UUID, *, lock: bool = False) -> CollectPage:
    """Return one page (`lock`: nobody else changes it meanwhile), else `NotFound`."""
    row = tx.one(_TABLE, lock=lock, id=page_id)
    if row is None:
        raise NotFound()
    return _page(row)


def of_cases(tx: KeyringTransaction, cases: Iterable[UUID]) -> dict[UUID, CollectPage]:
    """Return the pages of these cases by their referral."""
    wanted = sorted(cases)
    found = map(_page, tx.find(_TABLE, object_id=wanted)) if wanted else ()
    return {page.referral: page for page in found}


def recall(tx: KeyringTransaction, page_id: UUID) -> CollectPage | None:
    """End a page for good; return it as it was, or None if there is none any more."""
    row = tx.one(_TABLE, lock=True, id=page_id)
    if row is None:
        return None
    before = _page(row)
    change(tx, replace(before.ended(), recalled=True))
    return before


def forget(tx: KeyringTransaction, cases: Iterable[UUID]) -> None:
    """Delete the pages of cases of which something is erased, without any key."""
    wanted = sorted(cases)
    if wanted:
        tx.remove(_TABLE, object_id=wanted)


def sweep(stores: Stores) -> int:
    """End pages that are past their date, delete those that ended a month ago; count the changes.

    A page that nobody opens is not opened by waiting either: this only tidies up.
    """
    now = stores.now()
    with stores.keyring.reading() as tx:
        if not any(_is_due(page, now) for page in map(_page, tx.find(_TABLE))):
            return 0
    with stores.keyring.writing() as tx:
        due = [page for page in map(_page, tx.find(_TABLE, lock=True)) if _is_due(page, now)]
        for page in due:
            if page.expires_at + KEPT_SECONDS <= now:
                tx.remove(_TABLE, id=page.id)
            else:
                change(tx, page.ended())
    touched = tuple(Touched("case", one) for one in sorted({page.case for page in due}))[:1000]
    if due:
        act = Act("referral.sweep", SERVICE, rule="permit:expiry", touched=touched, count=len(due))
        stores.ledger.record(act)
    return len(due)


def _is_due(page: CollectPage, now: int) -> bool:
    if page.expires_at + KEPT_SECONDS <= now:
        return True
    over = page.state(now) not in (PageState.OPEN, PageState.SPENT)
    return over and page.sealed is not None


def _content(one: CollectPage) -> bytes:
    lock, profile = one.lock, one.lock.profile
    return canonical.encode(
        one.referral,
        one.sender,
        one.language,
        one.fields,
        one.expires_at,
        one.openings,
        one.tries,
        (profile.memory, profile.passes, profile.lanes, lock.salt, lock.check, lock.secret),
        one.sealed,
        one.opened,
        one.answer or "",
        int(one.recalled),
        one.ticket,
    )


def _page(row: Row) -> CollectPage:
    reader = Reader.of(row.content)
    found = CollectPage(
        id=row.lookup["id"],
        case=row.lookup["object_id"],
        referral=reader.uuid(),
        sender=reader.uuid(),
        language=reader.text(),
        fields=tuple(str(name) for name in reader.list_()),
        expires_at=reader.number(),
        openings=reader.number(),
        tries=reader.number(),
        lock=_lock(Reader(reader.list_())),
        sealed=reader.optional_bytes(),
        opened=reader.number(),
        answer=reader.text() or None,
        recalled=bool(reader.number()),
        ticket=reader.optional_bytes(),
    )
    reader.end()
    if found.answer is not None and found.answer not in set(ReferralState):
        raise Tampered(code="collect-page")
    return found


def _lock(reader: Reader) -> Lock:
    profile = KdfProfile(reader.number(), reader.number(), reader.number())
    found = Lock(profile, reader.bytes_(), reader.bytes_(), reader.optional_bytes())
    reader.end()
    return found
