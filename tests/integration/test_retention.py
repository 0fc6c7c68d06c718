"""What is due goes, keys first; what is kept stays; what is final is certified."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from sqlalchemy import update

from casevault.crypto.principals import is_raw_signature
from casevault.domain.case.retention import ERASED
from casevault.errors import CaseVaultError, Invalid, Misconfigured, Tampered
from casevault.ids import new_id
from casevault.ledger import certificate
from casevault.ledger.note import VerifierKey
from casevault.services.recovery import rolls
from casevault.services.retention.retention import Retention
from casevault.store.casework import matters
from casevault.store.casework.matter_kinds import Kind
from casevault.store.casework.matters import Matter
from casevault.store.engine import tables
from casevault.store.retention import certifying, erasures
from tests.builders import ORIGIN, a_vault
from tests.integration.erasing_world import Office


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Nobody reads in these tests while an epoch is destroyed."""
    monkeypatch.setattr(rolls, "READERS_SECONDS", 0)


@pytest.fixture
def office(vault, tmp_path):
    """Give a vault in which time passes."""
    return Office(vault, tmp_path)


def keys_of(office):
    """Return with what an outsider checks certificates."""
    log = office.vault.checkpoints().verifier_key
    return [log, certifying.organisation_key(office.stores, ORIGIN)]


def check(office, text):
    return certificate.check(text.encode(), keys_of(office), is_raw_signature)


def test_a_case_goes_compartment_by_compartment(office):
    """Identity, narrative, facts, each on its day, then the row; a neighbour stays; and a paper."""
    gone, kept = office.open("Azure Obvious-Madeup"), office.open("Birch Obvious-Madeup")
    office.age(gone, months=12)
    assert office.run().partly == 0
    office.later(days=16)
    ahead = office.retention().preview(office.stores.clock.now().date())
    assert (ahead.cases, dict(ahead.due)) == (1, {("short", "identity"): 1})
    first = office.run()
    assert (first.whole, first.partly, first.waiting) == (0, 1, 1)
    assert office.row(gone).due_identity == ERASED
    assert office.name(gone) is None
    assert office.name(kept) == "Birch Obvious-Madeup"
    assert office.run().partly == 0
    office.age(gone, months=60)
    last = office.run()
    assert (last.whole, last.partly, last.waiting, last.certificates) == (1, 0, 2, 0)
    assert office.left(gone) == set()
    assert office.left(kept) == {"data", "case_key", "access_grant"}
    assert office.codes().count("case.erase") == 2
    office.roll()
    assert office.run().certificates == 2
    found = {text: check(office, text).said for text in office.certificates()}
    assert sorted(said["compartments"] for said in found.values()) == [
        ["facts", "narrative"],
        ["identity"],
    ]
    for text, said in found.items():
        assert (said["reason"], said["retention_class"]) == ("schedule", "short")
        assert str(gone) not in text
        assert "Azure" not in text


def test_two_ordinary_rolls_make_an_erasure_final(office):
    """No certificate before nothing that we keep could open what was erased."""
    office.age(office.open(), months=13)
    assert office.run().partly == 1
    for expected in (0, 1, 0):
        office.roll(erase_now=False)
        office.later(days=1)
        assert office.run().certificates == expected
    (text,) = office.certificates()
    said = check(office, text).said
    assert said["erased_at"] < said["final_on"]
    assert said["destruction"] == "best effort"


def test_a_certificate_outlives_the_key_of_its_month(office, monkeypatch):
    """Nobody rolls for three months: the service has the month no longer, and certifies still.

    What was owed before entries were kept with it is certified while the month is there.
    """
    with monkeypatch.context() as patch:
        patch.setattr(erasures, "entries_of", lambda _stores, _batch: {})
        office.age(office.open(), months=61)
        assert office.run().whole == 1
    office.roll()
    assert office.run().certificates == 1
    office.age(office.open(), months=61)
    assert office.run().whole == 1
    month = office.stores.months.current().month
    for _ in range(3):
        office.later(days=31)
        office.run()
    assert month not in {one.month for one in office.stores.months.kept()}
    office.roll()
    assert office.run().certificates == 1
    for text in office.certificates():
        assert check(office, text).said["compartments"] == ["facts", "identity", "narrative"]


def hold(office, case):
    """Let a hold lie in the keyring."""
    with office.stores.keyring.writing() as tx:
        author = office.caller.staff
        one = Matter(new_id(), Kind.HOLD, case, office.vault.team, author, author, 0, "2099-01-31")
        matters.add(tx, one)
    return one.id


def test_what_a_hold_keeps_is_kept(office):
    """By its row alone, as whoever sets it a moment before the run has it; afterwards it goes."""
    case, other = office.open(), office.open()
    held = hold(office, case)
    office.age(case, other, months=13)
    assert office.retention().preview().held == 1
    done = office.run()
    assert (done.partly, done.held) == (1, 1)
    assert office.name(case) == "Testperson"
    assert office.name(other) is None
    with office.stores.keyring.writing() as tx:
        matters.drop(tx, [held])
    assert office.run().partly == 1
    assert office.name(case) is None


def test_nothing_goes_ahead_of_its_day(office):
    """Neither by an asked-for day nor by a clock that was set back; a clock is not believed."""
    case = office.open()
    office.age(case, months=12)
    today = office.stores.clock.now().date()
    ahead = today + timedelta(days=20)
    assert office.retention().preview(ahead).cases == 1
    with pytest.raises(Invalid):
        office.run(day=ahead)
    office.run()
    office.later(days=-2)
    with pytest.raises(Misconfigured):
        office.run()
    office.later(days=22)
    assert office.run(day=today).partly == 0
    assert office.name(case) == "Testperson"
    assert office.run().partly == 1


