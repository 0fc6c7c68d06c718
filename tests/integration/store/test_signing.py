"""A signer of its own account: it shares files with the vault, and believes none of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from casevault.crypto.principals import PrincipalSecret, is_raw_signature
from casevault.errors import Busy, Conflict, Invalid, Misconfigured, Tampered
from casevault.ledger.asking import MAX_ASK_BYTES, Ask, encode_ask, parse_ask
from casevault.ledger.note import Checkpoint, open_note, sign_note
from casevault.ledger.tree import Frontier, consistency_proof
from casevault.store.log import signer_keys, signing
from casevault.store.log.checkpoints import Checkpoints
from casevault.store.log.signing import STATE_FILE, LocalSigner
from casevault.store.log.spool import SpoolService, SpoolSigner, signer
from tests.builders import ORIGIN, an_act
from tests.unit.ledger.reference import reader_of, some_hashes

HASHES = some_hashes(40)
ROOT = Path(__file__).resolve().parents[3]


def head(size, hashes=HASHES, origin=ORIGIN):
    """Return the head of the first entries."""
    return Checkpoint(origin, size, Frontier().extend(hashes[:size]).root())


def ask(old, new, hashes=HASHES):
    """Return an honest question."""
    proof = consistency_proof(old, new, reader_of(hashes)) if 0 < old < new else ()
    return Ask(old, tuple(proof), head(new, hashes))


class Spool:
    """A spool with both of its ends."""

    def __init__(self, folder):
        self.folder, self.state = folder / "spool", folder / "signer"
        for name in ("ask", "answer"):
            (self.folder / name).mkdir(parents=True)
        signer_keys.make(self.state)
        self.keys = self.local().keys
        self.vault = SpoolSigner(self.keys, self.folder, patience=0.2)

    def local(self):
        """Return the signer as its process makes it."""
        return LocalSigner(ORIGIN, partial(signer_keys.read, self.state), self.state)

    def service(self, *, begin=False):
        """Start the signer's side anew."""
        return SpoolService(self.local(), self.folder, begin=begin)

    def answered(self, service, question):
        """Ask, let the service answer, take the answer."""
        with pytest.raises(Busy):
            self.vault.sign(question)
        service.answer()
        return self.vault.sign(question)


@pytest.fixture
def spool(tmp_path):
    """Give an empty spool and a signer that never signed."""
    return Spool(tmp_path)


def test_it_answers_what_extends_the_last_note(spool):
    """Silent, then asked, then asked again by a service that started anew."""
    service = spool.service(begin=True)
    note = spool.answered(service, ask(0, 5))
    assert open_note(note, ORIGIN, spool.keys[0].public, is_raw_signature) == head(5)
    assert spool.vault.last() == note
    assert service.answer() is None
    later = spool.answered(spool.service(), ask(5, 9))
    assert spool.local().opened(later) == head(9)
    # The same head again gives the same note, whoever asks.
    assert spool.vault.sign(ask(9, 9)) == later
    assert spool.local().sign(ask(9, 9)) == later


@pytest.mark.parametrize(
    ("question", "code"),
    [
        (ask(5, 3), "ledger-signer-rollback"),
        (ask(5, 5, HASHES[::-1]), "ledger-signer-fork"),
        (ask(5, 9, HASHES[::-1]), "ledger-consistency"),
        (Ask(5, (), head(9)), "ledger-consistency"),
        (Ask(5, (), head(9, origin=ORIGIN + "/other")), "ledger-signer-origin"),
    ],
)
def test_it_refuses_what_does_not(spool, question, code):
    """A refusal changes neither its memory nor what it answered before."""
    service = spool.service(begin=True)
    note = spool.answered(service, ask(0, 5))
    with pytest.raises(Tampered) as caught:
        spool.answered(service, question)
    assert caught.value.code == code
    assert (spool.state / STATE_FILE).read_bytes() == note == spool.vault.last()


