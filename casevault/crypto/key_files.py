"""Key files: the key of a partner, a referrer or another vault, sealed under their passphrase.

For whoever keeps a key without having a vault. Must never keep or return the passphrase, and never
write the key unsealed. The format is written down in docs/formats/package.md.
"""

from __future__ import annotations

import base64
import binascii
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.crypto.credentials import SALT_BYTES, Envelope, KdfProfile, fresh_salt, stretch
from casevault.crypto.principals import (
    KEM_PUBLIC_BYTES,
    SIGN_PUBLIC_BYTES,
    PrincipalSecret,
    PublicKeys,
)
from casevault.crypto.sealing import KEY_BYTES, Key, Place, header, seal, unseal
from casevault.errors import Invalid, Refused, Tampered

_CONTEXT = "casevault/1/key-file"
_NOBODY = UUID(int=0)
# A key file stands alone: there is no root material beside it.
_NO_PEPPER = 0


def sealed(secret: PrincipalSecret, passphrase: str, profile: KdfProfile) -> bytes:
    """Return the bytes of a key file."""
    salt = fresh_salt()
    kek = _kek(profile, passphrase, salt)
    closed = seal(kek, _place(secret.public, profile), secret.seed)
    envelope = Envelope(profile, salt, _NO_PEPPER, closed).encode()
    return canonical.encode(_CONTEXT, *secret.public.parts, envelope)


def opened(data: bytes, passphrase: str) -> PrincipalSecret:
    """Return the key of a key file.

    :raises Refused: it is another passphrase.
    :raises Tampered: it is this one, and the file was changed; or it is no key file.
    """
    public, envelope = _parsed(data)
    kek = _kek(envelope.profile, passphrase, envelope.salt)
    if header(envelope.sealed).key_id != kek.id:
        raise Refused("This is not the passphrase of the key file.", code="package.key-passphrase")
    secret = PrincipalSecret(unseal(kek, _place(public, envelope.profile), envelope.sealed).content)
    if secret.public != public:
        raise Tampered(code="key-file")
    return secret


def public_of(data: bytes) -> PublicKeys:
    """Return the public keys that a key file names, without opening it."""
    return _parsed(data)[0]


def written(public: PublicKeys) -> str:
    """Return public keys as a line of base64."""
    return base64.b64encode(b"".join(public.parts)).decode()


def read(text: str) -> PublicKeys:
    """Return public keys from such a line, else `Invalid`."""
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != KEM_PUBLIC_BYTES + SIGN_PUBLIC_BYTES:
        raise Invalid(
            "These are no public keys: `casevault package keygen` prints them.",
            code="package.public",
        )
    return PublicKeys(data[:KEM_PUBLIC_BYTES], data[KEM_PUBLIC_BYTES:])


def _parsed(data: bytes) -> tuple[PublicKeys, Envelope]:
    reader = Reader.of(data)
    if reader.text() != _CONTEXT:
        raise Tampered(code="key-file")
    public = PublicKeys(reader.bytes_(), reader.bytes_())
    envelope = Envelope.decode(reader.bytes_())
    reader.end()
    # A weakened file must not make guessing cheap, nor opening it cost a machine its memory.
    if (
        not envelope.profile.is_acceptable()
        or envelope.pepper_version != _NO_PEPPER
        or len(envelope.salt) != SALT_BYTES
    ):
        raise Tampered(code="key-file")
    return public, envelope


def _kek(profile: KdfProfile, passphrase: str, salt: bytes) -> Key:
    info = canonical.encode("casevault/1/key-file-kek")
    return Key(HKDF(SHA256(), KEY_BYTES, None, info).derive(stretch(profile, passphrase, salt)))


def _place(public: PublicKeys, profile: KdfProfile) -> Place:
    parameters = f"argon2id m={profile.memory} t={profile.passes} p={profile.lanes}"
    return Place(_NOBODY, "key-file", UUID(bytes=public.key_id), None, parameters)
