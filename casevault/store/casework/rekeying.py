"""New keys for a case: what takes somebody's access away, and how it is finished after a crash.

Three steps, each atomic: (1) keyring: the next version of every key, grants of it to those who
remain, an intent; (2) data: everything sealed anew under it; (3) keyring: the intent goes.
Between them the newest key leads back to the older one, so reading never stops, and whoever holds
the newest keys can finish. Must never leave a case that nobody can open.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Connection

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.crypto.sealing import Key
from casevault.domain.case import casefile
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import CaseVaultError, Conflict, NotFound
from casevault.ids import new_id
from casevault.store.case import case_keys, cases, documents
from casevault.store.case.case_keys import Versions
from casevault.store.case.held_case import HeldCase
from casevault.store.case.manifests import Manifest
from casevault.store.context import intents
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, principals
from casevault.store.keys.grants import Grantee, Object
from casevault.store.log.ledger import SERVICE, Act, Touched
from casevault.store.log.unit_of_work import unit_of_work
from casevault.store.staff import resetting, rotating

T = TypeVar("T")
INTENT = "rekey"
# A case that is still to be marked for new keys, because of something that took power.
_OWED = "rekey-owed"
_REKEYED = "case.rekeyed"
RULE = "permit:caseload"
# An entry's body has a limit; this many cases fit well into one.
_NAMED = 400


@dataclass(frozen=True, slots=True)
class _Remaining:
    """Somebody who goes on holding keys: which, and until when (None: no end)."""

    grantee: Grantee
    compartments: frozenset[str]
    expires_at: int | None
    purpose: str


def renew(
    stores: Stores,
    caller: Caller,
    held: HeldCase,
    manifests: Mapping[str, Manifest],
    without: UUID | None = None,
    act: Act | None = None,
) -> None:
    """Give a case new keys, and everybody but `without` grants of them; `act` says why.

    :raises KeyUnavailable: the caller does not hold every compartment.
    :raises Conflict: somebody else gave it new keys meanwhile, or nobody would be left.
    """
    with stores.keyring.writing() as tx:
        check_newest(tx, held)
        # Their old grants open nothing, and are the list of what they are to get again.
        owed = resetting.owed_of(tx, held.target) - {without}
        remaining = _remaining(stores, tx, held.target, {*owed, without})
        renewed = _succeed(stores, tx, caller, held, manifests, remaining, owed, act)
    finish(stores, caller, renewed, act)


def hand_on(
    stores: Stores,
    caller: Caller,
    held: HeldCase,
    manifests: Mapping[str, Manifest],
    receivers: Iterable[tuple[Grantee, frozenset[str]]],
    act: Act,
    also: Callable[[KeyringTransaction], None],
) -> None:
    """Give a case new keys, and nobody but these receivers grants of them.

    `also` writes to the keyring in the same transaction.

    :raises KeyUnavailable: the caller does not hold every compartment.
    :raises Conflict: somebody else gave it new keys meanwhile, or nobody would be left.
    """
    with stores.keyring.writing() as tx:
        check_newest(tx, held)
        remaining = [_Remaining(one, names, None, "transfer") for one, names in receivers]
        also(tx)
        renewed = _succeed(stores, tx, caller, held, manifests, remaining, set(), act)
    finish(stores, caller, renewed, act)


def _succeed(
    stores: Stores,
    tx: KeyringTransaction,
    caller: Caller,
    held: HeldCase,
    manifests: Mapping[str, Manifest],
    remaining: list[_Remaining],
    owed: set[UUID],
    act: Act | None,
) -> HeldCase:
    """Write the keyring's half of new keys; return the case with them."""
    _check_somebody_left(tx, remaining)
    steps = {
        name: (held.newest_key(name), Key.random(versions.newest.version + 1))
        for name, versions in held.versions.items()
    }
    case_keys.succeed(tx, held.case.id, steps, manifests)
    grants.take_object(tx, held.target.kind, [held.case.id], keep=owed)
    _give_anew(stores, tx, caller, held.target, steps, remaining)
    version = max(new.version for _, new in steps.values())
    content = canonical.encode(stores.now(), version)
    tx.add(tables.intent, content, id=new_id(), kind=INTENT, object_id=held.case.id)
    if act is not None:
        intents.begin(stores, tx, act)
    versions = case_keys.of_case(tx, held.case.id)
    keys = {name: replace(held.keys[name], key=new) for name, (_, new) in steps.items()}
    return replace(held, keys=keys, versions=versions)


