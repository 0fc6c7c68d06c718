"""Root material in every vessel: a plain file, a seal, a token. One contract, three ways to lie."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from casevault.crypto import credentials
from casevault.crypto.credentials import SMALL
from casevault.crypto.macs import b64, unb64
from casevault.crypto.roots import (
    NO_KEY,
    PRINCIPALS,
    RootProvider,
    RootsKey,
    RootsPlace,
    asked_by,
    create_roots,
    discard_roots,
    files,
    move_roots,
    open_roots,
    outer,
    plainly,
    roots_key,
    under_passphrase,
    under_token,
)
from casevault.crypto.roots import provider as provider_module
from casevault.crypto.roots import sealed as sealed_module
from casevault.crypto.roots import token as token_module
from casevault.crypto.roots.material import decode, encode
from casevault.crypto.sealing import Key
from casevault.errors import (
    Busy,
    Conflict,
    Invalid,
    KeyUnavailable,
    Locked,
    Misconfigured,
    Tampered,
)
from tests.tokens import PIN, SoftToken, a_token

from .secrecy import assert_silent

KEYRING = UUID(int=5)
PASSPHRASE = "made up words for root material"


@dataclass
class Kept:
    """A folder with root material, and what opens it."""

    place: RootsPlace
    key: RootsKey
    roots: RootProvider
    token: SoftToken | None = None

    def again(self, key: RootsKey | None = None) -> RootProvider:
        """Open it as another process would."""
        return open_roots(self.place, key or self.key)

    @property
    def raw(self) -> dict:
        """The file as JSON."""
        return json.loads(self.place.file.read_bytes())

    def rewrite(self, change) -> None:
        """Change the file behind everybody's back."""
        raw = self.raw
        change(raw)
        self.place.file.write_text(json.dumps(raw))


def plain(tmp_path, _monkeypatch) -> Kept:
    place = RootsPlace(tmp_path / "keys")
    return Kept(place, NO_KEY, create_roots(place.folder, KEYRING))


def sealed(tmp_path, _monkeypatch) -> Kept:
    kept = plain(tmp_path, None)
    kept.key = move_roots(kept.roots, kept.place, under_passphrase(PASSPHRASE, SMALL))
    return kept


def hardware_kept(tmp_path, monkeypatch) -> Kept:
    token = a_token(tmp_path, monkeypatch)
    place = RootsPlace(tmp_path / "keys", token.module, token.label)
    roots = create_roots(place.folder, KEYRING)
    return Kept(place, move_roots(roots, place, under_token(PIN)), roots, token)


@pytest.fixture(params=[plain, sealed, hardware_kept], ids=["plain", "sealed", "token"])
def kept(request, tmp_path, monkeypatch) -> Kept:
    """Give root material in each vessel."""
    return request.param(tmp_path, monkeypatch)


@pytest.fixture
def at_once(monkeypatch):
    """Let every use look at the vessel again."""
    monkeypatch.setattr(provider_module, "_FRESH_SECONDS", 0)
    monkeypatch.setattr(token_module, "WATCH_SECONDS", 0)


# --- the contract --------------------------------------------------------------------------------


def test_another_process_reads_the_same(kept):
    """What one wrote, another opens with the same key, whatever the vessel."""
    again = kept.again()
    assert again.keyring_id == KEYRING
    assert again.export() == kept.roots.export()
    assert again.epoch(1) == kept.roots.epoch(1)
    assert stat.S_IMODE(kept.place.file.stat().st_mode) == 0o600
    assert [path.name for path in kept.place.folder.iterdir()] == ["root.json"]


def test_epochs_come_and_go(kept):
    """A new epoch is durable at once; a destroyed one is gone for everybody, its number too."""
    other = kept.again()
    assert kept.roots.new_epoch() == 2
    assert kept.again().epoch(2) == other.epoch(2) == kept.roots.epoch(2)
    kept.roots.new_epoch()
    assert kept.roots.destroy_epochs_before(3) == (1, 2)
    assert kept.roots.destroy_epochs_before(3) == ()
    other.reload()
    for roots in (kept.roots, other, kept.again()):
        assert roots.epochs() == (3,)
        with pytest.raises(KeyUnavailable):
            roots.epoch(2)
    assert kept.roots.new_epoch() == 4


def test_the_newest_epoch_is_never_destroyed(kept):
    """A wrong number must not cost the vault."""
    with pytest.raises(ValueError, match="in use"):
        kept.roots.destroy_epochs_before(99)
    assert kept.again().epochs() == (1,)


