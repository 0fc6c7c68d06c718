"""The calendar feed: made and ended by its owner, read by whoever has its address."""

from __future__ import annotations

from typing import Any

from fastapi import Response

from casevault.api.deps import CallerDep, RequestId, VaultDep, needs
from casevault.api.routing import Router
from casevault.api.schemas.feeds import NewFeed
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1/feed", tags=["feed"])
_CALENDAR = "text/calendar"
_SHOWN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Days and the same words for each (RFC 5545).",
        "content": {_CALENDAR: {"schema": {"type": "string"}}},
    }
}


@router.post(
    "", status_code=201, operation_id="make_feed", openapi_extra=needs(Permission.FEED_WRITE)
)
def make_feed(vault: VaultDep, caller: CallerDep) -> NewFeed:
    """Make an address from which a calendar can read the days of your tasks, and nothing else.

    The one that you had before ends. Whoever knows the address sees those days.
    """
    return NewFeed(path=f"/v1/feed/{vault.feeds.make(caller)}.ics")


@router.delete(
    "", status_code=204, operation_id="end_feed", openapi_extra=needs(Permission.FEED_WRITE)
)
def end_feed(vault: VaultDep, caller: CallerDep) -> Response:
    """End your feed: its address opens nothing more."""
    vault.feeds.end(caller)
    return Response(status_code=204)


@router.get(
    "/{token}.ics",
    operation_id="read_feed",
    response_class=Response,
    responses=_SHOWN,
    openapi_extra=needs(Permission.FEED_READ),
)
def read_feed(vault: VaultDep, request_id: RequestId, token: str) -> Response:
    """The days of somebody's tasks as a calendar, for whoever has the address."""
    text = vault.feeds.open(token, request_id)
    return Response(text, media_type=_CALENDAR)