def regrant(
    stores: Stores, caller: Caller, held: HeldCase, without: UUID, act: Act | None = None
) -> None:
    """As `renew`, for a case whose content does not open: new grants, and the keys as they are.

    New keys follow as soon as somebody writes to what was repaired.
    """
    keys = {name: held.newest_key(name) for name in held.versions}
    with stores.keyring.writing() as tx:
        check_newest(tx, held)
        owed = resetting.owed_of(tx, held.target) - {without}
        remaining = _remaining(stores, tx, held.target, {*owed, without})
        _check_somebody_left(tx, remaining)
        steps = {name: (key, key) for name, key in keys.items()}
        grants.take_object(tx, held.target.kind, [held.case.id], keep=owed)
        _give_anew(stores, tx, caller, held.target, steps, remaining)
        if act is not None:
            intents.begin(stores, tx, act)
    with unit_of_work(stores.data, stores.ledger) as uow:
        mark_due(stores, uow.connection, held.case.id)
        uow.record(Act("case.regrant", caller.on_ledger, rule=RULE, touched=_case(held.case.id)))
        if act is not None:
            uow.record(act)
        uow.commit()
    if act is not None:
        with stores.keyring.writing() as tx:
            intents.end(tx, act)


def mark_due(stores: Stores, connection: Connection, case_id: UUID) -> bool:
    """Let the next session that holds the whole case give it new keys; say if that is new."""
    case = cases.find_case(connection, stores.roots, case_id, lock=True)
    if case is None or case.rekey_due:
        return False
    cases.change_case(
        connection, stores.roots, replace(casefile.next_version(case), rekey_due=True)
    )
    return True


def owe(tx: KeyringTransaction, ids: Iterable[UUID], now: int) -> None:
    """Keep in the caller's transaction that these cases are to be marked for new keys."""
    content = canonical.encode(now)
    rows = [({"id": new_id(), "kind": _OWED, "object_id": one}, content) for one in ids]
    tx.add_many(tables.intent, rows)


def paid(stores: Stores, ids: Collection[UUID]) -> None:
    """Forget that these cases are to be marked: they are."""
    if ids:
        with stores.keyring.writing() as tx:
            tx.remove(tables.intent, kind=_OWED, object_id=sorted(ids))


def mark_owed(stores: Stores) -> int:
    """Mark what somebody who was cut off left unmarked; return how many cases that were."""
    before = stores.now() - intents.LEFT_BEHIND_SECONDS
    with stores.keyring.reading() as tx:
        rows = tx.find(tables.intent, kind=_OWED)
    left = sorted(
        {row.lookup["object_id"] for row in rows if Reader.of(row.content).number() <= before}
    )
    if left:
        with unit_of_work(stores.data, stores.ledger) as uow:
            marked = [one for one in left if mark_due(stores, uow.connection, one)]
            touched = tuple(Touched("case", one) for one in marked[:_NAMED])
            uow.record(Act("key.due", SERVICE, touched=touched, count=len(marked)))
            uow.commit()
        paid(stores, left)
    return len(left)


def marking(
    stores: Stores, ids: Iterable[UUID], marked: list[UUID]
) -> Callable[[Connection], None]:
    """Return what marks these cases in somebody's transaction, and tells which of them newly."""

    def mark(connection: Connection) -> None:
        marked[:] = [one for one in ids if mark_due(stores, connection, one)]

    return mark


def _case(case_id: UUID) -> tuple[Touched, ...]:
    return (Touched("case", case_id),)


def finish(stores: Stores, caller: Caller, held: HeldCase, act: Act | None = None) -> None:
    """Seal a case under the newest keys that the caller holds, unless that was done meanwhile."""
    newest = min(held.newest_key(name).version for name in held.versions)
    with unit_of_work(stores.data, stores.ledger) as uow:
        case = cases.find_case(uow.connection, stores.roots, held.case.id, lock=True)
        if case is None:
            raise NotFound()
        now = replace(held, case=case)
        acts = [] if act is None else [act]
        if case.key_version < newest:
            revisions = tuple(
                (name, _reseal(uow.connection, now, name).revision) for name in sorted(now.versions)
            )
            done = replace(casefile.next_version(case), key_version=newest, rekey_due=False)
            cases.change_case(uow.connection, stores.roots, done)
            touched = (Touched("case", case.id, revisions),)
            acts.append(
                Act("case.rekey", caller.on_ledger, rule=RULE, purpose="treatment", touched=touched)
            )
        if acts:
            uow.record(*acts)
            uow.commit()
    _close(stores, held.case.id, newest, act)


