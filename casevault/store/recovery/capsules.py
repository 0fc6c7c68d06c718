"""The capsule: everything the root provider holds, and the way to the backup key, for recovery.

Sealed to the recovery group, on the second medium, replaced by every roll. With k shares and the
newest keyring backup it rebuilds a dead machine. The private half of the backup key is nowhere
online: the keyring keeps it sealed under a key that is granted to recovery alone, and the capsule
carries a copy of just that. Must never be written anywhere but through a sealed file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from casevault.crypto import canonical, sealed_files
from casevault.crypto import grants as crypto_grants
from casevault.crypto.canonical import Part, Reader
from casevault.crypto.grants import Grant
from casevault.crypto.principals import PrincipalSecret, PublicKeys
from casevault.crypto.sealed_files import FileHeader, Written
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import KeyUnavailable, Misconfigured, Tampered
from casevault.ids import new_id
from casevault.store.context.stores import Stores
from casevault.store.engine import schema
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, principals, teams
from casevault.store.keys.grants import Grantee, Object
from casevault.store.keys.principals import Principal
from casevault.store.log import checkpoints
from casevault.store.recovery import keyring_backup, media
from casevault.store.recovery.media import Medium

CAPSULE, KEYRING, BACKUP_KEY = "capsule", "keyring-backup", "backup-key"
_CONTEXT = "casevault/1/capsule"


@dataclass(frozen=True, slots=True)
class BackupKey:
    """The backup principal, its secret sealed, and the grant by which recovery opens it."""

    principal: Principal
    grant: Grant = field(repr=False)
    row: bytes = field(repr=False)

    def parts(self) -> tuple[Part, ...]:
        """Return what a capsule carries of it."""
        one = self.principal
        return one.id, *one.public.parts, one.sealed_secret, self.grant.encode(), self.row

    @classmethod
    def read(cls, reader: Reader) -> BackupKey:
        """Take what `parts` gave."""
        made = Principal(
            reader.uuid(),
            PrincipalKind.BACKUP,
            None,
            PublicKeys(reader.bytes_(), reader.bytes_()),
            reader.bytes_(),
        )
        return cls(made, Grant.decode(reader.bytes_()), reader.bytes_())

    def secret(self, recovery: PrincipalSecret) -> PrincipalSecret:
        """Return the private half, by the power of the shares: what opens backups."""
        link = crypto_grants.open_link(self.grant, recovery)
        key = crypto_grants.open_row(self.grant, link, teams.GROUP_COMPARTMENT, self.row)
        return principals.group_secret(self.grant.terms.organisation, self.principal, key)


@dataclass(frozen=True, slots=True)
class Capsule:
    """An opened capsule: root material as `adopt_roots` takes it, and the way to the backup key."""

    header: FileHeader
    roots: bytes = field(repr=False)
    backup_key: BackupKey = field(repr=False)
    # The newest checkpoint when it was written: the memory of a signer that dies with the machine.
    checkpoint: bytes | None = None


@dataclass(frozen=True, slots=True)
class Recipients:
    """To whom copies are sealed, as the root vouches for them, and of which keyring they are."""

    keyring_id: UUID
    generation: int
    recovery: Grantee
    backup: Grantee
    backup_key: BackupKey = field(repr=False)


def recipients(stores: Stores, tx: KeyringTransaction) -> Recipients:
    """Return to whom copies are sealed now.

    :raises Misconfigured: the vault has no backup key: it was set up before there were any.
    """
    found = stores.trust.groups(tx, PrincipalKind.BACKUP)
    (recovery,) = stores.trust.groups(tx, PrincipalKind.RECOVERY)
    if len(found) != 1:
        raise Misconfigured(
            "This vault has no backup key: it was set up by a version that made none.",
            code="backup.key",
        )
    key = _backup_key(tx, found[0].id, recovery)
    return Recipients(stores.roots.keyring_id, tx.identity().generation, recovery, found[0], key)


def write_capsule(stores: Stores, medium: Medium, to: Recipients, epochs_from: int) -> Written:
    """Replace the capsule on the medium: every root key, of the epochs those from one on."""
    with stores.data.reading() as connection:
        note = checkpoints.newest(connection)
    content = canonical.encode(
        _CONTEXT, stores.roots.export(epochs_from), to.backup_key.parts(), note
    )
    header = _header(stores, to, CAPSULE, to.recovery, (epochs_from,))
    return medium.replace(
        media.CAPSULE,
        lambda out: sealed_files.write(out, header, to.recovery.public, [content]),
    )


def write_backup_key(stores: Stores, path: Path, to: Recipients) -> Written:
    """Replace the sealed copy of the backup key's private half that lies beside backups."""
    header = _header(stores, to, BACKUP_KEY, to.recovery)
    content = canonical.encode(_CONTEXT, to.backup_key.parts())
    return media.replace(
        path, lambda out: sealed_files.write(out, header, to.recovery.public, [content])
    )


