"""Rotating pepper, service key and pairs: everybody works on, and the old ones go at last."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from casevault.crypto import recovery
from casevault.crypto.recovery import read_share
from casevault.crypto.roots import PEPPER, SERVICE_KEY
from casevault.crypto.sealing import Key
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.counting.programme import Entry, Kind
from casevault.domain.staff.access import Role
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import Busy, Conflict, Invalid, KeyUnavailable, Refused
from casevault.ids import new_id
from casevault.services.casework.casework import Casework
from casevault.services.recovery import rolls
from casevault.services.recovery.rolls import Rolls
from casevault.services.recovery.rotations import Rotations
from casevault.services.staff.sessions import Sessions
from casevault.store.case import import_lines
from casevault.store.case.import_lines import Line
from casevault.store.context.caller import Gate
from casevault.store.counting import register
from casevault.store.engine import idempotency
from casevault.store.engine.idempotency import Repeat
from casevault.store.keys import grants, people, principals
from casevault.store.keys.people import StaffMember
from casevault.store.log import ledger_reading
from casevault.store.recovery import pairs, recovering, versions
from casevault.store.recovery.media import Medium
from casevault.store.staff.open_sessions import Limits, OpenSessions
from tests.builders import PASSPHRASE, SUPERVISOR

PROMISED = 30


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Nobody reads in these tests while an epoch is destroyed."""
    monkeypatch.setattr(rolls, "READERS_SECONDS", 0)


def rotations_of(vault):
    """Return the rotations of a vault."""
    return Rotations(vault.stores, PROMISED)


def rolled(vault, tmp_path):
    """Roll, a second later, with a medium."""
    vault.clock.advance(timedelta(seconds=1))
    medium = Medium(tmp_path / "medium", vault.stores.roots.keyring_id)
    medium.take()
    Rolls(vault.stores, medium, 1).roll()


def needed(rotations, kind):
    """Return which versions of a key are needed, and for what."""
    return {(u.version, u.what) for u in rotations.uses() if u.kind == kind and u.count}


def shares_of(vault, texts=None):
    """Return as many shares as recover."""
    found = []
    for text in (texts or vault.outcome.shares)[: vault.outcome.threshold]:
        found.append(read_share(text, found))
    return found


def casework_of(vault):
    """Return the use cases of cases and the supervisor who calls them."""
    gate = Gate(vault.stores, "passphrase")
    return Casework(vault.stores, gate), vault.caller(SUPERVISOR, Role.SUPERVISOR)


def a_case(vault, name="Testperson"):
    """Open a case; return its id."""
    casework, caller = casework_of(vault)
    return casework.open_case(caller, {"name_to_use": name}, {}, "standard").case.id


def name_of(vault, case):
    """Read a case's name."""
    casework, caller = casework_of(vault)
    return casework.read_document(caller, case, DocumentKind.IDENTITY).content["name_to_use"]


def codes(vault):
    """Return what was recorded about keys."""
    return {e.body.code for e in vault.entries() if e.body.code.startswith("key.")}


# --- pepper --------------------------------------------------------------------------------------


def sign_in(vault, login):
    """Sign somebody in."""
    opener = OpenSessions(vault.stores, Limits(900, 36_000), bytes(32))
    return Sessions(vault.stores, vault.kdf, opener, "passphrase").sign_in(login, PASSPHRASE)


def test_a_new_pepper_reaches_everybody_at_their_next_sign_in(vault, tmp_path):
    """The older one is needed until then, and is destroyed after the copies were replaced."""
    rotations, roots = rotations_of(vault), vault.stores.roots
    done = rotations.rotate(PEPPER)
    assert (done.version, [(u.version, u.what, u.count) for u in done.left]) == (
        2,
        [(1, "passphrases", 4)],
    )
    # While somebody still needs the first, the same rotation goes on.
    assert rotations.rotate(PEPPER).version == 2
    with pytest.raises(Refused, match="4 passphrases"):
        rotations.retire(PEPPER)
    for login in sorted(vault.outcome.staff):
        assert sign_in(vault, login).token
    assert needed(rotations, PEPPER) == {(2, "passphrases")}
    # Nothing is left under the first, so this begins the next one.
    assert rotations.rotate(PEPPER).version == 3
    assert roots.versions(PEPPER) == (3, 2, 1)


def test_a_pepper_that_nobody_needs_is_destroyed(one, tmp_path):
    """Not before the keyring backup is younger; then it opens nothing, and sign-in goes on."""
    rotations, roots = rotations_of(one), one.stores.roots
    rotations.rotate(PEPPER)
    for login in sorted(one.outcome.staff):
        sign_in(one, login)
    with pytest.raises(Refused) as caught:
        rotations.retire(PEPPER)
    assert caught.value.code == "rotation.backup"
    rolled(one, tmp_path)
    assert rotations.retire(PEPPER) == (1,)
    assert rotations.retire(PEPPER) == ()
    assert roots.versions(PEPPER) == (2,)
    with pytest.raises(KeyUnavailable):
        roots.pepper(1)
    assert sign_in(one, SUPERVISOR).token
    assert {"key.rotate", "key.retire"} <= codes(one)


