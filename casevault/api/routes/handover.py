"""Covering for colleagues, and taking over from those who leave."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from casevault.api.deps import CallerDep, VaultDep, needs
from casevault.api.schemas.handover import Cover, DepartureState, NewCover, NewDeparture
from casevault.clock import unix_seconds
from casevault.domain.access import Permission

router = APIRouter(prefix="/v1", tags=["staff"])


@router.post(
    "/covers",
    status_code=201,
    operation_id="give_cover",
    openapi_extra=needs(Permission.COVER_GIVE),
)
def give_cover(vault: VaultDep, caller: CallerDep, body: NewCover) -> Cover:
    """Give a colleague everything that another one holds of your team, until a date.

    The grants end by themselves. Ask again to give what is still lacking, or to make it longer.
    """
    until = unix_seconds(body.until)
    return Cover.of(vault.covers.give(caller, body.staff_id, body.by, until))


@router.post(
    "/staff/{staff_id}/departure",
    operation_id="depart_staff",
    openapi_extra=needs(Permission.STAFF_DEPART),
)
def depart_staff(
    vault: VaultDep, caller: CallerDep, staff_id: UUID, body: NewDeparture
) -> DepartureState:
    """Let a colleague leave: shut out at once, then their cases pass on and get new keys.

    A supervisor of their team does it, the DPO for who is in no team. Up to 50 cases a call: ask
    again until it is finished.
    """
    return DepartureState.of(vault.departures.depart(caller, staff_id, body.plan()))
