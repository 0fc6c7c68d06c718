"""Write tests/vectors/packages.json: packages to a key, signed and not, and a key file.

HPKE and salts are random, so the file is made once and kept: what stands in it already stays.
`verify_packages.py` and the tests replay it. Contents are a text and how often it is repeated.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from uuid import UUID

from casevault.crypto import key_files
from casevault.crypto.credentials import SMALL
from casevault.crypto.packages import Statement, seal_package
from casevault.crypto.principals import PrincipalSecret
from casevault.domain.sharing.packing import PackageKind, PackedFile

RECIPIENT = PrincipalSecret(bytes(range(64, 128)))
SENDER = PrincipalSecret(bytes(range(128, 192)))
WORDS = "made up words for a vector"
CASES = (
    (
        SENDER,
        PackageKind.REFERRAL,
        1_800_000_000,
        {"referral.html": ["<p>Made up.</p>", 1], "a.txt": ["", 1]},
    ),
    (None, PackageKind.INTAKE, None, {"صفحة.txt": ["مختلق", 1]}),
    (SENDER, PackageKind.FILES, None, {"long.txt": ["made up ", 9_000]}),
)


def package(number: int, signer: PrincipalSecret | None, kind: PackageKind, ends, files):
    """Return one package as a vector."""
    held = tuple(PackedFile(name, (text * times).encode()) for name, (text, times) in files.items())
    statement = Statement(
        id=UUID(int=number),
        kind=kind,
        sender="Made-Up House",
        made_at=1_790_000_000,
        expires_at=ends,
        recipient=RECIPIENT.public.key_id,
        signer=None if signer is None else signer.public,
        files=tuple(one.listed for one in held),
    )
    sealed = b"".join(seal_package(statement, signer, RECIPIENT.public, held))
    return {
        "kind": kind.value,
        "made_at": statement.made_at,
        "expires_at": ends,
        "signed": signer is not None,
        "files": files,
        "sealed": base64.b64encode(sealed).decode(),
    }


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("packages.json"))
    key_file = key_files.sealed(RECIPIENT, WORDS, SMALL)
    document = {
        "recipient": RECIPIENT.seed.hex(),
        "signer": SENDER.public.sign.hex(),
        "packages": [package(number, *case) for number, case in enumerate(CASES, start=1)],
        "key_file": {"passphrase": WORDS, "bytes": base64.b64encode(key_file).decode()},
    }
    if target.exists():
        document |= json.loads(target.read_text())
    target.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
