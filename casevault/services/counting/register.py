"""The programme register: kept by reporters, read by who reviews them. No survivor is in it.

Every change is a new version and an entry of the log. Nothing here knows a case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from casevault.disclosure.lifecycle import Held
from casevault.domain.counting import indicators, programme
from casevault.domain.counting.indicators import Indicators, Period
from casevault.domain.counting.programme import Entry, Kind
from casevault.domain.staff.access import Permission, Subject
from casevault.domain.texts.sheets import Line
from casevault.errors import FieldError, NotFound
from casevault.ids import new_id
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.counting import register, releases
from casevault.store.engine import idempotency
from casevault.store.log.ledger import Act, Touched
from casevault.store.log.unit_of_work import unit_of_work


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a table: how many entries were added and changed, and what was refused."""

    added: int
    changed: int
    refused: tuple[Line, ...]


class Register:
    """The use cases of the register."""

    def __init__(self, stores: Stores, gate: Gate, organisation_name: str = "") -> None:
        self._stores = stores
        self._gate = gate
        self.organisation_name = organisation_name

    def list_(self, caller: Caller, kind: Kind | None = None) -> list[Entry]:
        """Return the present version of all entries, or of those of a kind."""
        return self._read(caller, "register.list", kind)

    def read(self, caller: Caller, entry_id: UUID) -> Entry:
        """Return one entry as it is now."""
        return self._history(caller, "register.read", entry_id)[-1]

    def history(self, caller: Caller, entry_id: UUID) -> list[Entry]:
        """Return every version of an entry, oldest first."""
        return self._history(caller, "register.history", entry_id)

    def add(
        self,
        caller: Caller,
        kind: Kind,
        content: Mapping[str, Any],
    ) -> UUID:
        """Add an entry, once however often it is sent; return its id."""
        self._may_write(caller)
        stores = self._stores
        one = Entry(new_id(), kind, programme.checked(kind, content))
        with unit_of_work(stores.data, stores.ledger) as uow:
            connection, now = uow.connection, stores.now()
            earlier = idempotency.find(connection, stores.roots, caller.repeat, now)
            if earlier is None:
                register.add(connection, stores.roots, [one])
                # Of two at once the table's key lets one through.
                idempotency.keep(connection, stores.roots, caller.repeat, one.id, now)
            code = "register.add" if earlier is None else "register.read"
            found = earlier or one.id
            uow.record(self._act(caller, code, (Touched("register", found),), count=1))
            uow.commit()
        return found

    def amend(
        self, caller: Caller, entry_id: UUID, content: Mapping[str, Any], version: int
    ) -> int:
        """Write the next version of an entry that still is in this one."""
        self._may_write(caller)
        with self._stores.data.reading() as connection:
            found = register.find(connection, self._stores.roots, entry_id, version)
        checked = programme.checked(found.kind, content)
        changed = replace(found, content=checked, version=version + 1)
        self._write(caller, "register.amend", [changed])
        return changed.version

    def remove(self, caller: Caller, entry_id: UUID) -> None:
        """End an entry: it counts no more; its history stays."""
        self._may_write(caller)
        with self._stores.data.reading() as connection:
            found = register.find(connection, self._stores.roots, entry_id)
        gone = replace(found, version=found.version + 1, removed=True)
        self._write(caller, "register.remove", [gone])

    def take(self, caller: Caller, kind: Kind, lines: Iterable[Line]) -> Taken:
        """Take over a table; a faulty line is refused and named, the others are kept."""
        self._may_write(caller)
        with self._stores.data.reading() as connection:
            known = {one.id: one for one in register.all_(connection, self._stores.roots, kind)}
        added, changed, refused = [], [], []
        seen: set[UUID] = set()
        for line in lines:
            if line.faults:
                refused.append(line)
            elif line.id is None:
                added.append(Entry(new_id(), kind, line.content))
            elif line.id in known and line.id not in seen:
                seen.add(line.id)
                before = known[line.id]
                if before.content != line.content:
                    version = before.version + 1
                    changed.append(replace(before, content=line.content, version=version))
            else:
                refused.append(replace(line, faults=(FieldError("/id", "register.unknown"),)))
        if added or changed:
            self._write(caller, "register.import", [*added, *changed])
        else:
            self._stores.ledger.record(self._act(caller, "register.import", (), count=0))
        return Taken(len(added), len(changed), tuple(refused))

    def indicators(self, caller: Caller, period: Period) -> Indicators:
        """Return what the register says about the pledge's indicators in a period."""
        return indicators.of_period(self._read(caller, "register.indicators", None), period)

    def report(self, caller: Caller, period: Period) -> tuple[Indicators, tuple[str, ...]]:
        """Return the indicators, and the files of people that are published for the period.

        Of two releases with one table, the later is in force.
        """
        stores = self._stores
        found = self.indicators(caller, period)
        with stores.keyring.reading() as tx:
            held = [
                one for one in releases.published(tx) if _days(one) == (period.start, period.end)
            ]
        tables: dict[str, str] = {}
        with stores.data.reading() as connection:
            for one in held:
                files = releases.files(connection, stores.organisation, one)
                tables |= {n: f.decode() for n, f in files.items() if n.endswith(".csv")}
        return found, tuple(tables.values())

    def _may_write(self, caller: Caller) -> None:
        self._gate.require(caller, Permission.REGISTER_WRITE, Subject("register"))

    def _read(self, caller: Caller, code: str, kind: Kind | None) -> list[Entry]:
        self._gate.require(caller, Permission.REGISTER_READ, Subject("register"))
        with self._stores.data.reading() as connection:
            found = register.all_(connection, self._stores.roots, kind)
        self._stores.ledger.record(self._act(caller, code, (), count=len(found)))
        return found

    def _history(self, caller: Caller, code: str, entry_id: UUID) -> list[Entry]:
        self._gate.require(caller, Permission.REGISTER_READ, Subject("register"))
        with self._stores.data.reading() as connection:
            found = register.history(connection, self._stores.roots, entry_id)
        self._stores.ledger.record(self._act(caller, code, (Touched("register", entry_id),)))
        if found[-1].removed and code == "register.read":
            raise NotFound()
        return found

    def _write(self, caller: Caller, code: str, entries: list[Entry]) -> None:
        touched = tuple(Touched("register", one.id) for one in entries)[:1000]
        with unit_of_work(self._stores.data, self._stores.ledger) as uow:
            # Two who write the same version: the primary key lets one of them through.
            register.add(uow.connection, self._stores.roots, entries)
            uow.record(self._act(caller, code, touched, count=len(entries)))
            uow.commit()

    @staticmethod
    def _act(
        caller: Caller, code: str, touched: tuple[Touched, ...], count: int | None = None
    ) -> Act:
        return Act(code, caller.on_ledger, rule="permit:role", touched=touched, count=count)


def _days(held: Held) -> tuple[date, date]:
    return held.design.period.start, held.design.period.end
