"""Cards of vaults: signed by whose they are, and refused when anything of them was changed."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from casevault.crypto import canonical, packages
from casevault.crypto.exchange_cards import MAX_TEXT, Card
from casevault.crypto.principals import PrincipalSecret
from casevault.domain.sharing.exchanging import Message
from casevault.errors import Tampered

FOLDER = Path(__file__).parents[2] / "vectors"
OWN, TEAM = PrincipalSecret(bytes(range(64))), PrincipalSecret(bytes(range(64, 128)))
CARD = Card(
    "Made-Up National Society",
    "https://vault.example.org:443",
    "North team (made up)",
    OWN.public,
    TEAM.public,
    1_790_000_000,
)


def test_a_card_is_read_as_it_was_signed():
    """Also with the line breaks that mail puts in."""
    text = CARD.sign(OWN)
    assert Card.read(text) == CARD
    assert Card.read("\n".join(text[at : at + 70] for at in range(0, len(text), 70))) == CARD
    assert len(text) < MAX_TEXT


def test_only_its_owner_signs_it():
    """Nobody makes a card for another's keys."""
    with pytest.raises(ValueError, match="whose it is"):
        CARD.sign(TEAM)


def test_a_changed_card_is_refused():
    """Another team's keys under the same signature, cut off, longer, or no card at all."""
    said, signature = canonical.decode(base64.b64decode(CARD.sign(OWN)))
    stranger = replace(CARD, team_keys=PrincipalSecret.generate().public)
    forged, _ = canonical.decode(base64.b64decode(stranger.sign(OWN)))
    other = canonical.encode("casevault/1/package", *canonical.decode(said)[1:])
    longer = canonical.encode(*canonical.decode(said), 7)
    for parts in (
        (forged, signature),
        (other, OWN.sign("casevault/1/exchange-card", other)),
        (longer, OWN.sign("casevault/1/exchange-card", longer)),
        (said, signature, 7),
        (said,),
    ):
        with pytest.raises(Tampered):
            Card.read(base64.b64encode(canonical.encode(*parts)).decode())
    text = CARD.sign(OWN)
    for bad in (text[:-4], text[4:], "!" + text, "é", "", "A" * (MAX_TEXT + 1)):
        with pytest.raises(Tampered):
            Card.read(bad)


def verified(path):
    """Run the independent verifier, which has nothing of ours but what lies beside it."""
    command = [sys.executable, "-E", "-s", str(FOLDER / "verify_exchange.py"), str(path)]
    return subprocess.run(command, cwd=path.parent, capture_output=True, check=False).returncode


def test_the_vectors_hold_here_and_elsewhere(tmp_path):
    """The code and a small verifier read them; a card that says something else is found."""
    vectors = json.loads((FOLDER / "exchange.json").read_text())
    asked = PrincipalSecret(bytes.fromhex(vectors["asked"]))
    team = PrincipalSecret(bytes.fromhex(vectors["team"]))
    card = Card.read(vectors["card"])
    assert (card.keys, card.team_keys) == (asked.public, team.public)
    assert [card.organisation, card.address, card.team, card.made_at] == vectors["card_says"]
    sealed = base64.b64decode(vectors["letter"])
    letter = Message.decode(packages.open_package(io.BytesIO(sealed), asked).files[0].content)
    inner = packages.open_package(io.BytesIO(letter.sealed), team)
    assert inner.files[0].content.decode() == vectors["referral"]
    source = (FOLDER / "verify_exchange.py").read_text().split('"""', 2)[2]
    assert "casevault" not in source.replace("casevault/1/", "").replace("casevault/exchange", "")
    assert verified(FOLDER / "exchange.json") == 0
    path = tmp_path / "changed.json"
    path.write_text(json.dumps({**vectors, "card_says": ["Else", *vectors["card_says"][1:]]}))
    assert verified(path) == 1
