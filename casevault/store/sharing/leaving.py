"""What is about to leave a case: its fields, made into bytes by the one rule for all disclosures.

Preview, agreement and sending make the bytes here, each anew from what the case holds at that
moment, and compare digests: what the survivor agreed to is what leaves, or nothing does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection

from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.case.records import Record
from casevault.domain.sharing import consent, referral
from casevault.domain.sharing.consent import Ground
from casevault.domain.sharing.partners import Partner
from casevault.domain.sharing.referral import Enclosed, Manifest
from casevault.errors import Conflict, FieldError, Invalid, NotFound, Tampered
from casevault.store.case.documents import Document
from casevault.store.case.held_case import HeldCase
from casevault.store.casework import objecting
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import partners, people

_IDENTITY, _NARRATIVE = Compartment.IDENTITY.value, Compartment.NARRATIVE.value
COMPARTMENTS = (_IDENTITY, _NARRATIVE)
# The marks that name the recipient: an entry of the directory, or a team of the own organisation.
PARTNER, TEAM, REFERENCE = "partner", "team", "reference"
Read = Callable[[str, Iterable[str]], list[Document]]


@dataclass(frozen=True, slots=True)
class Sender:
    """The organisation as recipients know it; without a country every partner is abroad."""

    name: str
    country: str = ""


@dataclass(frozen=True, slots=True)
class Recipient:
    """To whom a referral goes: `mark` says whether `id` is a partner's or a team's."""

    mark: str
    id: UUID


@dataclass(frozen=True, slots=True)
class Leaving:
    """What leaves, why the rest stays, and the exact bytes."""

    found: Manifest
    packed: bytes = field(repr=False)
    # Nobody asked this recipient for half a year whether all this still holds.
    stale: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, by which a preview and what is sent are compared."""
        return hashlib.sha256(self.packed).hexdigest()


def reader(held: HeldCase, connection: Connection) -> Read:
    """Return how documents of a case that is only read are brought here."""

    def read(compartment: str, kinds: Iterable[str]) -> list[Document]:
        return held.documents(connection, held.manifest(connection, compartment), kinds)

    return read


def prepared(stores: Stores, sender: Sender, read: Read, record: Record, case: UUID) -> Leaving:
    """Return what a referral lets leave today.

    :raises NotFound: its recipient is in the directory no more.
    """
    letter, today = record.current.content, stores.clock.now().date()
    partner = _partner(stores, record)
    found = referral.manifest(
        letter["service"],
        letter["disclose"],
        letter["recipient"],
        _documents(read),
        grounds(stores, read, case),
        today,
        abroad=partner is not None and partner.content["country"] != sender.country,
        also=_also(stores, record),
        files=_ticked(read, letter.get("files", ())),
    )
    packed = referral.referral_json(found, letter, sender.name, record.marks[REFERENCE])
    return Leaving(found, packed, partner is not None and partner.is_stale(today))


def grounds(stores: Stores, read: Read, case: UUID) -> list[Ground]:
    """Return every consent and other basis of a case, as it stands now."""
    kinds = [DocumentKind.CONSENT.value, DocumentKind.BASIS.value]
    now, stopped = stores.now(), objecting.stopped(stores, case)
    return [
        consent.ground_of(one.row, Record.decode(one.content), now, stopped)
        for one in read(_NARRATIVE, kinds)
    ]


def _documents(read: Read) -> dict[str, dict[str, object]]:
    found = [
        *read(_IDENTITY, [DocumentKind.IDENTITY.value]),
        *read(_NARRATIVE, [DocumentKind.PROFILE.value]),
    ]
    return {one.kind: dict(one.content) for one in found}


def _ticked(read: Read, ticked: Iterable[str]) -> list[Enclosed]:
    """Return the files that were ticked, by their ids.

    :raises Invalid: one is not there any more, or was attached before files had digests.
    """
    wanted = set(ticked)
    if not wanted:
        return []
    found = {
        str(document.row): document
        for name in COMPARTMENTS
        for document in read(name, [DocumentKind.FILE.value])
    }
    missing = sorted(wanted - found.keys())
    enclosed = [_enclosed(found[one]) for one in sorted(wanted & found.keys())]
    if missing or None in enclosed:
        raise Invalid(
            "A file that was ticked is not there, or was attached before files could leave. Attach"
            " it again, and tick it.",
            code="referral.no-file",
            errors=(FieldError("/files", "referral.no-file"),),
        )
    return [one for one in enclosed if one is not None]


def _enclosed(document: Document) -> Enclosed | None:
    content = Record.decode(document.content).current.content
    digest = content.get("sha256")
    if digest is None:
        return None
    return Enclosed(
        document.row, content["name"], content["media_type"], content["bytes"], str(digest)
    )


def _partner(stores: Stores, record: Record) -> Partner | None:
    found = named(record, PARTNER)
    if found is None:
        return None
    with stores.keyring.reading() as tx:
        return partners.find(tx, found)


def _also(stores: Stores, record: Record) -> tuple[str, ...]:
    """Return the other names of the recipient: a consent may name them by any."""
    team, partner = named(record, TEAM), named(record, PARTNER)
    if team is not None:
        with stores.keyring.reading() as tx:
            return (str(team), people.teams(tx).get(team, ""))
    return () if partner is None else (str(partner),)


def recipient_of(record: Record) -> Recipient:
    """Return to whom a referral goes, else `Tampered`: every one is written to somebody."""
    for mark in (PARTNER, TEAM):
        found = named(record, mark)
        if found is not None:
            return Recipient(mark, found)
    raise Tampered(code="referral")


def name_of(tx: KeyringTransaction, recipient: Recipient) -> str:
    """Return what a recipient is called, else `NotFound`."""
    if recipient.mark == PARTNER:
        return partners.find(tx, recipient.id).name
    name = people.teams(tx).get(recipient.id)
    if name is None:
        raise NotFound("There is no team with this id.", code="referral.team")
    return name


def require_partner(record: Record) -> None:
    """Refuse to put a letter for a team of our own behind a link, on a disk or on paper."""
    if recipient_of(record).mark == TEAM:
        raise Conflict(
            "This letter is for a team of your own organisation.",
            code="referral.to-team",
            hint="Send it to their inbox instead.",
        )


def named(record: Record, mark: str) -> UUID | None:
    """Return the id that a mark of a record holds, if any."""
    text = record.marks.get(mark)
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise Tampered(code="referral") from None
