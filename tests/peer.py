"""Another vault as ours meets it: keys, a card, messages. Simulated by its keys alone.

Nothing is tested here; two real vaults meet in tests/api/test_exchange.py.
"""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from casevault.clock import unix_seconds
from casevault.crypto import packages
from casevault.crypto.exchange_cards import Card
from casevault.crypto.packages import Statement, seal_package
from casevault.crypto.principals import PrincipalSecret
from casevault.domain.sharing.exchanging import FILE, Message, Saying
from casevault.domain.sharing.packing import PackageKind, PackedFile
from casevault.domain.sharing.referral import FORMAT
from casevault.domain.staff.granting import PrincipalKind
from casevault.store.keys import principals

NAME = "Made-Up National Society"
HOUSE = {
    "name": NAME,
    "type": "NGO",
    "country": "IT",
    "areas": ["Nowhere"],
    "services": ["safehouse"],
    "verified_on": "2026-11-20",
}


@dataclass
class Peer:
    """A vault with which `world` has, or has not, exchanged cards."""

    world: object
    address: str = "http://127.0.0.1:9"
    own: PrincipalSecret = field(default_factory=PrincipalSecret.generate)
    team: PrincipalSecret = field(default_factory=PrincipalSecret.generate)
    partner: str = ""

    def card(self):
        """Return this vault's card."""
        keys = (self.own.public, self.team.public)
        return Card(NAME, self.address, "Their team (made up)", *keys, self.now()).sign(self.own)

    def pinned(self):
        """Enter this vault in the directory of the world; return it."""
        body = {"content": HOUSE}
        self.partner = self.world.post("/v1/partners", "sue", body).json()["id"]
        body = {"card": self.card(), "fingerprint": self.own.public.fingerprint}
        answer = self.world.put(f"/v1/partners/{self.partner}/vault", "sue", body, '"v1"')
        assert answer.status_code == 200, answer.text
        return self

    def now(self):
        """Return the world's present."""
        return unix_seconds(self.world.clock.now())

    def package(self, kind, to, files, **changes):
        """Return a package of this vault."""
        about = {
            "id": uuid4(),
            "kind": kind,
            "sender": NAME,
            "made_at": self.now(),
            "expires_at": self.now() + 3600,
            "recipient": to.key_id,
            "signer": self.own.public,
            "files": tuple(one.listed for one in files),
            **changes,
        }
        signer = None if about["signer"] is None else self.own
        return b"".join(seal_package(Statement(**about), signer, to, files))

    def said(self, message, **changes):
        """Return a message as it travels to the world."""
        encoded = message if isinstance(message, bytes) else message.encode()
        to = changes.pop("to", None) or organisation(self.world)
        files = (PackedFile(changes.pop("name", FILE), encoded),)
        return self.package(changes.pop("kind", PackageKind.EXCHANGE), to, files, **changes)

    def letter(self, reference="R-2222-2222", team="North team (made up)", **content):
        """Return a letter to a team of the world."""
        packed = {"format": FORMAT, "reference": reference, "from": NAME, "service": "safehouse"}
        packed |= {"urgency": "today", "identity": {"name_to_use": "Ondine Obvious-Madeup"}}
        files = (PackedFile("referral.json", json.dumps(packed | content).encode()),)
        to = intake(self.world, team)
        inner = self.package(PackageKind.REFERRAL, to, files, made_at=self.now())
        return Message(Saying.LETTER, reference, sealed=inner)

    def question(self, reference="R-3333-3333", team="North team (made up)"):
        """Return a question to a team of the world."""
        to = intake(self.world, team).key_id
        return Message(Saying.QUESTION, reference, to=to, service="safehouse", urgency="today")

    def deliver(self, sealed):
        """Bring a message to the door of the world; return the answer."""
        body = {"message": base64.b64encode(sealed).decode()}
        return self.world.post("/v1/exchange/messages", None, body)

    def receipt(self, answer):
        """Return what a receipt says to this vault."""
        assert answer.status_code == 200, answer.text
        return self.opened(base64.b64decode(answer.json()["receipt"]))

    def opened(self, sealed):
        """Return what a message says that is sealed to this vault."""
        return Message.decode(packages.open_package(io.BytesIO(sealed), self.own).files[0].content)


def organisation(world):
    """Return the public keys of the organisation of a world."""
    with world.vault.stores.keyring.reading() as tx:
        return principals.groups(tx, PrincipalKind.ORGANISATION)[0].public


def intake(world, team):
    """Return the public keys of a team's intake group."""
    with world.vault.stores.keyring.reading() as tx:
        return principals.groups(tx, PrincipalKind.INTAKE, UUID(world.team(team)))[0].public


def id_of(sealed):
    """Return under which id a message travels."""
    return packages.read_outside(io.BytesIO(sealed))[0]