def write_keyring(stores: Stores, medium: Medium, to: Recipients) -> Written:
    """Replace the keyring backup on the medium with the keyring of this moment."""
    database = stores.keyring.database
    revision = schema.current(database, "keyring") or ""
    header = _header(stores, to, KEYRING, to.backup, (revision,))
    with database.reading() as connection:
        content = keyring_backup.dump(connection, revision)
        return medium.replace(
            media.KEYRING,
            lambda out: sealed_files.write(out, header, to.backup.public, content),
        )


def open_capsule(source: BinaryIO, recovery: PrincipalSecret) -> Capsule:
    """Return what a capsule holds, to whoever has the recovery secret; else `Tampered`."""
    header, chunks = sealed_files.opened(source, recovery)
    reader = Reader.of(b"".join(chunks))
    if (header.kind, reader.text()) != (CAPSULE, _CONTEXT):
        raise Tampered(code="capsule")
    roots, key, note = reader.bytes_(), Reader(reader.list_()), reader.optional_bytes()
    reader.end()
    return Capsule(header, roots, BackupKey.read(key), note)


def open_backup_key(source: BinaryIO, recovery: PrincipalSecret) -> PrincipalSecret:
    """Return the backup key's private half from the copy that lies beside backups."""
    header, chunks = sealed_files.opened(source, recovery)
    reader = Reader.of(b"".join(chunks))
    if (header.kind, reader.text()) != (BACKUP_KEY, _CONTEXT):
        raise Tampered(code="capsule")
    return BackupKey.read(Reader(reader.list_())).secret(recovery)


def open_keyring(source: BinaryIO, backup: PrincipalSecret) -> tuple[FileHeader, Iterator[bytes]]:
    """Return the header and the stream that `keyring_backup.load` and `examine` take."""
    header, chunks = sealed_files.opened(source, backup)
    if header.kind != KEYRING:
        raise Tampered(code="backup")
    return header, chunks


def _header(
    stores: Stores, to: Recipients, kind: str, recipient: Grantee, about: tuple[Part, ...] = ()
) -> FileHeader:
    return FileHeader(
        kind,
        stores.organisation,
        to.keyring_id,
        to.generation,
        stores.now(),
        new_id(),
        recipient.public.key_id,
        about,
    )


def _backup_key(tx: KeyringTransaction, group: UUID, recovery: Grantee) -> BackupKey:
    row = principals.principal(tx, group)
    for grant in grants.of_object(tx, Object(ObjectKind.GROUP, group), [recovery.id]):
        keys = grants.key_rows(tx, grant, [teams.GROUP_COMPARTMENT])
        if row is not None and grant.terms.grantee_key_id == recovery.public.key_id and keys:
            return BackupKey(row, grant, keys[teams.GROUP_COMPARTMENT])
    # A copy that recovery could not open is none.
    raise KeyUnavailable(code="backup.key")
