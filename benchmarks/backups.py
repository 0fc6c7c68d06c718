"""How long backup, restore and settling take for many cases, in one run, on SQLite.

    python benchmarks/backups.py [cases]

Makes a vault whose cases have everything that these look at: stamped rows, sealed documents and
manifests, key rows in the keyring, an entry of the log each. Grants are left out: nothing here
opens them. Prints seconds, and ratios to a plain copy of the same file in the same run.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from casevault.crypto import recovery
from casevault.crypto.sealing import Key
from casevault.domain.case import casefile
from casevault.domain.case.casefile import Compartment
from casevault.ids import CaseId, CaseReference, TeamId, new_id, new_reference
from casevault.services.recovery.backups import Backups, Source
from casevault.services.recovery.settling import Settling
from casevault.store.case import case_keys, cases, documents
from casevault.store.context.caller import Gate
from casevault.store.log.ledger import SERVICE, Act, Touched
from casevault.store.recovery import capsules, media, restoring
from tests.builders import AVault, a_vault
from tests.conftest import Databases

_AT_ONCE = 500
_KINDS = {"identity": "identity", "narrative": "profile", "facts": "facts"}


@contextmanager
def timed(what: str, found: dict[str, float]) -> Iterator[None]:
    """Note how long something takes."""
    since = time.perf_counter()
    yield
    found[what] = time.perf_counter() - since
    print(f"{what:<34} {found[what]:9.2f} s", flush=True)


def fill(vault: AVault, count: int) -> None:
    """Put so many cases into a vault."""
    stores, today = vault.stores, date(2026, 11, 15)
    # Random ones would meet now and then, which is what their retry is for.
    references: set[CaseReference] = set()
    while len(references) < count:
        references.add(new_reference())
    for at in range(0, count, _AT_ONCE):
        made = []
        for _ in range(min(_AT_ONCE, count - at)):
            reference = references.pop()
            made.append(
                casefile.new_case(
                    CaseId(new_id()), reference, TeamId(vault.team), "standard", today
                )
            )
        keys = [{c.value: Key.random() for c in Compartment} for _ in made]
        with stores.keyring.writing() as tx:
            for case, own in zip(made, keys, strict=True):
                case_keys.add(tx, case.id, own)
        with stores.data.writing() as connection:
            for case, own in zip(made, keys, strict=True):
                sealed = [
                    documents.seal_compartment(
                        stores.organisation, case, name, key, [(_KINDS[name], {"x": "y" * 400})]
                    )
                    for name, key in own.items()
                ]
                cases.insert_case(connection, stores.roots, case, sealed)
        stores.ledger.record(
            *(Act("case.open", SERVICE, touched=(Touched("case", case.id),)) for case in made)
        )


def main(count: int) -> None:
    """Run everything once."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="casevault-bench-") as name:
        folder = Path(name)
        for one in ("var", "keyring", "backups"):
            (folder / one).mkdir(mode=0o700)
        urls = (f"sqlite:///{folder / one / 'store.db'}" for one in ("var", "keyring"))
        vault = a_vault(Databases("sqlite", *urls), folder)
        with timed(f"(making {count} cases)", found):
            fill(vault, count)
        stores, store = vault.stores, folder / "var" / "store.db"
        with timed("plain copy of the file", found):
            shutil.copyfile(store, folder / "plain")
        size = store.stat().st_size
        (folder / "plain").unlink()
        source = Source(vault.databases.data_url)
        with timed("db backup (copied, tried, sealed)", found):
            made = Backups(stores).make(source, folder / "backups")
        secret = recovery.recovery_principal(vault.seed)
        with (folder / "backups" / media.BACKUP_KEY).open("rb") as file:
            backup = capsules.open_backup_key(file, secret)
        stores.data.close()
        for one in store.parent.glob("store.db*"):
            one.unlink()
        with timed("db restore (opened, placed)", found):
            with made.path.open("rb") as file:
                manifest = restoring.open_backup(file, backup, stores.roots, folder / "opened")
            restoring.place(
                stores.keyring, folder / "opened", manifest, source.url, None, stores.now()
            )
        with timed("db settle (log, stamps, keyring)", found):
            findings = Settling(stores, Gate(stores, "passphrase"), None).settle()
        assert findings.cases == count
        assert not findings.compared
        print(f"{count} cases, {size / 1e6:.0f} MB, log of {findings.log.size} entries")
        plain = found["plain copy of the file"]
        for what in list(found)[2:]:
            print(f"{what:<34} {found[what] / plain:9.1f} x plain copy")
        vault.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
