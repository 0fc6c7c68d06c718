"""The survivor's rights: what they ask for, who decides it by when, and what follows."""

from __future__ import annotations

from uuid import UUID

from fastapi.responses import HTMLResponse, Response

from casevault.api import pages
from casevault.api.deps import CallerDep, VaultDep, needs
from casevault.api.pages import STYLE, Language
from casevault.api.routing import Router
from casevault.api.schemas.copies import CopyConfirmed, CopyPreview, CopyWanted
from casevault.api.schemas.rights import (
    ComplaintAnswer,
    ComplaintList,
    ComplaintSent,
    ComplaintShown,
    Identified,
    Lifting,
    MoreTime,
    NewComplaint,
    NewNotices,
    NewRestriction,
    NewRight,
    NoticeList,
    ReceivedRight,
    Restriction,
    RestrictionList,
    RightDecision,
    RightDone,
    RightList,
    RightShown,
    RightState,
    RightStates,
)
from casevault.domain.rights import copies, copy_archive, copy_page, portability, rights_page
from casevault.domain.staff.access import Permission
from casevault.errors import Tampered
from casevault.services.rights.copying import WITH_FILES, Given

router = Router(prefix="/v1", tags=["rights"])
_TYPES = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    WITH_FILES: "application/zip",
}


@router.post(
    "/cases/{case_id}/rights",
    status_code=201,
    operation_id="ask_right",
    openapi_extra=needs(Permission.RIGHT_ASK),
)
def ask_right(vault: VaultDep, caller: CallerDep, case_id: UUID, body: NewRight) -> RightState:
    """Pass on what a survivor asks for about their own file; it is answered within 30 days."""
    return RightState.of(vault.rights.ask(caller, case_id, body.wish()))


@router.get(
    "/cases/{case_id}/rights",
    operation_id="list_case_rights",
    openapi_extra=needs(Permission.CASE_READ),
)
def list_case_rights(vault: VaultDep, caller: CallerDep, case_id: UUID) -> RightStates:
    """How far the requests of a case are; their words are for the DPO and the supervisors."""
    found = vault.rights.of_case(caller, case_id)
    return RightStates(items=[RightState.of(one) for one in found])


@router.post(
    "/cases/{case_id}/rights/{right_id}/done",
    operation_id="finish_right",
    openapi_extra=needs(Permission.RIGHT_ASK),
)
def finish_right(
    vault: VaultDep, caller: CallerDep, case_id: UUID, right_id: UUID, body: RightDone
) -> RightState:
    """Note that what was decided is carried out and the survivor was told."""
    return RightState.of(vault.rights.finish(caller, case_id, right_id, body.told))


@router.get(
    "/cases/{case_id}/rights/{right_id}/notices",
    operation_id="list_notices",
    openapi_extra=needs(Permission.CASE_READ),
)
def list_notices(vault: VaultDep, caller: CallerDep, case_id: UUID, right_id: UUID) -> NoticeList:
    """Who got something of this file before, and was told since or not."""
    return NoticeList.of(vault.notices.list_(caller, case_id, right_id))


@router.post(
    "/cases/{case_id}/rights/{right_id}/notices",
    operation_id="draw_up_notices",
    openapi_extra=needs(Permission.RIGHT_ASK),
)
def draw_up_notices(
    vault: VaultDep, caller: CallerDep, case_id: UUID, right_id: UUID, body: NewNotices
) -> NoticeList:
    """A task for each earlier recipient who has none: on your worklist until it is done.

    A request to correct or to freeze is not done before all are.
    """
    return NoticeList.of(vault.notices.draw_up(caller, case_id, right_id, body.words))


@router.get("/rights", operation_id="list_rights", openapi_extra=needs(Permission.RIGHT_LIST))
def list_rights(vault: VaultDep, caller: CallerDep) -> RightList:
    """The requests with their words and steps; to supervisors those of their team."""
    return RightList(items=[RightShown.told(one) for one in vault.rights.list_(caller)])


@router.post(
    "/rights",
    status_code=201,
    operation_id="receive_right",
    openapi_extra=needs(Permission.RIGHT_DECIDE),
)
def receive_right(vault: VaultDep, caller: CallerDep, body: ReceivedRight) -> RightState:
    """Note a request that reached the DPO directly."""
    return RightState.of(vault.rights.receive(caller, _case(body.case), body.wish()))


@router.post(
    "/rights/{right_id}/identity",
    operation_id="identify_asker",
    openapi_extra=needs(Permission.RIGHT_IDENTIFY),
)
def identify_asker(
    vault: VaultDep, caller: CallerDep, right_id: UUID, body: Identified
) -> RightState:
    """Note by which procedure it was made sure who asks. What was shown is kept nowhere."""
    return RightState.of(vault.rights.identify(caller, right_id, body.method))


@router.post(
    "/rights/{right_id}/extension",
    operation_id="extend_right",
    openapi_extra=needs(Permission.RIGHT_DECIDE),
)
def extend_right(vault: VaultDep, caller: CallerDep, right_id: UUID, body: MoreTime) -> RightState:
    """Give an answer 60 more days, once."""
    return RightState.of(vault.rights.extend(caller, right_id, body.reason))


@router.post(
    "/rights/{right_id}/decision",
    operation_id="decide_right",
    openapi_extra=needs(Permission.RIGHT_DECIDE),
)
def decide_right(
    vault: VaultDep, caller: CallerDep, right_id: UUID, body: RightDecision
) -> RightState:
    """Grant or refuse. A granted restriction freezes the case, an objection stops its purpose."""
    return RightState.of(vault.rights.decide(caller, right_id, body.reason, body.ground))