# --- service key ---------------------------------------------------------------------------------


@pytest.fixture
def one(sqlite_databases, tmp_path):
    """Give a vault on SQLite, for what does not depend on the database."""
    from tests.builders import a_vault

    vault = a_vault(sqlite_databases, tmp_path)
    yield vault
    vault.close()


def test_a_new_service_key_moves_everything_that_needs_no_person(vault):
    """Accounts and plain rows of cases; the log and imported lines are believed as before."""
    stores, rotations = vault.stores, rotations_of(vault)
    case = a_case(vault)
    line = Line(stores.organisation, vault.team, "a source", "1")
    repeat = Repeat(vault.staff(SUPERVISOR), "POST /v1/cases", "once", b"body")
    with stores.data.writing() as connection:
        import_lines.keep(connection, stores.roots, [(line, case)])
        idempotency.keep(connection, stores.roots, repeat, case, vault.now)
    done = rotations.rotate(SERVICE_KEY)
    assert (done.version, done.moved) == (2, 5)
    assert needed(rotations, SERVICE_KEY) == {
        (2, "accounts"),
        (2, "cases"),
        (1, "search cards"),
    }
    assert name_of(vault, case) == "Testperson"
    with stores.keyring.reading() as tx:
        assert people.staff_by_login(tx, "Salma").id == vault.staff(SUPERVISOR)
    with stores.data.reading() as connection:
        assert import_lines.taken(connection, stores.roots, [line]) == {line}
        assert idempotency.find(connection, stores.roots, repeat, vault.now) == case
        changed = Repeat(repeat.staff, repeat.route, repeat.key, b"another body")
        with pytest.raises(Conflict):
            idempotency.find(connection, stores.roots, changed, vault.now)
    assert "case.open" in {e.body.code for e in vault.entries()}
    # The next amendment moves the card.
    casework, caller = casework_of(vault)
    version = casework.read_document(caller, case, DocumentKind.IDENTITY).version
    changed_name = {"name_to_use": "Other Testperson"}
    casework.amend_document(caller, case, DocumentKind.IDENTITY, changed_name, version)
    assert {version for version, _ in needed(rotations, SERVICE_KEY)} == {2}


def test_a_login_is_taken_under_every_service_key(one):
    """Also while its row still lies under an older one."""
    one.stores.roots.add_version(SERVICE_KEY)
    twin = StaffMember(new_id(), "Salma Two", "SALMA", ("caseworker",), one.team, enrolled=False)
    with pytest.raises(Conflict), one.stores.keyring.writing() as tx:
        people.add_staff(tx, twin)
    assert versions.move_service_key(one.stores) == 4
    with pytest.raises(Conflict), one.stores.keyring.writing() as tx:
        people.add_staff(tx, twin)


def test_the_register_moves_to_the_new_service_key(one):
    """Counted under the old one, moved in every version, and still bound."""
    roots = one.stores.roots
    first = Entry(new_id(), Kind.FOCAL_POINT, {"in_office_since": "2025-01"})
    last = replace(first, version=2, removed=True)
    with one.stores.data.writing() as connection:
        register.add(connection, roots, [first, last])
    roots.add_version(SERVICE_KEY)
    used = {(u.version, u.count) for u in versions.uses(one.stores) if u.what == "register entries"}
    assert used == {(1, 2)}
    versions.move_service_key(one.stores)
    with one.stores.data.reading() as connection:
        assert register.by_service_key(connection) == {2: 2}
        assert register.history(connection, roots, first.id) == [first, last]


def test_the_old_service_key_is_kept_while_a_backup_is_promised(one, tmp_path):
    """Then it goes; of it stays only what the log and imported lines need."""
    stores, rotations, roots = one.stores, rotations_of(one), one.stores.roots
    line = Line(stores.organisation, one.team, "a source", "1")
    with stores.data.writing() as connection:
        import_lines.keep(connection, stores.roots, [(line, new_id())])
    stores.ledger.record()
    rotations.rotate(SERVICE_KEY)
    for wait, code in ((0, "rotation.backup"), (1, "rotation.promised"), (28, "rotation.promised")):
        one.clock.advance(timedelta(days=wait))
        with pytest.raises(Refused) as caught:
            rotations.retire(SERVICE_KEY)
        assert caught.value.code == code
        if not wait:
            rolled(one, tmp_path)
    one.clock.advance(timedelta(days=1))
    assert rotations.retire(SERVICE_KEY) == (1,)
    with pytest.raises(KeyUnavailable):
        roots.service(1)
    assert roots.remnant_versions("ledger-tag") == (1,)
    assert roots.remnant(1, "case-file") is None
    other = one.another_process()
    with other.data.reading() as connection:
        assert import_lines.taken(connection, other.roots, [line]) == {line}
        # Every entry ever written is still believed.
        found = {
            entry.body.code
            for month in other.months.kept()
            for entry in ledger_reading.entries(
                connection, other.roots, other.organisation, month, limit=100
            )
        }
    assert {"key.rotate", "key.roll"} <= found


