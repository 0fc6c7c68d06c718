"""Writing the ledger: what was done becomes a leaf, a sealed body and index rows.

Decides ids, pseudonyms, counters and tags. Must never let a value of a case into an entry: acts
carry ids, names of fields and numbers only.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy import Connection, insert, select, update

from casevault.clock import Clock
from casevault.crypto import macs
from casevault.crypto.roots import RootProvider, host_id
from casevault.crypto.sealing import Place, seal
from casevault.errors import CaseVaultError, Unrecorded
from casevault.ids import EntryId, new_id
from casevault.ledger import entry as ledger_entry
from casevault.ledger.codes import CODES
from casevault.ledger.entry import Body, Entity, encode_body, encode_leaf, make_leaf
from casevault.store.engine import stamps, tables
from casevault.store.engine.database import Database
from casevault.store.log import ledger_rows, tree
from casevault.store.log.ledger_rows import Made
from casevault.store.log.months import MonthKey, Months

_GROUP = 250
# How many rolled-back numbers one entry names; the rest wait for the next.
_NAMED = 500
_OUTAGE = frozenset({"store.unavailable", "store.busy", "unrecorded.month"})
# Categories and codes after which a checkpoint is signed at once.
_URGENT = frozenset({"breakglass", "export", "case.erase", "system.tamper", "ledger.retire"})
FAILED = 8
REFUSED = 4


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, as the ledger keeps it. `None` ids are the service itself or an unknown person."""

    staff: UUID | None = None
    roles: tuple[str, ...] = ()
    session: UUID | None = None
    assurance: str = ""
    request: str | None = None
    # Cases that this request opened by breaking the glass.
    broken: frozenset[UUID] = frozenset()


SERVICE = Actor(roles=("service",))


@dataclass(frozen=True, slots=True)
class Touched:
    """A record that an act is about: its type (``case``), id and versions of its parts."""

    type: str
    id: UUID
    versions: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Act:
    """One thing done or refused; real ids, of which pseudonyms are made; `query` a keyed digest."""

    code: str
    actor: Actor
    rule: str = ""
    outcome: int = 0
    purpose: str = "operations"
    touched: tuple[Touched, ...] = ()
    fields: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    count: int | None = None
    query: str | None = None
    links: tuple[tuple[str, str], ...] = ()
    id: EntryId = field(default_factory=lambda: EntryId(new_id()))


@dataclass
class _Waiting:
    acts: tuple[Act, ...]
    error: CaseVaultError | None = None
    done: bool = False


