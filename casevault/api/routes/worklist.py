"""What waits for the caller, and how much waits for a team."""

from __future__ import annotations

from casevault.api.deps import CallerDep, Cursor, VaultDep, needs
from casevault.api.routing import Router
from casevault.api.schemas.worklist import TeamWorkload, Worklist, Workload
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1", tags=["worklist"])


@router.get(
    "/worklist", operation_id="read_worklist", openapi_extra=needs(Permission.WORKLIST_READ)
)
def read_worklist(vault: VaultDep, caller: CallerDep, cursor: Cursor = None) -> Worklist:
    """Your tasks, reviews and decisions that wait, from 200 cases at a time, overdue first."""
    return Worklist.of(vault.worklists.read(caller, cursor))


@router.get(
    "/workload", operation_id="read_workload", openapi_extra=needs(Permission.WORKLOAD_READ)
)
def read_workload(vault: VaultDep, caller: CallerDep) -> Workload:
    """How much each colleague of your team has to do, as numbers, of cases that you can open."""
    return Workload(items=[TeamWorkload.of(team) for team in vault.worklists.workload(caller)])