@pytest.mark.usefixtures("at_once")
def test_what_another_process_rotated_is_used(kept):
    """Without being told."""
    worker = kept.again()
    kept.roots.change(lambda held: held.services.update({2: Key.random(2)}))
    assert worker.service() == kept.roots.service(2)


def test_a_change_that_fails_changes_nothing(kept):
    """Neither the file nor what is in memory."""
    before = kept.place.file.read_bytes()

    def fail(held):
        held.epochs.clear()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        kept.roots.change(fail)
    assert kept.place.file.read_bytes() == before
    assert kept.roots.epochs() == (1,)


def test_many_at_once_lose_no_epoch(kept):
    """Every epoch that somebody was given is kept."""
    given, start = [], threading.Barrier(3)

    def roll():
        roots = kept.again()
        start.wait()
        for _ in range(4):
            number = roots.new_epoch()
            given.append((number, roots.epoch(number).id))

    threads = [threading.Thread(target=roll) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = kept.again()
    assert len(given) == 12
    assert {(n, last.epoch(n).id) for n in last.epochs() if n > 1} == set(given)


def test_nothing_prints_its_secret(kept):
    """Neither the provider nor what opens it."""
    held = decode(kept.roots.export())
    secrets = [key.material for key in (*held.epochs.values(), *held.peppers.values())]
    secrets += [seed for seeds in held.principals.values() for seed in seeds.values()]
    for thing in (kept.roots, kept.roots._vessel, kept.key, kept.place):
        assert_silent(thing, *secrets, *([kept.key.secret] if kept.key.secret else []))


def test_who_gives_no_key_or_another_opens_nothing(kept):
    """A plain file asks for nothing; the others say that they are sealed."""
    if kept.key is NO_KEY:
        assert asked_by(kept.place) is None
        assert kept.again(NO_KEY).epochs() == (1,)
        return
    assert asked_by(kept.place) == ("pin" if kept.token else "passphrase")
    with pytest.raises(Locked) as caught:
        kept.again(NO_KEY)
    assert caught.value.code == "roots.sealed"
    secret = PIN if kept.token else PASSPHRASE
    assert roots_key(kept.place, secret) == kept.key
    with pytest.raises(Locked) as caught:
        roots_key(kept.place, secret + " not")
    assert caught.value.code == ("roots.pin" if kept.token else "roots.passphrase")
    # A wrong one in between does not shut out who has the right one.
    assert roots_key(kept.place, secret) == kept.key


def test_the_file_of_a_seal_shows_no_key(kept):
    """Only the plain one does: that is what the others are for."""
    held, text = decode(kept.roots.export()), kept.place.file.read_text()
    shown = [b64(k.material) in text for k in (*held.epochs.values(), *held.services.values())]
    shown += [b64(held.principals[name][1]) in text for name in PRINCIPALS]
    assert set(shown) == {kept.key is NO_KEY}


def test_another_machine(kept, monkeypatch):
    """A file serves one host; what lies under a token may serve several."""
    monkeypatch.setattr(files, "host_id", lambda: "another-machine")
    if kept.token:
        assert kept.again().epochs() == (1,)
        return
    with pytest.raises(Misconfigured) as caught:
        kept.again()
    assert caught.value.code == "roots.host"


def test_it_says_how_surely_an_epoch_is_gone(kept):
    """In the words of a certificate."""
    assert kept.roots.shredding == ("destroyed in hardware" if kept.token else "best effort")


def test_material_goes_back_into_a_plain_file(kept):
    """Whatever vessel it was in; the provider goes on, others open it without a key."""
    before = kept.roots.export()
    assert move_roots(kept.roots, kept.place, plainly) == NO_KEY
    assert kept.roots.export() == before == open_roots(kept.place).export()
    assert kept.place.file.read_bytes() == encode(decode(before))
    assert kept.roots.new_epoch() == 2


def _flipped(text: str, at: int) -> str:
    data = bytearray(unb64(text) or b"")
    data[at] ^= 1
    return b64(bytes(data))


def _strings(node, path=()):
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _strings(value, (*path, name))
    elif isinstance(node, str):
        yield path


def _at(node, path):
    for name in path[:-1]:
        node = node[name]
    return node, path[-1]


@pytest.mark.usefixtures("at_once")
def test_every_changed_part_of_a_seal_is_found(kept):
    """Each part, at its start and end, cut short, missing and of another kind: never believed."""
    if kept.key is NO_KEY:
        return  # whoever writes a plain file writes what they like: its rows do not open then
    secret, before = PIN if kept.token else PASSPHRASE, kept.place.file.read_bytes()
    for path in _strings(json.loads(before)):
        for spoil in (lambda t: _flipped(t, 0), lambda t: _flipped(t, -1), lambda t: t[:-4], str):
            node, name = _at(raw := json.loads(before), path)
            if spoil is str:
                node[name] = 7
            elif path[-1] in ("kind", "keyring_id"):
                node[name] = {"kind": "plain", "keyring_id": str(UUID(int=6))}[path[-1]]
            else:
                node[name] = spoil(node[name])
            kept.place.file.write_text(json.dumps(raw))
            with pytest.raises((Tampered, Locked, Busy)) as caught:
                open_roots(kept.place, roots_key(kept.place, secret))
            # A spoilt id names a key that nobody has; a spoilt key id is another passphrase's.
            if path[-1] not in ("id", "envelope"):
                assert isinstance(caught.value, Tampered), (path, caught.value.code)
    for content in (b"", b"[]", b"\xff", b'{"kind": "other"}', b'{"kind": 7}', b"[" * 9999):
        kept.place.file.write_bytes(content)
        with pytest.raises(Tampered):
            kept.again()
    kept.place.file.write_bytes(before)
    assert kept.again().epochs() == (1,)


@pytest.mark.parametrize("seal", [under_passphrase(PASSPHRASE, SMALL), under_token(PIN)])
def test_what_is_made_sealed_was_never_readable(tmp_path, monkeypatch, seal):
    """Not for a moment does a key of it stand in a file."""
    token = a_token(tmp_path, monkeypatch)
    place, written = RootsPlace(tmp_path / "keys", token.module, token.label), []
    write = files.write_private
    monkeypatch.setattr(files, "write_private", lambda p, d: written.append(d) or write(p, d))
    roots = create_roots(place, KEYRING, seal)
    held = decode(roots.export())
    keys = [*held.epochs.values(), *held.peppers.values(), *held.services.values()]
    secrets = [key.material for key in keys] + [s[1] for s in held.principals.values()]
    assert written
    for data in written:
        assert not any(b64(secret).encode() in data or secret in data for secret in secrets)
    discard_roots(place.folder, UUID(int=6))
    assert place.file.exists()
    discard_roots(place.folder, KEYRING)
    assert not place.file.exists()


# --- under a passphrase --------------------------------------------------------------------------


def test_a_weak_passphrase_seals_nothing(tmp_path):
    """What is attacked offline needs strength; the folder stays as it was."""
    kept = plain(tmp_path, None)
    before = kept.place.file.read_bytes()
    with pytest.raises(Invalid):
        move_roots(kept.roots, kept.place, under_passphrase("too short", SMALL))
    assert kept.place.file.read_bytes() == before
    assert kept.roots.epochs() == (1,)


def test_a_new_passphrase_ends_the_old_one(tmp_path):
    """And makes a new file key: who kept the old one opens nothing that is written from now on."""
    kept = sealed(tmp_path, None)
    old = kept.key
    new = move_roots(kept.roots, kept.place, under_passphrase(PASSPHRASE + " again", SMALL))
    with pytest.raises(Tampered):
        kept.again(old)
    with pytest.raises(Locked):
        roots_key(kept.place, PASSPHRASE)
    assert kept.again(new).export() == kept.roots.export()


def test_a_weakened_envelope_is_refused_before_it_is_used(tmp_path, monkeypatch):
    """Whoever changes the file must not make guessing cheap, nor one unlock cost a machine."""
    kept = sealed(tmp_path, None)
    envelope = credentials.Envelope.decode(outer.binary(kept.raw, "envelope"))
    monkeypatch.setattr(credentials, "hash_secret_raw", None)
    for profile in (
        credentials.KdfProfile(8, 1, 1),
        credentials.KdfProfile(1 << 30, 3, 4),
    ):
        weak = credentials.Envelope(profile, envelope.salt, 0, envelope.sealed)
        kept.rewrite(lambda raw, weak=weak: raw.update(envelope=b64(weak.encode())))
        with pytest.raises(Tampered):
            roots_key(kept.place, PASSPHRASE)


def test_every_write_of_a_seal_is_another_text(tmp_path):
    """The same material twice does not look the same."""
    kept = sealed(tmp_path, None)
    bodies = {kept.raw["body"]}
    for _ in range(3):
        kept.roots.change(lambda _held: None)
        bodies.add(kept.raw["body"])
    assert len(bodies) == 4


# --- under a token -------------------------------------------------------------------------------


@pytest.fixture
def hardware(tmp_path, monkeypatch) -> Kept:
    """Give material under a token."""
    return hardware_kept(tmp_path, monkeypatch)


def _hand(kept: Kept) -> token_module.Token:
    return token_module.connect(kept.place.module, kept.place.token, PIN)


def _keys(kept: Kept) -> int:
    return len(_hand(kept).keys(b"cv1" + KEYRING.bytes))


def test_the_keys_of_a_token_cannot_be_exported(hardware):
    """One for the material, one per epoch; the library refuses to give their values."""
    import pkcs11

    hardware.roots.new_epoch()
    assert _keys(hardware) == 3
    found = _hand(hardware)._find(_hand(hardware)._open())
    for key in found:
        assert key[pkcs11.Attribute.NEVER_EXTRACTABLE]
        assert key[pkcs11.Attribute.PRIVATE]
        with pytest.raises(pkcs11.PKCS11Error):
            key[pkcs11.Attribute.VALUE]


@pytest.mark.usefixtures("at_once")
def test_a_destroyed_epoch_is_gone_from_the_hardware(hardware):
    """After a new log-in, and for whoever kept the file: no copy of it opens that epoch again."""
    before = hardware.place.file.read_bytes()
    hardware.roots.new_epoch()
    assert hardware.roots.destroy_epochs_before(2) == (1,)
    assert _keys(hardware) == 2
    _hand(hardware).close()
    assert _keys(hardware) == 2
    hardware.place.file.write_bytes(before)
    with pytest.raises(Busy):
        hardware.again()


@pytest.mark.usefixtures("at_once")
def test_a_run_that_was_cut_off_is_made_good(hardware, monkeypatch):
    """The file was written and the token's key not destroyed: the next run destroys it."""
    hardware.roots.new_epoch()

    def cut(_self, _key_id):
        raise Busy(code="roots.token")

    with monkeypatch.context() as patch:
        patch.setattr(token_module.Token, "destroy", cut)
        with pytest.raises(Busy):
            hardware.roots.destroy_epochs_before(2)
    assert _keys(hardware) == 3
    assert hardware.again().epochs() == (2,)
    assert hardware.roots.destroy_epochs_before(2) == ()
    assert _keys(hardware) == 2


@pytest.mark.usefixtures("at_once")
def test_an_old_copy_of_the_file_costs_no_newer_epoch(hardware):
    """Put back and written, it destroys nothing that it does not know."""
    before = hardware.place.file.read_bytes()
    hardware.roots.new_epoch()
    after = hardware.place.file.read_bytes()
    hardware.place.file.write_bytes(before)
    hardware.again().change(lambda _held: None)
    hardware.place.file.write_bytes(after)
    assert hardware.again().epochs() == (1, 2)


@pytest.mark.usefixtures("at_once")
def test_a_token_that_goes_stops_everything_until_it_is_back(hardware):
    """No key that is still in memory is used, or kept, while the token is away."""
    roots, before = hardware.roots, hardware.roots.epoch(1)
    hardware.token.pull()
    for use in (
        lambda: roots.epoch(1),
        roots.service,
        roots.pepper,
        roots.epochs,
        roots.new_epoch,
        lambda: roots.principal("counting"),
        lambda: roots.keyring_id,
        roots.export,
        roots.reload,
        hardware.again,
    ):
        with pytest.raises(Busy) as caught:
            use()
        assert caught.value.code == "roots.token"
    assert roots._material is None
    hardware.token.put_back()
    assert roots.epoch(1) == before
    assert roots.new_epoch() == 2


def test_a_token_is_asked_once_a_second_not_for_every_row(hardware, monkeypatch):
    """Rows cost no operation of the token."""
    asked = []
    find = token_module.Token._find
    monkeypatch.setattr(token_module.Token, "_find", lambda *a: asked.append(1) or find(*a))
    for _ in range(10_000):
        hardware.roots.epoch(1)
    assert len(asked) <= 3


def test_a_wrong_pin_is_tried_once(hardware, monkeypatch):
    """A few more tries would lock the token."""
    wrong = token_module.connect(hardware.place.module, hardware.place.token, "wrong pin")
    tries = []
    log_in = token_module.Token._log_in
    monkeypatch.setattr(token_module.Token, "_log_in", lambda self: tries.append(1) or log_in(self))
    for _ in range(3):
        with pytest.raises(Locked):
            wrong.keys(b"")
    assert len(tries) == 1


def test_a_second_move_to_a_token_is_refused(hardware):
    """It would leave keys that nobody destroys."""
    with pytest.raises(Conflict):
        move_roots(hardware.roots, hardware.place, under_token(PIN))
    assert hardware.again().epochs() == (1,)


def test_leaving_a_token_leaves_nothing_on_it(hardware):
    """Its keys are destroyed after the material is safe elsewhere."""
    move_roots(hardware.roots, hardware.place, plainly)
    assert _keys(hardware) == 0
    move_roots(hardware.roots, hardware.place, under_token(PIN))
    assert _keys(hardware) == 2


def test_a_move_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    """A token that goes in the middle costs nothing."""
    token = a_token(tmp_path, monkeypatch)
    place = RootsPlace(tmp_path / "keys", token.module, token.label)
    roots = create_roots(place.folder, KEYRING)
    before = place.file.read_bytes()

    def cut(*_arguments):
        raise Busy(code="roots.token")

    monkeypatch.setattr(token_module.Token, "unwrap", cut)
    with pytest.raises(Busy):
        move_roots(roots, place, under_token(PIN))
    assert place.file.read_bytes() == before
    assert open_roots(place).export() == roots.export()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"module": None}, "roots.token-unset"),
        ({"token": ""}, "roots.token-unset"),
        ({"module": Path("/nowhere/library.so")}, "roots.module"),
    ],
)
def test_a_token_that_is_not_configured_says_what_to_do(hardware, change, code):
    """Library and label come from the configuration."""
    from dataclasses import replace

    with pytest.raises(Misconfigured) as caught:
        open_roots(replace(hardware.place, **change), hardware.key)
    assert caught.value.code == code