# --- pairs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [PrincipalKind.SERVICE, PrincipalKind.ORGANISATION])
def test_a_signer_gets_a_new_pair_with_the_quorum(one, tmp_path, kind):
    """Its id stays, what the old pair signed is believed, the next month is signed by the new."""
    stores, rotations = one.stores, rotations_of(one)
    before = stores.months.current()
    old = one.group(kind).public
    done = rotations.renew_pair(kind, shares_of(one))
    assert (done.version, done.left) == (2, ())
    assert one.group(kind).public.key_id != old.key_id
    with pytest.raises(Invalid):
        rotations.renew_pair(kind, shares_of(one, recovery.split(recovery.new_seed(), 2, 3)))
    one.clock.advance(timedelta(days=31))
    after = stores.months.current()
    auditor = one.holder("aude")
    with stores.keyring.reading() as tx:
        for month in (before, after):
            target = grants.Object(ObjectKind.MONTH, month.object_id)
            assert auditor.open(tx, target)
    rolled(one, tmp_path)
    with pytest.raises(Refused):
        rotations.retire(kind.value)
    rolled(one, tmp_path)
    assert rotations.retire(kind.value) == (1,)
    with stores.keyring.reading() as tx:
        assert principals.in_use(tx, kind)[1].public == one.group(kind).public


def test_counting_opens_every_case_with_its_new_pair(vault):
    """Moved in batches, resumable; new cases go to the new pair at once."""
    stores, rotations = vault.stores, rotations_of(vault)
    cases = [a_case(vault) for _ in range(3)]
    # Cut off: the pair is new, and nothing has been moved.
    root = recovering.recovered(stores.keyring, stores.trust, shares_of(vault)).root
    pairs.renew(stores, root, PrincipalKind.COUNTING)
    old = stores.roots.principal("counting", 1)
    cases.append(a_case(vault))
    done = rotations.renew_pair(PrincipalKind.COUNTING, shares_of(vault))
    assert (done.version, done.moved, done.left) == (2, 3, ())
    with stores.keyring.reading() as tx:
        counting, secret = principals.in_use(tx, PrincipalKind.COUNTING)
        for case in cases:
            target = grants.Object(ObjectKind.CASE, case, vault.team)
            holder = recovering.KeyHolder(counting, secret, stores.trust)
            assert set(holder.open(tx, target)) == {"facts"}
            former = recovering.KeyHolder(counting, old, stores.trust)
            assert former.open(tx, target) == {}


def test_a_pair_that_nobody_was_told_of_is_the_next_one(one, monkeypatch):
    """Cut off after it was made: the next run has it vouched for and moves what the old one had."""
    a_case(one)
    rotations, shares = rotations_of(one), shares_of(one)

    def cut_off(*_):
        raise Busy(code="test")

    with monkeypatch.context() as patch, pytest.raises(Busy):
        patch.setattr(pairs, "replace_pair", cut_off)
        rotations.renew_pair(PrincipalKind.COUNTING, shares)
    done = rotations.renew_pair(PrincipalKind.COUNTING, shares)
    assert (done.version, done.moved, done.left) == (2, 1, ())
    assert one.stores.roots.versions("counting") == (2, 1)


def test_the_service_opens_with_its_new_pair_what_it_was_granted(one):
    """Its own tallies, for one; by its old pair, without anybody's key."""
    stores, key = one.stores, Key.random()
    target = grants.Object(ObjectKind.AUDIT, new_id())
    with stores.keyring.writing() as tx:
        service = grants.Granter(*principals.in_use(tx, PrincipalKind.SERVICE))
        me = grants.Grantee(service.id, service.secret.public)
        granted = [(me, frozenset({"tally"}))]
        grants.give(
            tx, target, {"tally": key}, service, granted, purpose="tally", issued_at=one.now
        )
    done = rotations_of(one).renew_pair(PrincipalKind.SERVICE, shares_of(one))
    assert (done.version, done.moved, done.left) == (2, 1, ())
    with stores.keyring.reading() as tx:
        holder = recovering.KeyHolder(*principals.in_use(tx, PrincipalKind.SERVICE), stores.trust)
        assert holder.open(tx, target)["tally"].key == key
