"""Whoever owns the database: every way to change the log, at random places, is found.

Each attack is made in a transaction, looked at, and rolled back. What is covered by a checkpoint is
found from one older checkpoint alone; what is staged by its tag and its writer's counter. A few
places in the gate, a hundred of each in `make test-all`.
"""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from sqlalchemy import delete, insert, select, update

from casevault.crypto.principals import PrincipalSecret, is_raw_signature
from casevault.errors import CaseVaultError, Tampered
from casevault.ids import new_id
from casevault.ledger.export import export_files
from casevault.ledger.note import Checkpoint, sign_note
from casevault.ledger.tree import Frontier, leaf_hash
from casevault.ledger.verify import verify_export
from casevault.store.audit.inspection import Inspection
from casevault.store.engine import tables
from casevault.store.log import exporting, tree
from casevault.store.log.ledger import Touched
from tests.builders import ORIGIN, a_vault, an_act

ENTRY, LEAF, BODY = tables.ledger_entry, tables.ledger_leaf, tables.ledger_body
TILE, HEAD, PENDING = tables.ledger_tile, tables.ledger_head, tables.ledger_pending
OLDER, SIZE, STAGED = 150, 300, 20
FEW, MANY = 1, 100
TIMES = [FEW, pytest.param(MANY, marks=pytest.mark.slow)]


def draws(name):
    """Return places that are the same in every run."""
    return random.Random(name)  # noqa: S311 - no secret


def fill(vault, count):
    """Record acts about somebody."""
    acts = [an_act("case.read", touched=(Touched("case", new_id()),)) for _ in range(count)]
    for start in range(0, count, 50):
        vault.stores.ledger.record(*acts[start : start + 50])


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def log(request, tmp_path_factory):
    """Give a vault with a log: 150 entries under an old checkpoint, 300 under a new one.

    On PostgreSQL twenty more are staged.
    """
    from tests.conftest import Databases

    folder = tmp_path_factory.mktemp("attacked")
    if request.param == "sqlite":
        for name in ("var", "keyring"):
            (folder / name).mkdir()
        found = Databases(
            "sqlite", f"sqlite:///{folder}/var/data.db", f"sqlite:///{folder}/keyring/keyring.db"
        )
        yield from filled(found, folder)
        return
    import psycopg

    from tests.postgres import for_database, libpq_url

    url = request.getfixturevalue("pg_url")
    names = [f"attack_{new_id().hex}" for _ in range(2)]
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        for name in names:
            connection.execute(f"CREATE DATABASE {name}")
        found = Databases("postgresql", *(for_database(url, name) for name in names))
        yield from filled(found, folder)
        for name in names:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def filled(databases, folder):
    """Give a vault over these databases."""
    vault = a_vault(databases, folder)
    fill(vault, OLDER)
    vault.integrate()
    vault.older = vault.checkpoints().sign()
    fill(vault, SIZE - OLDER)
    vault.integrate()
    vault.checkpoints().sign()
    if databases.kind == "postgresql":
        fill(vault, STAGED)
    yield vault
    vault.close()


def rows(connection, table, where=None):
    """Return rows of a table."""
    query = select(table) if where is None else select(table).where(where)
    return [dict(row) for row in connection.execute(query).mappings()]


def placed(connection, at):
    """Return the entry at a position."""
    return rows(connection, ENTRY.join(LEAF), LEAF.c.position == at)[0]


def flipped(value, at):
    """Return bytes with one bit changed."""
    raw = bytearray(value)
    raw[at % len(raw)] ^= 1
    return bytes(raw)


def change(connection, draw):
    """Change one byte of any column of an entry, its body or its place."""
    column = draw.choice([ENTRY.c.leaf, ENTRY.c.tag, ENTRY.c.body_digest, BODY.c.sealed])
    column = draw.choice([column, LEAF.c.hash])
    at = draw.randrange(SIZE)
    found = placed(connection, at)
    table = column.table
    key = {ENTRY: ENTRY.c.id, BODY: BODY.c.entry_id, LEAF: LEAF.c.entry_id}[table]
    where = key == found["id"]
    old = connection.execute(select(column).where(where)).scalar_one()
    new = flipped(old, draw.randrange(5, len(old)))
    connection.execute(update(table).where(where).values({column: new}))


