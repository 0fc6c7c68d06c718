"""Two vaults, one on SQLite and one on PostgreSQL, over loopback: a letter goes and comes back.

What stands in between is real: a listening server, a courier that connects. Where something goes
wrong on the way, a small server between the two does it.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest
import uvicorn

from casevault.crypto.exchange_cards import Card
from casevault.store.sharing import envelopes
from tests.api.test_referrals import PROFILE, a_case, agree, agreed_to, written
from tests.api.test_rights import freeze, lift
from tests.api.world import NORTH
from tests.peer import HOUSE, intake


@contextmanager
def serving(world):
    """Serve a world's application on loopback; give its address."""
    # Without a configuration of its own: that one stays with the process, for all later tests.
    config = uvicorn.Config(
        world.client.app, lifespan="off", log_config=None, access_log=False, ws="none"
    )
    server, listener = uvicorn.Server(config), socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def card_of(world, address):
    """Return the card of a world's team as it would be with this address, and its fingerprint."""
    with world.vault.stores.keyring.reading() as tx:
        own = envelopes.organisation(tx)
    keys = (own.public, intake(world, NORTH))
    return Card("Made up", address, NORTH, *keys, 1).sign(own), own.public.fingerprint


def pin(world, other, address):
    """Enter another vault in a world's directory; return the partner's id and name."""
    # Somebody whom no other test asks about: a consent names its recipient.
    name = f"Made-Up Society {time.monotonic_ns()}"
    body = {"content": {**HOUSE, "name": name}}
    partner = world.post("/v1/partners", "sue", body).json()["id"]
    card, fingerprint = card_of(other, address)
    pinned = {"card": card, "fingerprint": fingerprint}
    answer = world.put(f"/v1/partners/{partner}/vault", "sue", pinned, '"v1"')
    assert answer.status_code == 200, answer.text
    return partner, name


@pytest.fixture(scope="module")
def pair(worlds):
    """Give the vault that asks and the one that is asked, which pinned each other."""
    asking, asked = worlds("sqlite"), worlds("postgresql")
    asking.forget_ended_sessions()
    asked.forget_ended_sessions()
    with serving(asked) as address:
        pin(asked, asking, "http://127.0.0.1:9")
        yield asking, asked, address


def a_letter(asking, asked, address):
    """Write what the survivor agreed to; return case, address, preview and consent."""
    partner, name = pin(asking, asked, address)
    case = a_case(asking)
    consent = agreed_to(asking, case, name)
    at = written(asking, case, partner)
    return case, at, agree(asking, at), consent


def sent(asking, at):
    """Send a letter; return how it stands."""
    answer = asking.post(at + "/vault", "cara", None)
    assert answer.status_code == 201, answer.text
    return answer.json()


def waiting(asked, letter):
    """Return the inbox entry of a letter, if it waits."""
    items = asked.get("/v1/inbox", "sue").json()["items"]
    return next((one for one in items if one["id"] == letter["id"]), None)


