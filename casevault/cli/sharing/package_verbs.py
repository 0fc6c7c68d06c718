"""What operators look up for packages: public keys that are vouched for. Opens no content."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from casevault.cli.operating import At, Result, Verb
from casevault.crypto import key_files
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import NotFound
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import people, principals


@dataclass(frozen=True, slots=True)
class AddressWish:
    """Of which team, by its name; empty: of the organisation."""

    team: str = ""


def _address(at: At, wish: AddressWish) -> Result:
    with at.stores.keyring.reading() as tx:
        if wish.team:
            kind, team = PrincipalKind.INTAKE, _team(tx, wish.team)
        else:
            kind, team = PrincipalKind.ORGANISATION, None
        # What nobody vouches for today is nobody's address.
        found = [
            one
            for one in principals.groups(tx, kind, team)
            if any(
                (scope.kind, scope.team) == (kind.value, team)
                for scope in at.stores.trust.scopes(tx, one.id)
            )
        ]
    if len(found) != 1:
        raise NotFound("Nobody vouches for such keys.", code="package.address")
    public = found[0].public
    return {"key": key_files.written(public), "fingerprint": public.fingerprint}


def _team(tx: KeyringTransaction, name: str) -> UUID:
    found = [team for team, called in people.teams(tx).items() if called == name]
    if len(found) != 1:
        raise NotFound("There is no team of this name.", code="package.team")
    return found[0]


ADDRESS = Verb("package.address", AddressWish, _address)