def test_an_unknown_token_is_out_of_reach(hardware):
    """It may be the one that is not plugged in."""
    from dataclasses import replace

    with pytest.raises(Busy):
        open_roots(replace(hardware.place, token="no such token"), hardware.key)


_FORK = """
import os, sys
from pathlib import Path
from casevault.crypto.roots import RootsKey, RootsPlace, open_roots
folder, module, label, pin = sys.argv[1:]
roots = open_roots(RootsPlace(Path(folder), Path(module), label), RootsKey(pin.encode()))
child = os.fork()
if child == 0:
    roots.new_epoch()
    os._exit(0 if roots.epochs() == (1, 2) else 7)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
roots.reload()
made = roots.new_epoch()
print(status, made, roots.epochs())
"""


def test_a_forked_process_opens_its_own_session(hardware):
    """And its parent's goes on working."""
    arguments = [hardware.place.folder, hardware.place.module, hardware.place.token, PIN]
    done = subprocess.run(
        [sys.executable, "-c", _FORK, *map(str, arguments)],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "0 3 (1, 2, 3)", done.stderr


# --- what tokens and files may do wrong ----------------------------------------------------------


class _Lax:
    """A session with a token that makes keys which can be exported."""

    def __init__(self, session):
        self._session = session

    def __getattr__(self, name):
        return getattr(self._session, name)

    def generate_key(self, *arguments, template, **options):
        import pkcs11

        lax = {pkcs11.Attribute.SENSITIVE: False, pkcs11.Attribute.EXTRACTABLE: True}
        return self._session.generate_key(*arguments, template=template | lax, **options)


def test_a_token_whose_keys_can_leave_is_refused(hardware, monkeypatch):
    """And the key that it made is destroyed again."""
    hand, before = _hand(hardware), _keys(hardware)
    session = hand._open()
    monkeypatch.setattr(token_module.Token, "_open", lambda _self: _Lax(session))
    with pytest.raises(Misconfigured) as caught:
        hand.make_key("lax", b"cv1" + KEYRING.bytes)
    assert caught.value.code == "roots.token-exports"
    assert _keys(hardware) == before


def test_a_key_that_stays_is_no_destroyed_key(hardware, monkeypatch):
    """A token that says yes and keeps it: nothing is certified."""

    class Stubborn:
        def destroy(self):
            """Do nothing."""

    monkeypatch.setattr(token_module.Token, "_find", lambda *_a: [Stubborn()])
    with pytest.raises(Busy):
        _hand(hardware).destroy(b"any")


def _library(monkeypatch, error):
    """Let the library answer with an error when somebody logs in."""

    class Token:
        def open(self, **_options):
            raise error

    class Library:
        def get_token(self, **_options):
            import pkcs11

            if isinstance(error, pkcs11.MultipleTokensReturned):
                raise error
            return Token()

    monkeypatch.setattr(token_module.Token, "_begin", lambda _self: Library())


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("PinLocked", Locked, "roots.pin-locked"),
        ("PinIncorrect", Locked, "roots.pin"),
        ("MultipleTokensReturned", Misconfigured, "roots.token-label"),
        ("DeviceError", Busy, "roots.token"),
    ],
)
def test_what_a_token_answers_to_a_log_in(hardware, monkeypatch, name, kind, code):
    """Each answer is one sentence for whoever can do something about it."""
    import pkcs11

    _library(monkeypatch, getattr(pkcs11, name)())
    with pytest.raises(kind) as caught:
        token_module.Token(hardware.place.module, hardware.place.token, PIN).keys(b"")
    assert caught.value.code == code


