"""New cases: keys and first grants in the keyring, then documents and entries in one transaction.

Who creates gives keys first: until the data is committed, they open nothing. A case is granted
to its creator, the team's oversight and recovery, and to its duty group if it has one; its facts
also to counting. Unless it is unlisted, its search card goes into the team's directory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from casevault.crypto.sealing import Key
from casevault.domain.case import casefile
from casevault.domain.case.casefile import CaseMetadata, Compartment, DocumentKind
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import Tampered
from casevault.store.case import case_keys, cases, documents, import_lines
from casevault.store.case.import_lines import Line
from casevault.store.casework import listing
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine import idempotency
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants
from casevault.store.keys.grants import Grantee, Issued, Object
from casevault.store.log.ledger import Act, Touched
from casevault.store.log.unit_of_work import unit_of_work
from casevault.store.search import cards

_ALL = frozenset(c.value for c in Compartment)
Receivers = list[tuple[Grantee, frozenset[str]]]


@dataclass(frozen=True, slots=True)
class Birth:
    """A case to be: its plain row and first documents, and the names of the fields given."""

    case: CaseMetadata
    contents: tuple[tuple[DocumentKind, Mapping[str, Any]], ...] = field(repr=False)
    fields: tuple[str, ...] = ()
    # Its entry on the ledger.
    code: str = "case.open"
    keys: Mapping[str, Key] = field(
        default_factory=lambda: {name: Key.random() for name in sorted(_ALL)}, repr=False
    )


def bear(
    stores: Stores,
    caller: Caller,
    births: Sequence[Birth],
    imported: Sequence[Line] = (),
) -> None:
    """Make all of these cases or none; `imported` are the lines that they were, one each.

    A repeated request, and a line that was taken meanwhile, is a `Conflict`.
    """
    listed = {
        one.case: one
        for birth in births
        if (one := listing.of_birth(stores.search, birth.case, birth.contents)) is not None
    }
    team = births[0].case.team
    with stores.keyring.reading() as tx:
        trusted, groups = tx.trust_version(), receivers(stores, tx, team)
    # Signed, as documents are sealed, before the write lock is taken: the lock is everybody's.
    issued = [_issued(stores, caller, birth, groups) for birth in births]
    with stores.keyring.writing() as tx:
        if tx.trust_version() != trusted:
            # Somebody's keys or vouches changed meanwhile: perhaps one of these groups'.
            groups = receivers(stores, tx, team)
            issued = [_issued(stores, caller, birth, groups) for birth in births]
        # Looked up even if nobody is listed: whether a case has a card costs nothing that shows.
        directory = cards.directory_of(tx, stores.trust, caller, team)
        fresh = cards.renew(tx, directory, listed, stores.now())
        for birth in births:
            case_keys.add(tx, birth.case.id, birth.keys)
        grants.keep(tx, issued)
    sealed = [(birth, _sealed(stores.organisation, birth)) for birth in births]
    made = [
        (fresh[case], cards.seal_card(stores.organisation, fresh[case], one.text))
        for case, one in listed.items()
    ]
    with unit_of_work(stores.data, stores.ledger) as uow:
        for birth, compartments in sealed:
            cases.insert_case(uow.connection, stores.roots, birth.case, compartments)
        for key, card in made:
            cards.put(uow.connection, stores.roots, key, card)
        first = births[0].case.id
        idempotency.keep(uow.connection, stores.roots, caller.repeat, first, stores.now())
        if imported:
            taken = [(line, birth.case.id) for line, birth in zip(imported, births, strict=True)]
            import_lines.keep(uow.connection, stores.roots, taken)
        uow.record(*(_act(caller, birth, compartments) for birth, compartments in sealed))
        uow.commit()


def receivers(
    stores: Stores, tx: KeyringTransaction, team: UUID, *, on_call: bool = True
) -> Receivers:
    """Return the groups to which every case of a team is granted, and which compartments each.

    `on_call`: the team's duty group too.
    """
    trust, facts = stores.trust, frozenset({Compartment.FACTS.value})
    wanted = [
        (trust.groups(tx, PrincipalKind.OVERSIGHT, team), _ALL),
        (trust.groups(tx, PrincipalKind.RECOVERY), _ALL),
        (trust.groups(tx, PrincipalKind.COUNTING), facts),
    ]
    # Most teams have nobody on call; one whose vouch ran out must not keep cases from being opened.
    duty = trust.vouched_groups(tx, PrincipalKind.DUTY, team) if on_call else []
    found = [(group, _ALL) for group in duty]
    for groups, names in wanted:
        if not groups:
            raise Tampered(code="principal.missing")
        found += [(group, names) for group in groups]
    return found


def _issued(stores: Stores, caller: Caller, birth: Birth, groups: Receivers) -> Issued:
    return grants.issue(
        stores.organisation,
        Object(ObjectKind.CASE, birth.case.id, birth.case.team),
        birth.keys,
        caller.keys.granter,
        [(Grantee(caller.staff, caller.keys.secret.public), _ALL), *groups],
        purpose="birth",
        issued_at=stores.now(),
    )


def _sealed(organisation: UUID, birth: Birth) -> list[documents.SealedCompartment]:
    inside: dict[str, list[tuple[str, Mapping[str, Any]]]] = {name: [] for name in sorted(_ALL)}
    for kind, content in birth.contents:
        inside[casefile.compartment_of(kind).value].append((kind.value, content))
    return [
        documents.seal_compartment(organisation, birth.case, name, birth.keys[name], found)
        for name, found in inside.items()
    ]


def _act(caller: Caller, birth: Birth, sealed: Iterable[documents.SealedCompartment]) -> Act:
    versions = tuple((one.manifest.compartment, one.manifest.revision) for one in sealed)
    return Act(
        birth.code,
        caller.on_ledger,
        rule="permit:team",
        purpose="treatment",
        touched=(Touched("case", birth.case.id, versions),),
        fields=birth.fields,
    )
