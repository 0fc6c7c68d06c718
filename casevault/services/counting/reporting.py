"""Makes releases: the only place that opens the counting principal and sees facts in bulk.

In this order: what is asked for is checked against what is public; its price is reserved, in a
transaction of its own; facts are read and counted; noise is drawn once, by the operating system's
generator; numbers, price and the request for two reviews are kept together. From then on nobody
can draw again. A crash in between leaves a draft that has paid, and the same wish goes on with it.
Must never return, log or keep an exact count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from uuid import UUID

from casevault import __version__
from casevault.crypto.sealing import Key
from casevault.disclosure import catalogue, choosing, rendering
from casevault.disclosure.bits import SystemBits
from casevault.disclosure.budget import Charge, LineState, cohort
from casevault.disclosure.checking import check_sums
from casevault.disclosure.choosing import Asked, Public
from casevault.disclosure.counting import snapshot
from casevault.disclosure.lifecycle import Held, Stage, Step, digest_of, months_of
from casevault.disclosure.measuring import Noisy
from casevault.disclosure.releasing import Design, Release
from casevault.disclosure.vault_facts import FactsIntake
from casevault.domain.staff import approvals as rules
from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.approvals import ApprovedAct
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import Conflict, Refused
from casevault.ids import new_id
from casevault.store.context import approvals
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.counting import counted_imports, releases, sizes
from casevault.store.counting.facts_reading import FactsReader
from casevault.store.engine import idempotency
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import principals, privacy_account
from casevault.store.log.ledger import FAILED, SERVICE, Act, Touched
from casevault.store.log.unit_of_work import unit_of_work
from casevault.store.recovery import identity

# The share that was read, for a bar on a terminal: never how many, which nobody may know exactly.
Watch = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class _Job:
    caller: Caller
    held: Held
    charge: Charge
    watch: Watch


class Reporting:
    """The use case of making a release."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def make(self, caller: Caller, asked: Asked, watch: Watch = lambda _share: None) -> Held:
        """Make a release and ask for its two reviews; return it, sealed and without its numbers.

        :raises Conflict: the period is not over, or was released before.
        :raises Refused: the size does not allow it, or the budget is gone; nothing was charged.
        """
        self._gate.require(caller, Permission.RELEASE_MAKE, Subject("release"))
        job = self._reserved(caller, asked, watch)
        if job.held.stage is not Stage.DRAFT:
            # The same request, sent again: it was made, and nothing of it is made anew.
            return job.held
        # Before anything is drawn: a copy of the keyring that does not know what was paid is older
        # from now on than the data has seen, and no service starts with it.
        identity.advance(self._stores.data, self._stores.keyring.database)
        release = Release.of(job.held.design, catalogue.shipped())
        noisy = self._measured(job, release)
        files = rendering.files([(release, noisy)])
        check_sums(release, noisy)
        return self._sealed(job, noisy, files)

    def _reserved(self, caller: Caller, asked: Asked, watch: Watch) -> _Job:
        stores = self._stores
        # As at every start: a server's keyring can be put back while the service runs.
        identity.check(stores.data, stores.keyring.database, stores.roots, stores.organisation)
        wanted = idempotency.named(stores.data, stores.roots, caller.repeat, stores.now())
        with stores.keyring.reading() as tx:
            known = releases.all_(tx)
            year = int(asked.period[:4]) if asked.period[:4].isdecimal() else 0
            paid = cohort(year, privacy_account.charges(tx, year))
            public = Public(sizes.people(tx, stores.counting), stores.counting.regions)
        made = next((one for one in known if one.id == wanted), None)
        if made is not None:
            return _Job(caller, made, self._charge(caller, made.design), watch)
        shipped = catalogue.shipped()
        design = choosing.design(
            asked, public, shipped, paid, release_id=str(wanted), code_version=__version__
        )
        choosing.check_over(design.period, stores.clock.now().date())
        begun = next((one for one in known if one.begins(design)), None)
        if begun is not None:
            return _Job(caller, begun, self._charge(caller, begun.design), watch)
        _check_new(known, design)
        with stores.data.reading() as connection:
            if releases.are_forgotten(connection, {one.id for one in known}, design.period.year):
                raise Refused(
                    "There are files of a release of this year that the account does not know: what"
                    " it paid is forgotten, so nothing can be promised any more.",
                    code="release.account-older",
                    hint="docs/runbook.md, 'The machine is gone', 7.",
                )
        held = Held(
            wanted,
            design,
            Stage.DRAFT,
            Step(caller.staff, stores.now()),
            Key.random().material,
            supersedes=_superseded(known, design),
        )
        job = _Job(caller, held, self._charge(caller, design), watch)
        with stores.ledger.giving(self._act(job, "release.reserve")):
            privacy_account.append(stores.keyring, job.charge, lambda tx: _begin(tx, held))
        return job

    def _charge(self, caller: Caller, design: Design) -> Charge:
        months = months_of(catalogue.shipped().pick(design.tables), design.period)
        return Charge(
            design.period.year,
            UUID(design.release_id),
            design.tables,
            design.rho,
            LineState.RESERVED,
            caller.staff,
            self._stores.now(),
            months,
        )

    def _measured(self, job: _Job, release: Release) -> Noisy:
        """Read, count and draw; exact counts live for as long as this runs."""
        stores = self._stores
        key = Key.random().material
        with stores.keyring.reading() as tx:
            imports = {d.counted.taken_on: d.counted.accepted_on for d in counted_imports.all_(tx)}
            reader = FactsReader(stores, *principals.in_use(tx, PrincipalKind.COUNTING))
        today = stores.clock.now().date()
        intake = FactsIntake(release.design.regions, key, today, imports)
        unread = list[UUID]()
        for one in reader.read(job.watch):
            if one.content is None:
                unread.append(one.case)
            else:
                intake.take(one.content, restricted=one.restricted)
        self._record_count(job, unread)
        quarters = any(table.universe == catalogue.QUARTERLY for table in release.tables)
        snap = snapshot(intake.close(), key, quarters=quarters)
        return release.measure(snap, SystemBits())

    def _record_count(self, job: _Job, unread: list[UUID]) -> None:
        stores = self._stores
        stores.ledger.record(self._act(job, "release.count"))
        for case in unread[:100]:
            # An alarm for each, as when a colleague had met it.
            touched = (Touched("case", case),)
            act = Act("release.count", SERVICE, "failed:tampered", FAILED, touched=touched)
            stores.ledger.record(act)

    def _sealed(self, job: _Job, noisy: Noisy, files: dict[str, bytes]) -> Held:
        """Keep the one draw with its price; of two who drew at once, one draw is forgotten."""
        stores, caller = self._stores, job.caller
        digest = digest_of(files)
        wish = rules.wish(
            new_id(),
            ApprovedAct.RELEASE_PUBLISH,
            job.held.id,
            caller.staff,
            stores.now(),
            parameters={"digest": digest},
        )
        asked = approvals.asked(stores.organisation, caller, wish)
        sealed = job.held.moved(Stage.SEALED, noisy=noisy, digest=digest, approval=wish.id)

        def keep(tx: KeyringTransaction) -> None:
            releases.change(tx, sealed)
            approvals.add(tx, asked)

        paid = replace(job.charge, rho=Fraction(0), state=LineState.COMMITTED)
        try:
            # A reservation is committed once, so one draw is kept.
            privacy_account.append(stores.keyring, paid, keep)
        except Refused as error:
            if error.code != "release.reservation":
                raise
            with stores.keyring.reading() as tx:
                return releases.find(tx, sealed.id)
        with unit_of_work(stores.data, stores.ledger) as uow:
            releases.put_files(uow.connection, stores.organisation, sealed, files)
            uow.record(self._act(replace(job, held=sealed), "release.seal"))
            uow.commit()
        return sealed

    @staticmethod
    def _act(job: _Job, code: str) -> Act:
        design = job.held.design
        return Act(
            code,
            job.caller.on_ledger,
            rule="permit:role",
            touched=(Touched("release", job.held.id),),
            filters=design.tables,
            links=_links(job.held),
        )


def _links(held: Held) -> tuple[tuple[str, str], ...]:
    return (("digest", held.digest),) if held.digest else ()


def _begin(tx: KeyringTransaction, held: Held) -> None:
    # In the reservation's own transaction: two who ask for the same find each other here.
    releases.take_turn(tx, held.made.at)
    _check_new(releases.all_(tx), held.design)
    releases.add(tx, held)


def _check_new(known: list[Held], design: Design) -> None:
    if any(one.stands_in_the_way(design) for one in known):
        raise Conflict(
            "One of these tables exists for this period. What was released is not made anew.",
            code="release.period-released",
            hint="GET /v1/releases lists what there is.",
        )


def _superseded(known: list[Held], design: Design) -> UUID | None:
    gone = [one for one in known if one.stage is Stage.WITHDRAWN]
    same = [one.id for one in gone if one.design.period == design.period]
    return same[-1] if same else None
