"""Rows of the keyring that were read at once, for what is asked about each of them afterwards.

Decides whether a question can be answered from them; must never answer one that it cannot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Shelf(Generic[T]):
    """Rows of one table: all whose columns are among `where`."""

    def __init__(
        self,
        where: dict[str, list[Any]],
        rows: list[dict[str, Any]],
        opened: Callable[[dict[str, Any]], T],
    ) -> None:
        self._opened = opened
        self._where = {name: frozenset(values) for name, values in where.items()}
        self._first = next(iter(where))
        self._by_first: dict[Any, list[dict[str, Any]]] = {}
        for row in rows:
            self._by_first.setdefault(row[self._first], []).append(row)

    def covers(self, where: dict[str, Any]) -> bool:
        """Say whether every row that could fit would be here."""
        return all(name in where and _among(where[name], v) for name, v in self._where.items())

    def find(self, where: dict[str, Any]) -> list[T]:
        """Return the rows that fit, opened."""
        return [self._opened(row) for row in self.closed(where)]

    def closed(self, where: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the rows that fit as they were read."""
        firsts = where[self._first]
        others = {name: _values(v) for name, v in where.items() if name != self._first}
        return [
            row
            for value in (set(firsts) if isinstance(firsts, list) else (firsts,))
            for row in self._by_first.get(value, ())
            if all(row[name] in values for name, values in others.items())
        ]


def _among(value: object, known: frozenset[Any]) -> bool:
    return known.issuperset(value) if isinstance(value, list) else value in known


def _values(value: object) -> list[Any] | tuple[Any, ...]:
    return value if isinstance(value, list) else (value,)
