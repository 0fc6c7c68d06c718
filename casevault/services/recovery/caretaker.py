"""What a running service does on the side: integrate, sign checkpoints, finish what was begun,
erase what is past its date.

One thread per worker; any worker may do the work, and the database decides which one does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import StrEnum
from functools import partial

from casevault.domain.recovery.room import Room
from casevault.errors import Busy, CaseVaultError, Tampered
from casevault.logs import get_logger
from casevault.store.audit import audit_records
from casevault.store.casework import (
    access_requests,
    deadlines,
    dossiers,
    holding,
    matters,
    private,
    rekeying,
)
from casevault.store.context import intents
from casevault.store.context.stores import Stores
from casevault.store.engine import clock_guard, milestones
from casevault.store.engine.clock_guard import Judged
from casevault.store.engine.space import Space
from casevault.store.log import tree
from casevault.store.log.checkpoints import Checkpoints
from casevault.store.log.ledger import FAILED, SERVICE, Act
from casevault.store.recovery import sweeping
from casevault.store.retention import erasures
from casevault.store.sharing import arrivals, collect_pages, exchanges
from casevault.store.staff import failures

INTEGRATE_SECONDS = 0.1
DAY_SECONDS = 86_400
ROUND_SECONDS = 60.0


class Caretaker:
    """Runs until it is stopped; a fault is logged by its slug and tried again."""

    def __init__(
        self,
        stores: Stores,
        checkpoints: Checkpoints,
        notify: Callable[[StrEnum, int], None] = lambda _notice, _count: None,
        space: Space | None = None,
        watch: Callable[[], object] = lambda: None,
    ) -> None:
        self._space = space or Space(())
        self._stores = stores
        self._watch = watch
        self._notify = notify
        self._checkpoints = checkpoints
        # Public, so that a test of what a request changes can do without rounds in between.
        self.round_seconds = ROUND_SECONDS
        self.integrate_seconds = INTEGRATE_SECONDS
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="caretaker", daemon=True)
        self._alarmed: set[str] = set()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after one last integration."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self.integrate()

    def integrate(self, *, wait: bool = True) -> None:
        """Move everything that is staged into the tree."""
        move = partial(tree.integrate_all, self._stores.data, self._stores.roots, wait=wait)
        self._guarded(move)

    def _run(self) -> None:
        next_round = time.monotonic() + self.round_seconds
        while not self._stop.wait(self.integrate_seconds):
            # One worker at a time is enough, and the next round comes soon.
            self.integrate(wait=False)
            if self._stores.ledger.urgent.is_set():
                self._stores.ledger.urgent.clear()
                self._guarded(self._checkpoints.sign)
            if time.monotonic() >= next_round:
                next_round = time.monotonic() + self.round_seconds
                self._guarded(self._checkpoints.sign)
                self.watch_disk()
                self._guarded(partial(intents.finish_all, self._stores))
                self._guarded(partial(erasures.finish_left, self._stores))
                self._guarded(partial(holding.show_left, self._stores))
                self._guarded(partial(rekeying.mark_owed, self._stores))
                self._guarded(partial(failures.record_past, self._stores))
                self._guarded(self.keep_dates)
                self._guarded(self._watch)

    def keep_dates(self) -> None:
        """Do what is due by its date, unless the clock cannot be believed: then say so."""
        if clock_guard.judge(self._stores.keyring, self._stores.now()) is not Judged.RIGHT:
            get_logger().error("ledger care failed", slug="clock", code="clock")
            if "clock" not in self._alarmed:
                self._alarmed.add("clock")
                self._stores.ledger.record(Act("system.clock", SERVICE, outcome=FAILED))
            return
        for act in (
            self.mark_day,
            self.erase_due,
            partial(sweeping.sweep, self._stores),
            self.watch_people,
        ):
            self._guarded(act)

    def mark_day(self) -> None:
        """Write one entry a day, so that a log in which nothing happens still gets a checkpoint.

        Whoever holds yesterday's checkpoint can then tell a quiet day from a log that stands still.
        """
        stores, now = self._stores, self._stores.now()
        with stores.keyring.writing() as tx:
            before = milestones.last(tx, milestones.DAY)
            if before is not None and now - before < DAY_SECONDS:
                return
            milestones.note(tx, milestones.DAY, now)
        stores.ledger.record(Act("system.day", SERVICE))
        self.integrate()

    def watch_disk(self) -> None:
        """Say in the log of the service how little room there is."""
        found = self._space.room()
        if found is not Room.PLENTY:
            get_logger().warning("disk nearly full", code=found.name.lower().replace("_", "-"))

    def watch_people(self) -> None:
        """Raise the alarm about what passed its date, call people, drop what is over."""
        dossiers.alarm(self._stores)
        dossiers.notices(self._stores, self._notify)
        dossiers.sweep(self._stores)
        access_requests.sweep(self._stores)
        deadlines.alarm(self._stores, self._notify)
        deadlines.sweep(self._stores)
        matters.sweep(self._stores)
        collect_pages.sweep(self._stores)
        arrivals.sweep(self._stores)
        exchanges.sweep(self._stores)

    def erase_due(self) -> None:
        """Erase private objects and records of the audit whose date is past."""
        today = self._stores.clock.now().date()
        private.erase_due(self._stores, today)
        audit_records.erase_due(self._stores, today)

    def _guarded(self, act: Callable[[], object]) -> None:
        try:
            act()
        except CaseVaultError as error:
            self._alarm(error)
        except OSError:
            # A folder that is gone or full comes back; this thread would not.
            self._alarm(Busy(code="files.unavailable"))

    def _alarm(self, error: CaseVaultError) -> None:
        get_logger().error("ledger care failed", slug=error.slug, code=error.code)
        # Once per cause and process: an alarm, not a disk bomb.
        if isinstance(error, Tampered) and error.code not in self._alarmed:
            self._alarmed.add(error.code)
            act = Act("system.tamper", SERVICE, rule="failed:tampered", outcome=FAILED)
            try:
                self._stores.ledger.record(act)
            except CaseVaultError:
                get_logger().error("alarm not recorded", slug="unrecorded")
