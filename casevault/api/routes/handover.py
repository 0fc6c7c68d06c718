"""Covering for colleagues."""

from __future__ import annotations

from fastapi import APIRouter

from casevault.api.deps import CallerDep, VaultDep, needs
from casevault.api.schemas.handover import Cover, NewCover
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
