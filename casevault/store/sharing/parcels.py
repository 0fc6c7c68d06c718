"""A referral as a package: to the key of its recipient, or under words that are said by phone.

Signed with the key of the organisation, which the root provider holds; holds the very bytes that
the survivor agreed to and the page made from them. Must never keep what it made, nor the words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from casevault.crypto import age_packages, macs, packages
from casevault.crypto.packages import Statement
from casevault.crypto.principals import PrincipalSecret, PublicKeys
from casevault.domain import vocabulary
from casevault.domain.sharing import packing
from casevault.domain.sharing.packing import PackageKind, PackageOffer, PackedFile
from casevault.domain.sharing.partners import Pinned
from casevault.domain.sharing.referral_page import referral_html
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import Conflict
from casevault.ids import new_id
from casevault.store.context.stores import Stores
from casevault.store.keys import partners, principals

_WORDS = 6
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Content:
    """What goes into a package: the letter's bytes, and the files that it names."""

    packed: bytes = field(repr=False)
    enclosed: tuple[PackedFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Parcel:
    """A package that is ready to be sent, and what has to be said by voice with it.

    `fingerprint` is the recipient's, `words` open an age file; one of them is None.
    """

    id: UUID
    signer: str
    fingerprint: str | None
    sealed: bytes = field(repr=False)
    words: str | None = field(repr=False)


def to_partner(
    stores: Stores, sender: str, partner: UUID | None, content: Content, offer: PackageOffer
) -> Parcel:
    """Seal a referral to the key that was compared with its recipient, else `Conflict`."""
    public = _key_of(stores, partner, bool(content.enclosed))
    files = _files(content, offer.language)
    signer = _signer(stores)
    statement = _statement(stores, sender, signer, public.key_id, files, offer)
    sealed = b"".join(packages.seal_package(statement, signer, public, files))
    return Parcel(statement.id, signer.public.fingerprint, public.fingerprint, sealed, None)


def for_vault(stores: Stores, sender: str, pinned: Pinned, packed: bytes, until: int) -> bytes:
    """Seal a letter to the team of another vault; its pages are made there, in their language."""
    public, signer = partners.public_keys(pinned.team_key), _signer(stores)
    files = packing.checked([PackedFile("referral.json", packed)])
    statement = Statement(
        id=new_id(),
        kind=PackageKind.REFERRAL,
        sender=sender,
        made_at=stores.now(),
        expires_at=until,
        recipient=public.key_id,
        signer=signer.public,
        files=tuple(one.listed for one in files),
    )
    return b"".join(packages.seal_package(statement, signer, public, files))


def under_words(stores: Stores, sender: str, content: Content, offer: PackageOffer) -> Parcel:
    """Seal a referral as an age file under words that are made here. Slow on purpose."""
    files = _files(content, offer.language)
    signer, words = _signer(stores), macs.words(vocabulary.passphrase_words(), _WORDS)
    statement = _statement(stores, sender, signer, b"", files, offer)
    sealed = age_packages.seal_package(statement, signer, words, files)
    return Parcel(statement.id, signer.public.fingerprint, None, sealed, words)


def _files(content: Content, language: str) -> tuple[PackedFile, ...]:
    page = referral_html(content.packed, language).encode()
    letter = [PackedFile("referral.html", page), PackedFile("referral.json", content.packed)]
    return packing.checked([*letter, *content.enclosed])


def _statement(
    stores: Stores,
    sender: str,
    signer: PrincipalSecret,
    recipient: bytes,
    files: tuple[PackedFile, ...],
    offer: PackageOffer,
) -> Statement:
    return Statement(
        id=new_id(),
        kind=PackageKind.REFERRAL,
        sender=sender,
        made_at=stores.now(),
        expires_at=stores.now() + offer.days * _DAY,
        recipient=recipient,
        signer=signer.public,
        files=tuple(one.listed for one in files),
    )


def _signer(stores: Stores) -> PrincipalSecret:
    with stores.keyring.reading() as tx:
        return principals.in_use(tx, PrincipalKind.ORGANISATION)[1]


def _key_of(stores: Stores, partner: UUID | None, with_files: bool) -> PublicKeys:
    key = None
    if partner is not None:
        with stores.keyring.reading() as tx:
            found = partners.find(tx, partner)
        # What goes to a vault by hand is for its team too: the organisation's key opens no inbox.
        key = found.key if found.pinned is None else found.pinned.team_key
        if found.pinned is not None and with_files:
            raise Conflict(
                "The vault of this partner takes letters in, and no files with them.",
                code="referral.files",
                hint="Send the letter to their vault, and the files under words said by phone.",
            )
    if key is None:
        raise Conflict(
            "Nobody has compared a key with this recipient.",
            code="referral.no-key",
            hint="Send it under words that you say by phone, or by a link with a code.",
        )
    return partners.public_keys(key)
