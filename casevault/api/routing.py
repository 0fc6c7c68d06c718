"""How a request gets to its operation: one look-up, then one thread for all of it.

An operation is blocking work of a few milliseconds. The framework would cross into a thread for
the caller, again for the operation and again to check its answer; here all three are done where
the operation runs, in the framework's own order, so what is refused first stays what it was.
Must never let blocking work run in the event loop: what would is refused when it is declared.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from casevault.api import examples

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_BLOCKING = "__casevault_blocking__"


def blocking(dependency: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a dependency that is declared `async` and blocks: only for operations in a thread."""
    setattr(dependency, _BLOCKING, True)
    return dependency


class OneThread(APIRoute):
    """An operation whose dependencies, work and answer share one thread.

    One that is declared `async` (it reads its body piece by piece) stays in the event loop.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401
        self._threaded = not inspect.iscoroutinefunction(endpoint)
        super().__init__(path, _inline(endpoint) if self._threaded else endpoint, **options)
        for dependency in _all_of(self.dependant):
            if self._threaded and not _is_coroutine(dependency):
                raise TypeError(f"{path}: a dependency that needs a thread of its own")
            if not self._threaded and getattr(dependency, _BLOCKING, False):
                raise TypeError(f"{path}: this would keep everybody waiting")

    def get_route_handler(self) -> Handler:
        """Return what answers a request."""
        handler = super().get_route_handler()
        if not self._threaded:
            return handler

        async def handle(request: Request) -> Response:
            return await to_thread.run_sync(_driven, handler, request)

        return handle


class Router(APIRouter):
    """Operations; a request whose path begins otherwise than theirs is passed on at once."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        self._starts: tuple[str, ...] = ()
        super().__init__(route_class=OneThread, **options)

    def add_api_route(self, path: str, *given: Any, **options: Any) -> None:  # noqa: ANN401
        """Add an operation with its example, and how its path begins."""
        example = examples.shown(options.get("operation_id"))
        options["openapi_extra"] = {**(options.get("openapi_extra") or {}), **example}
        super().add_api_route(path, *given, **options)
        start = (self.prefix + path).partition("{")[0]
        self._starts = tuple({*self._starts, start})

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Say whether an operation is meant: one comparison in place of one for each of them."""
        if not scope.get("root_path") and not scope["path"].startswith(self._starts):
            return Match.NONE, {}
        return super().matches(scope)


def _inline(endpoint: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Return an operation in the form that the framework calls where it is."""

    @functools.wraps(endpoint)
    async def run(*given: Any, **named: Any) -> Any:  # noqa: ANN401
        return endpoint(*given, **named)

    return run


def _driven(handler: Handler, request: Request) -> Response:
    """Carry out a handler in this thread. The body was read before, so it has nothing to await."""
    work = handler(request)
    try:
        work.send(None)
    except StopIteration as done:
        answer: Response = done.value
        return answer
    finally:
        work.close()
    raise RuntimeError("an operation in a thread waited for the event loop")


def _all_of(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for one in dependant.dependencies:
        if one.call is not None:
            yield one.call
        yield from _all_of(one)


def _is_coroutine(call: Callable[..., Any]) -> bool:
    inside = getattr(call, "__call__", None)  # noqa: B004 - an object may be called, too
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(inside)
