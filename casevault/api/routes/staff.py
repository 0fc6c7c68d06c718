"""Colleagues, teams and vouches."""

from __future__ import annotations

from uuid import UUID

from fastapi import Response

from casevault.api.deps import CallerDep, VaultDep, needs
from casevault.api.routing import Router
from casevault.api.schemas.staff import (
    NewStaff,
    NewVouch,
    Regranted,
    ResetCode,
    StaffAdded,
    StaffList,
    StaffMember,
    Team,
    TeamList,
)
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1", tags=["staff"])


@router.post(
    "/staff", status_code=201, operation_id="add_staff", openapi_extra=needs(Permission.STAFF_ADD)
)
def add_staff(vault: VaultDep, caller: CallerDep, response: Response, body: NewStaff) -> StaffAdded:
    """Make an account (administrator). It opens nothing until somebody vouches for its keys."""
    added = vault.accounts.add(caller, body.name, body.login, frozenset(body.roles), body.team)
    response.headers["Location"] = f"/v1/staff/{added.id}"
    return StaffAdded(id=added.id, code=added.code)


@router.get("/staff", operation_id="list_staff", openapi_extra=needs(Permission.STAFF_LIST))
def list_staff(vault: VaultDep, caller: CallerDep) -> StaffList:
    """All colleagues by name, and whether somebody vouches for them."""
    return StaffList(items=[StaffMember.of(c) for c in vault.accounts.list(caller)])


@router.get(
    "/staff/{staff_id}", operation_id="read_staff", openapi_extra=needs(Permission.STAFF_READ)
)
def read_staff(vault: VaultDep, caller: CallerDep, staff_id: UUID) -> StaffMember:
    """One colleague, with the fingerprint to compare before vouching."""
    return StaffMember.of(vault.accounts.read(caller, staff_id))


@router.post(
    "/staff/{staff_id}/reset",
    operation_id="reset_staff",
    openapi_extra=needs(Permission.STAFF_RESET),
)
def reset_staff(vault: VaultDep, caller: CallerDep, staff_id: UUID) -> ResetCode:
    """Let a person begin anew (administrator): sessions, passphrase and vouches end at once.

    The new keys open nothing until somebody vouches for them and regrants.
    """
    return ResetCode(code=vault.resets.reset(caller, staff_id))


@router.post(
    "/staff/{staff_id}/regrants",
    operation_id="regrant_staff",
    openapi_extra=needs(Permission.STAFF_REGRANT),
)
def regrant_staff(vault: VaultDep, caller: CallerDep, staff_id: UUID) -> Regranted:
    """Give a person with new, vouched keys again what they held, as far as you can open it."""
    return Regranted.of(vault.resets.regrant(caller, staff_id))


@router.get("/teams", operation_id="list_teams", openapi_extra=needs(Permission.STAFF_LIST))
def list_teams(vault: VaultDep, caller: CallerDep) -> TeamList:
    """All teams."""
    found = sorted(vault.accounts.teams(caller).items(), key=lambda item: item[1].casefold())
    return TeamList(items=[Team(id=team, name=name) for team, name in found])


@router.post(
    "/vouches",
    status_code=201,
    operation_id="issue_vouch",
    openapi_extra=needs(Permission.VOUCH_ISSUE),
)
def issue_vouch(vault: VaultDep, caller: CallerDep, body: NewVouch) -> StaffMember:
    """Vouch for a colleague's keys after comparing fingerprints by voice or in person."""
    return StaffMember.of(vault.accounts.vouch(caller, body.staff_id, body.fingerprint))
