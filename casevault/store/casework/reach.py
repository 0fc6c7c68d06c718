"""What somebody can open of a case, and what else the keyring says of it, all of one moment.

A look at one compartment is answered from one statement where the caller's own grant opens it.
Whatever that leaves open (grants to groups, new keys on their way, vouches not checked lately) is
asked in a transaction. Must never mix what two moments say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from casevault.store.case import case_keys
from casevault.store.case.case_keys import Versions
from casevault.store.casework import matters, rekeying
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import glimpse
from casevault.store.keys.grants import Object
from casevault.store.keys.keyholder import KeyHolder, OpenedKey


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a case: some compartments or, with none named, all; whether it is frozen.

    `key_version` is the one under which its data was found; None if there is no such case.
    """

    target: Object
    key_version: int | None
    compartments: Sequence[str]
    asks_frozen: bool
    # The team that takes it. A restored case lies where it was; its grants are that team's already.
    taken_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """Keys by compartment, versions by name, and whether new keys or a restriction are there."""

    keys: Mapping[str, OpenedKey]
    versions: Mapping[str, Versions]
    is_under_way: bool
    is_frozen: bool


def of(stores: Stores, holder: KeyHolder, wish: Wish) -> Reach:
    """Return what this person can open."""
    keyring, target, work = stores.keyring, wish.target, partial(_reach, holder, wish)
    if len(wish.compartments) == 1 and not wish.asks_frozen and wish.taken_by is None:
        (name,) = wish.compartments
        seen = partial(glimpse.of_compartment, keyring, target.id, name, holder.staff)
        return glimpse.answered(keyring, seen, work)
    with keyring.reading() as tx:
        return work(tx)


def _reach(holder: KeyHolder, wish: Wish, tx: KeyringTransaction) -> Reach:
    case, version = wish.target.id, wish.key_version
    keys = holder.open(tx, wish.target, *wish.compartments)
    if wish.taken_by not in (None, wish.target.team):
        there = replace(wish.target, team=wish.taken_by)
        keys = {**holder.open(tx, there, *wish.compartments), **keys}
    versions = case_keys.of_case(tx, case, list(wish.compartments) or None)
    behind = version is not None and case_keys.is_behind(version, versions)
    return Reach(
        keys,
        versions,
        behind and rekeying.is_under_way(tx, case),
        wish.asks_frozen and bool(matters.restricted(tx, [case])),
    )
