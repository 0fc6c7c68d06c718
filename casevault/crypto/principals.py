"""Principals: key pairs that can be granted keys (X-Wing) and can sign (Ed25519).

A principal is 64 secret bytes: a 32-byte X-Wing seed (HPKE with MLKEM768-X25519, HKDF-SHA256,
AES-256-GCM) and a 32-byte Ed25519 seed (RFC 8032). Must never wrap without `info` and never sign
without a context: both are what keeps one statement from being replayed as another.
"""

from __future__ import annotations

import functools
import hashlib
import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from casevault.crypto import canonical
from casevault.crypto.sealing import Key
from casevault.errors import Misconfigured, Tampered

SECRET_BYTES = 64
KEM_PUBLIC_BYTES = 1216
SIGN_PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64
_MLKEM_PUBLIC_BYTES = 1184
_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """The public half: 1,216 bytes X-Wing and 32 bytes Ed25519."""

    kem: bytes = field(repr=False)
    sign: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.kem) != KEM_PUBLIC_BYTES or len(self.sign) != SIGN_PUBLIC_BYTES:
            raise Tampered(code="principal")

    @property
    def key_id(self) -> bytes:
        """16 bytes that name this pair of public keys."""
        return _key_id(self.kem, self.sign)

    @property
    def parts(self) -> tuple[bytes, bytes]:
        """Both keys in the order in which they are signed."""
        return self.kem, self.sign

    @property
    def pin(self) -> str:
        """The full SHA-256 in 64 hexadecimal digits: what the configuration pins for the root."""
        return hashlib.sha256(canonical.encode("casevault/1/pin", *self.parts)).hexdigest()

    @property
    def fingerprint(self) -> str:
        """Eight groups of four hexadecimal digits, to be read aloud and compared."""
        digest = hashlib.sha256(
            canonical.encode("casevault/1/fingerprint", *self.parts)
        ).hexdigest()
        return " ".join(digest[at : at + 4] for at in range(0, 32, 4))


class PrincipalSecret:
    """The secret half, held in memory only for as long as one request or job lasts."""

    __slots__ = ("_kem", "_seed", "_sign", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SECRET_BYTES:
            raise Tampered(code="principal")
        self._seed = seed
        expanded = hashlib.shake_256(seed[:32]).digest(96)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
        self._kem = hpke.MLKEM768X25519PrivateKey(mlkem, x25519)
        self._sign = Ed25519PrivateKey.from_private_bytes(seed[32:])
        self.public = PublicKeys(
            kem=_raw(mlkem.public_key()) + _raw(x25519.public_key()),
            sign=_raw(self._sign.public_key()),
        )

    @classmethod
    def generate(cls) -> PrincipalSecret:
        """Return a fresh principal."""
        return cls(secrets.token_bytes(SECRET_BYTES))

    @property
    def seed(self) -> bytes:
        """The 64 secret bytes, to be sealed and nothing else."""
        return self._seed

    def __repr__(self) -> str:
        return "PrincipalSecret(…)"

    def unwrap(self, ciphertext: bytes, info: bytes) -> bytes:
        """Open what was wrapped to this principal with exactly this `info`, else `Tampered`."""
        try:
            return _SUITE.decrypt(ciphertext, self._kem, info=info)
        except (InvalidTag, ValueError, TypeError):
            raise Tampered(code="wrap") from None

    def own_key(self, *label: canonical.Part) -> Key:
        """Return a key for one purpose that nobody without this secret can derive."""
        info = canonical.encode("casevault/1/own-key", *label)
        return Key(HKDF(SHA256(), 32, None, info).derive(self._seed))

    def sign(self, context: str, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature over (context, message)."""
        return self._sign.sign(_to_sign(context, message))

    def sign_raw(self, message: bytes) -> bytes:
        """Return a plain Ed25519 signature (signed notes bring their own context)."""
        return self._sign.sign(message)


def wrap(public: PublicKeys, plain: bytes, info: bytes) -> bytes:
    """HPKE base mode (RFC 9180) to `public`; 1,168 bytes for a 32-byte key."""
    try:
        return _SUITE.encrypt(plain, _kem_public(public.kem), info=info)
    except ValueError:
        # A public key of small order would give a secret that anybody knows.
        raise Tampered(code="principal") from None


def verify(public: PublicKeys, context: str, message: bytes, signature: bytes) -> None:
    """Return if the signature is that principal's over (context, message), else `Tampered`."""
    verify_sign_key(public.sign, context, message, signature)


def verify_sign_key(sign_public: bytes, context: str, message: bytes, signature: bytes) -> None:
    """As `verify`, for whoever has only the 32-byte Ed25519 key."""
    verify_raw(sign_public, _to_sign(context, message), signature)


def verify_raw(sign_public: bytes, message: bytes, signature: bytes) -> None:
    """Check a plain Ed25519 signature (signed notes bring their own context)."""
    try:
        _sign_public(sign_public).verify(signature, message)
    except (InvalidSignature, ValueError, TypeError):
        raise Tampered(code="signature") from None


def is_raw_signature(sign_public: bytes, signature: bytes, message: bytes) -> bool:
    """Say whether this is a plain Ed25519 signature, in the shape that the ledger asks for."""
    try:
        verify_raw(sign_public, message, signature)
    except Tampered:
        return False
    return True


def self_test() -> None:
    """Wrap and unwrap once; refuse to start where the installed library cannot."""
    try:
        secret = PrincipalSecret.generate()
        opened = secret.unwrap(wrap(secret.public, b"self-test", b"info"), b"info")
    except Exception:  # whatever the library below raises means the same here
        opened = b""
    if opened != b"self-test":
        raise Misconfigured(
            "The installed `cryptography` cannot do MLKEM768-X25519. Install version 50 or later.",
            code="crypto.unsupported",
        )


def _to_sign(context: str, message: bytes) -> bytes:
    return canonical.encode("casevault/1/signature", context, message)


@functools.lru_cache(maxsize=512)
def _key_id(kem: bytes, sign: bytes) -> bytes:
    return hashlib.sha256(canonical.encode("casevault/1/principal", kem, sign)).digest()[:16]


# Parsing a hybrid public key costs as much as using it; these hold public values only.
@functools.lru_cache(maxsize=512)
def _kem_public(data: bytes) -> hpke.MLKEM768X25519PublicKey:
    try:
        return hpke.MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(data[:_MLKEM_PUBLIC_BYTES]),
            X25519PublicKey.from_public_bytes(data[_MLKEM_PUBLIC_BYTES:]),
        )
    except (ValueError, TypeError):
        raise Tampered(code="principal") from None


@functools.lru_cache(maxsize=512)
def _sign_public(data: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(data)


def _raw(public: MLKEM768PublicKey | X25519PublicKey | Ed25519PublicKey) -> bytes:
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)