class Ledger:
    """The log of one organisation, as one process writes it."""

    def __init__(
        self, database: Database, months: Months, roots: RootProvider, clock: Clock
    ) -> None:
        self._database = database
        self._months = months
        self._roots = roots
        self._clock = clock
        self._counter_lock = threading.Lock()
        self._queue_lock = threading.Lock()
        self._commit_lock = threading.Lock()
        self._queue: list[_Waiting] = []
        # Set when something was committed that wants a checkpoint at once.
        self.urgent = threading.Event()
        self._begin_as_new_writer()
        # A forked worker must not continue its parent's counters.
        os.register_at_fork(after_in_child=self._begin_as_new_writer)

    def _begin_as_new_writer(self) -> None:
        self.writer = macs.b64(secrets.token_bytes(16))
        self._counter = 0
        self._skipped: list[int] = []
        self._registered = False

    def prepare(self) -> MonthKey:
        """Return this month's key; call it before a transaction of the data store is open."""
        try:
            self._register()
            return self._months.current()
        except CaseVaultError:
            raise Unrecorded(code="unrecorded.month") from None

    def record(self, *acts: Act) -> None:
        """Make these entries durable in a transaction of their own before returning.

        Callers that arrive while a commit is on its way are committed together with the next one.
        Raises `Unrecorded`; then nothing was written.
        """
        waiting = _Waiting(acts)
        with self._queue_lock:
            self._queue.append(waiting)
        with self._commit_lock:
            while not waiting.done:
                with self._queue_lock:
                    batch, self._queue = self._queue[:_GROUP], self._queue[_GROUP:]
                self._commit(batch)
        if waiting.error is not None:
            raise Unrecorded(code=waiting.error.code) from None

    @contextmanager
    def giving(self, act: Act) -> Iterator[None]:
        """Record an act that gives power, then let the caller write it to the keyring.

        If that fails, a second entry (``…_failed``) says that the first had no effect.
        """
        self.record(act)
        try:
            yield
        except BaseException:
            self.record(
                replace(
                    act,
                    code=act.code + "_failed",
                    outcome=FAILED,
                    rule="failed:store",
                    id=EntryId(new_id()),
                )
            )
            raise

    def append(self, connection: Connection, month: MonthKey, acts: Sequence[Act]) -> list[int]:
        """Write entries inside the caller's transaction; return the counters taken.

        The caller gives them back with `rolled_back` if it does not commit.
        """
        taken: list[int] = []
        try:
            self._write(connection, self._drafted(month, acts, taken))
        except BaseException:
            self.rolled_back(taken)
            raise
        return taken

    def announce(self, acts: Iterable[Act]) -> None:
        """Ask for a checkpoint at once if one of these committed acts wants it."""
        if any(CODES[act.code] in _URGENT or act.code in _URGENT for act in acts):
            self.urgent.set()

    def rolled_back(self, counters: Sequence[int]) -> None:
        """Remember numbers that were taken for nothing: the next entry names them."""
        with self._counter_lock:
            self._skipped += counters

    def close(self) -> None:
        """Say that this writer ended on purpose."""
        if not self._registered:
            return
        if self._skipped:
            # Nobody comes after it who could name them.
            with suppress(CaseVaultError):
                self.record(Act("system.stop", SERVICE))
        with self._database.writing() as connection:
            connection.execute(
                update(tables.ledger_writer)
                .where(tables.ledger_writer.c.writer == self.writer)
                .values(closed=True)
            )

    def crashed_writers(self) -> list[str]:
        """Return writers of this host that ended without saying so."""
        writer = tables.ledger_writer
        open_here = select(writer).where(writer.c.host == _host(), writer.c.closed.is_(False))
        with self._database.reading() as connection:
            rows = connection.execute(open_here).all()
        return [row.writer for row in rows if row.writer != self.writer and not _alive(row.process)]

    def close_writer(self, connection: Connection, writer: str) -> int:
        """Close a crashed writer inside the caller's transaction; return its next counter."""
        connection.execute(
            update(tables.ledger_writer)
            .where(tables.ledger_writer.c.writer == writer)
            .values(closed=True)
        )
        entry = tables.ledger_entry
        last = connection.execute(
            select(entry.c.counter)
            .where(entry.c.writer == writer)
            .order_by(entry.c.counter.desc())
            .limit(1)
        ).scalar_one_or_none()
        return 0 if last is None else int(last) + 1

    def _commit(self, batch: list[_Waiting]) -> None:
        error = self._try_commit(batch)
        # One act that cannot be written must not cost its neighbours theirs; but where there is no
        # store, trying again for each would make everybody wait for all the others.
        alone = error is not None and error.code not in _OUTAGE and len(batch) > 1
        for waiting in batch:
            waiting.error = self._try_commit([waiting]) if alone else error
            waiting.done = True

    def _try_commit(self, batch: list[_Waiting]) -> CaseVaultError | None:
        taken: list[int] = []
        try:
            month = self.prepare()
            acts = [act for waiting in batch for act in waiting.acts]
            # Sealed before the write lock is taken: the lock is everybody's.
            made = self._drafted(month, acts, taken)
            with self._database.writing_at_once() as connection:
                self._write(connection, made)
            self.announce(acts)
        except CaseVaultError as error:
            self.rolled_back(taken)
            return error
        except BaseException:
            self.rolled_back(taken)
            for waiting in batch:
                waiting.error, waiting.done = Unrecorded(), True
            raise
        return None

    def _take(self) -> tuple[int, tuple[int, ...]]:
        with self._counter_lock:
            number, self._counter = self._counter, self._counter + 1
            skipped = tuple(self._skipped[:_NAMED])
            del self._skipped[:_NAMED]
        return number, skipped

    def _make(self, month: MonthKey, act: Act, counter: int, skipped: tuple[int, ...]) -> Made:
        body = self._body(month, act, skipped)
        salt, encoded = macs.salt(), encode_body(body)
        leaf = encode_leaf(
            make_leaf(
                body,
                salt,
                writer=self.writer,
                counter=counter,
                key_month=month.month,
                encoded=encoded,
            )
        )
        place = Place(self._months.organisation, "ledger-body", act.id)
        sealed = seal(month.body, place, salt + encoded)
        tag = stamps.stamp(self._roots, tree.TAG_PURPOSE, ledger_entry.tag_input(leaf, sealed))
        entry = {
            "id": act.id,
            "leaf": leaf,
            "body_digest": macs.sha256(sealed),
            "tag": tag,
            "month": month.month,
            "writer": self.writer,
            "counter": counter,
        }
        return Made(entry, sealed, tuple(sorted(subjects_of(body))))

    def _drafted(self, month: MonthKey, acts: Iterable[Act], taken: list[int]) -> list[Made]:
        """Return the rows of these acts; the numbers they take are added to `taken` at once."""
        made: list[Made] = []
        for act in acts:
            counter, skipped = self._take()
            # Whoever gives this number back gives back what its entry would have named.
            taken += [*skipped, counter]
            made.append(self._make(month, act, counter, skipped))
        return made

    def _write(self, connection: Connection, made: Sequence[Made]) -> None:
        if self._database.is_sqlite:
            ledger_rows.append(connection, made)
        else:
            staged_at = int(self._clock.now().timestamp() * 1_000_000)
            ledger_rows.stage(connection, made, staged_at)

    def _body(self, month: MonthKey, act: Act, skipped: tuple[int, ...]) -> Body:
        actor = act.actor
        return Body(
            recorded=f"{self._clock.now():%Y-%m-%dT%H:%M:%S.%f}Z",
            code=act.code,
            actor=None if actor.staff is None else pseudonym(month, "actor", actor.staff),
            roles=tuple(sorted(actor.roles)),
            session=None if actor.session is None else pseudonym(month, "session", actor.session),
            assurance=actor.assurance,
            purpose=act.purpose,
            outcome=act.outcome,
            rule=_rule(act),
            entities=tuple(
                Entity(t.type, pseudonym(month, "subject", t.id), t.versions) for t in act.touched
            ),
            fields=act.fields,
            filters=act.filters,
            count=act.count,
            query=act.query,
            request=actor.request,
            links=act.links,
            skipped=skipped,
        )

    def _register(self) -> None:
        if self._registered:
            return
        with self._counter_lock:
            if not self._registered:
                with self._database.writing() as connection:
                    connection.execute(
                        insert(tables.ledger_writer).values(
                            writer=self.writer, host=_host(), process=os.getpid(), closed=False
                        )
                    )
                self._registered = True


def _rule(act: Act) -> str:
    """Return the rule of an entry: whatever broken glass opened says so, whoever recorded it."""
    seen = {touched.id for touched in act.touched}
    if act.rule.startswith("permit:") and seen & act.actor.broken:
        return "permit:break-glass"
    return act.rule


def subjects_of(body: Body) -> set[tuple[str, str]]:
    """Return the rows by which an entry is searched: (kind, pseudonym)."""
    found = {("subject", entity.record) for entity in body.entities}
    for kind, value in (("actor", body.actor), ("session", body.session)):
        if value is not None:
            found.add((kind, value))
    return found


def pseudonym(month: MonthKey, kind: str, value: UUID) -> str:
    """Return what stands for an id of one kind in the entries of a month."""
    return macs.pseudonym(month.index, kind, value)


def _host() -> str:
    return host_id()[:64]


def _alive(process: int) -> bool:
    try:
        with suppress(PermissionError):
            os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
