"""The door for other vaults: what a pinned one sends comes in once, and nothing else comes in."""

from __future__ import annotations

from uuid import uuid4

from casevault.crypto.exchange_cards import Card
from casevault.crypto.principals import PrincipalSecret
from casevault.domain.sharing import exchanging
from casevault.domain.sharing.exchanging import Message, Saying, Standing
from casevault.domain.sharing.packing import PackageKind
from tests.api.test_packed_referrals import keep_key
from tests.api.world import NORTH
from tests.peer import HOUSE, Peer, id_of, intake, organisation
from tests.security.stored import changed, digests


def received(world, letter, by="sue"):
    """Return what came under an id, as a supervisor sees it."""
    items = world.get("/v1/exchange/received", by).json()["items"]
    return next((one for one in items if one["id"] == str(letter)), None)


def test_a_question_is_answered_and_names_nobody(world):
    """Which help, how soon; the answer waits until the other vault asks, its words sealed."""
    peer = Peer(world).pinned()
    sealed = peer.said(peer.question())
    first = peer.receipt(peer.deliver(sealed))
    assert (first.saying, first.about) == (Saying.RECEIPT, id_of(sealed))
    assert (first.standing, first.turn) == (Standing.WAITING, 0)
    shown = received(world, id_of(sealed))
    asked = (shown["saying"], shown["service"], shown["urgency"])
    assert asked == ("question", "safehouse", "today")
    assert received(world, id_of(sealed), "sid") is None
    at = f"/v1/exchange/received/{id_of(sealed)}/answer"
    words = {"answer": "accepted", "words": "Made up: two beds."}
    for other, status in (("sid", 404), ("cara", 403), ("ada", 403)):
        assert world.post(at, other, words).status_code in (status, 404), other
    assert world.post(at, "sue", words).json()["standing"] == "accepted"
    assert world.post(at, "sue", words).json()["code"] == "exchange.answered"
    about = Message(Saying.ASK, "R-3333-3333", id_of(sealed))
    now = peer.receipt(peer.deliver(peer.said(about)))
    assert (now.standing, now.turn, now.words) == (Standing.ACCEPTED, 1, "")
    said = peer.opened(now.sealed)
    assert (said.saying, said.words) == (Saying.WORDS, "Made up: two beds.")
    nobody = Message(Saying.ASK, "R-3333-3333", uuid4())
    assert peer.receipt(peer.deliver(peer.said(nobody))).standing is Standing.UNKNOWN


def test_what_is_not_right_is_refused_and_nothing_comes_in(sqlite_world):
    """Unknown, forged, old, for others, too large, no message, changed on the way: refused,
    explained and recorded; the stores stay as they were."""
    world = sqlite_world
    peer = Peer(world).pinned()
    stranger, other = Peer(world), PrincipalSecret.generate()
    good, now = peer.said(peer.letter()), peer.now()
    wrong_team = Message(Saying.QUESTION, "R-3333-3333", to=b"x" * 16)
    big = Message(Saying.LETTER, "R-3333-3333", sealed=b"x" * exchanging.MAX_BYTES)
    refused = [
        (stranger.said(stranger.letter()), 403, "exchange.unknown"),
        (peer.said(peer.letter(), to=other.public), 403, "exchange.our-key"),
        (peer.said(peer.letter(), signer=None), 422, "exchange.message"),
        (peer.said(peer.letter(), kind=PackageKind.FILES), 422, "exchange.message"),
        (peer.said(peer.letter(), name="other.json"), 422, "exchange.message"),
        (peer.said(b"{}"), 422, "exchange.message"),
        (peer.said(peer.letter(), made_at=now - 31 * 86_400), 422, "exchange.expired"),
        (peer.said(peer.letter(), made_at=now + 7200), 422, "exchange.expired"),
        (peer.said(peer.letter(), expires_at=now), 422, "exchange.expired"),
        (peer.said(peer.letter(), expires_at=None), 422, "exchange.expired"),
        (peer.said(wrong_team), 403, "exchange.team-key"),
        (peer.said(Message(Saying.LETTER, "R-3333-3333", sealed=b"x")), 422, "exchange.damaged"),
        (peer.said(Message(Saying.RECEIPT, "R-3333-3333", uuid4())), 422, "exchange.message"),
        (peer.said(big), 413, "body.too-large"),
        (b"", 422, "exchange.damaged"),
        (good[:-1], 422, "exchange.damaged"),
        (good + b"x", 422, "exchange.damaged"),
        *((good[:at], 422, "exchange.damaged") for at in range(1, len(good), 1709)),
        *((flipped(good, at), 422, "exchange.damaged") for at in (25, 60, 1300, len(good) - 1)),
    ]
    before = digests(world.vault)
    for number, (sealed, status, code) in enumerate(refused):
        answer = peer.deliver(sealed)
        # Of a changed byte of the recipient's key id nobody knows that it was changed.
        expected = {(status, code), (403, "exchange.our-key")}
        assert (answer.status_code, answer.json()["code"]) in expected, (number, answer.text)
        assert "Ondine" not in answer.text
    assert changed(before, digests(world.vault)) == []
    rules = [one["rule"] for one in world.entries(code="exchange.refuse")]
    assert "refused:exchange.damaged" in rules
    assert peer.deliver(good).status_code == 200


