"""What comes in: submitted by referrers, read and placed by the team that it is for."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal
from uuid import UUID

from fastapi import Response

from casevault.api.deps import CallerDep, VaultDep, needs
from casevault.api.pages import Language
from casevault.api.routing import Router
from casevault.api.schemas.inbox import (
    ArrivedPackage,
    Decline,
    InboxEntry,
    InboxList,
    IntakeGroup,
    LaterAnswer,
    MergeInto,
    NewIntake,
    NewIntakeMembers,
    OpenedEntry,
    Placed,
    Receipt,
    TakeOver,
)
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.sharing.arriving import letter_of, words_of
from casevault.domain.staff.access import Permission
from casevault.services.sharing.inbox import Box
from casevault.store.context.caller import Caller
from casevault.store.engine.idempotency import Repeat
from casevault.store.sharing.arrivals import ArrivalState

router = Router(prefix="/v1", tags=["inbox"])
_LIST, _DECIDE = needs(Permission.INBOX_LIST), needs(Permission.INBOX_DECIDE)
_NOTE: Literal["other"] = "other"


@router.post(
    "/intakes",
    status_code=201,
    operation_id="submit_intake",
    openapi_extra=needs(Permission.INTAKE_SUBMIT),
)
def submit_intake(vault: VaultDep, caller: CallerDep, body: NewIntake) -> Receipt:
    """Send a person's words to a team, named as it is called. You cannot read them back."""
    made = vault.inbox.submit(caller, body.team, body.identity, body.profile, body.words)
    return Receipt(receipt=made)


@router.post(
    "/inbox/packages",
    status_code=201,
    operation_id="unpack_package",
    openapi_extra=_DECIDE,
)
def unpack_package(vault: VaultDep, caller: CallerDep, body: ArrivedPackage) -> Receipt:
    """Take a package that came by hand into your inbox: an intake, or a referral from elsewhere.

    It opens with your group's key alone, once. `letter` then says whose signature it bears.
    """
    return Receipt(receipt=vault.inbox.unpack(caller, body.package))


@router.get("/inbox", operation_id="list_inbox", openapi_extra=_LIST)
def list_inbox(vault: VaultDep, caller: CallerDep, box: Box = Box.WAITING) -> InboxList:
    """What waits for your team; after thirty days nobody can read it any more.

    `box=accepted`: referrals of other teams that you took over and have not completed yet;
    `box=recalled`: those that were called back after somebody of you had read them.
    """
    return InboxList(items=[InboxEntry.of(one) for one in vault.inbox.list_(caller, box)])


@router.get("/inbox/{arrival_id}", operation_id="read_inbox_entry", openapi_extra=_LIST)
def read_inbox_entry(vault: VaultDep, caller: CallerDep, arrival_id: UUID) -> OpenedEntry:
    """What came in, opened with your group's key."""
    return OpenedEntry.of(vault.inbox.read(caller, arrival_id))


@router.post(
    "/inbox/{arrival_id}/case",
    status_code=201,
    operation_id="take_over_inbox_entry",
    openapi_extra=_DECIDE,
)
def take_over_inbox_entry(
    vault: VaultDep,
    caller: CallerDep,
    arrival_id: UUID,
    language: Language,
    response: Response,
    body: TakeOver,
) -> Placed:
    """Open a case with it. Sent twice, it is one case: the second answer is the first.

    What no field has room for (the sender's words, a referral's letter) becomes its first note.
    """
    opened = vault.inbox.claim(caller, arrival_id)
    intake = opened.intake
    view = vault.casework.open_case(
        _once(caller, arrival_id, "case"),
        intake.identity if body.identity is None else body.identity,
        intake.profile if body.profile is None else body.profile,
        body.retention_class,
        opened.arrival.team,
    )
    case, text = view.case.id, letter_of(intake, language)
    note = _noted(vault, caller, arrival_id, case, text) if text else None
    vault.inbox.claimed(caller, opened, ArrivalState.TAKEN, case)
    response.headers["Location"] = f"/v1/cases/{case}"
    return Placed(case_id=case, note_id=note)


@router.post(
    "/inbox/{arrival_id}/merge",
    status_code=201,
    operation_id="merge_inbox_entry",
    openapi_extra=_DECIDE,
)
def merge_inbox_entry(
    vault: VaultDep, caller: CallerDep, arrival_id: UUID, language: Language, body: MergeInto
) -> Placed:
    """Write it as a note into a case of yours: somebody was known already."""
    opened = vault.inbox.claim(caller, arrival_id)
    text = words_of(opened.intake, language)
    note = _noted(vault, caller, arrival_id, body.case_id, text)
    vault.inbox.claimed(caller, opened, ArrivalState.MERGED, body.case_id)
    return Placed(case_id=body.case_id, note_id=note)


@router.post(
    "/inbox/{arrival_id}/decline",
    status_code=204,
    operation_id="decline_inbox_entry",
    openapi_extra=_DECIDE,
)
def decline_inbox_entry(
    vault: VaultDep, caller: CallerDep, arrival_id: UUID, body: Decline
) -> None:
    """Take it out of the inbox, with a reason; what it said is erased.

    Of a referral from another team the reason goes back to its caseworker, and `words` with it.
    """
    vault.inbox.decline(caller, arrival_id, body.reason, body.words)


@router.post(
    "/inbox/{arrival_id}/answer",
    status_code=204,
    operation_id="answer_inbox_entry",
    openapi_extra=_DECIDE,
)
def answer_inbox_entry(
    vault: VaultDep, caller: CallerDep, arrival_id: UUID, body: LaterAnswer
) -> None:
    """Tell the other team what became of a referral that you accepted, or note its recall."""
    vault.inbox.answer(caller, arrival_id, body.answer, body.words)


@router.post(
    "/teams/{team_id}/intake",
    operation_id="set_intake",
    openapi_extra=needs(Permission.INTAKE_SET),
)
def set_intake(
    vault: VaultDep, caller: CallerDep, team_id: UUID, body: NewIntakeMembers
) -> IntakeGroup:
    """Say who opens your team's inbox beside its supervisors: exactly these colleagues.

    Whoever is left out opens nothing that comes in from now on, nor what waits: the group gets a
    new key, so hand out the address for packages anew. `members` are all who open it, supervisors
    included.
    """
    return IntakeGroup(
        members=list(vault.intake_members.set_members(caller, team_id, body.members))
    )


def _noted(vault: VaultDep, caller: Caller, arrival_id: UUID, case: UUID, text: str) -> UUID:
    today = vault.stores.clock.now().date().isoformat()
    content = {"type": _NOTE, "date": today, "text": text}
    once = _once(caller, arrival_id, case.hex)
    return vault.records.add(once, case, DocumentKind.NOTE, content).id


def _once(caller: Caller, arrival: UUID, into: str) -> Caller:
    """Return the caller of what is made once: cut off before the inbox knew, it is found again."""
    repeat = Repeat(caller.staff, "/v1/inbox/" + into, arrival.hex, arrival.bytes)
    return replace(caller, repeat=repeat)
