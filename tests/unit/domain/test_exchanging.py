"""What vaults say to each other is read strictly, and an address is a host and a port."""

from __future__ import annotations

import base64
import json
from uuid import UUID

import pytest

from casevault.domain.sharing.exchanging import (
    FORMAT,
    Address,
    Message,
    Saying,
    Standing,
    may_follow,
)
from casevault.errors import Invalid

ID = UUID(int=7)
LETTER = Message(Saying.LETTER, "R-7K3M-9QXP", sealed=b"made up")
RECEIPT = Message(
    Saying.RECEIPT,
    "R-7K3M-9QXP",
    ID,
    digest=b"d" * 32,
    standing=Standing.READ,
    was_read=True,
    turn=3,
)
MESSAGES = [
    LETTER,
    RECEIPT,
    Message(Saying.QUESTION, "R-7K3M-9QXP", to=b"k" * 16, service="safehouse", urgency="today"),
    Message(Saying.ASK, "R-7K3M-9QXP", ID),
    Message(Saying.RECALL, "R-7K3M-9QXP", ID),
    Message(Saying.WORDS, "R-7K3M-9QXP", ID, words="سرير مختلق."),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda one: one.saying.value)
def test_a_message_is_read_as_it_was_written(message):
    """Every kind, and what is empty is not in it."""
    assert Message.decode(message.encode()) == message
    assert "made up" not in repr(message)
    assert b'"words"' not in LETTER.encode()


@pytest.mark.parametrize(
    "change",
    [
        {"format": "casevault/exchange/2"},
        {"format": None},
        {"saying": "override"},
        {"saying": None},
        {"reference": "CV-7K3M-9QXP"},
        {"reference": "R-7K3M-9QX"},
        {"reference": 7},
        {"reference": None},
        {"about": "zz"},
        {"about": "00"},
        {"sealed": "a"},
        {"sealed": "é"},
        {"sealed": ""},
        {"digest": "00"},
        {"digest": "x"},
        {"to": "00" * 16},
        {"standing": "perhaps"},
        {"was_read": 1},
        {"turn": True},
        {"turn": -1},
        {"turn": 1 << 31},
        {"words": "x" * 1001},
        {"words": "a\u202eb"},
        {"service": "s" * 41},
        {"case": "11111111-1111-4111-8111-111111111111"},
    ],
)
def test_anything_else_is_refused(change):
    """Unknown names and kinds, wrong types and sizes: one error, which repeats nothing."""
    raw = {**json.loads(LETTER.encode()), **change}
    told = {name: value for name, value in raw.items() if value is not None}
    with pytest.raises(Invalid) as caught:
        Message.decode(json.dumps(told).encode())
    assert caught.value.code == "exchange.message"
    assert "perhaps" not in caught.value.detail


def test_what_is_no_object_is_refused():
    """A list, a number; and JSON that is none has an error of its own."""
    for data in (b"[]", b"7", b'"' + FORMAT.encode() + b'"'):
        with pytest.raises(Invalid, match="no message"):
            Message.decode(data)
    with pytest.raises(Invalid):
        Message.decode(b"{")


@pytest.mark.parametrize("message", MESSAGES[1:], ids=lambda one: one.saying.value)
def test_what_a_kind_needs_must_be_there(message):
    """A receipt without what it is about, a question to nobody."""
    raw = json.loads(message.encode())
    raw.pop("about", None)
    raw.pop("to", None)
    with pytest.raises(Invalid):
        Message.decode(json.dumps(raw).encode())


@pytest.mark.parametrize(
    ("text", "host", "port", "plain"),
    [
        ("https://vault.example.org", "vault.example.org", 443, False),
        ("https://vault.example.org:8443/", "vault.example.org", 8443, False),
        ("http://127.0.0.1:8000", "127.0.0.1", 8000, True),
        ("http://[::1]:8000", "::1", 8000, True),
        ("http://localhost", "localhost", 80, True),
    ],
)
def test_an_address_is_a_host_and_a_port(text, host, port, plain):
    """And is written as it is read."""
    found = Address.of(text)
    assert (found.host, found.port, found.plain) == (host, port, plain)
    assert Address.of(str(found)) == found
    assert found.is_loopback is plain


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vault.example.org",
        "ftp://vault.example.org",
        "https://",
        "https://u:p@vault.example.org",
        "https://vault.example.org/v1",
        "https://vault.example.org?x",
        "https://vault.example.org#x",
        "https://vault.example.org:0",
        "https://vault.example.org:65536",
        "https://-vault.example.org",
        "https://vault..example.org",
        "https://vault.example.org\n",
        "https://" + "a." * 130 + "org",
        "https://вault.example.org",
        "https://VAULT.example.org@evil",
    ],
)
def test_anything_more_is_no_address(text):
    """No path, no user, no query: a letter goes to a host and a port."""
    with pytest.raises(Invalid) as caught:
        Address.of(text)
    assert caught.value.code == "exchange.address"


def test_what_a_team_may_say_next():
    """Accepted may become completed or declined; what has ended says nothing more."""
    assert may_follow(Standing.WAITING, Standing.ACCEPTED)
    assert may_follow(Standing.READ, Standing.DECLINED)
    assert may_follow(Standing.ACCEPTED, Standing.COMPLETED)
    assert not may_follow(Standing.ACCEPTED, Standing.ACCEPTED)
    for ended in (Standing.DECLINED, Standing.COMPLETED, Standing.RECALLED, Standing.UNKNOWN):
        assert not may_follow(ended, Standing.ACCEPTED)


def test_a_message_is_plain_json():
    """Another implementation needs nothing but JSON and base64 to read it."""
    raw = json.loads(LETTER.encode())
    assert raw == {
        "format": FORMAT,
        "saying": "letter",
        "reference": "R-7K3M-9QXP",
        "sealed": base64.b64encode(b"made up").decode(),
    }
