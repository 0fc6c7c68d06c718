"""Operator verbs: what a timer or an administrator has done, by the service where it runs.

Where roots are sealed only the running service has their key, so a verb goes to it through its
socket; where no service runs, this process opens the stores itself. A verb takes a frozen
dataclass and returns what JSON can hold: it is the same either way. Opens no content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from casevault import bootstrap
from casevault.cli import operator_socket, unlocking
from casevault.cli.output import say
from casevault.config import Settings
from casevault.crypto.roots import RootsKey
from casevault.errors import Invalid
from casevault.store.context.stores import Stores

W = TypeVar("W")
Result = dict[str, Any]
_TYPES: Mapping[str, type] = MappingProxyType({"bool": bool, "int": int, "str": str})


@dataclass(frozen=True, slots=True)
class At:
    """What a verb works with, and how it says how far it is."""

    settings: Settings
    stores: Stores
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Verb(Generic[W]):
    """One act: its name, what it is told (fields of type bool, int or str), and what does it."""

    name: str
    wish: type[W]
    act: Callable[[At, W], Result]


def operate(settings: Settings, verb: Verb[W], wish: W, descriptor: int | None = None) -> Result:
    """Have a verb done, by the service if it runs; return what it returned, raise what it raised.

    :raises Locked: no service runs, the roots are sealed, and nobody gives what opens them.
    """
    connection = operator_socket.connect(settings)
    if connection is not None:
        with connection:
            return operator_socket.ask(connection, verb.name, asdict(wish), say)  # type: ignore[call-overload]
    stores = unlocking.open_stores(settings, descriptor)
    try:
        return verb.act(At(settings, stores, say), wish)
    finally:
        stores.close()


def dispatch(
    settings: Settings, key: RootsKey, verbs: Mapping[str, Verb[Any]]
) -> operator_socket.Handler:
    """Return what the service does with a request: find the verb, check what it is told, do it."""

    def handle(name: str, told: Mapping[str, Any], tell: Callable[[str], None]) -> Result:
        verb = verbs.get(name)
        if verb is None:
            raise _refused()
        wish = _wish(verb.wish, told)
        stores = bootstrap.open_stores(settings, key=key)
        try:
            return verb.act(At(settings, stores, tell), wish)
        finally:
            stores.close()

    return handle


def _wish(kind: type[W], told: Mapping[str, Any]) -> W:
    expected = {f.name: _TYPES[str(f.type)] for f in fields(kind)}  # type: ignore[arg-type]
    # Not `isinstance`: true is no number.
    if set(told) != set(expected) or any(type(told[n]) is not t for n, t in expected.items()):
        raise _refused()
    return kind(**told)


def _refused() -> Invalid:
    return Invalid(
        "The service does not know this request: is it of the same version as this command?",
        code="operator.request",
    )