def change_column(connection, draw):
    """Change a column by which entries are searched."""
    found = placed(connection, draw.randrange(SIZE))
    values = draw.choice([{"month": "2026-01"}, {"writer": "x" * 22}, {"counter": 10**6}])
    connection.execute(update(ENTRY).where(ENTRY.c.id == found["id"]).values(**values))


def hide(connection, draw):
    """Take away or change the rows by which an auditor finds an entry."""
    subject = tables.ledger_subject
    found = placed(connection, draw.randrange(SIZE))
    where = subject.c.entry_id == found["id"]
    if draw.random() < 0.5:
        connection.execute(delete(subject).where(where))
    else:
        connection.execute(update(subject).where(where).values(pseudonym="A" * 22))


def remove(connection, draw):
    """Delete an entry, or only its body, or only its place."""
    at = draw.randrange(SIZE)
    found = placed(connection, at)
    subject = tables.ledger_subject
    kind = draw.randrange(3)
    if kind == 0:
        connection.execute(delete(BODY).where(BODY.c.entry_id == found["id"]))
        return
    connection.execute(delete(LEAF).where(LEAF.c.position == at))
    if kind == 2:
        connection.execute(delete(BODY).where(BODY.c.entry_id == found["id"]))
        connection.execute(delete(subject).where(subject.c.entry_id == found["id"]))
        connection.execute(delete(ENTRY).where(ENTRY.c.id == found["id"]))


def copy_of(connection, at):
    """Insert a copy of an entry under another id; return the id and the leaf."""
    found = placed(connection, at)
    body = rows(connection, BODY, BODY.c.entry_id == found["id"])[0]
    entry = {c.name: found[c.name] for c in ENTRY.c} | {"id": new_id(), "counter": 10**7 + at}
    connection.execute(insert(ENTRY).values(**entry))
    connection.execute(insert(BODY).values(entry_id=entry["id"], sealed=body["sealed"]))
    return entry["id"], bytes(entry["leaf"])


def add(connection, draw):
    """Insert a copied entry, at the end as the program would, or beside the tree."""
    entry, leaf = copy_of(connection, draw.randrange(SIZE))
    if draw.random() < 0.7:
        tree.append(connection, [(entry, leaf)])


def shift(connection, draw):
    """Insert an entry in the middle and move all later ones."""
    entry, leaf = copy_of(connection, draw.randrange(SIZE))
    at = draw.randrange(SIZE)
    for position in reversed(range(at, SIZE)):
        connection.execute(
            update(LEAF).where(LEAF.c.position == position).values(position=position + 1)
        )
    connection.execute(insert(LEAF).values(position=at, entry_id=entry, hash=leaf_hash(leaf)))
    rebuild(connection)


def swap(connection, draw):
    """Let two entries change places, and mend hashes, tiles and head after it."""
    one, two = draw.sample(range(SIZE), 2)
    for start, end in ((one, SIZE + 50), (two, one), (SIZE + 50, two)):
        connection.execute(update(LEAF).where(LEAF.c.position == start).values(position=end))
    if draw.random() < 0.5:
        rebuild(connection)


def reorder(connection, draw):
    """Turn a run of entries around."""
    start = draw.randrange(SIZE - 10)
    width = draw.randrange(3, 10)
    for n in range(width):
        move = update(LEAF).where(LEAF.c.position == start + n)
        connection.execute(move.values(position=SIZE + 100 + n))
    for n in range(width):
        move = update(LEAF).where(LEAF.c.position == SIZE + 100 + n)
        connection.execute(move.values(position=start + width - 1 - n))
    rebuild(connection)


def truncate(connection, draw):
    """Cut the end off, with a head that fits."""
    size = draw.randrange(SIZE)
    gone = [row["entry_id"] for row in rows(connection, LEAF, LEAF.c.position >= size)]
    connection.execute(delete(LEAF).where(LEAF.c.position >= size))
    for table, column in (
        (tables.ledger_subject, tables.ledger_subject.c.entry_id),
        (BODY, BODY.c.entry_id),
        (ENTRY, ENTRY.c.id),
    ):
        connection.execute(delete(table).where(column.in_(gone)))
    if draw.random() < 0.5:
        connection.execute(
            delete(tables.ledger_checkpoint).where(tables.ledger_checkpoint.c.size > size)
        )
    rebuild(connection)