def test_a_letter_goes_to_another_vault_and_its_answer_comes_back(pair):
    """Asked first without anybody in it, delivered on a receipt, read by the team alone, taken
    over, completed with words; the facts follow, and both logs tell it."""
    asking, asked, address = pair
    case, at, shown, _ = a_letter(asking, asked, address)
    question = asking.post(at + "/question", "cara", None)
    assert question.status_code == 201, question.text
    (came,) = [
        one
        for one in asked.get("/v1/exchange/received", "sue").json()["items"]
        if one["id"] == question.json()["id"]
    ]
    assert (came["saying"], came["service"], came["standing"]) == (
        "question",
        "safehouse",
        "waiting",
    )
    yes = {"answer": "accepted", "words": "Made up: one bed."}
    reply = f"/v1/exchange/received/{came['id']}/answer"
    assert asked.post(reply, "sue", yes).status_code == 200
    asking.vault.exchange.run()
    assert asking.get(at, "cara").json()["question"]["standing"] == "accepted"

    letter = sent(asking, at)
    assert (letter["standing"], letter["fault"]) == ("waiting", None), letter
    assert letter["delivered_at"] is not None
    assert asking.post(at + "/vault", "cara", None).json()["code"] == "referral.transition"
    entry = waiting(asked, letter)
    assert entry is not None
    inbox = f"/v1/inbox/{letter['id']}"
    assert asked.get(inbox, "cara").status_code == 404
    read = asked.get(inbox, "sue").json()
    left = json.loads(shown["bytes"])
    assert read["identity"] == left["identity"]
    assert read["profile"] == {}
    assert (read["letter"]["reference"], read["letter"]["signed"]) == (left["reference"], "known")
    asking.vault.exchange.run()
    now = asking.get(at, "cara").json()
    assert (now["stage"], now["letter"]["was_read"]) == ("received", True)

    placed = asked.post(inbox + "/case", "sue", {}).json()
    theirs = f"/v1/cases/{placed['case_id']}"
    assert asked.get(theirs + "/identity", "sue").json() == left["identity"]
    assert PROFILE["presenting_situation"] not in asked.get(theirs + "/notes", "sue").text
    asking.vault.exchange.run()
    assert asking.post(at + "/outcome", "cara", None).json()["stage"] == "accepted"
    reply = f"/v1/exchange/received/{letter['id']}/answer"
    done = {"answer": "completed", "words": "مختلق: وصلت بخير"}
    assert asked.post(reply, "sue", done).json()["standing"] == "completed"
    assert asking.vault.exchange.run().news >= 1
    taken = asking.post(at + "/outcome", "cara", None).json()
    assert (taken["stage"], taken["answer"].splitlines()[-1]) == ("completed", done["words"])
    facts = asking.get(f"/v1/cases/{case}/facts", "cara").json()
    assert [one["outcome"] for one in facts["referrals"]] == ["completed"]
    codes = {one["code"] for one in asking.entries(case=case)}
    assert {"exchange.question", "referral.send", "exchange.send", "exchange.ask"} <= codes
    came_in = [one["code"] for one in asked.entries(code="exchange.receive")]
    assert len(came_in) >= 2


def test_a_recall_reaches_the_other_vault(pair):
    """Unread it is gone there; read, both sides say so; a withdrawn consent does the same."""
    asking, asked, address = pair
    _, at, _, _ = a_letter(asking, asked, address)
    letter = sent(asking, at)
    told = asking.post(at + "/recall", "cara", {"reason": "made up"}).json()
    assert told == {"stage": "recalled", "was_read": False}
    assert waiting(asked, letter) is None
    assert asked.get(f"/v1/inbox/{letter['id']}", "sue").status_code == 404
    _, at, _, consent = a_letter(asking, asked, address)
    letter = sent(asking, at)
    assert asked.get(f"/v1/inbox/{letter['id']}", "sue").status_code == 200
    withdrawn = asking.post(consent + "/withdrawal", "cara", {"reason": "made up"})
    assert withdrawn.status_code == 200, withdrawn.text
    assert waiting(asked, letter) is not None
    asking.vault.exchange.run()
    assert waiting(asked, letter) is None
    now = asking.get(at, "cara").json()
    assert (now["stage"], now["letter"]["was_read"]) == ("recalled", True)


