"""Opening a case in an emergency, its review, and who is on call."""

from __future__ import annotations

from uuid import UUID

from casevault.api.deps import CallerDep, VaultDep, needs
from casevault.api.routing import Router
from casevault.api.schemas.break_glass import (
    BreakGlass,
    BreakGlassItem,
    BreakGlassList,
    BreakGlassReview,
    Duty,
    NewBreakGlass,
    NewDuty,
)
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1", tags=["break-glass"])


@router.post(
    "/break-glass",
    status_code=201,
    operation_id="break_glass",
    openapi_extra=needs(Permission.BREAK_GLASS_ASK),
)
def break_glass(vault: VaultDep, caller: CallerDep, body: NewBreakGlass) -> BreakGlass:
    """Ask to open a case of your team that you do not hold, for three hours.

    A supervisor of the team approves it within the hour; whoever is on call opens it at once.
    Everything that you open is marked, and the DPO looks at it.
    """
    names = [compartment.value for compartment in body.compartments]
    dossier = vault.emergencies.ask(caller, _case(body.case), body.reason, names)
    return BreakGlass.of(dossier, vault.stores.now())


@router.get(
    "/break-glass",
    operation_id="list_break_glass",
    openapi_extra=needs(Permission.BREAK_GLASS_LIST),
)
def list_break_glass(vault: VaultDep, caller: CallerDep) -> BreakGlassList:
    """What is open or waits for review; to supervisors of the team also what was asked for."""
    found = vault.emergencies.list_(caller)
    return BreakGlassList(items=[BreakGlassItem.of(one) for one in found])


@router.post(
    "/break-glass/{break_glass_id}/review",
    status_code=204,
    operation_id="review_break_glass",
    openapi_extra=needs(Permission.BREAK_GLASS_REVIEW),
)
def review_break_glass(
    vault: VaultDep, caller: CallerDep, break_glass_id: UUID, body: BreakGlassReview
) -> None:
    """Say what you found; within 72 hours, or an alert is raised."""
    vault.emergencies.review(caller, break_glass_id, body.outcome, body.note)


@router.post(
    "/teams/{team_id}/duty",
    operation_id="set_duty",
    openapi_extra=needs(Permission.DUTY_SET),
)
def set_duty(vault: VaultDep, caller: CallerDep, team_id: UUID, body: NewDuty) -> Duty:
    """Say who is on call in your team. They open a case in an emergency without asking."""
    return Duty.of(vault.duty.set_members(caller, team_id, body.members))


def _case(text: str) -> UUID | str:
    try:
        return UUID(text)
    except ValueError:
        return text
