"""Answers between vaults: what a team says of a letter, and what is heard of one that was sent.

What colleagues write beside an answer is sealed to the other vault at once. There the service opens
it once, as it takes in what somebody types into a page, and keeps it under a key of its own for
the intake group and for whoever sent the letter; after that it cannot open it again.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from casevault.crypto.principals import PublicKeys
from casevault.domain.sharing.exchanging import KEPT_SECONDS, Message, Saying, Standing
from casevault.errors import Invalid, NotFound
from casevault.ids import new_id
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import partners
from casevault.store.sharing import arrivals, envelopes, exchanges
from casevault.store.sharing.exchanges import Received, Sent


def take_words(
    stores: Stores,
    tx: KeyringTransaction,
    letter: Sent,
    team: UUID,
    signer: PublicKeys,
    sealed: bytes,
) -> None:
    """Keep the words of an answer for the people whom they are for, else `Invalid`."""
    # They were sealed when they were written, which may be long before anybody asked.
    own = envelopes.organisation(tx)
    found = envelopes.opened(own, sealed, stores.now(), KEPT_SECONDS)
    said = found.message
    about = (said.saying, said.about, said.reference)
    if found.signer != signer or about != (Saying.WORDS, letter.id, letter.reference):
        raise Invalid("These words are about something else.", code="exchange.receipt")
    about_case = (letter.case, team, letter.referral, letter.sender)
    arrivals.keep_words(stores, tx, *about_case, said.words)


def answered(
    stores: Stores, tx: KeyringTransaction, one: Received, standing: Standing, words: str
) -> Received:
    """Keep what a team says of a letter; the other vault hears it when it asks next."""
    sealed = _sealed(stores, tx, one, words) if words.strip() else b""
    after = replace(one, standing=standing, words=sealed, turn=one.turn + 1)
    exchanges.change(tx, after)
    return after


def _sealed(stores: Stores, tx: KeyringTransaction, one: Received, words: str) -> bytes:
    try:
        key = partners.find(tx, one.partner).key
    except NotFound:
        key = None
    if key is None:
        # They are in the directory no more: nobody would be there to read it.
        return b""
    now = stores.now()
    said = Message(Saying.WORDS, one.reference, one.id, words=words)
    own, to = envelopes.organisation(tx), partners.public_keys(key)
    return envelopes.seal(own, to, said, (new_id(), now, now + KEPT_SECONDS))
