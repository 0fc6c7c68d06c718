"""The rule of the signer: sign only what extends everything signed before.

A restored backup, a rollback and a fork all look alike from here: the new head does not extend
the last one, and is refused. The caller stores the returned checkpoint durably **before** it
releases the signature, and treats a lost state file as tampering, never as a first start.
"""

from __future__ import annotations

from collections.abc import Sequence

from casevault.ledger.faults import tampered
from casevault.ledger.note import Checkpoint
from casevault.ledger.tree import verify_consistency


def decide(last: Checkpoint | None, head: Checkpoint, proof: Sequence[bytes]) -> Checkpoint:
    """Return `head`, which may now be signed and becomes the next `last`.

    `last` is what this signer signed before, None only when the origin is created (then the
    proof is empty). `proof` leads from `last` to `head` (RFC 6962 section 2.1.2). Raises
    `Tampered` with code ledger-signer-origin, -rollback, -fork or -first.
    """
    if last is None:
        if proof:
            raise tampered("signer-first")
        # A head of size 0 has one possible root; checked here, since nothing came before it.
        verify_consistency(head.size, head.size, head.root, head.root, ())
        return head
    if head.origin != last.origin:
        raise tampered("signer-origin")
    if head.size < last.size:
        raise tampered("signer-rollback")
    if head.size == last.size and head.root != last.root:
        raise tampered("signer-fork")
    verify_consistency(last.size, head.size, last.root, head.root, proof)
    return head
