"""The demo attacks its own vault: one line each, PASS or FAIL, nothing staged.

What is patched is patched in this process only; the server keeps its own code.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

from casevault import bootstrap
from casevault.cli.demo.narrator import Narrator
from casevault.cli.demo.story import Told
from casevault.cli.demo.world import World
from casevault.config import sqlite_path
from casevault.crypto.principals import is_raw_signature
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.staff import access
from casevault.errors import CaseVaultError, Tampered
from casevault.ledger.verify import verify_export
from casevault.store.log import exporting

# Shorter words turn up by chance in a few megabytes of random bytes.
_WORD = re.compile(r"[^\W_]{6,}")


def run(world: World, told: Told, say: Narrator) -> int:
    """Run all attacks; return how many succeeded (0 is what we want)."""
    say.line("9. Now CaseVault attacks itself.")
    attacks = (_always_yes, _search_files, _edit_ledger, _swap_documents)
    return sum(not attack(world, told, say) for attack in attacks)


def _always_yes(world: World, told: Told, say: Narrator) -> bool:
    """Authorisation says yes to everything: a stranger still has no key."""
    vault = bootstrap.open_vault(world.settings, secrets.token_bytes(32))
    leaked, tried = 0, 0
    try:
        begun = vault.sessions.sign_in("stella", world.passphrases["stella"], world.code("stella"))
        with _permitting_everything():
            caller = vault.sessions.authenticate(begun.token)
            case = UUID(told.case)
            reads: list[Callable[[], Any]] = [
                lambda: vault.casework.read_case(caller, case),
                lambda: vault.casework.list_cases(caller).items,
            ]
            reads += [
                partial(vault.casework.read_document, caller, case, kind) for kind in DocumentKind
            ]
            for read in reads:
                tried += 1
                outcome = _outcome(read)
                leaked += bool(outcome[1])
                say.detail("attack", f"with every permission granted: {outcome[0]}")
    finally:
        vault.close()
    text = f"authorisation patched to 'return True': a stranger reads {leaked} of {tried} things"
    return say.verdict(leaked == 0, text)


def _outcome(read: Callable[[], Any]) -> tuple[str, Any]:
    try:
        found = read()
    except CaseVaultError as error:
        return error.slug, None
    return f"{len(found)} items" if isinstance(found, tuple) else "content", found


@contextmanager
def _permitting_everything() -> Iterator[None]:
    real = access.decide
    access.decide = lambda *_a, **_k: access.Decision(True, "permit:patched")
    try:
        yield
    finally:
        access.decide = real


def _search_files(world: World, told: Told, say: Narrator) -> bool:
    """Every word that was typed in, in every file: databases, WAL, log, keys."""
    words = sorted(_words_of(told))
    files = [path for path in world.folder.rglob("*") if path.is_file()]
    hits = 0
    for path in files:
        content = path.read_bytes()
        lowered = content.lower()
        for word in words:
            if any(form in lowered for form in _forms(word)):
                hits += 1
                say.detail("attack", f"{word} found in {path.name}")
    size = sum(path.stat().st_size for path in files)
    # A search that finds nothing proves nothing unless it can find something.
    control = _control(world.folder, words[0])
    text = f"{len(words)} words and phrases typed in, {len(files)} files, {size // 1024} KiB"
    return say.verdict(hits == 0 and control, f"{text}: {hits} found")


def _words_of(told: Told) -> set[str]:
    words = {word for text in told.typed for word in _WORD.findall(text)} | told.typed
    # The words of a passphrase are everyday words; two of them together are not.
    for phrase in told.phrases:
        split = phrase.split()
        words |= {f"{left} {right}" for left, right in pairwise(split)}
    return {word for word in words if len(word) >= 6}


def _forms(word: str) -> tuple[bytes, ...]:
    folded = word.lower()
    return folded.encode(), folded.encode("utf-16-le"), folded.encode().hex().encode()


def _control(folder: Path, word: str) -> bool:
    planted = folder / "planted-control"
    planted.write_bytes(b"\x00" + word.upper().encode() + b"\x00")
    try:
        return any(form in planted.read_bytes().lower() for form in _forms(word))
    finally:
        planted.unlink()


def _edit_ledger(world: World, told: Told, say: Narrator) -> bool:
    """An exported log with one changed byte does not verify."""
    stores = bootstrap.open_stores(world.settings)
    export = world.folder / "export"
    try:
        signer = bootstrap.checkpoints(world.settings, stores)
        exporting.write_folder(export, exporting.pieces(stores.data, signer))
        key = signer.verifier_key
    finally:
        stores.close()
    report = verify_export(export, key.name, key.public, is_raw_signature)
    lines = export / "entries.jsonl"
    edited = bytearray(lines.read_bytes())
    edited[len(edited) // 2] ^= 1
    lines.write_bytes(edited)
    found = False
    try:
        verify_export(export, key.name, key.public, is_raw_signature)
    except Tampered as error:
        found = True
        say.detail("attack", f"the verifier says: {error.code}")
    text = f"log of {report.size} entries verifies; with one byte changed it does not"
    return say.verdict(found, text)


def _swap_documents(world: World, told: Told, say: Narrator) -> bool:
    """Two documents swapped by SQL: both answer with an alarm, none with text."""
    connection = sqlite3.connect(str(sqlite_path(world.settings.data_url)), timeout=10)
    try:
        rows = [_identity_row(connection, case) for case in (told.case, told.other)]
        for (row, _), (_, sealed) in zip(rows, reversed(rows), strict=True):
            connection.execute("UPDATE document SET sealed = ? WHERE id = ?", (sealed, row))
        connection.commit()
        answers = [
            world.call("GET", f"/v1/cases/{case}/identity", token=told.tokens["cara"])
            for case in (told.case, told.other)
        ]
        for row, sealed in rows:
            connection.execute("UPDATE document SET sealed = ? WHERE id = ?", (sealed, row))
        connection.commit()
    finally:
        connection.close()
    healed = world.call("GET", f"/v1/cases/{told.case}/identity", token=told.tokens["cara"])
    codes = [f"{a.status} {a.body.get('type', 'content').rpartition('/')[2]}" for a in answers]
    passed = codes == ["500 tampered"] * 2 and healed.status == 200
    text = f"two documents swapped by SQL: {codes[0]}; put back: readable again"
    return say.verdict(passed, text)


def _identity_row(connection: sqlite3.Connection, case: str) -> tuple[Any, bytes]:
    found = connection.execute(
        "SELECT id, sealed FROM document WHERE case_id = ? AND compartment = 'identity'",
        (case.replace("-", ""),),
    ).fetchone()
    return found[0], bytes(found[1])