def test_an_open_case_waits_for_its_closing(office):
    """A class that is counted from closing: never while it is open; reopened, it has grace."""
    case = office.open(retention_class="standard")
    office.age(case, months=180)
    assert office.run().partly == 0
    office.move(case, "Closed")
    office.age(case, months=59)
    office.move(case, "Active")
    grace = office.row(case).not_before
    assert grace == "2027-05-31"
    office.move(case, "Closed")
    office.age(case, months=61)
    assert office.run().partly == 0
    office.later(days=200)
    assert office.run().partly == 1


def test_what_is_changed_while_it_is_looked_at_waits_for_the_next_run(office, monkeypatch):
    """Kept for longer after the run has read it, and before it takes the keys: nothing goes."""
    case, other = office.open("Azure"), office.open("Birch")
    office.age(case, other, months=12)
    office.later(days=16)
    looked = Retention._planned

    def looked_and_overtaken(*given):
        planned = looked(*given)
        office.age(case, months=-12)
        return planned

    monkeypatch.setattr(Retention, "_planned", staticmethod(looked_and_overtaken))
    assert office.run().partly == 1
    monkeypatch.undo()
    assert (office.name(case), office.name(other)) == ("Azure", None)
    assert office.run().partly == 0


def test_a_row_that_somebody_changed_is_left_alone(office):
    """Moved forward by hand, a date erases nothing; it is counted as what it is."""
    case = office.open()
    with office.stores.data.writing() as connection:
        row = tables.case_file
        connection.execute(update(row).where(row.c.id == case).values(due_identity="2020-01-31"))
    assert office.run().unreadable == 1
    assert office.left(case) == {"data", "case_key", "access_grant"}


FINISHED = {"begin": (1, 0), "remove": (0, 1), "record": (0, 1), "end": (0, 0)}
LEFT = {
    "begin": {"data", "case_key", "access_grant"},
    "remove": {"data"},
    "record": {"data"},
    "end": set(),
}
PLACES = {"begin": "_encode", "remove": "_remove", "record": "_act"}


def cut_off(office, monkeypatch, step):
    """Run, and be cut off after a step."""
    finish = erasures.finish

    def fail(*_args, **_kwargs):
        raise CaseVaultError(code="made-up")

    def cut_after(stores, batch):
        finish(stores, batch)
        fail()

    with monkeypatch.context() as patch, pytest.raises(CaseVaultError):
        if step in PLACES:
            patch.setattr(erasures, PLACES[step], fail)
        else:
            patch.setattr(erasures, "finish", cut_after)
        office.run()


def test_an_erasure_that_is_cut_off_is_finished(office, monkeypatch):
    """After each step all keys or none; once they are gone the next run ends it, recorded once."""
    for count, step in enumerate(FINISHED, 1):
        case = office.open()
        office.age(case, months=61)
        cut_off(office, monkeypatch, step)
        assert office.left(case) == LEFT[step]
        done = office.run()
        assert (done.whole, done.finished) == FINISHED[step]
        assert office.left(case) == set()
        assert office.codes().count("case.erase") == count
    office.roll()
    assert office.run().certificates == len(FINISHED)


def forged(text, change):
    found = json.loads(text)
    change(found)
    return json.dumps(found)


def set_in(place, **values):
    return lambda found: found[place].update(values)


CHANGES = (
    set_in("certificate", final_on="2026-01-01"),
    set_in("certificate", reason="request"),
    set_in("certificate", compartments=["facts"]),
    set_in("certificate", extra="more"),
    set_in("entry", salt="AAAA"),
    set_in("entry", body="{}"),
    set_in("entry", proof=7),
    lambda found: found.update(signature="\u2014 nobody AAAA\n"),
    lambda found: found.update(signature=7),
    lambda found: found.pop("entry"),
    lambda found: found.update(entry=[]),
)


@pytest.fixture
def issued(sqlite_databases, tmp_path):
    """Give an office with one certificate."""
    vault = a_vault(sqlite_databases, tmp_path)
    office = Office(vault, tmp_path)
    office.age(office.open(), months=61)
    office.run()
    office.roll()
    office.run()
    (text,) = office.certificates()
    yield office, text
    vault.close()


def test_a_changed_certificate_does_not_hold(issued):
    """Whatever is changed in it."""
    office, text = issued
    assert check(office, text).said["reason"] == "schedule"
    for change in CHANGES:
        with pytest.raises(Tampered):
            check(office, forged(text, change))


def test_a_certificate_needs_both_keys(issued):
    """The log's and the organisation's; somebody else's key of the same name is no key."""
    office, text = issued
    log, organisation = keys_of(office)
    stranger = VerifierKey(organisation.name, office.vault.secret("salma").public.sign)
    for keys in ([], [log], [organisation], [log, stranger]):
        with pytest.raises(Tampered):
            certificate.check(text.encode(), keys, is_raw_signature)
    for bad in (b"", b"[]", b"\xff", b"{" * 600_000):
        with pytest.raises(Tampered):
            certificate.check(bad, [log, organisation], is_raw_signature)
    assert date.fromisoformat(check(office, text).said["final_on"]) >= date(2026, 11, 15)
