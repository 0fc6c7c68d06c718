"""An account that begins anew: what dies at once, and what is still owed to its person.

A person's new keys have the id of the old ones; grants name the pair. Grants of cases to the old
pair open nothing any more (its secret is gone with the envelope), but they are signed, so they are
the list of what whoever regrants may give again: no row that somebody inserted adds to it.
"""

from __future__ import annotations

from uuid import UUID

from casevault.crypto import canonical
from casevault.crypto.grants import Grant
from casevault.domain.staff.granting import ObjectKind
from casevault.ids import new_id
from casevault.store.context.caller import Caller
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import factors, grants, people, principals
from casevault.store.keys.grants import Object
from casevault.store.keys.trust import Trust
from casevault.store.staff import guesses, rotating

_OWED = "regrant"


def begin(tx: KeyringTransaction, caller: Caller, staff: UUID, now: int) -> None:
    """Take away by what a person signs in, what they are vouched for, and their groups.

    What only they could open (drafts, a feed) is lost with their old pair.
    """
    people.take_sign_in(tx, staff)
    factors.forget(tx, staff)
    # A device that was lost with the passphrase has no guesses of its own any more.
    guesses.drop_devices(tx, staff)
    # What they signed within this second still counts: a case may have been opened in it.
    rotating.revoke(tx, caller, staff, now + 1)
    grants.take_kinds(tx, (ObjectKind.GROUP, ObjectKind.DUTY, ObjectKind.PRIVATE), staff)
    if not is_owed(tx, staff):
        tx.add(tables.intent, canonical.encode(now), id=new_id(), kind=_OWED, object_id=staff)


def is_owed(tx: KeyringTransaction, staff: UUID) -> bool:
    """Say whether a person waits for what they held with their old pair."""
    return bool(tx.lookups(tables.intent, kind=_OWED, object_id=staff))


def waiting(tx: KeyringTransaction) -> set[UUID]:
    """Return everybody who waits for what they held with their old pair."""
    return {row["object_id"] for row in tx.lookups(tables.intent, kind=_OWED)}


def owed_of(tx: KeyringTransaction, target: Object) -> set[UUID]:
    """Return who waits for this object: new keys for it must not forget them."""
    those = waiting(tx)
    if not those:
        return set()
    found = grants.of_object(tx, target, sorted(those))
    return {grant.terms.grantee for grant in found if _is_old(tx, grant)}


def owed(tx: KeyringTransaction, trust: Trust, staff: UUID, key_id: bytes, now: int) -> list[Grant]:
    """Return the grants of cases to pairs other than this one, each checked, by case."""
    found = [
        grant
        for grant in grants.of_grantee(tx, ObjectKind.CASE, staff)
        if grant.terms.grantee_key_id != key_id and not grants.is_over(grant, now)
    ]
    for grant in found:
        trust.check_grant(tx, grant)
    return sorted(found, key=lambda grant: grant.terms.object_id)


def _is_old(tx: KeyringTransaction, grant: Grant) -> bool:
    """Say whether a grant is to a pair whose secret is gone."""
    terms = grant.terms
    row = principals.principal(tx, terms.grantee)
    is_present = row is not None and row.public.key_id == terms.grantee_key_id
    return not is_present or people.envelope_of(tx, terms.grantee) is None


def end(tx: KeyringTransaction, staff: UUID) -> None:
    """Note that nothing is owed any more."""
    tx.remove(tables.intent, kind=_OWED, object_id=staff)