def test_a_question_from_another_head_is_told_to_come_again(spool):
    """Compare and swap: the vault did not know of the newest note."""
    service = spool.service(begin=True)
    spool.answered(service, ask(0, 5))
    with pytest.raises(Conflict):
        spool.answered(service, ask(3, 9))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"old 5\n",
        b"old 05\n\n" + head(5).encode(),
        b"new 5\n\n" + head(5).encode(),
        b"old 5\nAAAA\n\n" + head(5).encode(),
        b"old 5\n\n" + head(5).encode() + b"more\n",
        b"old 5\n\n\xff" + head(5).encode(),
        b"old 9223372036854775808\n\n" + head(5).encode(),
        encode_ask(ask(5, 9)) + b"x" * MAX_ASK_BYTES,
    ],
)
def test_a_malformed_question_is_refused(spool, data):
    """One clean refusal, and the signer goes on."""
    with pytest.raises(Tampered):
        parse_ask(data)
    service = spool.service(begin=True)
    (spool.folder / "ask" / "head").write_bytes(data)
    told, rounds = [], []
    service.run(lambda _: rounds.append(1) or bool(told) or len(rounds) > 9, told.append)
    assert told
    assert spool.local().last() is None
    assert spool.answered(service, ask(0, 5))


def test_questions_survive_their_bytes():
    """Reading what was written gives the same; impossible ones cannot be made."""
    for question in (ask(0, 5), ask(5, 9), ask(7, 40)):
        assert parse_ask(encode_ask(question)) == question
    for old, proof in (
        (-1, ()),
        (True, ()),
        (2**63, ()),
        (1, (b"short",)),
        (1, (bytes(32),) * 127),
    ):
        with pytest.raises(Invalid):
            Ask(old, proof, head(5))


def test_links_and_pipes_are_not_followed(spool):
    """Whoever owns the other folder cannot make a side read a file of its own."""
    service = spool.service(begin=True)
    place = spool.folder / "ask" / "head"
    place.symlink_to(spool.state / signer_keys.KEY_FILE)
    with pytest.raises(Tampered):
        service.answer()
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(Tampered):
        service.answer()
    note = spool.folder / "answer" / "note"
    note.mkdir()
    with pytest.raises(Tampered):
        spool.vault.last()


def test_a_note_of_somebody_else_is_no_answer(spool):
    """The vault checks every note with the keys of its configuration."""
    other = PrincipalSecret.generate()
    forged = sign_note(head(5).encode(), ORIGIN, other.public.sign, other.sign_raw)
    (spool.folder / "answer" / "note").write_bytes(forged)
    with pytest.raises(Tampered):
        spool.vault.sign(ask(0, 5))


def test_a_lost_memory_is_never_a_first_start(spool):
    """Without a memory it does not begin, unless somebody says so."""
    with pytest.raises(Tampered) as caught:
        spool.service()
    assert caught.value.code == "ledger-signer-state"


def test_the_key_file_is_private_and_read_strictly(spool):
    """Another mode, no file, rubbish, three keys: each refused."""
    path = spool.state / signer_keys.KEY_FILE
    good = path.read_bytes()
    with pytest.raises(Misconfigured):
        signer_keys.make(spool.state)
    for content in (b"", b"\xff\n", b"x\n", b"AAAA\n", good * 3):
        path.write_bytes(content)
        with pytest.raises(Tampered):
            signer_keys.read(spool.state)
    path.chmod(0o644)
    with pytest.raises(Misconfigured):
        signer_keys.read(spool.state)
    path.unlink()
    with pytest.raises(Misconfigured):
        signer_keys.read(spool.state)


