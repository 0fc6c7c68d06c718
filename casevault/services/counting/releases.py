"""The privacy account, and releases after they were made: reviewed by two, published, withdrawn.

Nothing here opens a fact, draws a number or knows an exact count. What is not published is shown to
who may review it and not to who made it; a review is a signed statement about the digest of all
files. Publishing checks both reviews once more and signs; withdrawing takes the files back and
gives no budget back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from casevault.crypto.approvals import Approval
from casevault.disclosure import budget, catalogue, planning
from casevault.disclosure.budget import Charge, Cohort, LineState
from casevault.disclosure.lifecycle import Held, Stage, Step, digests_of
from casevault.disclosure.planning import Planned
from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.approvals import Decision
from casevault.errors import CaseVaultError, Conflict, FieldError, Invalid, NotFound
from casevault.store.context import approvals
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.counting import release_proofs, releases, sizes
from casevault.store.engine import idempotency
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import privacy_account
from casevault.store.log.ledger import Act, Touched

_FIRST_YEAR = 1990
REASONS = ("error", "consent", "method", "other")


@dataclass(frozen=True, slots=True)
class Account:
    """All lines, and the sum of each cohort."""

    cohorts: tuple[Cohort, ...]
    charges: Sequence[Charge]


@dataclass(frozen=True, slots=True)
class Shown:
    """A release and how far its reviews are: how many approved, whether anybody declined."""

    held: Held
    approved: int
    declined: bool


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a release by name, with `release.json`, which signs them once published."""

    files: Mapping[str, bytes] = field(repr=False)