class Between(BaseHTTPRequestHandler):
    """Stands between two vaults and does as it is told."""

    behind, does = "", "pass"

    def do_POST(self):
        """Answer one message."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.does in ("lose", "replay", "kill"):
            headers = {"content-type": "application/json"}
            found = httpx2.post(self.behind + self.path, content=body, headers=headers).content
        if self.does == "lose":
            # The other vault has it; nobody hears so.
            self.close_connection = True
            return
        if self.does == "kill":
            os.kill(self.victim, signal.SIGKILL)
            self.close_connection = True
            return
        if self.does == "redirect":
            self.send_response(307)
            self.send_header("Location", self.behind + self.path)
            self.end_headers()
            return
        if self.does == "refuse":
            found, status = b'{"code": "exchange.team-key", "title": "Ondine"}', 403
        elif self.does == "flood":
            found, status = b"x" * (3 << 20), 200
        elif self.does == "lie":
            found, status = json.dumps({"receipt": base64.b64encode(b"x").decode()}).encode(), 200
        elif self.does == "replay":
            found, status = type(self).kept or found, 200
            type(self).kept = found
        self.send_response(status)
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    kept, victim = b"", 0

    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def between(behind):
    """Put a server in front of another; give its handler and its address."""
    handler = type("Handler", (Between,), {"behind": behind})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield handler, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_goes_wrong_on_the_way_is_tried_again_and_arrives_once(pair):
    """A lost receipt, a redirect, a refusal without a signature, a flood, a lie, an old receipt:
    nothing of it says delivered; the same bytes are sent again, and one letter lies there."""
    asking, asked, address = pair
    with between(address) as (handler, there):
        case, at, _, _ = a_letter(asking, asked, there)
        handler.does = "lose"
        letter = sent(asking, at)
        assert (letter["delivered_at"], letter["fault"]) == (None, "exchange.unreachable")
        assert waiting(asked, letter) is not None
        for does, fault in (
            ("redirect", "exchange.no-vault"),
            ("refuse", "exchange.team-key"),
            ("flood", "exchange.no-vault"),
            ("lie", "exchange.damaged"),
        ):
            handler.does = does
            assert asking.vault.exchange.run().failed >= 1
            shown = asking.get(at, "cara")
            now = shown.json()
            assert (now["letter"]["delivered_at"], now["letter"]["fault"]) == (None, fault), does
            assert (now["stage"], "Ondine" in json.dumps(now["letter"])) == ("sent", False)
        handler.does = "replay"
        frozen = freeze(asking, case)
        asking.vault.exchange.run()
        now = asking.get(at, "cara").json()["letter"]
        assert (now["delivered_at"], now["fault"]) == (None, "exchange.paused")
        assert lift(asking, frozen["id"]).status_code < 300
        asking.vault.exchange.run()
        now = asking.get(at, "cara").json()["letter"]
        assert (now["delivered_at"] is not None, now["fault"]) == (True, None)
        # From now on it hears the receipt of before, which answers another message.
        asked.get(f"/v1/inbox/{letter['id']}", "sue")
        asking.vault.exchange.run()
        now = asking.get(at, "cara").json()["letter"]
        assert (now["was_read"], now["fault"]) == (False, "exchange.receipt")
        assert len([one for one in received(asked) if one["id"] == letter["id"]]) == 1
        assert asking.post(at + "/recall", "cara", {"reason": "made up"}).status_code == 200


@pytest.mark.faults
def test_killed_between_sending_and_receipt_it_arrives_once(pair, tmp_path):
    """The command dies while the other vault has the letter; the next run brings the receipt."""
    asking, asked, address = pair
    with between(address) as (handler, there):
        _, at, _, _ = a_letter(asking, asked, there)
        handler.does = "redirect"
        letter = sent(asking, at)
        handler.does = "kill"
        names = ("organisation_id", "organisation_name", "root_fingerprint", "ledger_origin")
        names += ("kdf_profile", "data_url", "keyring_url", "keys_dir", "runtime_dir")
        lines = [f'{name} = "{getattr(asking.settings, name)}"\n' for name in names]
        config = tmp_path / "casevault.toml"
        config.write_text("".join(lines) + "exchange_plain_loopback = true\n")
        config.chmod(0o600)
        command = [sys.executable, "-m", "casevault", "exchange", "run", "--config", str(config)]
        with subprocess.Popen(command) as process:
            handler.victim = process.pid
        assert process.returncode == -signal.SIGKILL
        assert asking.get(at, "cara").json()["letter"]["delivered_at"] is None
        assert waiting(asked, letter) is not None
        handler.does = "replay"
        done = subprocess.run(command, check=False, timeout=120)
        assert done.returncode in (0, 3)
        now = asking.get(at, "cara").json()["letter"]
        assert (now["delivered_at"] is not None, now["fault"]) == (True, None)
        assert len([one for one in received(asked) if one["id"] == letter["id"]]) == 1


def received(asked):
    """Return everything that came from other vaults."""
    return asked.get("/v1/exchange/received", "sue").json()["items"]


def test_nothing_leaves_for_where_nobody_pinned_a_vault(pair):
    """No vault in the directory: refused before anything; taken out meanwhile: nothing is sent."""
    asking, asked, address = pair
    case = a_case(asking)
    plain = asking.post("/v1/partners", "sue", {"content": {**HOUSE, "name": "Plain House"}})
    agreed_to(asking, case, "Plain House")
    at = written(asking, case, plain.json()["id"])
    agree(asking, at)
    refused = asking.post(at + "/vault", "cara", None)
    assert (refused.status_code, refused.json()["code"]) == (409, "referral.no-vault")
    assert asking.get(at, "cara").json()["stage"] == "consented"
    with between(address) as (handler, there):
        partner, name = pin(asking, asked, there)
        case = a_case(asking)
        agreed_to(asking, case, name)
        at = written(asking, case, partner)
        agree(asking, at)
        handler.does = "redirect"
        letter = sent(asking, at)
        assert asking.call("DELETE", f"/v1/partners/{partner}", "sue").status_code == 204
        handler.does = "lose"
        asking.vault.exchange.run()
        assert asking.get(at, "cara").json()["letter"]["fault"] == "exchange.not-pinned"
        assert waiting(asked, letter) is None
