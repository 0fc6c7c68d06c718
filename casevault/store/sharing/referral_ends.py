"""How a referral ends, whoever ends it: its page first, then the case, then the facts.

Must never let a page outlive what the case says about it, nor say that what was read came back.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID

from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.case.records import Record
from casevault.domain.sharing import referral
from casevault.domain.sharing.cascade import Shared
from casevault.domain.sharing.referral import ReferralState, coded_referrals, stage_of
from casevault.errors import Tampered
from casevault.store.case.records import Kept, kept
from casevault.store.casework.held import Change
from casevault.store.context.stores import Stores
from casevault.store.sharing import referral_traces
from casevault.store.sharing.referral_traces import TRACED, Trace

_KIND = DocumentKind.REFERRAL
_NARRATIVE, _FACTS = Compartment.NARRATIVE.value, Compartment.FACTS.value
# The marks of what the survivor agreed to: the digest of the bytes, in which language, by which
# grounds.
DIGEST, LANGUAGE, GROUNDS = "digest", "language", "grounds"
# The package that was made of them: once it is out of the house nobody knows who has opened it.
PACKAGE = "package"
_AGREED = frozenset(
    {DIGEST, LANGUAGE, GROUNDS, "state", "approval", "decision", "decided_by", "decided_at"}
)


def without_agreement(record: Record) -> Record:
    """Return a record to which nobody has agreed, and which nobody has approved."""
    marks = {name: value for name, value in record.marks.items() if name not in _AGREED}
    return Record(record.versions, record.redactions, record.about, marks)


def end_trace(stores: Stores, record: Record) -> Trace | None:
    """End page or inbox entry of a referral; return what was known before, None if it has none."""
    with stores.keyring.writing() as tx:
        return referral_traces.recall(tx, record, stores.now())


def give_up(stores: Stores, change: Change, found: Kept, **marks: str) -> Trace | None:
    """Recall a referral: it opens nothing from now on; return what was known of it before."""
    stage = referral.moved(stage_of(found.record), ReferralState.RECALLED)
    before = end_trace(stores, found.record)
    marked = found.record.marked(
        **marks, **{referral.STAGE: stage.value, referral.OUTCOME_ON: _today(stores).isoformat()}
    )
    change.amend(_NARRATIVE, found.id, marked.encode(), found.version)
    return before


def stop(stores: Stores, change: Change, row: UUID) -> None:
    """Stop a referral that nobody agrees to any more: back to a draft if it has not left."""
    found = kept(change.document(_NARRATIVE, _KIND.value, row))
    if stage_of(found.record) is ReferralState.CONSENTED:
        draft = without_agreement(found.record)
        marked = draft.marked(**{referral.STAGE: ReferralState.DRAFT.value})
        change.amend(_NARRATIVE, row, marked.encode(), found.version)
    else:
        give_up(stores, change, found)


def shared(stores: Stores, change: Change) -> tuple[Shared, ...]:
    """Return the referrals of a case as a withdrawn consent looks at them."""
    found = [kept(one) for one in change.documents(_NARRATIVE, [_KIND.value])]
    with stores.keyring.reading() as tx:
        traces = referral_traces.of_cases(tx, [change.case.id], stores.now()) if found else {}
    return tuple(_shared(one, traces.get(one.id)) for one in found)


def recount(change: Change) -> None:
    """Make the coded facts follow the referrals of the case."""
    found = change.documents(_NARRATIVE, [_KIND.value])
    coded = coded_referrals(Record.decode(one.content) for one in found)
    facts = change.document(_FACTS, DocumentKind.FACTS.value)
    content = {name: value for name, value in facts.content.items() if name != "referrals"}
    if coded:
        content["referrals"] = coded
    if content != facts.content:
        change.amend(_FACTS, facts.row, content, facts.version)


def _shared(one: Kept, trace: Trace | None) -> Shared:
    try:
        grounds = frozenset(UUID(text) for text in one.record.marks.get(GROUNDS, "").split())
    except ValueError:
        raise Tampered(code="referral") from None
    stage = stage_of(one.record)
    # What is gone since may have been read.
    has_trace = not TRACED.isdisjoint(one.record.marks)
    by_trace = has_trace and (trace is None or trace.was_read)
    was_read = by_trace or not {PACKAGE, referral.ON_PAPER}.isdisjoint(one.record.marks)
    return Shared(one.id, stage in referral.OPEN, was_read, grounds)


def _today(stores: Stores) -> date:
    return stores.clock.now().date()