class Releases:
    """The use cases of the account, and of releases that exist."""

    def __init__(self, stores: Stores, gate: Gate, sign: Callable[[], bytes]) -> None:
        self._stores = stores
        self._gate = gate
        self._sign = sign

    def account(self, caller: Caller) -> Account:
        """Return what was spent, on what and by whom, and what is left."""
        self._gate.require(caller, Permission.RELEASE_ACCOUNT, Subject("release"))
        with self._stores.keyring.reading() as tx:
            charges = privacy_account.charges(tx)
        act = Act("release.account", caller.on_ledger, rule="permit:role", count=len(charges))
        self._stores.ledger.record(act)
        years = sorted({one.cohort_year for one in charges})
        return Account(tuple(budget.cohort(year, charges) for year in years), charges)

    def disclose(self, caller: Caller, cohort_year: int) -> Charge:
        """Enter that exact counts of a cohort were given to somebody: no release can follow."""
        self._gate.require(caller, Permission.RELEASE_DISCLOSE, Subject("release"))
        now = self._stores.clock.now()
        if not _FIRST_YEAR <= cohort_year <= now.year:
            raise Invalid(
                "This is no year in which people were accepted.",
                code="release.cohort",
                errors=(FieldError("/cohort_year", "field.range"),),
            )
        stores = self._stores
        made = idempotency.named(stores.data, stores.roots, caller.repeat, stores.now())
        with stores.keyring.reading() as tx:
            for one in privacy_account.charges(tx, cohort_year):
                if one.release == made:
                    self._record(caller, "release.account", (made,))
                    return one
        charge = Charge(cohort_year, made, (), None, LineState.EXACT, caller.staff, stores.now())
        touched = (Touched("release", charge.release),)
        act = Act("release.disclose", caller.on_ledger, rule="permit:role", touched=touched)
        with stores.ledger.giving(act):
            privacy_account.append(stores.keyring, charge)
        return charge

    def plan(self, caller: Caller) -> list[Planned]:
        """Return what this organisation's size allows and how accurate it will be: for nothing."""
        self._gate.require(caller, Permission.RELEASE_READ, Subject("release"))
        stores = self._stores
        with stores.keyring.reading() as tx:
            people = sizes.people(tx, stores.counting)
        self._record(caller, "release.plan", ())
        return planning.planned(people, len(stores.counting.regions), catalogue.shipped())

    def list_(self, caller: Caller) -> list[Shown]:
        """Return every release, oldest first."""
        self._gate.require(caller, Permission.RELEASE_READ, Subject("release"))
        with self._stores.keyring.reading() as tx:
            found = [_shown(tx, one) for one in releases.all_(tx)]
        self._record(caller, "release.list", tuple(one.held.id for one in found))
        return found

    def read(self, caller: Caller, release: UUID) -> Shown:
        """Return one release."""
        self._gate.require(caller, Permission.RELEASE_READ, Subject("release"))
        with self._stores.keyring.reading() as tx:
            found = _shown(tx, releases.find(tx, release))
        self._record(caller, "release.read", (release,))
        return found

    def file(self, caller: Caller, release: UUID, name: str) -> bytes:
        """Return one file, as `files`."""
        content = self.files(caller, release, name).files.get(name)
        if content is None:
            raise NotFound()
        return content

    def files(self, caller: Caller, release: UUID, name: str | None = None) -> Files:
        """Return the files: of a published one to everybody here, else to who may review it."""
        stores = self._stores
        self._gate.require(caller, Permission.RELEASE_READ, Subject("release"), _touched(release))
        with stores.keyring.reading() as tx:
            held = releases.find(tx, release)
        if held.stage is Stage.DRAFT:
            raise NotFound()
        if held.stage is Stage.WITHDRAWN:
            raise Conflict(
                "This release was withdrawn. Its numbers must not be used any more.",
                code="release.withdrawn",
            )
        if held.stage is Stage.SEALED:
            own = held.made.by == caller.staff
            subject = Subject("release", self_act=own)
            self._gate.require(caller, Permission.RELEASE_REVIEW, subject, _touched(release))
        with stores.data.reading() as connection:
            found = releases.files(connection, stores.organisation, held)
        if held.stage is Stage.PUBLISHED:
            found |= release_proofs.proven(stores, held, self._sign)
        names = sorted(found) if name is None else [name]
        self._record(caller, "release.read", (release,), filters=tuple(names))
        return Files(found)

    def review(self, caller: Caller, release: UUID, *, approve: bool) -> Shown:
        """Sign what the caller says about a release: the programme first, then data protection."""
        stores, touched = self._stores, _touched(release)
        self._gate.require(caller, Permission.RELEASE_REVIEW, Subject("release"), touched)
        with stores.keyring.reading() as tx:
            held = releases.find(tx, release)
        own = Subject("release", self_act=held.made.by == caller.staff)
        self._gate.require(caller, Permission.RELEASE_REVIEW, own, touched)
        decision = Decision.APPROVED if approve else Decision.DECLINED
        act = Act(
            "release.review",
            caller.on_ledger,
            rule="permit:role",
            touched=touched,
            filters=(decision.value,),
            links=(("digest", held.digest),),
        )
        try:
            with stores.keyring.reading() as tx:
                self._decided(tx, caller, held, decision)
        except CaseVaultError as error:
            self._gate.deny(caller, Permission.RELEASE_REVIEW, "refused:" + error.code, touched)
            raise
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            held = releases.find(tx, release, lock=True)
            approvals.change(tx, self._decided(tx, caller, held, decision))
            return _shown(tx, held)

    def publish(self, caller: Caller, release: UUID) -> Held:
        """Sign and publish a release that two have reviewed."""
        stores, touched = self._stores, _touched(release)
        self._gate.require(caller, Permission.RELEASE_PUBLISH, Subject("release"), touched)
        with stores.keyring.reading() as tx:
            held = releases.find(tx, release)
            reviewers = approvals.check(tx, stores.trust, _approval(tx, held), stores.now())
        with stores.data.reading() as connection:
            files = releases.files(connection, stores.organisation, held)
        act = Act(
            "release.publish",
            caller.on_ledger,
            rule="permit:approval",
            touched=touched,
            filters=_priced(held),
            count=len(reviewers),
            links=(("digest", held.digest),),
        )
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            held = releases.find(tx, release, lock=True)
            approval = _approval(tx, held)
            reviewers = approvals.use(tx, stores.trust, approval.wish, stores.now())
            step = Step(caller.staff, stores.now())
            statement = self._statement(tx, held, files, step, act.id)
            done = held.moved(
                Stage.PUBLISHED,
                published=step,
                reviewers=reviewers,
                statement=statement,
                entry=act.id,
            )
            releases.change(tx, done)
        return done

    def withdraw(self, caller: Caller, release: UUID, reason: str) -> Held:
        """Take a published release back. What was paid for it is not given back."""
        stores, touched = self._stores, _touched(release)
        self._gate.require(caller, Permission.RELEASE_WITHDRAW, Subject("release"), touched)
        if reason not in REASONS:
            raise Invalid("This is no reason of the list.", code="release.reason")
        act = Act(
            "release.withdraw",
            caller.on_ledger,
            rule="permit:role",
            touched=touched,
            filters=(reason,),
        )
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            held = releases.find(tx, release, lock=True)
            step = Step(caller.staff, stores.now())
            done = held.moved(Stage.WITHDRAWN, withdrawn=step, reason=reason)
            releases.change(tx, done)
        return done

    @staticmethod
    def _statement(
        tx: KeyringTransaction,
        held: Held,
        files: Mapping[str, bytes],
        step: Step,
        entry: UUID,
    ) -> str:
        """Return what the organisation signs: design, files, price, and where the log says so."""
        said = {
            "release": held.design.as_data(),
            "digest": held.digest,
            "files": digests_of(files),
            "account": _paid(tx, held),
            "reviews": ["programme", "data protection"],
            "supersedes": None if held.supersedes is None else str(held.supersedes),
            "published_at": step.at,
            "ledger_entry": str(entry),
        }
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
        return release_proofs.signed(tx, text)

    def _decided(
        self, tx: KeyringTransaction, caller: Caller, held: Held, decision: Decision
    ) -> Approval:
        found = _approval(tx, held)
        return approvals.decided(
            tx, self._stores.trust, caller, found, decision, self._stores.now()
        )

    def _record(
        self,
        caller: Caller,
        code: str,
        ids: tuple[UUID, ...],
        *,
        filters: tuple[str, ...] = (),
    ) -> None:
        touched = tuple(Touched("release", one) for one in ids)
        self._stores.ledger.record(
            Act(
                code,
                caller.on_ledger,
                rule="permit:role",
                touched=touched,
                filters=filters,
                count=len(ids),
            )
        )


