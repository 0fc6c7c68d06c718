"""Who got something of a case before it was corrected or frozen, and whether they were told since.

A referral that left is a recipient; a task of the case with a mark says that somebody will tell
them, and done, that it was said. Colleagues are none: they read the file as it is now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from sqlalchemy import Connection

from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.sharing.referral import SENT_ON, ReferralState
from casevault.errors import Conflict
from casevault.store.case.documents import Document
from casevault.store.case.held_case import HeldCase
from casevault.store.case.records import Kept, kept
from casevault.store.context.stores import Stores
from casevault.store.sharing import referral_traces
from casevault.store.sharing.referral_traces import Trace

NARRATIVE = Compartment.NARRATIVE.value
KINDS = (DocumentKind.REFERRAL.value, DocumentKind.TASK.value)
# The marks of a task that is a notice: of which request, to the recipient of which referral.
RIGHT, REFERRAL = "right", "referral"
_ENDED = frozenset({ReferralState.RECALLED, ReferralState.EXPIRED})


@dataclass(frozen=True, slots=True)
class Notice:
    """A recipient to be told: since when they have what, and the task, if there is one yet."""

    referral: UUID
    recipient: str = field(repr=False)
    sent_on: str
    task: UUID | None = None
    done: bool = False


def to_tell(
    documents: Iterable[Document], traces: Mapping[UUID, Trace], right: UUID, today: date
) -> list[Notice]:
    """Return everybody who is to be told for a request, oldest referral first."""
    records = [kept(one) for one in documents]
    tasks = {
        one.record.marks[REFERRAL]: one
        for one in records
        if one.kind is DocumentKind.TASK and one.record.marks.get(RIGHT) == right.hex
    }
    found = [
        _notice(one, tasks.get(one.id.hex))
        for one in records
        if one.kind is DocumentKind.REFERRAL and _has_it(one, traces.get(one.id), today)
    ]
    return sorted(found, key=lambda one: (one.sent_on, one.referral))


def check_told(stores: Stores, held: HeldCase, connection: Connection, right: UUID) -> None:
    """Refuse, with `Conflict`, while an earlier recipient was not told for a request."""
    if NARRATIVE not in held.versions:
        # It was erased, and with it what was sent to whom.
        return
    found = held.documents(connection, held.manifest(connection, NARRATIVE), KINDS)
    with stores.keyring.reading() as tx:
        traces = referral_traces.of_cases(tx, [held.case.id], stores.now())
    today = stores.clock.now().date()
    if not all(one.done for one in to_tell(found, traces, right, today)):
        raise Conflict(
            "Earlier recipients are to be told first.",
            code="right.notices",
            hint="GET and POST /v1/cases/{id}/rights/{right}/notices.",
        )


def _has_it(one: Kept, trace: Trace | None, today: date) -> bool:
    """Say whether somebody may have read a referral; who cannot be asked any more counts."""
    if SENT_ON not in one.record.marks:
        return False
    ended = referral_traces.seen(one.record, trace, today) in _ENDED
    return not (ended and trace is not None and not trace.was_read)


def _notice(one: Kept, task: Kept | None) -> Notice:
    return Notice(
        one.id,
        str(one.record.current.content["recipient"]),
        one.record.marks[SENT_ON],
        None if task is None else task.id,
        task is not None and bool(task.record.current.content.get("done")),
    )