def flipped(sealed, at):
    """Return bytes with one of them changed."""
    return sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]


def test_a_letter_comes_in_once_and_its_recall_takes_it_out(world):
    """The same bytes are answered again, other bytes under their id are not; who has read it is
    asked; after its recall it is gone, and one that comes after its recall is not kept."""
    peer = Peer(world).pinned()
    letter = peer.letter()
    sealed = peer.said(letter)
    for _ in range(2):
        answer = peer.deliver(sealed)
        assert answer.status_code == 200, answer.text
        assert peer.receipt(answer).standing is Standing.WAITING
    other = peer.deliver(peer.said(letter, id=id_of(sealed)))
    assert (other.status_code, other.json()["code"]) == (409, "exchange.again")
    at = f"/v1/inbox/{id_of(sealed)}"
    read = world.get(at, "sue").json()
    assert read["identity"] == {"name_to_use": "Ondine Obvious-Madeup"}
    assert read["letter"]["reference"] == "R-2222-2222"
    recall = Message(Saying.RECALL, "R-2222-2222", id_of(sealed))
    for _ in range(2):
        told = peer.receipt(peer.deliver(peer.said(recall)))
        assert (told.standing, told.was_read) == (Standing.RECALLED, True)
    assert world.get(at, "sue").status_code == 404
    assert received(world, id_of(sealed))["standing"] == "recalled"
    late = peer.said(peer.letter("R-4444-4444"))
    early = Message(Saying.RECALL, "R-4444-4444", id_of(late))
    assert peer.receipt(peer.deliver(peer.said(early))).standing is Standing.RECALLED
    assert peer.receipt(peer.deliver(late)).standing is Standing.RECALLED
    assert world.get(f"/v1/inbox/{id_of(late)}", "sue").status_code == 404
    stranger = Peer(world).pinned()
    theft = Message(Saying.ASK, "R-2222-2222", id_of(sealed))
    assert stranger.deliver(stranger.said(theft)).json()["code"] == "exchange.again"


def test_a_letter_of_somebody_else_inside_is_not_read_as_theirs(sqlite_world):
    """What is sealed inside must bear the signature of the vault that brought it."""
    world = sqlite_world
    peer, thief = Peer(world).pinned(), Peer(world).pinned()
    stolen = peer.letter("R-5555-5555")
    sealed = thief.said(stolen)
    assert thief.deliver(sealed).status_code == 200
    answer = world.get(f"/v1/inbox/{id_of(sealed)}", "sue")
    assert (answer.status_code, answer.json()["code"]) == (422, "package.signer")
    declined = world.post(f"/v1/inbox/{id_of(sealed)}/decline", "sue", {"reason": "spam"})
    assert declined.status_code == 204, declined.text


def test_nobody_sends_more_than_a_team_can_read(sqlite_world):
    """Forty a day of one partner, then no more, with the day it ends."""
    world = sqlite_world
    peer = Peer(world).pinned()
    question = peer.question()
    answers = [peer.deliver(peer.said(question)).status_code for _ in range(41)]
    assert answers == [200] * 40 + [429]


def test_a_card_counts_with_its_fingerprint(sqlite_world):
    """The wrong one is refused and recorded, a changed card too; without TLS only this machine."""
    world = sqlite_world
    card = world.get("/v1/exchange/card", "sue", params={"team": NORTH}).json()
    read = Card.read(card["card"])
    assert (read.address, read.team) == ("https://vault.example.org:443", NORTH)
    assert card["fingerprint"] == organisation(world).fingerprint
    assert read.team_keys == intake(world, NORTH)
    assert world.get("/v1/exchange/card", "sue", params={"team": "None"}).status_code == 404
    partner = world.post("/v1/partners", "sue", {"content": HOUSE}).json()["id"]
    at = f"/v1/partners/{partner}/vault"
    peer, plain = Peer(world, "https://there.example.org"), Peer(world, "http://there.example.org")
    for made, fingerprint, code in (
        (peer.card(), "0000 " * 8, "partner.fingerprint"),
        (peer.card()[:-8], peer.own.public.fingerprint, "exchange.card"),
        (plain.card(), plain.own.public.fingerprint, "exchange.plain"),
        (Peer(world, "file:///x").card(), "0000", "partner.fingerprint"),
    ):
        body = {"card": made, "fingerprint": fingerprint}
        assert world.put(at, "sue", body, '"v1"').json()["code"] == code
    assert world.get(f"/v1/partners/{partner}", "sue").json()["vault"] is None
    body = {"card": peer.card(), "fingerprint": peer.own.public.fingerprint.upper()}
    shown = world.put(at, "sue", body, '"v1"')
    assert shown.json()["vault"] == "https://there.example.org:443", shown.text
    assert shown.json()["fingerprint"] == peer.own.public.fingerprint
    keep_key(world, partner)
    # Another key: what the one before had signed does not count any more.
    assert world.get(f"/v1/partners/{partner}", "sue").json()["vault"] is None
