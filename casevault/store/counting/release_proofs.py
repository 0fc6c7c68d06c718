"""What proves a published release to people outside: the organisation's signature, the log's line.

The signature names the root's vouch and is complete by itself. The line of the log carries its
body, which was written to be shown, and a path to a signed checkpoint; it can be made for as long
as the service holds that month's key, and is kept from then on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from sqlalchemy import select

from casevault.crypto import releases as signing
from casevault.crypto.principals import PublicKeys
from casevault.crypto.vouches import Vouch
from casevault.disclosure.lifecycle import Held
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import CaseVaultError, Tampered
from casevault.ledger.entry import check_body, parse_leaf
from casevault.ledger.evidence import Evidence, json_line
from casevault.ledger.proof import encode_proof
from casevault.store.context.stores import Stores
from casevault.store.counting import release_files, releases
from casevault.store.engine import tables
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import principals
from casevault.store.log import proofs, tree

NAME = "release.json"


def signed(tx: KeyringTransaction, text: str) -> str:
    """Return a statement with the organisation's signature and the chain to the root, as JSON."""
    organisation, secret = principals.in_use(tx, PrincipalKind.ORGANISATION)
    vouch, root = _chain(tx, organisation, secret.public)
    found = signing.sign(tx.organisation, text, secret, vouch, root)
    return json.dumps(found.as_data(), sort_keys=True)


def proven(stores: Stores, held: Held, sign: Callable[[], bytes]) -> dict[str, bytes]:
    """Return `release.json` of a published release."""
    data = json.loads(held.statement)
    if not held.evidence:
        held = _with_evidence(stores, held, sign)
    data["ledger"] = json.loads(held.evidence) if held.evidence else None
    return {NAME: release_files.encoded(data)}


def _with_evidence(stores: Stores, held: Held, sign: Callable[[], bytes]) -> Held:
    try:
        line = _line(stores, held, sign)
    except CaseVaultError:
        # Not in the tree yet, the signer is away, or the month is closed: the signature stands.
        return held
    with stores.keyring.writing() as tx:
        present = releases.find(tx, held.id, lock=True)
        releases.change(tx, replace(present, evidence=line))
    return replace(held, evidence=line)


def _line(stores: Stores, held: Held, sign: Callable[[], bytes]) -> str:
    if held.entry is None:
        raise Tampered(code="release")
    tree.integrate_all(stores.data, stores.roots)
    note = sign()
    entry = tables.ledger_entry
    with stores.data.reading() as connection:
        row = connection.execute(
            select(entry.c.leaf, entry.c.month).where(entry.c.id == held.entry)
        ).one_or_none()
        month = next((m for m in stores.months.kept() if row and m.month == row.month), None)
        if row is None or month is None:
            raise Tampered(code="release.entry")
        shown = proofs.shown(connection, stores.organisation, month, held.entry)
        proof = proofs.prove(connection, shown.position, note)
    leaf = bytes(row.leaf)
    body = check_body(parse_leaf(leaf), shown.salt, shown.body)
    found = Evidence(
        held.entry,
        shown.position,
        leaf,
        shown.salt,
        shown.body,
        body,
        None,
        encode_proof(replace(proof, extra=b"")),
    )
    return json_line(found).decode()


def _chain(
    tx: KeyringTransaction, organisation: UUID, public: PublicKeys
) -> tuple[Vouch, PublicKeys]:
    (root,) = principals.groups(tx, PrincipalKind.ROOT)
    for vouch in principals.vouches_for(tx, organisation):
        if vouch.subject_keys == public and vouch.statement.issuer == root.id:
            return vouch, root.public
    raise Tampered(code="release.vouch")