def replace_tile(connection, draw):
    """Change a full tile, its root, or take it away."""
    kind = draw.randrange(3)
    if kind == 0:
        connection.execute(delete(TILE))
        return
    column = (TILE.c.hashes, TILE.c.root)[kind - 1]
    old = connection.execute(select(column)).scalar_one()
    new = flipped(old, draw.randrange(len(old)))
    connection.execute(update(TILE).values({column: new}))


def replace_head(connection, draw):
    """Put another head: shorter, or of another history."""
    hashes = [bytes(row["hash"]) for row in rows(connection, LEAF)]
    if draw.random() < 0.5:
        hashes = hashes[: draw.randrange(SIZE)]
    else:
        draw.shuffle(hashes)
    grown = Frontier().extend(hashes)
    connection.execute(update(HEAD).values(size=grown.size, frontier=grown.encode()))


def sign_again(connection, draw):
    """Rewrite an entry, mend the tree, and sign it with another key."""
    at, other = draw.sample(range(SIZE), 2)
    entry, leaf = copy_of(connection, other)
    connection.execute(
        update(LEAF).where(LEAF.c.position == at).values(entry_id=entry, hash=leaf_hash(leaf))
    )
    rebuild(connection)
    other = PrincipalSecret.generate()
    frontier = tree.head(connection)
    text = Checkpoint(ORIGIN, frontier.size, frontier.root()).encode()
    note = sign_note(text, ORIGIN, other.public.sign, other.sign_raw)
    connection.execute(delete(tables.ledger_checkpoint))
    connection.execute(insert(tables.ledger_checkpoint).values(size=frontier.size, note=note))


def rebuild(connection):
    """Mend hashes, tiles and head, as somebody does who knows the format."""
    found = connection.execute(
        select(LEAF.c.position, ENTRY.c.id, ENTRY.c.leaf).join(ENTRY).order_by(LEAF.c.position)
    ).all()
    connection.execute(delete(LEAF))
    connection.execute(delete(TILE))
    connection.execute(update(HEAD).values(size=0, frontier=Frontier().encode()))
    tree.append(connection, [(row.id, bytes(row.leaf)) for row in found])


def stage_other(connection, draw):
    """Edit what is staged: an entry, a body, who waits.

    Not the writer's very last entry: that one is missed when the writer's next entry comes.
    """
    found = sorted(rows(connection, ENTRY.join(PENDING)), key=lambda row: row["counter"])
    waiting = draw.choice(found[:-1])["entry_id"]
    kind = draw.randrange(4)
    if kind == 0:
        connection.execute(delete(PENDING).where(PENDING.c.entry_id == waiting))
    elif kind == 1:
        leaf = connection.execute(select(ENTRY.c.leaf).where(ENTRY.c.id == waiting)).scalar_one()
        other = bytes(leaf).replace(b'"o":0', b'"o":4')
        connection.execute(update(ENTRY).where(ENTRY.c.id == waiting).values(leaf=other))
    elif kind == 2:
        old = connection.execute(select(BODY.c.sealed).where(BODY.c.entry_id == waiting)).scalar()
        new = flipped(old, draw.randrange(84, len(old)))
        connection.execute(update(BODY).where(BODY.c.entry_id == waiting).values(sealed=new))
    else:
        subject = tables.ledger_subject
        connection.execute(delete(PENDING).where(PENDING.c.entry_id == waiting))
        connection.execute(delete(subject).where(subject.c.entry_id == waiting))
        connection.execute(delete(BODY).where(BODY.c.entry_id == waiting))
        connection.execute(delete(ENTRY).where(ENTRY.c.id == waiting))


def inspected(vault, connection):
    """Return what the inspection finds, with the older checkpoint as its only other source."""
    signing = vault.checkpoints()
    older = signing.opened(vault.older)
    return Inspection(vault.stores, connection, signing).run(older)