def test_its_key_gets_a_successor(spool):
    """Both sign; the old one goes when a note carries both signatures."""
    spool.answered(spool.service(begin=True), ask(0, 5))
    with pytest.raises(Misconfigured):
        signer_keys.drop_first(spool.state)
    signer_keys.add_successor(spool.state)
    with pytest.raises(Misconfigured):
        signer_keys.add_successor(spool.state)
    both = spool.local()
    assert not both.has_both()
    note = both.sign(ask(5, 5))
    assert both.has_both()
    old, new = both.keys
    for key in (old, new):
        assert open_note(note, ORIGIN, key.public, is_raw_signature) == head(5)
    signer_keys.drop_first(spool.state)
    assert both.keys == (new,)
    assert spool.local().opened(note) == head(5)


def test_settings_name_keys_of_the_origin(spool, tmp_path):
    """A key of another log, or none that can be read, is refused at start."""
    key = spool.keys[0].encode()
    assert signer(ORIGIN, [], None) is None
    assert signer(ORIGIN, [key], tmp_path).keys == spool.keys
    for keys, origin in (([key], "example.org/other"), (["x"], ORIGIN), ([], ORIGIN)):
        with pytest.raises(Misconfigured):
            signer(origin, keys, tmp_path)


def test_a_vault_is_signed_for_by_another_process(vault, spool):
    """The real command beside a real vault: it signs as the log grows, and refuses a rollback."""
    asking = SpoolSigner(spool.keys, spool.folder, patience=20)
    checkpoints = Checkpoints(vault.stores.data, vault.stores.roots, ORIGIN, vault.keys_dir, asking)
    command = [sys.executable, "-m", "casevault", "ledger", "sign", "--begin"]
    command += ["--spool", spool.folder, "--state", spool.state, "--origin", ORIGIN]
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        for _ in range(2):
            vault.stores.ledger.record(an_act())
            vault.integrate()
            with ThreadPoolExecutor(3) as pool:
                found = list(pool.map(lambda _: checkpoints.sign(), range(3)))
            assert len(set(found)) == 1
        assert checkpoints.opened(found[0]).size == 2
    finally:
        running.terminate()
        running.wait(timeout=20)
    # The vault's host has neither key nor memory: both are the other account's.
    assert not (vault.keys_dir / STATE_FILE).exists()
    assert spool.local().last() == found[0]


def test_a_signer_can_move_out(vault, tmp_path):
    """Keys and memory go to a folder of their own; the host's root forgets the key."""
    vault.stores.ledger.record(an_act())
    vault.integrate()
    here = vault.checkpoints()
    note, keys = here.sign(), here.signer.keys
    signer_keys.adopt(tmp_path / "out", here.signer.secrets, note)
    signing.forget_root_key(vault.stores.roots)
    there = LocalSigner(ORIGIN, partial(signer_keys.read, tmp_path / "out"), tmp_path / "out")
    assert there.keys == keys
    assert there.last() == note
    assert vault.checkpoints().signer.keys != keys


def test_a_running_service_signs_with_the_keys_of_the_moment(vault):
    """Another process replaces the key; this one's next note carries both, then only the new."""
    vault.stores.ledger.record(an_act())
    vault.integrate()
    running, other = vault.checkpoints(), vault.another_process()
    old = running.verifier_key
    assert running.opened(running.sign()).size == 1
    with pytest.raises(Misconfigured):
        signing.drop_root_predecessor(other.roots)
    signing.add_root_successor(other.roots)
    with pytest.raises(Misconfigured):
        signing.add_root_successor(other.roots)
    wait_until(lambda: running.verifier_key != old)
    note, new = running.sign(), running.verifier_key
    for key in (old, new):
        assert open_note(note, ORIGIN, key.public, is_raw_signature).size == 1
    signing.drop_root_predecessor(other.roots)
    wait_until(lambda: len(running.signer.keys) == 1)
    assert running.signer.keys == (new,)
    assert running.sign() == note


def wait_until(holds):
    """Wait the moment after which a process notices that its root material changed."""
    until = time.monotonic() + 5
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)
    assert holds()
