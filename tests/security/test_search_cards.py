"""A stolen database does not even reveal that two search cards hold the same name."""

from __future__ import annotations

import hashlib
import random
import statistics
import time
from collections import Counter, defaultdict

import pytest
from sqlalchemy import select

from casevault.crypto import sealing
from casevault.ids import new_id
from casevault.matching.people import encode, person
from casevault.services.search.search import Search, Terms
from casevault.store.context.caller import Gate
from casevault.store.engine import keyring_tables, tables
from casevault.store.search import cards
from casevault.store.search.finding import Finder
from tests.builders import a_vault
from tests.security.stored import rows

ONE_NAME, PEOPLE = "Amina Example", 5_000


@pytest.fixture
def vault(sqlite_databases, tmp_path):
    """A vault on SQLite."""
    made = a_vault(sqlite_databases, tmp_path)
    yield made
    made.stores.close()


@pytest.fixture
def either(database, tmp_path):
    """A vault on SQLite, and one on PostgreSQL."""
    made = a_vault(database, tmp_path)
    yield made
    made.stores.close()


def listed(vault, names):
    """Write the cards of as many cases as there are names, as a use case writes them."""
    stores, caller = vault.stores, vault.caller("salma")
    people = {new_id(): name for name in names}
    with stores.keyring.writing() as tx:
        directory = cards.directory_of(tx, stores.trust, caller, vault.team)
        fresh = cards.renew(tx, directory, people, stores.now())
    with stores.data.writing() as connection:
        for case, name in people.items():
            text = encode(person([name]), full_phones=False, with_numbers=False)
            sealed = cards.seal_card(stores.organisation, fresh[case], text)
            cards.put(connection, stores.roots, fresh[case], sealed)
    return {cards.card_of(stores.roots, vault.team, case): name for case, name in people.items()}


def test_five_thousand_people_of_one_name_are_all_distinct(either):
    """No sealed value, salt, commitment or block of any table of both stores appears twice."""
    listed(either, [ONE_NAME] * PEOPLE)
    seen, count = defaultdict(set), 0
    for table, row in rows(either):
        for column, raw in zip(table.columns, row, strict=True):
            if column.name != "sealed":
                continue
            count += 1
            value = bytes(raw)
            parts = [value, value[28:52], value[52:84]]
            parts += [value[at : at + 16] for at in range(sealing.HEADER_BYTES, len(value), 16)]
            for place, part in enumerate(parts):
                kind = min(place, 3)
                assert part not in seen[kind], f"{table.name}: the same part {kind} twice"
                seen[kind].add(part)
    assert count > PEOPLE


def recovered(found, truth, distribution):
    """Return which share of names an attacker gets who knows how common each name is.

    For each thing that a row shows, rows that look alike are taken for one name: the class that is
    largest for the name that is commonest, and so on.
    """
    best, ranked = 0.0, [name for name, _ in distribution.most_common()]
    for feature in features(next(iter(found.values()))):
        classes = Counter(features(row)[feature] for row in found.values())
        order = [value for value, _ in classes.most_common()]
        guess = dict(zip(order, ranked, strict=False))
        right = sum(guess.get(features(row)[feature]) == truth[card] for card, row in found.items())
        best = max(best, right / len(found))
    return best


def features(row):
    """Return everything about a row of a dump by which it could be told from others."""
    value = bytes(row.sealed)
    shown = {"team": row.team_id, "length": len(value), "id": bytes(row.id)}
    shown |= {f"byte {at}": value[at] for at in (0, 3, 4, 20, 24, 28, 52, 84, 100, len(value) - 1)}
    shown |= {f"bytes {at}": value[at : at + 4] for at in range(0, len(value) - 4, 16)}
    return shown


def test_frequency_analysis_is_no_better_than_guessing_the_commonest_name(vault):
    """With the true distribution of names in hand, and every column of the dump."""
    draw = random.Random(20261126)  # noqa: S311 - a seed is the point
    known = [f"{chr(65 + n % 26)}madeup{n} Example{n % 37}" for n in range(120)]
    names = draw.choices(known, [1 / (rank + 1) for rank in range(len(known))], k=1_000)
    truth = listed(vault, names)
    with vault.stores.data.reading() as connection:
        found = {bytes(row.id): row for row in connection.execute(select(tables.search_card))}
    distribution = Counter(names)
    commonest = distribution.most_common(1)[0][1] / len(names)
    noise = 3 * (commonest * (1 - commonest) / len(names)) ** 0.5
    assert recovered(found, truth, distribution) <= commonest + noise


def test_an_index_of_equal_values_would_be_recovered(vault):
    """The analysis can succeed: on a column that is equal for equal names it gets most of them."""
    draw = random.Random(20261126)  # noqa: S311 - a seed is the point
    known = [f"Madeup{n} Example" for n in range(40)]
    names = draw.choices(known, [1 / (rank + 1) ** 1.5 for rank in range(len(known))], k=700)
    truth = listed(vault, names)

    class Blind:
        """A row with a blind index of the name in place of the card."""

        def __init__(self, card, name):
            self.team_id, self.id, self.sealed = (
                vault.team,
                card,
                hashlib.sha256(name.encode()).digest() * 12,
            )

    found = {card: Blind(card, name) for card, name in truth.items()}
    commonest = Counter(names).most_common(1)[0][1] / len(names)
    assert recovered(found, truth, Counter(names)) > commonest + 0.1


@pytest.mark.slow
def test_a_search_that_finds_takes_as_long_as_one_that_does_not(vault):
    """Medians of alternating searches differ by less than their own spread."""
    listed(vault, [f"Madeup{n} Example{n % 7}" for n in range(1_000)] + [ONE_NAME])
    stores, caller = vault.stores, vault.caller("salma")
    searching = Search(stores, Gate(stores, "passphrase"), Finder(stores))
    found = {ONE_NAME: [], "Amona Exumple": []}
    for _ in range(15):
        with stores.keyring.writing() as tx:
            tx.remove(keyring_tables.search_count, staff_id=caller.staff)
        for name, times in found.items():
            began = time.process_time()
            searching.run(caller, Terms(name))
            times.append(time.process_time() - began)
    hit, miss = (statistics.median(times) for times in found.values())
    spread = max(statistics.pstdev(times) for times in found.values())
    assert abs(hit - miss) < max(spread, 0.25 * miss)