def is_found(vault, connection):
    """Say whether the inspection raises the alarm or names a gap."""
    try:
        return bool(inspected(vault, connection).gaps)
    except Tampered:
        return True
    except CaseVaultError:
        return False


def test_an_honest_log_is_whole(log):
    """Nothing is found where nothing was done."""
    with log.stores.data.reading() as connection:
        found = inspected(log, connection)
    staged = 0 if log.stores.data.is_sqlite else STAGED
    assert (found.size, found.staged, found.gaps, found.lost) == (SIZE, staged, (), ())
    assert (found.retired, found.unopened, found.log) == (0, 0, 0)


ATTACKS = [
    change,
    change_column,
    hide,
    remove,
    add,
    shift,
    swap,
    reorder,
    truncate,
    replace_tile,
    replace_head,
    sign_again,
    stage_other,
]


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_is_found(log, attack, times):
    """Each time it is made, and after it is undone nothing is found."""
    if attack is stage_other and log.stores.data.is_sqlite:
        return  # nothing is ever staged there
    draw = draws(f"{attack.__name__} {times}")
    for n in range(times):
        with log.stores.data.opened_for_writing() as connection:
            attack(connection, draw)
            assert is_found(log, connection), n
            connection.rollback()
    with log.stores.data.reading() as connection:
        assert inspected(log, connection).gaps == ()


COVERED = [swap, reorder, shift, truncate, sign_again]


@pytest.mark.parametrize("attack", COVERED, ids=lambda attack: attack.__name__)
def test_one_older_checkpoint_is_enough(log, attack, tmp_path):
    """The attacker exports the changed log, with the key's last note or a note of their own."""
    draw, key = draws(attack.__name__), log.checkpoints().verifier_key
    other = PrincipalSecret.generate()
    for n in range(FEW):
        with log.stores.data.opened_for_writing() as connection:
            attack(connection, draw)
            rebuild(connection)
            size = tree.head(connection).size
            leaves = exporting._chunk(connection, 0, 0, size)
            connection.rollback()
        root = Frontier().extend(map(leaf_hash, leaves)).root()
        text = Checkpoint(ORIGIN, size, root).encode()
        forged = sign_note(text, ORIGIN, other.public.sign, other.sign_raw)
        files = dict(export_files(leaves, forged))
        for last in (forged, log.checkpoints().sign(), log.older):
            folder = exporting_folder(
                tmp_path / f"{n}-{len(last)}-{last[-9:-3].hex()}", files, last
            )
            with pytest.raises(Tampered):
                check = {"older": log.older} if last is not log.older else {}
                verify_export(folder, key.name, key.public, is_raw_signature, **check)


def exporting_folder(folder, files, note):
    """Write an export with a note of choice."""
    exporting.write_folder(folder, (files | {"checkpoint": note}).items())
    return folder


@pytest.mark.parametrize("attack", [truncate, replace_head], ids=lambda attack: attack.__name__)
def test_the_signer_refuses(log, attack):
    """A head that was put back or exchanged gets no signature; the memory stays."""
    signing = log.checkpoints()
    before, draw = signing.signer.last(), draws(attack.__name__)
    for _ in range(FEW):
        with log.stores.data.opened_for_writing() as connection:
            attack(connection, draw)
            frontier = tree.head(connection)
            connection.rollback()
        head = Checkpoint(ORIGIN, frontier.size, frontier.root())
        from casevault.ledger.asking import Ask

        last = signing.opened(before)
        for ask in (Ask(last.size, (), head), Ask(frontier.size, (), head)):
            with pytest.raises(CaseVaultError), signing.signer.locked():
                signing.signer.sign(ask)
        assert signing.signer.last() == before


def test_an_older_head_of_somebody_else_is_compared(log):
    """A checkpoint that was never of this log is a fork, a longer one a rollback."""
    older = log.checkpoints().opened(log.older)
    with log.stores.data.reading() as connection:
        for head in (replace(older, root=bytes(32)), replace(older, size=10**6)):
            with pytest.raises(Tampered):
                Inspection(log.stores, connection, log.checkpoints()).run(head)
