"""Referrals of a case: written, previewed, agreed to, approved, sent, recalled, answered."""

from __future__ import annotations

from uuid import UUID

from fastapi import Response
from fastapi.responses import HTMLResponse

from casevault.api import pages
from casevault.api.deps import (
    CallerDep,
    Cursor,
    OnceCaller,
    VaultDep,
    Version,
    etag,
    located,
    needs,
)
from casevault.api.pages import STYLE, Language
from casevault.api.routing import Router
from casevault.api.schemas.exchange import VaultLetter
from casevault.api.schemas.records import Decision, Made
from casevault.api.schemas.referrals import (
    Agreement,
    AmendedReferral,
    NewReferral,
    NotedAnswer,
    PackedReferral,
    Packing,
    Recall,
    RecalledReferralShown,
    Referral,
    ReferralDecision,
    ReferralList,
    ReferralPreview,
    ReferralStage,
    Sending,
    SentReferral,
)
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.sharing.collecting import Offer
from casevault.domain.sharing.packing import PackageOffer
from casevault.domain.sharing.referral import ReferralState
from casevault.domain.sharing.referral_page import referral_html
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1/cases/{case_id}/referrals", tags=["referrals"])
_READ, _REFER = needs(Permission.CASE_READ), needs(Permission.CASE_REFER)
_KIND = DocumentKind.REFERRAL


@router.post("", status_code=201, operation_id="add_referral", openapi_extra=_REFER)
def add_referral(
    vault: VaultDep,
    caller: OnceCaller,
    case_id: UUID,
    response: Response,
    body: NewReferral,
) -> Made:
    """Write a referral to an organisation of the directory, or to a team. Nothing leaves yet."""
    made = vault.referrals.draft(caller, case_id, body.recipient, body.content)
    located(response, f"/v1/cases/{case_id}/referrals/{made}")
    return Made(id=made)


@router.get("", operation_id="list_referrals", openapi_extra=_READ)
def list_referrals(
    vault: VaultDep, caller: CallerDep, case_id: UUID, cursor: Cursor = None
) -> ReferralList:
    """The referrals of a case, newest first, each as it stands at this moment."""
    page = vault.records.list_(caller, case_id, (_KIND,), cursor)
    found = vault.referral_outcomes.live(case_id, page.items)
    return ReferralList(items=[Referral.of(one) for one in found], cursor=page.cursor)


@router.get("/{record_id}", operation_id="read_referral", openapi_extra=_READ)
def read_referral(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID, response: Response
) -> Referral:
    """One referral with what its recipient did."""
    kept = vault.records.read(caller, case_id, _KIND, record_id)
    response.headers["ETag"] = etag(kept.version)
    return Referral.of(vault.referral_outcomes.live(case_id, [kept])[0])


@router.put("/{record_id}", status_code=204, operation_id="amend_referral", openapi_extra=_REFER)
def amend_referral(
    vault: VaultDep,
    caller: CallerDep,
    case_id: UUID,
    record_id: UUID,
    version: Version,
    body: AmendedReferral,
) -> Response:
    """Write it anew before it is sent; it must be agreed to again."""
    changed = vault.referrals.amend(caller, case_id, record_id, body.content, version)
    return Response(status_code=204, headers={"ETag": etag(changed)})


@router.get("/{record_id}/preview", operation_id="preview_referral", openapi_extra=_READ)
def preview_referral(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID, language: Language
) -> ReferralPreview:
    """Exactly the bytes that would leave, as a page too, and why the rest stays."""
    shown = vault.referrals.preview(caller, case_id, record_id)
    return ReferralPreview.of(shown, referral_html(shown.packed, language))


@router.post("/{record_id}/agreement", operation_id="agree_referral", openapi_extra=_REFER)
def agree_referral(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID, body: Agreement
) -> ReferralStage:
    """Note that the survivor agreed to what a preview showed; other bytes are refused later."""
    stage = vault.referrals.agree(
        caller, case_id, record_id, body.digest, body.language, ask=body.ask_approval
    )
    return ReferralStage(stage=stage)


@router.post(
    "/{record_id}/decision",
    operation_id="decide_referral",
    openapi_extra=needs(Permission.CASE_DECIDE),
)
def decide_referral(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID, body: Decision
) -> ReferralDecision:
    """Approve or decline what somebody else is about to send, where the policy asks for it."""
    state = vault.referrals.decide(
        caller, case_id, record_id, approve=body.approve, reason=body.reason
    )
    return ReferralDecision(state=state)