def test_a_token_that_is_away_is_not_asked_for_every_request(hardware, monkeypatch):
    """One try a second: a network token that is down costs each try a time-out."""
    import pkcs11

    tries = []
    _library(monkeypatch, pkcs11.DeviceError())
    begin = token_module.Token._begin
    monkeypatch.setattr(token_module.Token, "_begin", lambda s: tries.append(1) or begin(s))
    away = token_module.Token(hardware.place.module, hardware.place.token, PIN)
    for _ in range(50):
        with pytest.raises(Busy):
            away.keys(b"")
    assert len(tries) == 1


def test_an_installation_without_pkcs11_says_so(hardware, monkeypatch):
    """The extra is optional."""
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    token_module._forget()
    with pytest.raises(Misconfigured) as caught:
        hardware.again()
    assert caught.value.code == "roots.no-pkcs11"


def test_a_token_that_goes_while_it_opens_something_is_away(hardware, monkeypatch):
    """An error of a token that no longer shows the key is no tampering."""
    hand, wrapped = _hand(hardware), token_module.Wrapped(b"k", b"i" * 12, b"c" * 48)
    import pkcs11

    class Key:
        def decrypt(self, *_arguments, **_options):
            raise pkcs11.DeviceError

    shown = iter([[Key()], []])
    monkeypatch.setattr(token_module.Token, "_find", lambda *_a: next(shown))
    with pytest.raises(Busy):
        hand.unwrap(wrapped, b"context")


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.update(key=7),
        lambda raw: raw.pop("key"),
        lambda raw: raw.update(epochs=[]),
        lambda raw: raw.update(epochs={}),
        lambda raw: raw["epochs"].update({"x": raw["epochs"]["1"]}),
        lambda raw: raw["epochs"].update({"2": raw["epochs"]["1"]}),
        lambda raw: raw["epochs"].update({"1": raw["key"]}),
        lambda raw: raw["epochs"].update({"1": "text"}),
        lambda raw: raw.update(format=2),
        lambda raw: raw.update(keyring_id="none"),
        lambda raw: raw.pop("keyring_id"),
        lambda raw: raw.update(body="not base64 !"),
    ],
)
def test_a_file_that_names_other_keys_is_not_believed(hardware, change):
    """Epochs put in each other's place, numbers that are none, parts that are missing."""
    hardware.rewrite(change)
    with pytest.raises(Tampered):
        hardware.again()


def test_a_token_that_gives_back_something_else_is_not_believed(hardware, monkeypatch):
    """32 bytes were wrapped; anything else is no key."""
    monkeypatch.setattr(token_module.Token, "unwrap", lambda *_a: b"short")
    with pytest.raises(Tampered):
        hardware.again()


def test_what_a_new_vessel_gives_back_is_compared(tmp_path, monkeypatch):
    """Before the old one is left: a difference leaves everything as it was."""
    kept = plain(tmp_path, None)
    before = kept.place.file.read_bytes()
    other = decode(create_roots(tmp_path / "other", KEYRING).export())
    monkeypatch.setattr(sealed_module.SealedVessel, "read", lambda _self: other)
    with pytest.raises(Tampered):
        move_roots(kept.roots, kept.place, under_passphrase(PASSPHRASE, SMALL))
    assert kept.place.file.read_bytes() == before
    assert kept.roots.epochs() == (1,)
