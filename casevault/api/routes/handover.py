"""Covering for colleagues, and taking over from those who leave."""

from __future__ import annotations

from uuid import UUID

from casevault.api.deps import CallerDep, VaultDep, needs
from casevault.api.routing import Router
from casevault.api.schemas.handover import (
    Cover,
    DeclinedTransfer,
    DepartureState,
    GivenTransfer,
    NewCover,
    NewDeparture,
    NewTransfer,
    TakenTransfer,
)
from casevault.clock import unix_seconds
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1", tags=["staff"])


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
    "/cases/{case_id}/transfer",
    status_code=201,
    operation_id="transfer_case",
    openapi_extra=needs(Permission.CASE_TRANSFER),
)
def transfer_case(
    vault: VaultDep, caller: CallerDep, case_id: UUID, body: NewTransfer
) -> GivenTransfer:
    """Give the case to another team, if the survivor agreed: nobody of yours opens it any more.

    It gets new keys at once. The other team's supervisors hold it, and take it into their team.
    """
    return GivenTransfer(id=vault.transfers.give(caller, case_id, body.team_id))


@router.post(
    "/transfers/{transfer_id}/receipt",
    operation_id="take_case",
    openapi_extra=needs(Permission.CASE_TAKE),
)
def take_case(vault: VaultDep, caller: CallerDep, transfer_id: UUID) -> TakenTransfer:
    """Take a case that another team gave to yours: it is your team's, and is found by search."""
    return TakenTransfer(case_id=vault.transfers.take(caller, transfer_id))


@router.post(
    "/transfers/{transfer_id}/refusal",
    operation_id="decline_case",
    openapi_extra=needs(Permission.CASE_TAKE),
)
def decline_case(
    vault: VaultDep, caller: CallerDep, transfer_id: UUID, body: DeclinedTransfer
) -> GivenTransfer:
    """Give a case back to the team that sent it, with new keys: nobody of yours opens it any more.

    Its supervisors find it on their worklist, with the reason, and take it like any other.
    """
    return GivenTransfer(id=vault.transfers.decline(caller, transfer_id, body.reason))


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
