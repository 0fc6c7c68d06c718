"""Somebody's calendar feed: rendered in their own session, opened by its token and nothing else.

The token is the id of a private object and the key under which its content is sealed; no store
keeps it. The owner holds the object's own key by a grant to themselves, so that every session of
theirs can render anew. Must never seal anything but days and uids that tell nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from casevault.crypto import macs
from casevault.crypto.sealing import KEY_BYTES, Key
from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.texts import feeds
from casevault.domain.texts.feeds import Event
from casevault.errors import CaseVaultError, NotFound, Tampered
from casevault.logs import get_logger
from casevault.store.case.private_rows import PrivateObject
from casevault.store.case.records import Kept, kept
from casevault.store.casework import caseload, private
from casevault.store.casework.caseload import Glance
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.keys import people
from casevault.store.log.ledger import Act, Touched

_MADE, _ENDED, _RENDERED = "feed.make", "feed.end", "feed.render"
_NARRATIVE, _TASK = Compartment.NARRATIVE.value, DocumentKind.TASK.value
_UIDS = "feed-uid"
# What one sign-in may cost; whoever has more open cases of their own uses the worklist.
_MAX_CASES = 400
_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class FeedToken:
    """What the address of a feed holds."""

    id: UUID
    key: Key = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a token; None when it is not one."""
        data = macs.unb64(text) if len(text) < 100 and text.isascii() else None
        if data is None or len(data) != _ID_BYTES + KEY_BYTES:
            return None
        return cls(UUID(bytes=data[:_ID_BYTES]), Key(data[_ID_BYTES:]))

    def text(self) -> str:
        """Return the token as it stands in the address."""
        return macs.b64(self.id.bytes + self.key.material)


def make(stores: Stores, caller: Caller) -> FeedToken:
    """Make the caller's feed; one that there was is ended, and its token opens nothing more."""
    for old in private.ids_of(stores, caller.staff, private.FEED):
        private.remove(stores, caller, private.FEED, old, code=_ENDED)
    until = feeds.kept_until(stores.clock.now().date())
    made = private.keep(stores, caller, private.FEED, _content(stores, ()), until, code=_MADE)
    _render(stores, caller, made)
    return FeedToken(made, private.token_key(stores, caller, private.FEED, made, code=_MADE))


def end(stores: Stores, caller: Caller) -> None:
    """Erase the caller's feed; `NotFound` if there is none."""
    found = private.ids_of(stores, caller.staff, private.FEED)
    if not found:
        raise NotFound()
    for one in found:
        private.remove(stores, caller, private.FEED, one, code=_ENDED)


def refresh(stores: Stores, staff: UUID, caller_of: Callable[[], Caller]) -> None:
    """Render somebody's feed anew from their own open cases; cheap when there is none.

    A failure is logged and costs nothing else.
    """

    def render(feed: UUID) -> None:
        _render(stores, caller_of(), feed)

    _for_each(stores, staff, render)


def follow(stores: Stores, caller: Caller, task: Kept) -> None:
    """Let the caller's feed follow a change of a task, if it is theirs and there is a feed."""

    def followed(feed: UUID) -> None:
        _follow(stores, caller, feed, task)

    if task.record.about == caller.staff:
        _for_each(stores, caller.staff, followed)


def open_(stores: Stores, token: FeedToken) -> tuple[str, UUID]:
    """Return what a token opens, as a calendar, and whose it is.

    :raises NotFound: the token is wrong or old, or its feed was ended.
    """
    found, owner = private.open_with(stores, private.FEED, token.id, token.key)
    with stores.keyring.reading() as tx:
        account = people.staff_by_id(tx, owner)
    if account is None or account.suspended:
        raise NotFound()
    try:
        at = datetime.fromtimestamp(found.content["at"], UTC)
    except (KeyError, TypeError, ValueError):
        raise Tampered(code="feed") from None
    return feeds.render(_events(found), at), owner


def _render(stores: Stores, caller: Caller, feed: UUID) -> None:
    uids = _uid_key(stores, caller, feed)
    with stores.keyring.reading() as tx:
        own = caseload.own(tx, caller.staff)
    still_open = set[UUID]().union(*(caseload.open_cases(stores, t) for t in caller.actor.teams))

    def look(glance: Glance) -> list[Event]:
        tasks = map(kept, glance.documents)
        return [
            Event(_uid(uids, task.id), task.date)
            for task in tasks
            if task.is_open_task_of(caller.staff)
        ]

    page = caseload.page(
        stores,
        caller,
        own & still_open,
        look,
        reads={_NARRATIVE: [_TASK]},
        only=True,
        limit=_MAX_CASES,
    )
    events = [event for seen in page.items for event in seen.found or ()]
    seen = caseload.acts(caller, _RENDERED, page.items, fields=("task.due",))
    _change(stores, caller, feed, lambda _: events, seen)


def _follow(stores: Stores, caller: Caller, feed: UUID, task: Kept) -> None:
    uid = _uid(_uid_key(stores, caller, feed), task.id)
    mine = [Event(uid, task.date)] if task.is_open_task_of(caller.staff) else []

    def followed(before: list[Event]) -> list[Event]:
        return [event for event in before if event.uid != uid] + mine

    _change(stores, caller, feed, followed, [])


def _change(
    stores: Stores,
    caller: Caller,
    feed: UUID,
    work: Callable[[list[Event]], list[Event]],
    seen: Sequence[Act],
) -> None:
    act = Act(_RENDERED, caller.on_ledger, rule="permit:own", touched=(Touched("feed", feed),))
    until = feeds.kept_until(stores.clock.now().date())

    def content(present: PrivateObject) -> Mapping[str, Any]:
        return _content(stores, feeds.nearest(work(_events(present))))

    private.rework(stores, caller, private.FEED, feed, content, until, [act, *seen])


def _content(stores: Stores, events: Iterable[Event]) -> dict[str, Any]:
    return {"at": stores.now(), "events": [[event.uid, event.day] for event in events]}


def _events(found: PrivateObject) -> list[Event]:
    try:
        return [Event(str(uid), str(day)) for uid, day in found.content["events"]]
    except (KeyError, TypeError, ValueError):
        raise Tampered(code="feed") from None


def _uid_key(stores: Stores, caller: Caller, feed: UUID) -> Key:
    return private.derived_key(stores, caller, private.FEED, feed, _UIDS, code=_RENDERED)


def _uid(key: Key, task: UUID) -> str:
    # Without the key nobody can tell of which task it is, or that two feeds have one in common.
    return str(UUID(bytes=macs.mac(key, _UIDS, task)[:_ID_BYTES], version=4))


def _for_each(stores: Stores, staff: UUID, act: Callable[[UUID], None]) -> None:
    # Somebody's work must not fail for a calendar; the next sign-in renders it again.
    try:
        for feed in private.ids_of(stores, staff, private.FEED):
            act(feed)
    except CaseVaultError as error:
        get_logger().error("feed not rendered", slug=error.slug, code=error.code)
