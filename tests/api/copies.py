"""Worlds are copies of one per process and kind of database, made when the first is asked for.

Bringing a vault's people in costs a second of work, and dozens of tests want a world that no other
has touched. Copies are of one organisation, with the same keys, passphrases and boot secret: a test
that needs two vaults which are strangers calls `build`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from casevault import bootstrap
from casevault.services.recovery.ceremony import Outcome
from tests.api.world import ShiftedClock, World, build, started
from tests.conftest import Databases
from tests.snapshots import Snapshot, taken


@dataclass(frozen=True, slots=True)
class _Original:
    """A world as it was when it was closed, and the stores that it left."""

    world: World
    stores: Snapshot


_originals: dict[str, _Original] = {}


def a_world(databases: Databases, folder: Path) -> World:
    """Return a world that nobody has touched, in two empty databases and a folder."""
    original = _originals.get(databases.kind)
    if original is not None:
        outcome = original.stores.copied_to(databases, folder / "keys")
        return _opened(original.world, databases, folder, outcome)
    first = build(databases, folder)
    first.close()
    stores = taken(databases, folder / "keys", first.outcome)
    _originals[databases.kind] = _Original(first, stores)
    outcome = replace(
        first.outcome, staff=dict(first.outcome.staff), teams=dict(first.outcome.teams)
    )
    return _opened(first, databases, folder, outcome)


def _opened(original: World, databases: Databases, folder: Path, outcome: Outcome) -> World:
    settings = original.settings.model_copy(
        update={
            "data_url": databases.data_url,
            "keyring_url": databases.keyring_url,
            "keys_dir": folder / "keys",
            "runtime_dir": folder / "run",
        }
    )
    clock = ShiftedClock()
    vault = bootstrap.open_vault(settings, original.boot_secret, clock)
    phones = {who: replace(one, printed=[*one.printed]) for who, one in original.phones.items()}
    world = World(
        databases.kind,
        folder,
        databases,
        settings,
        outcome,
        clock,
        vault,
        started(vault),
        original.boot_secret,
        dict(original.staff),
        dict(original.passphrases),
        phones,
        dict(original._tokens),
        _begun=Counter(original._begun),
    )
    # The original was made some time ago.
    world.forget_ended_sessions()
    return world
