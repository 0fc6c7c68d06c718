"""Write tests/vectors/exchange.json: a card, a letter to another vault and its receipt.

HPKE and salts are random, so the file is made once and kept: what stands in it already stays.
`verify_exchange.py` and the tests replay it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path
from uuid import UUID

from casevault.crypto.exchange_cards import Card
from casevault.crypto.packages import Statement, seal_package
from casevault.crypto.principals import PrincipalSecret
from casevault.domain.sharing.exchanging import FILE, Message, Saying, Standing
from casevault.domain.sharing.packing import PackageKind, PackedFile

ASKING, ASKED, TEAM = (PrincipalSecret(bytes(range(at, at + 64))) for at in (0, 64, 128))
MADE_AT, ENDS_AT = 1_790_000_000, 1_800_000_000
REFERENCE = "R-7K3M-9QXP"
CARD = Card(
    "Made-Up National Society",
    "https://vault.example.org:443",
    "Équipe du Nord (fictive)",
    ASKED.public,
    TEAM.public,
    MADE_AT,
)


def package(number, kind, signer, to, name, content):
    """Return the bytes of a package with one file."""
    files = (PackedFile(name, content),)
    statement = Statement(
        UUID(int=number),
        kind,
        "Made-Up National Society",
        MADE_AT,
        ENDS_AT,
        to.public.key_id,
        signer.public,
        tuple(one.listed for one in files),
    )
    return b"".join(seal_package(statement, signer, to.public, files))


def messages():
    """Return a letter as it travels, and its receipt."""
    inner = package(1, PackageKind.REFERRAL, ASKING, TEAM, "referral.json", b'{"made": "up"}')
    letter = Message(Saying.LETTER, REFERENCE, sealed=inner).encode()
    sent = package(2, PackageKind.EXCHANGE, ASKING, ASKED, FILE, letter)
    receipt = Message(
        Saying.RECEIPT,
        REFERENCE,
        UUID(int=2),
        digest=hashlib.sha256(sent).digest(),
        standing=Standing.READ,
        was_read=True,
        turn=1,
    )
    return sent, package(3, PackageKind.EXCHANGE, ASKED, ASKING, FILE, receipt.encode())


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("exchange.json"))
    sent, receipt = messages()
    document = {
        "asking": ASKING.seed.hex(),
        "asked": ASKED.seed.hex(),
        "team": TEAM.seed.hex(),
        "card": CARD.sign(ASKED),
        "card_says": [CARD.organisation, CARD.address, CARD.team, MADE_AT],
        "letter": base64.b64encode(sent).decode(),
        "referral": '{"made": "up"}',
        "receipt": base64.b64encode(receipt).decode(),
    }
    if target.exists():
        document |= json.loads(target.read_text())
    target.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
