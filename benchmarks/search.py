"""Searching sealed cards beside a plaintext trigram index over the same names, in one run.

    python benchmarks/search.py [--quick]

The vault is a real one on SQLite; its cards are made-up people, and among them one record each of
the labelled pairs, which are looked for by the other record. `p95` is of whole searches with
ledger entry and budget; memory is the growth of the worker and its helpers together.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from sqlalchemy import insert

from casevault.crypto import cards as crypto_cards
from casevault.crypto.sealing import Key, seal
from casevault.domain.case.casefile import DocumentKind
from casevault.ids import new_id
from casevault.matching.names import parts
from casevault.matching.people import encode, person, token
from casevault.services.casework.casework import Casework
from casevault.services.search.search import Search, Terms
from casevault.store.context.caller import Gate
from casevault.store.engine import keyring_tables, tables
from casevault.store.search import cards
from casevault.store.search.finding import Finder
from casevault.store.search.helpers import Helpers
from tests.builders import a_vault
from tests.conftest import Databases
from tests.pairs.generate import pairs

SIZES = (10_000, 20_000, 50_000, 150_000, 1_000_000)
BATCH = 10_000
_ONSETS = "b bh ch d dj f g gh h j k kh l m n p q r s sh t th v w y z zh br dr kr st".split()
_VOWELS = "a e i o u aa ai ou ee ia".split()
_ENDS = "n r l s m t d k ov ova enko ian ez i a o u im in er ski".split()
Name = tuple[str, str]


def words(draw: random.Random, count: int) -> list[str]:
    """Return made-up words of two or three syllables."""
    found: set[str] = set()
    while len(found) < count:
        middle = "".join(
            draw.choice(_ONSETS) + draw.choice(_VOWELS) for _ in range(draw.choice((1, 2)))
        )
        found.add((middle + draw.choice(_ONSETS) + draw.choice(_ENDS)).title())
    return sorted(found)


def names(draw: random.Random) -> Iterator[Name]:
    """Yield made-up people: few given names are common, most family names are rare."""
    given, family = words(draw, 1_500), words(draw, 40_000)
    while True:
        yield (
            given[int(len(given) * draw.random() ** 3)],
            family[int(len(family) * draw.random() ** 2)],
        )


class Filling:
    """Cards of a directory, added in bulk to a vault and to a plaintext index."""

    def __init__(self, vault, caller, folder: Path) -> None:
        self.vault, self.caller = vault, caller
        self.count = 0
        self._draw = random.Random(7)
        self._names = names(self._draw)
        self._tokens: dict[str, str] = {}
        with vault.stores.keyring.reading() as tx:
            self._directory = cards.directory_of(tx, vault.stores.trust, caller, vault.team)
        self._pages: dict[int, list[bytes]] = {}
        self.plain = sqlite3.connect(folder / "plain.db")
        self.plain.execute("CREATE VIRTUAL TABLE person USING fts5(name, tokenize='trigram')")

    def grow(self, size: int) -> None:
        """Add people until there are `size`."""
        while self.count < size:
            fresh = [next(self._names) for _ in range(min(BATCH, size - self.count))]
            texts = [self._text(given, family) for given, family in fresh]
            self.add([" ".join(one) for one in fresh], texts)
        self._keep_pages()

    def add(self, people: list[str], texts: list[bytes]) -> None:
        """Add these people, with the texts of their cards."""
        organisation = self.vault.stores.organisation
        wrapping = crypto_cards.wrapping_key(self._directory.key)
        rows = []
        for text in texts:
            case, key = new_id(), Key.random()
            card = cards.card_of(self.vault.stores.roots, self.vault.team, case)
            entry = crypto_cards.wrap(wrapping, self._directory.group, card, key, 0)
            self._pages.setdefault(card[0], []).append(entry)
            place = crypto_cards.place(organisation, card)
            sealed = seal(key, place, case.bytes + text)
            rows.append({"team_id": self.vault.team, "id": card, "sealed": sealed})
        with self.vault.stores.data.writing() as connection:
            connection.execute(insert(tables.search_card), rows)
        self.plain.executemany("INSERT INTO person(name) VALUES (?)", [(one,) for one in people])
        self.plain.commit()
        self.count += len(people)

    def _text(self, given: str, family: str) -> bytes:
        year, phone = self._draw.randint(1960, 2012), self._draw.randint(0, 9_999_999)
        named = " ".join(self._token(one) for one in (given, family))
        return f"1\n{year}-{year}\n{phone:07}\n\n\n{named}".encode()

    def _token(self, word: str) -> str:
        if word not in self._tokens:
            self._tokens[word] = " ".join(map(token, parts(word)))
        return self._tokens[word]

    def _keep_pages(self) -> None:
        group = self._directory.group
        with self.vault.stores.keyring.writing() as tx:
            tx.remove(keyring_tables.card_keys, directory_id=group)
            for page, entries in self._pages.items():
                at = {"directory_id": group, "page": page}
                tx.add(keyring_tables.card_keys, b"".join(entries), **at)


def timed(work: Callable[[], object]) -> float:
    """Return how many milliseconds something takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def p95(found: list[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(found, n=20, method="inclusive")[-1]


def resident(pid: int | str) -> float:
    """Return the memory of a process in MB, at its highest."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def trigrams(plain: sqlite3.Connection, name: str) -> list[str]:
    """Return the ten names that share most trigrams with this one."""
    grams = {name[at : at + 3].replace('"', "") for at in range(len(name) - 2)}
    query = " OR ".join(f'"{one}"' for one in sorted(grams) if len(one) == 3)
    if not query:
        return []
    found = plain.execute(
        "SELECT name FROM person WHERE person MATCH ? ORDER BY rank LIMIT 10", (query,)
    )
    return [row[0] for row in found]


class Beside:
    """Somebody who reads a case again and again in a thread of the same worker."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work, self._stop = work, threading.Event()
        self.found: list[float] = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Beside:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.found.append(timed(self._work))
            time.sleep(0.01)


def measure(quick: bool, folder: Path) -> Iterator[str]:
    """Yield the lines of the table."""
    vault = a_vault(_databases(folder), folder)
    vault.stores = replace(vault.stores, search=replace(vault.stores.search, per_hour=1 << 30))
    caller, stores = vault.caller("salma"), vault.stores
    gate = Gate(stores, "passphrase")
    helpers = Helpers(f"sqlite:///{folder}/data.db", 2)
    searching = Search(stores, gate, Finder(stores, helpers))
    filling = Filling(vault, caller, folder)
    labelled = [one for one in pairs(3, 12) if one.same]
    known = [person([one.one.name], _years(one.one)) for one in labelled]
    filling.add(
        [one.one.name for one in labelled],
        [encode(one, full_phones=False, with_numbers=False) for one in known],
    )
    casework = Casework(stores, gate)
    case = casework.open_case(caller, {"name_to_use": "Zo Example"}, {}, "standard").case.id
    read = lambda: casework.read_document(caller, case, DocumentKind.IDENTITY)  # noqa: E731
    heads = ("cards", "p50 ms", "p95 ms", "trigram p95", "ratio", "RSS +MB", "others p95")
    yield "".join(f"{head:>12}" for head in heads)
    before = resident("self")
    draw = random.Random(11)
    try:
        for size in SIZES[:3] if quick else SIZES:
            filling.grow(size)
            asked = draw.sample(labelled, 4 if size > 150_000 else 20)
            terms = [Terms(one.other.name, birth_year=one.other.birth_year) for one in asked]
            searching.run(caller, terms[0])
            with Beside(read) as quiet:
                time.sleep(2)
            with Beside(read) as busy:
                found = [timed(lambda one=one: searching.run(caller, one)) for one in terms]
            alone = [timed(lambda one=one: searching.run(caller, one)) for one in terms]
            plain = [
                timed(lambda one=one: trigrams(filling.plain, one.other.name)) for one in asked
            ]
            used = resident("self") - before + sum(resident(one) for one in helpers.pids())
            ratio = p95(alone) / max(p95(plain), 0.01)
            others = p95(busy.found) / p95(quiet.found)
            yield (
                f"{size:>12,}{statistics.median(alone):>12.0f}{p95(alone):>12.0f}"
                f"{p95(plain):>12.1f}{ratio:>12.1f}{used:>12.0f}{others:>11.2f}x"
            )
            del found
            if size == 10_000:
                yield from _recall(searching, caller, filling, labelled, known)
    finally:
        searching.close()
        stores.close()


def _recall(searching, caller, filling, labelled, known) -> Iterator[str]:
    """Yield in how many of the labelled pairs the person is among the first ten answers."""
    ours = theirs = 0
    finder = searching._finder
    for pair, record in zip(labelled, known, strict=True):
        asked = person([pair.other.name], _years(pair.other))
        hits = finder.find(caller, asked, 10).hits
        ours += any(hit.found.person.names == record.names for hit in hits)
        theirs += pair.one.name in trigrams(filling.plain, pair.other.name)
    yield (
        f"  among the first ten of 10,000: sealed cards {ours / len(labelled):.2f},"
        f" plaintext trigrams {theirs / len(labelled):.2f} of {len(labelled)} respelled people"
    )


def _years(record) -> tuple[int, int] | None:
    return None if record.birth_year is None else (record.birth_year, record.birth_year)


def _databases(folder: Path) -> Databases:
    return Databases("sqlite", f"sqlite:///{folder}/data.db", f"sqlite:///{folder}/keyring.db")


def main() -> None:
    """Print the table line by line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for line in measure(chosen.quick, Path(folder)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