@router.get(
    "/rights/{right_id}/answer",
    operation_id="print_right_answer",
    response_class=HTMLResponse,
    openapi_extra=needs(Permission.RIGHT_LIST),
)
def print_right_answer(
    vault: VaultDep, caller: CallerDep, right_id: UUID, language: Language
) -> HTMLResponse:
    """The answer as a page for whoever asked, in their language; a refusal says how to complain."""
    told = vault.rights.answer(caller, right_id)
    story, one = told.story, told.shown
    if story is None:
        raise Tampered(code="right")
    received = RightShown.told(told).received_at
    day = "" if received is None else received.date().isoformat()
    shown = rights_page.answer(one.reference or "", one.matter.type, day, story, language, STYLE)
    return pages.page(shown, language)


@router.post(
    "/complaints",
    status_code=201,
    operation_id="send_complaint",
    openapi_extra=needs(Permission.COMPLAINT_SEND),
)
def send_complaint(vault: VaultDep, caller: CallerDep, body: NewComplaint) -> ComplaintSent:
    """Pass a complaint on to the DPO; nobody else reads it, nor you afterwards."""
    return ComplaintSent(id=vault.complaints.send(caller, body.asker, body.words, body.case))


@router.get(
    "/complaints", operation_id="list_complaints", openapi_extra=needs(Permission.COMPLAINT_LIST)
)
def list_complaints(vault: VaultDep, caller: CallerDep) -> ComplaintList:
    """The complaints, for the DPO."""
    return ComplaintList(items=[ComplaintShown.of(one) for one in vault.complaints.list_(caller)])


@router.post(
    "/complaints/{complaint_id}/answer",
    status_code=204,
    operation_id="answer_complaint",
    openapi_extra=needs(Permission.COMPLAINT_ANSWER),
)
def answer_complaint(
    vault: VaultDep, caller: CallerDep, complaint_id: UUID, body: ComplaintAnswer
) -> None:
    """Note what whoever complained was answered."""
    vault.complaints.answer(caller, complaint_id, body.words)


@router.post(
    "/cases/{case_id}/copy/preview",
    operation_id="preview_copy",
    openapi_extra=needs(Permission.CASE_EXPORT),
)
def preview_copy(
    vault: VaultDep, caller: CallerDep, case_id: UUID, body: CopyWanted
) -> CopyPreview:
    """The survivor's copy as it would leave, and every place that may speak of somebody else."""
    return CopyPreview.of(vault.copying.preview(caller, case_id, body.kept_back()))


@router.post(
    "/cases/{case_id}/copy",
    operation_id="give_copy",
    response_class=Response,
    responses={200: {"content": {"text/html": {}, "application/json": {}, "application/zip": {}}}},
    openapi_extra=needs(Permission.CASE_EXPORT),
)
def give_copy(
    vault: VaultDep, caller: CallerDep, case_id: UUID, body: CopyConfirmed, language: Language
) -> Response:
    """The copy exactly as it was previewed, as a page that prints or as JSON. It is kept nowhere.

    `zip` is both, and the attached files that were not kept back, up to 64 MiB in all. Asks for
    your passphrase of the last five minutes.
    """
    kept_back, form = body.kept_back(), body.form
    given = vault.copying.give(caller, case_id, kept_back, body.digest, form, language)
    return _attached(form, _copied(given, form, language))


@router.post(
    "/cases/{case_id}/portability",
    operation_id="carry_file",
    response_class=Response,
    responses={200: {"content": {"application/json": {}}}},
    openapi_extra=needs(Permission.CASE_EXPORT),
)
def carry_file(vault: VaultDep, caller: CallerDep, case_id: UUID) -> Response:
    """The person's own data under the names of HTCDS, for another organisation to read.

    Nothing that describes others, no free text about the case: those are in the copy.
    """
    content = portability.encoded(vault.copying.carry(caller, case_id))
    return _attached("json", content, "portability")


def _copied(given: Given, form: str, language: str) -> bytes:
    if form == "json":
        return copies.encoded(given.copy)
    if form == WITH_FILES:
        return copy_archive.archive(given.copy, language, given.files)
    return copy_page.page(given.copy, language).encode()


def _attached(form: str, content: bytes, name: str = "copy") -> Response:
    kind = _TYPES[form]
    # No name of anybody in the name of the file.
    disposition = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
    return Response(content, media_type=kind, headers=disposition)


@router.get(
    "/restrictions", operation_id="list_restrictions", openapi_extra=needs(Permission.RIGHT_LIST)
)
def list_restrictions(vault: VaultDep, caller: CallerDep) -> RestrictionList:
    """The frozen cases with the reasons; to supervisors those of their team."""
    return RestrictionList(items=[Restriction.of(one) for one in vault.restrictions.list_(caller)])


@router.post(
    "/restrictions",
    status_code=201,
    operation_id="set_restriction",
    openapi_extra=needs(Permission.RIGHT_DECIDE),
)
def set_restriction(vault: VaultDep, caller: CallerDep, body: NewRestriction) -> Restriction:
    """Freeze a case: it is kept and read, but not changed, sent, counted or erased."""
    case = _case(body.case)
    return Restriction.of(vault.restrictions.set_(caller, case, body.reason, body.review))


@router.post(
    "/restrictions/{restriction_id}/lifting",
    status_code=204,
    operation_id="lift_restriction",
    openapi_extra=needs(Permission.RIGHT_DECIDE),
)
def lift_restriction(
    vault: VaultDep, caller: CallerDep, restriction_id: UUID, body: Lifting
) -> None:
    """Let a case be used again. The survivor is told first: GDPR article 18 (3)."""
    vault.restrictions.lift(caller, restriction_id, body.told)


def _case(text: str) -> UUID | str:
    try:
        return UUID(text)
    except ValueError:
        return text
