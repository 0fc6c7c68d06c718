"""Whether this process lives and can serve."""

from __future__ import annotations

from fastapi import Response

from casevault.api.deps import VaultDep, needs
from casevault.api.routing import Router
from casevault.api.schemas.common import Shape
from casevault.domain.staff.access import Permission

router = Router(tags=["health"])


class Live(Shape):
    """The process answers."""

    live: bool


class Ready(Shape):
    """What works at this moment."""

    database: bool
    migrations: bool
    keyring: bool
    ledger: bool


@router.get("/livez", operation_id="read_liveness", openapi_extra=needs(Permission.HEALTH_READ))
def read_liveness() -> Live:
    """Answer that the process runs."""
    return Live(live=True)


@router.get("/readyz", operation_id="read_readiness", openapi_extra=needs(Permission.HEALTH_READ))
def read_readiness(vault: VaultDep, response: Response) -> Ready:
    """Say what works; 503 unless all of it does."""
    ready = vault.readiness.check()
    if not ready.all:
        response.status_code = 503
    return Ready(
        database=ready.database,
        migrations=ready.migrations,
        keyring=ready.keyring,
        ledger=ready.ledger,
    )
