"""Records of a case: notes, services, tasks, the timeline, links, refusals, changes of status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import Response

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
from casevault.api.routing import Router
from casevault.api.schemas.records import (
    CaseRecord,
    CaseRecordPage,
    Correction,
    Decision,
    LinkList,
    Made,
    MadeRecord,
    NewLink,
    NewRecord,
    NewRedaction,
    NewRefusal,
    NewTransition,
    Refusal,
    RefusalList,
    Transition,
)
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1/cases/{case_id}", tags=["records"])
_READ, _AMEND = needs(Permission.CASE_READ), needs(Permission.CASE_AMEND)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one kind of record is called in addresses and in operation ids."""

    kind: DocumentKind
    one: str
    many: str


def _operation(act: str, name: str, description: str, permission: dict[str, Any]) -> dict[str, Any]:
    return {
        "operation_id": f"{act}_{name}",
        "description": description,
        "openapi_extra": permission,
    }


def _add_routes(named: _Kind) -> None:
    kind, at_all, at_one = named.kind, f"/{named.many}", f"/{named.many}/{{record_id}}"

    @router.post(
        at_all,
        status_code=201,
        **_operation("add", named.one, f"Add a {named.one}, in your name.", _AMEND),
    )
    def add(
        vault: VaultDep,
        caller: OnceCaller,
        case_id: UUID,
        response: Response,
        body: NewRecord,
    ) -> MadeRecord:
        about = (body.assignee or caller.staff) if kind is DocumentKind.TASK else None
        made = vault.records.add(
            caller,
            case_id,
            kind,
            body.content,
            about,
        )
        located(response, f"/v1/cases/{case_id}{at_all}/{made.id}", made.version)
        return MadeRecord.of(made)

    @router.get(
        at_all,
        **_operation("list", named.many, f"The {named.many} of a case, newest date first.", _READ),
    )
    def list_all(
        vault: VaultDep, caller: CallerDep, case_id: UUID, cursor: Cursor = None
    ) -> CaseRecordPage:
        return CaseRecordPage.of(vault.records.list_(caller, case_id, (kind,), cursor))

    @router.get(
        at_one, **_operation("read", named.one, f"One {named.one} with all its versions.", _READ)
    )
    def read(
        vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID, response: Response
    ) -> CaseRecord:
        kept = vault.records.read(caller, case_id, kind, record_id)
        response.headers["ETag"] = etag(kept.version)
        return CaseRecord.of(kept)

    @router.put(
        at_one,
        **_operation(
            "amend", named.one, "Write a new version; the old one stays readable.", _AMEND
        ),
    )
    def amend(
        vault: VaultDep,
        caller: CallerDep,
        case_id: UUID,
        record_id: UUID,
        version: Version,
        body: Correction,
        response: Response,
    ) -> MadeRecord:
        changed = vault.records.correct(
            caller, case_id, kind, record_id, body.content, body.reason, version
        )
        response.headers["ETag"] = etag(changed.version)
        return MadeRecord.of(changed)

    @router.post(
        at_one + "/redactions",
        status_code=204,
        **_operation(
            "redact",
            named.one,
            "Take a passage out for good; a trace stays.",
            _AMEND,
        ),
    )
    def redact(
        vault: VaultDep,
        caller: CallerDep,
        case_id: UUID,
        record_id: UUID,
        version: Version,
        body: NewRedaction,
    ) -> Response:
        changed = vault.records.redact(
            caller, case_id, kind, record_id, body.passage, body.reason, version
        )
        return Response(status_code=204, headers={"ETag": etag(changed)})


for _kind in (
    _Kind(DocumentKind.NOTE, "note", "notes"),
    _Kind(DocumentKind.SERVICE, "service", "services"),
    _Kind(DocumentKind.TASK, "task", "tasks"),
):
    _add_routes(_kind)


@router.get("/timeline", operation_id="read_timeline", openapi_extra=_READ)
def read_timeline(
    vault: VaultDep, caller: CallerDep, case_id: UUID, cursor: Cursor = None
) -> CaseRecordPage:
    """Everything that happened in a case, newest date first."""
    return CaseRecordPage.of(vault.records.timeline(caller, case_id, cursor))


@router.get("/links", operation_id="list_links", openapi_extra=_READ)
def list_links(vault: VaultDep, caller: CallerDep, case_id: UUID) -> LinkList:
    """Other cases to which this one is linked."""
    return LinkList(items=[CaseRecord.of(kept) for kept in vault.links.links(caller, case_id)])


@router.post("/links", status_code=201, operation_id="link_case", openapi_extra=_AMEND)
def link_case(vault: VaultDep, caller: OnceCaller, case_id: UUID, body: NewLink) -> Made:
    """Link this case to another whose narrative you hold; it shows in both."""
    return Made(id=vault.links.link(caller, case_id, body.case_id, body.content))


@router.delete(
    "/links/{record_id}", status_code=204, operation_id="unlink_case", openapi_extra=_AMEND
)
def unlink_case(vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID) -> Response:
    """Take a link back, in both cases."""
    vault.links.unlink(caller, case_id, record_id)
    return Response(status_code=204)


@router.get("/refused-staff", operation_id="list_refused_staff", openapi_extra=_READ)
def list_refused_staff(vault: VaultDep, caller: CallerDep, case_id: UUID) -> RefusalList:
    """Members of staff whom the survivor does not want, and whether they hold keys."""
    return RefusalList(items=[Refusal.of(one) for one in vault.links.refusals(caller, case_id)])


@router.post("/refused-staff", status_code=201, operation_id="refuse_staff", openapi_extra=_AMEND)
def refuse_staff(vault: VaultDep, caller: OnceCaller, case_id: UUID, body: NewRefusal) -> Made:
    """Note that the survivor does not want this person: assigning to them is refused."""
    return Made(id=vault.links.refuse(caller, case_id, body.staff_id, body.content))


@router.delete(
    "/refused-staff/{record_id}",
    status_code=204,
    operation_id="accept_staff",
    openapi_extra=_AMEND,
)
def accept_staff(vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID) -> Response:
    """Take a refusal back, as the survivor wishes."""
    vault.links.accept_again(caller, case_id, record_id)
    return Response(status_code=204)


@router.post(
    "/transitions",
    status_code=201,
    operation_id="change_status",
    openapi_extra=needs(Permission.CASE_TRANSITION),
)
def change_status(
    vault: VaultDep, caller: OnceCaller, case_id: UUID, body: NewTransition
) -> Transition:
    """Change the status; closing may wait for a supervisor other than you."""
    return Transition.of(vault.transitions.ask(caller, case_id, body.content))


@router.post(
    "/transitions/{record_id}/decision",
    operation_id="decide_closing",
    openapi_extra=needs(Permission.CASE_DECIDE),
)
def decide_closing(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID, body: Decision
) -> Transition:
    """Approve or decline a closing that somebody else asked for."""
    moved = vault.transitions.decide(
        caller, case_id, record_id, approve=body.approve, reason=body.reason
    )
    return Transition.of(moved)