@router.post(
    "/{record_id}/sending",
    status_code=201,
    operation_id="send_referral",
    openapi_extra=_REFER,
)
def send_referral(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID, body: Sending
) -> SentReferral:
    """Put it behind a link without data. Say the code by phone: it is shown this once."""
    offer = Offer(body.language, body.days, body.openings)
    return SentReferral.of(vault.referrals.send(caller, case_id, record_id, offer))


@router.post("/{record_id}/team", operation_id="send_referral_to_team", openapi_extra=_REFER)
def send_referral_to_team(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID
) -> ReferralStage:
    """Put it into the inbox of the team it is for: a sealed copy of the bytes agreed to.

    If it was cut off on its way (`undelivered`), send it again: it arrives once.
    """
    return ReferralStage(stage=vault.team_referrals.send(caller, case_id, record_id))


@router.post(
    "/{record_id}/question",
    status_code=201,
    operation_id="ask_partner_vault",
    openapi_extra=_REFER,
)
def ask_partner_vault(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID
) -> VaultLetter:
    """Ask the partner's vault whether they can help, before anything about anybody leaves.

    It hears which service is asked for and how urgently, and nothing else.
    """
    one = vault.vault_letters.ask_first(caller, case_id, record_id)
    return VaultLetter.of(vault.exchange.deliver(one.id))


@router.post(
    "/{record_id}/vault",
    status_code=201,
    operation_id="send_referral_to_vault",
    openapi_extra=_REFER,
)
def send_referral_to_vault(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID
) -> VaultLetter:
    """Send what was agreed to to the partner's vault, sealed to its team, signed by us.

    `delivered_at` stands once its signed receipt is here; until then `casevault exchange run` tries
    again, and it arrives once.
    """
    one = vault.vault_letters.send(caller, case_id, record_id)
    return VaultLetter.of(vault.exchange.deliver(one.id))


@router.post(
    "/{record_id}/paper",
    operation_id="hand_over_referral",
    response_class=HTMLResponse,
    openapi_extra=_REFER,
)
def hand_over_referral(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID, language: Language
) -> HTMLResponse:
    """A summary for a lawyer or an authority, to print and hand over: the bytes agreed to."""
    packed = vault.referrals.hand_over(caller, case_id, record_id)
    return pages.page(referral_html(packed, language, STYLE), language)


@router.post(
    "/{record_id}/package",
    status_code=201,
    operation_id="pack_referral",
    openapi_extra=_REFER,
)
def pack_referral(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID, body: Packing
) -> PackedReferral:
    """Seal it into a package for the recipient, signed by the organisation.

    It is kept nowhere: if it is lost, recall the referral and write another. What is out of the
    house cannot be called back.
    """
    offer = PackageOffer(body.language, body.days, body.to == "key")
    return PackedReferral.of(vault.referrals.pack(caller, case_id, record_id, offer))


@router.post("/{record_id}/answer", operation_id="note_referral_answer", openapi_extra=_REFER)
def note_referral_answer(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID, body: NotedAnswer
) -> Referral:
    """Write down what a partner said by phone, by letter or in person; the facts follow it."""
    today = vault.stores.clock.now().date()
    found = vault.referral_outcomes.note(
        caller, case_id, record_id, ReferralState(body.answer), body.told(today)
    )
    return Referral.of(found)


@router.post("/{record_id}/recall", operation_id="recall_referral", openapi_extra=_REFER)
def recall_referral(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID, body: Recall
) -> RecalledReferralShown:
    """Give it up. Its link opens nothing more; the answer says whether it was read before."""
    found = vault.referral_outcomes.recall(
        caller, case_id, record_id, body.reason, by_survivor=body.by_survivor
    )
    told = None if found.letter is None else vault.exchange.tell(found.letter)
    return RecalledReferralShown.of(found, told)


@router.post("/{record_id}/outcome", operation_id="take_referral_outcome", openapi_extra=_REFER)
def take_referral_outcome(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID
) -> Referral:
    """Take over what the recipient answered, or did not: into the case, and into the facts."""
    return Referral.of(vault.referral_outcomes.take_over(caller, case_id, record_id))
