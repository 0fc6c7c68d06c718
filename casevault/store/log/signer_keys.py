"""The key file of a signer that runs on its own: one secret per line, the newest last.

Lives in the signer's folder beside its memory, readable for its account only, and is written whole
or not at all. A second line is a successor: both sign until the first is dropped.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from casevault.crypto import macs
from casevault.crypto.principals import SECRET_BYTES, PrincipalSecret
from casevault.crypto.roots import write_private
from casevault.errors import Misconfigured, Tampered
from casevault.store.log.signing import STATE_FILE

KEY_FILE = "signer.keys"
_MOST = 2


def make(folder: Path) -> None:
    """Make the first key; refuse to replace one."""
    if (folder / KEY_FILE).exists():
        raise Misconfigured("There is a key in this folder already.", code="signer.exists")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(folder, [PrincipalSecret.generate()])


def adopt(folder: Path, keys: Sequence[PrincipalSecret], memory: bytes | None) -> None:
    """Take over the keys of a signer that ends, and what it signed last."""
    make(folder)
    _write(folder, keys)
    if memory is not None:
        write_private(folder / STATE_FILE, memory)


def read(folder: Path) -> list[PrincipalSecret]:
    """Return the keys that sign, oldest first."""
    path = folder / KEY_FILE
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise Misconfigured(
                "The signer's key can be read by other accounts. Run: chmod 600 on it.",
                code="signer.mode",
            )
        lines = path.read_text("ascii").splitlines()
    except FileNotFoundError:
        raise Misconfigured(
            "There is no key in this folder. Make one: casevault ledger signer-key.",
            code="signer.missing",
        ) from None
    except UnicodeDecodeError:
        raise Tampered(code="signer") from None
    seeds = [macs.unb64(line) for line in lines]
    if not 0 < len(seeds) <= _MOST or any(seed is None for seed in seeds):
        raise Tampered(code="signer")
    found = [seed for seed in seeds if seed is not None and len(seed) == SECRET_BYTES]
    if len(found) != len(seeds):
        raise Tampered(code="signer")
    return [PrincipalSecret(seed) for seed in found]


def add_successor(folder: Path) -> None:
    """Make the next key, which signs beside the present one."""
    keys = read(folder)
    if len(keys) == _MOST:
        raise Misconfigured(
            "The log's key is being replaced already. End that first.", code="signer.twice"
        )
    _write(folder, [*keys, PrincipalSecret.generate()])


def drop_first(folder: Path) -> None:
    """Destroy the older of two keys."""
    keys = read(folder)
    if len(keys) < _MOST:
        raise Misconfigured("The log's key has no successor.", code="signer.successor")
    _write(folder, keys[1:])


def _write(folder: Path, keys: Sequence[PrincipalSecret]) -> None:
    lines = "".join(macs.b64(key.seed) + "\n" for key in keys)
    write_private(folder / KEY_FILE, lines.encode("ascii"))
