"""What others have published comes out of what we use; see docs/formats/vectors.md."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from casevault.crypto.principals import PrincipalSecret, is_raw_signature, wrap
from tests.vectors import verify_hpke

FOLDER = Path(verify_hpke.__file__).parent
PUBLISHED = json.loads((FOLDER / "hpke.json").read_text())
OURS = json.loads((FOLDER / "sealed.json").read_text())

# RFC 8032, section 7.1: seed, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
# The GCM specification's test cases 13, 14 and 16 (the mode of SP 800-38D with AES-256).
_KEY = "feffe9928665731c6d6a8f9467308308" * 2
GCM = [
    ("00" * 32, "00" * 12, "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
    (
        "00" * 32,
        "00" * 12,
        "00" * 16,
        "",
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
    ),
    (
        _KEY,
        "cafebabefacedbaddecaf888",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b",
    ),
]


def test_the_opener_imports_neither_ours_nor_the_librarys_hpke():
    """Otherwise it would agree with them whatever they do."""
    tree = ast.parse((FOLDER / "verify_hpke.py").read_text())
    names = {
        f"{getattr(node, 'module', '')}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    assert not any("casevault" in name or name.endswith(".hpke") for name in names)


@pytest.mark.parametrize("part", ["hpke", "xwing"])
def test_the_opener_replays_rfc_9180_and_the_draft_of_x_wing(tmp_path, part):
    """Shared secret, key, nonce, plain text; a changed value is found."""
    command = [sys.executable, "-I", str(FOLDER / "verify_hpke.py")]
    good = subprocess.run([*command, FOLDER / "hpke.json"], capture_output=True, check=False)
    assert good.returncode == 0, good.stdout
    changed = json.loads(json.dumps(PUBLISHED))
    text = changed[part][0]["shared"]
    changed[part][0]["shared"] = text[:-1] + ("0" if text[-1] != "0" else "1")
    (tmp_path / "changed.json").write_text(json.dumps(changed))
    wrong = subprocess.run([*command, tmp_path / "changed.json"], capture_output=True, check=False)
    assert wrong.returncode == 1


def test_what_we_wrap_is_the_hpke_of_rfc_9180_with_x_wing():
    """Who knows only the two documents opens it, and only with the same `info`."""
    secret = PrincipalSecret(bytes(range(64)))
    sealed = wrap(secret.public, b"thirty-two bytes of a link key..", b"its info")
    found = verify_hpke.opened("xwing", 2, secret.seed[:32], sealed, b"its info")
    assert found == b"thirty-two bytes of a link key.."
    with pytest.raises(InvalidTag):
        verify_hpke.opened("xwing", 2, secret.seed[:32], sealed, b"other info")


def test_the_published_grant_is_opened_by_rfc_9180_alone():
    """The vector of docs/formats/grant-vouch.md: its link key opens each of its rows."""
    vector = OURS["grant"]
    terms, ciphertext, *_ = _parts(bytes.fromhex(vector["grant"]))
    seed = bytes.fromhex(vector["grantee_seed"])[:32]
    link = verify_hpke.opened("xwing", 2, seed, ciphertext, terms)
    assert link == PrincipalSecret(bytes.fromhex(vector["grantee_seed"])).unwrap(ciphertext, terms)


def _parts(data):
    """Split canonical parts without reading them."""
    found, at = [], 0
    while at < len(data):
        end = at + 5 + int.from_bytes(data[at + 1 : at + 5], "big")
        found.append(data[at + 5 : end])
        at = end
    return found


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_signatures_are_those_of_rfc_8032(seed, public, message, signature):
    """Ed25519: public key and signature come out, and are accepted."""
    secret, said = PrincipalSecret(bytes(32) + bytes.fromhex(seed)), bytes.fromhex(message)
    assert secret.public.sign.hex() == public
    assert secret.sign_raw(said).hex() == signature
    assert is_raw_signature(bytes.fromhex(public), bytes.fromhex(signature), said)
    assert not is_raw_signature(bytes.fromhex(public), bytes.fromhex(signature), said + b"x")


@pytest.mark.parametrize(("key", "nonce", "plain", "aad", "sealed"), GCM)
def test_aes_256_gcm_gives_the_known_answers(key, nonce, plain, aad, sealed):
    """What seals every object, with a key, a nonce and data of others."""
    cipher = AESGCM(bytes.fromhex(key))
    place = (bytes.fromhex(nonce), bytes.fromhex(plain), bytes.fromhex(aad))
    assert cipher.encrypt(*place).hex() == sealed
    assert cipher.decrypt(place[0], bytes.fromhex(sealed), place[2]) == place[1]


def test_hkdf_with_a_salt_gives_the_known_answer():
    """RFC 5869, A.1: extract and expand, as a passphrase's key is made with the pepper as salt."""
    made = HKDF(SHA256(), 42, bytes(range(13)), bytes.fromhex("f0f1f2f3f4f5f6f7f8f9"))
    assert made.derive(b"\x0b" * 22).hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )
