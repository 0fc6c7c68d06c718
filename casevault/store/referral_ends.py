"""How a referral ends, whoever ends it: its page first, then the case, then the facts.

Must never let a page outlive what the case says about it, nor say that what was read came back.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID

from casevault.domain import referral
from casevault.domain.cascade import Shared
from casevault.domain.casefile import Compartment, DocumentKind
from casevault.domain.records import Record
from casevault.domain.referral import ReferralState, coded_referrals, stage_of
from casevault.errors import Tampered
from casevault.store import collect_pages, leaving
from casevault.store.collect_pages import PAGE, CollectPage
from casevault.store.held import Change
from casevault.store.records import Kept, kept
from casevault.store.stores import Stores

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


def end_page(stores: Stores, record: Record) -> CollectPage | None:
    """End the page of a referral; return it as it was, None if it has none."""
    page = leaving.named(record, PAGE)
    if page is None:
        return None
    with stores.keyring.writing() as tx:
        return collect_pages.recall(tx, page)


def give_up(stores: Stores, change: Change, found: Kept, **marks: str) -> CollectPage | None:
    """Recall a referral: its page opens nothing from now on; return the page as it was."""
    stage = referral.moved(stage_of(found.record), ReferralState.RECALLED)
    before = end_page(stores, found.record)
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
        pages = collect_pages.of_cases(tx, [change.case.id]) if found else {}
    return tuple(_shared(one, pages.get(one.id)) for one in found)


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


def _shared(one: Kept, page: CollectPage | None) -> Shared:
    try:
        grounds = frozenset(UUID(text) for text in one.record.marks.get(GROUNDS, "").split())
    except ValueError:
        raise Tampered(code="referral") from None
    stage = stage_of(one.record)
    # A page that is gone since may have been read.
    by_page = PAGE in one.record.marks and (page is None or page.opened > 0)
    was_read = by_page or not {PACKAGE, referral.ON_PAPER}.isdisjoint(one.record.marks)
    return Shared(one.id, stage in referral.OPEN, was_read, grounds)


def _today(stores: Stores) -> date:
    return stores.clock.now().date()