def is_under_way(tx: KeyringTransaction, case: UUID) -> bool:
    """Say whether somebody began to give this case new keys and has not finished."""
    return bool(tx.lookups(tables.intent, kind=INTENT, object_id=case))


def check_newest(tx: KeyringTransaction, held: HeldCase) -> dict[str, Versions]:
    """Return the versions of the case's keys, which stay as they are until `tx` ends.

    :raises Conflict: the caller's keys are not the newest.
    """
    present = case_keys.locked(tx, held.case.id)
    for name, opened in held.keys.items():
        if present[name].newest.key_id != opened.key.id:
            raise rekeyed()
    return present


def tried_twice(work: Callable[[], T]) -> T:
    """Return what `work` returns; if the case got new keys under it, let it begin once more."""
    try:
        return work()
    except Conflict as error:
        if not is_overtaken(error):
            raise
    return work()


def is_overtaken(error: CaseVaultError) -> bool:
    """Say whether this is the conflict that `tried_twice` solves."""
    return error.code == _REKEYED


def rekeyed() -> Conflict:
    """Return the conflict that a second try solves."""
    return Conflict("The case got new keys meanwhile. Try again.", code=_REKEYED)


def _reseal(connection: Connection, held: HeldCase, compartment: str) -> Manifest:
    manifest = held.manifest(connection, compartment)
    return documents.reseal_compartment(
        connection,
        held.organisation,
        held.case,
        manifest,
        held.key(compartment),
        held.newest_key(compartment),
        held.versions[compartment].newest.anchor.revision,
    )


def _close(stores: Stores, case: UUID, version: int, act: Act | None) -> None:
    with stores.keyring.writing() as tx:
        for row in tx.find(tables.intent, kind=INTENT, object_id=case):
            reader = Reader.of(row.content)
            reader.number()
            # A later one waits for its own second step.
            if reader.number() <= version:
                tx.remove(tables.intent, id=row.lookup["id"])
        if act is not None:
            intents.end(tx, act)


def _remaining(
    stores: Stores, tx: KeyringTransaction, target: Object, without: Collection[UUID | None]
) -> list[_Remaining]:
    found: dict[tuple[UUID, int | None, str], _Remaining] = {}
    for grant in grants.of_object(tx, target):
        terms = grant.terms
        if terms.grantee in without or grants.is_over(grant, stores.now()):
            continue
        stores.trust.check_grant(tx, grant)
        names = frozenset(carried.compartment for carried in terms.carried)
        purpose = grants.again(terms, "rekey")
        for grantee in rotating.present(stores, tx, terms.grantee, target.team):
            at = grantee.id, terms.expires_at, purpose
            before = found[at].compartments if at in found else frozenset[str]()
            found[at] = _Remaining(grantee, names | before, terms.expires_at, purpose)
    return list(found.values())


def _check_somebody_left(tx: KeyringTransaction, remaining: list[_Remaining]) -> None:
    ids = [one.grantee.id for one in remaining]
    kinds = {row.id: row.kind for row in principals.principals(tx, ids)}
    holders = set(ids)
    for group in ids:
        if kinds.get(group) is PrincipalKind.OVERSIGHT:
            holders |= grants.holders_of(tx, group)
    # Recovery is a member of every group, and nobody who could come to work tomorrow.
    if not principals.are_people(tx, holders):
        raise Conflict(
            "Nobody could open this case any more.",
            code="case.last-holder",
            hint="Assign it to somebody else first.",
        )


def _give_anew(
    stores: Stores,
    tx: KeyringTransaction,
    caller: Caller,
    target: Object,
    steps: Mapping[str, tuple[Key, Key]],
    remaining: list[_Remaining],
) -> None:
    keys = {name: new for name, (_, new) in steps.items()}
    for ending, purpose in {(one.expires_at, one.purpose) for one in remaining}:
        grants.give(
            tx,
            target,
            keys,
            caller.keys.granter,
            [
                (one.grantee, one.compartments)
                for one in remaining
                if (one.expires_at, one.purpose) == (ending, purpose)
            ],
            purpose=purpose,
            issued_at=stores.now(),
            expires_at=ending,
        )