def _touched(release: UUID) -> tuple[Touched, ...]:
    return (Touched("release", release),)


def _approval(tx: KeyringTransaction, held: Held) -> Approval:
    if held.stage is not Stage.SEALED or held.approval is None:
        raise Conflict("This release waits for no review.", code="release.stage")
    return approvals.find(tx, held.approval)


def _shown(tx: KeyringTransaction, held: Held) -> Shown:
    if held.stage is not Stage.SEALED:
        return Shown(held, len(held.reviewers), declined=False)
    try:
        found = _approval(tx, held)
    except NotFound:
        # Nobody reviewed it in time.
        return Shown(held, 0, declined=True)
    declined = any(one.decision is Decision.DECLINED for one in found.statements)
    return Shown(held, found.approved, declined)


def _priced(held: Held) -> tuple[str, ...]:
    design = held.design
    return (f"cohort:{design.period.year}", f"rho:{design.rho}")


def _paid(tx: KeyringTransaction, held: Held) -> list[dict[str, object]]:
    lines = privacy_account.charges(tx, held.design.period.year)
    return [
        {
            "cohort_year": one.cohort_year,
            "months": list(one.months),
            "rho": str(one.rho),
            "state": one.state.value,
            "at": one.at,
        }
        for one in lines
        if one.release == held.id and one.state is not LineState.EXACT
    ]
