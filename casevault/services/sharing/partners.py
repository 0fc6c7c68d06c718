"""The directory of partners: kept, searched, printed. No survivor is in it.

Whoever looks for help reads it; supervisors keep it. A partner's keys count only after somebody
compared their fingerprint with the partner, by voice or in person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from casevault.crypto.principals import KEM_PUBLIC_BYTES, SIGN_PUBLIC_BYTES, PublicKeys
from casevault.domain.sharing import partners as directory
from casevault.domain.sharing.partners import Gap, Partner, Search
from casevault.domain.staff.access import Permission, Subject
from casevault.domain.texts.sheets import Line
from casevault.errors import FieldError, Invalid, Refused
from casevault.ids import new_id
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.counting import published_needs
from casevault.store.counting.published_needs import Unmet
from casevault.store.engine import idempotency
from casevault.store.keys import partners
from casevault.store.log.ledger import Act, Touched

_KEY_BYTES = KEM_PUBLIC_BYTES + SIGN_PUBLIC_BYTES


@dataclass(frozen=True, slots=True)
class Found:
    """A partner as it is shown: with its keys' fingerprint, and whether to ask them again."""

    partner: Partner
    stale: bool
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a table: how many entries were added and changed, and what was refused."""

    added: int
    changed: int
    refused: tuple[Line, ...]


class Partners:
    """The use cases of the directory."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def list_(self, caller: Caller) -> list[Found]:
        """Return the whole directory by name."""
        known = self._read(caller, "partner.list")
        return [self._found(one) for one in sorted(known, key=lambda one: (one.name, one.id))]

    def read(self, caller: Caller, partner_id: UUID) -> Found:
        """Return one partner."""
        self._gate.require(caller, Permission.PARTNER_READ, Subject("partner"))
        with self._stores.keyring.reading() as tx:
            found = partners.find(tx, partner_id)
        act = self._act(caller, "partner.read", (Touched("partner", partner_id),))
        self._stores.ledger.record(act)
        return self._found(found)

    def add(self, caller: Caller, content: Mapping[str, Any]) -> UUID:
        """Add a partner, once however often it is sent; return its id."""
        self._gate.require(caller, Permission.PARTNER_WRITE, Subject("partner"))
        stores, checked = self._stores, directory.checked(content)
        made = idempotency.named(stores.data, stores.roots, caller.repeat, stores.now())
        with stores.keyring.reading() as tx:
            there = partners.is_there(tx, made)
        if there:
            act = self._act(caller, "partner.read", (Touched("partner", made),))
            stores.ledger.record(act)
        else:
            self._write(caller, "partner.add", [Partner(made, checked)], [])
        return made

    def amend(
        self, caller: Caller, partner_id: UUID, content: Mapping[str, Any], version: int
    ) -> int:
        """Change an entry that still is in this version; its keys stay."""
        self._gate.require(caller, Permission.PARTNER_WRITE, Subject("partner"))
        checked = directory.checked(content)
        act = self._act(caller, "partner.amend", (Touched("partner", partner_id),))
        with self._stores.ledger.giving(act), self._stores.keyring.writing() as tx:
            found = partners.find(tx, partner_id, version)
            partners.change(tx, replace(found, content=checked, version=version + 1))
        return version + 1

    def remove(self, caller: Caller, partner_id: UUID) -> None:
        """Take a partner out; referrals to them stay what they are."""
        self._gate.require(caller, Permission.PARTNER_WRITE, Subject("partner"))
        act = self._act(caller, "partner.remove", (Touched("partner", partner_id),))
        with self._stores.keyring.reading() as tx:
            partners.find(tx, partner_id)
        with self._stores.ledger.giving(act), self._stores.keyring.writing() as tx:
            partners.remove(tx, partner_id)

    def set_key(
        self, caller: Caller, partner_id: UUID, key: bytes, fingerprint: str, version: int
    ) -> Found:
        """Keep a partner's public keys, if this is the fingerprint that the partner read out."""
        self._gate.require(caller, Permission.PARTNER_KEY, Subject("partner"))
        touched = (Touched("partner", partner_id),)
        public = _public(key)
        if "".join(fingerprint.lower().split()) != "".join(public.fingerprint.split()):
            self._gate.deny(caller, Permission.PARTNER_KEY, "deny:fingerprint", touched)
            raise Refused(
                "This is not the fingerprint of these keys. Ask the partner to read out theirs.",
                code="partner.fingerprint",
            )
        act = self._act(caller, "partner.key", touched)
        with self._stores.ledger.giving(act), self._stores.keyring.writing() as tx:
            found = partners.find(tx, partner_id, version)
            # Where their vault is, the key before this one had signed.
            changed = replace(
                found, version=version + 1, key=key, key_checked_by=caller.staff, pinned=None
            )
            partners.change(tx, changed)
        return self._found(changed)

    def pathways(self, caller: Caller, search: Search) -> list[Found]:
        """Return who can help: verified before stale, open before full."""
        known = self._read(caller, "partner.pathways")
        fitting = directory.pathways(known, search, self._stores.clock.now().date())
        return [self._found(one) for one in fitting]

    def gaps(self, caller: Caller) -> list[tuple[Gap, Unmet | None]]:
        """Return every service × area without a verified partner, with the service's unmet needs.

        Those are the numbers of the whole country that were published last.
        """
        known = self._read(caller, "partner.gaps")
        unmet = published_needs.by_service(self._stores)
        found = directory.gaps(known, self._stores.clock.now().date())
        return [(gap, unmet.get(gap.service)) for gap in found]

    def leaflet(self, caller: Caller, area: str) -> list[Partner]:
        """Return whom to print for an area: partners that may stand on paper and are verified."""
        today = self._stores.clock.now().date()
        known = self._read(caller, "partner.list")
        fitting = [
            one
            for one in known
            if one.content.get("public") and one.in_area(area) and not one.is_stale(today)
        ]
        return sorted(fitting, key=lambda one: (one.name, one.id))

    def take(self, caller: Caller, lines: Iterable[Line]) -> Taken:
        """Take over a table; a faulty line is refused and named, the others are kept."""
        self._gate.require(caller, Permission.PARTNER_WRITE, Subject("partner"))
        found = list(lines)
        with self._stores.keyring.reading() as tx:
            known = {one.id: one for one in partners.all_(tx)}
        added, changed, refused = [], [], []
        for line in found:
            if line.faults:
                refused.append(line)
            elif line.id is None:
                added.append(Partner(new_id(), line.content))
            elif line.id in known:
                before = known[line.id]
                changed.append(replace(before, content=line.content, version=before.version + 1))
            else:
                refused.append(replace(line, faults=(FieldError("/id", "partners.unknown"),)))
        self._write(caller, "partner.import", added, changed)
        return Taken(len(added), len(changed), tuple(refused))

    def _write(
        self, caller: Caller, code: str, added: list[Partner], changed: list[Partner]
    ) -> None:
        touched = tuple(Touched("partner", one.id) for one in (*added, *changed))[:1000]
        act = self._act(caller, code, touched, count=len(added) + len(changed))
        with self._stores.ledger.giving(act), self._stores.keyring.writing() as tx:
            for one in added:
                partners.add(tx, one)
            for one in changed:
                partners.find(tx, one.id, one.version - 1)
                partners.change(tx, one)

    def _read(self, caller: Caller, code: str) -> list[Partner]:
        self._gate.require(caller, Permission.PARTNER_READ, Subject("partner"))
        with self._stores.keyring.reading() as tx:
            known = partners.all_(tx)
        self._stores.ledger.record(self._act(caller, code, (), count=len(known)))
        return known

    def _found(self, one: Partner) -> Found:
        fingerprint = None if one.key is None else _public(one.key).fingerprint
        return Found(one, one.is_stale(self._stores.clock.now().date()), fingerprint)

    @staticmethod
    def _act(
        caller: Caller, code: str, touched: tuple[Touched, ...], count: int | None = None
    ) -> Act:
        return Act(code, caller.on_ledger, rule="permit:role", touched=touched, count=count)


def _public(key: bytes) -> PublicKeys:
    if len(key) != _KEY_BYTES:
        raise Invalid(
            "These are no public keys: `casevault package keygen` prints them.",
            code="partner.key",
            errors=(FieldError("/key", "partner.key"),),
        )
    return PublicKeys(key[:KEM_PUBLIC_BYTES], key[KEM_PUBLIC_BYTES:])
