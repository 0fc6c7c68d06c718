"""Cases taken over from another system: marked, once only, and one line's fault its own."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from casevault.crypto.sealing import Key
from casevault.domain.case.casefile import DocumentKind, Status
from casevault.domain.importing.mapping import Candidate
from casevault.domain.staff.access import Actor, Permission, Role
from casevault.errors import Conflict, Invalid, NotFound, Refused
from casevault.ids import StaffId, TeamId, new_id
from casevault.services.casework.casework import Casework
from casevault.services.casework.importing import BATCH, Fate, Importing, Reject, Source
from casevault.store.case import import_lines
from casevault.store.case.import_lines import Line
from casevault.store.casework import private
from casevault.store.context.caller import Caller, Gate
from casevault.store.engine import tables
from tests.builders import SUPERVISOR

SOURCE = Source("Old register")
CANARY = "canary-91bc"


def candidate(line, number=None, case=None, profile=None, **identity):
    """Return a line of a source."""
    named = {"name_to_use": "Mira Example", **identity}
    return Candidate(line, number or f"RS-{line}", named, profile or {}, case or {})


def caller_of(vault, login=SUPERVISOR, team=None, role=Role.SUPERVISOR, teams=None):
    """Return a person, signed in."""
    mine = frozenset(teams or {TeamId(team or vault.team)})
    actor = Actor(StaffId(vault.staff(login)), frozenset({role}), mine, "passphrase")
    return Caller(actor, vault.holder(login), new_id())


def services(vault):
    """Return importing and casework over a vault."""
    gate = Gate(vault.stores, "passphrase")
    return Importing(vault.stores, gate), Casework(vault.stores, gate)


def fates(outcomes):
    """Return the fate of each line."""
    return [outcome.fate.value for outcome in outcomes]


def cases_of(vault, caller):
    """Return the caller's caseload, by the number of the source."""
    _, casework = services(vault)
    found = {}
    for view in casework.list_cases(caller).items:
        profile = casework.read_document(caller, view.case.id, DocumentKind.PROFILE).content
        found[profile["imported"]["source_id"]] = view.case
    return found


def stored_facts(vault, caller, case_id):
    """Return a case's facts as they are stored, also what no reader is shown."""
    _, casework = services(vault)
    with vault.stores.data.reading() as connection:
        held = casework._desk.hold(caller, connection, case_id, Permission.CASE_READ, "facts")
        manifest = held.manifest(connection, "facts")
        (document,) = held.documents(connection, manifest, ["facts"])
    return document.content


def lines_stored(vault):
    """Count the rows that remember lines."""
    with vault.stores.data.reading() as connection:
        return connection.execute(select(func.count()).select_from(tables.import_line)).scalar_one()


def test_a_line_becomes_a_historic_case(vault):
    """Documents as they were, the dates of the source, the mark inside the sealed part."""
    importing, casework = services(vault)
    caller = caller_of(vault)
    given = candidate(
        2,
        gender="Feminine",
        birth_year=2001,
        case={"opened": "2024-05-06", "last_contact": "2025-07-08", "status": "FollowUp"},
        profile={"needs": ["safehouse"]},
    )
    assert fates(importing.take(caller, SOURCE, [given])) == ["taken"]
    case = cases_of(vault, caller)["RS-2"]
    assert (case.opened_month, case.status) == ("2024-05", Status.FOLLOW_UP)
    assert (case.next_review, case.due_identity) == ("2027-02-28", "2030-07-31")
    identity = casework.read_document(caller, case.id, DocumentKind.IDENTITY).content
    profile = casework.read_document(caller, case.id, DocumentKind.PROFILE).content
    assert identity == given.identity
    assert profile == {
        "needs": ["safehouse"],
        "imported": {
            "source": "Old register",
            "source_id": "RS-2",
            "taken_on": "2026-11-15",
            "opened_on": "2024-05-06",
            "last_contact": "2025-07-08",
        },
    }
    facts = stored_facts(vault, caller, case.id)
    assert (facts["historic"], facts["accepted_on"]) == (True, "2026-11-15")
    assert (facts["gender"], facts["age_band"]) == ("Feminine", "18_to_24")
    assert facts["case"] == case.id.hex


def test_the_mark_outlives_an_amendment(vault):
    """It can be given back as it was read, and can be neither changed nor made."""
    importing, casework = services(vault)
    caller = caller_of(vault)
    importing.take(caller, SOURCE, [candidate(2)])
    case = cases_of(vault, caller)["RS-2"]
    read = casework.read_document(caller, case.id, DocumentKind.PROFILE).content
    kind = DocumentKind.PROFILE
    casework.amend_document(caller, case.id, kind, {**read, "risk_level": "low"}, 1)
    casework.amend_document(caller, case.id, kind, {"risk_level": "high"}, 2)
    now = casework.read_document(caller, case.id, kind).content
    assert now == {"risk_level": "high", "imported": read["imported"]}
    for wrong in ({"source": "Elsewhere"}, {}, None):
        with pytest.raises(Invalid):
            casework.amend_document(caller, case.id, kind, {"imported": wrong or {"a": 1}}, 3)
    with pytest.raises(Invalid):
        casework.open_case(caller, {"name_to_use": "x"}, {"imported": {}}, "standard")


def test_a_second_run_makes_nothing_twice(vault):
    """What was taken is known again, in any order and mixed with what is new."""
    importing, _ = services(vault)
    caller = caller_of(vault)
    assert fates(importing.take(caller, SOURCE, [candidate(2), candidate(3)])) == ["taken"] * 2
    again = [candidate(3), candidate(4), candidate(2)]
    assert fates(importing.check(caller, SOURCE, again)) == ["present", "present", "taken"]
    assert fates(importing.take(caller, SOURCE, again)) == ["present", "present", "taken"]
    assert fates(importing.take(caller, SOURCE, again)) == ["present"] * 3
    assert len(cases_of(vault, caller)) == lines_stored(vault) == 3


def test_the_first_of_two_lines_with_one_number_is_taken(vault):
    """A number is one case, also within a batch; spelling in normal form does not matter."""
    importing, _ = services(vault)
    caller = caller_of(vault)
    twice = [candidate(2, "A"), candidate(3, "A", gender="Feminine")]
    assert fates(importing.take(caller, SOURCE, twice)) == ["taken", "present"]
    assert len(cases_of(vault, caller)) == 1


def test_sources_and_teams_do_not_know_each_other(vault):
    """The same number in another source is another case; another team learns nothing of ours."""
    importing, _ = services(vault)
    caller = caller_of(vault)
    importing.take(caller, SOURCE, [candidate(2)])
    other = Source("Other register")
    assert fates(importing.check(caller, other, [candidate(2)])) == ["taken"]
    elsewhere = caller_of(vault, team=TeamId(new_id()))
    assert fates(importing.check(elsewhere, SOURCE, [candidate(2)])) == ["taken"]


def test_one_bad_line_does_not_harm_its_neighbours(vault):
    """Refused with every place and code, never with what stood there; the others are taken."""
    importing, _ = services(vault)
    caller = caller_of(vault)
    given = [
        candidate(2),
        candidate(3, gender=CANARY, phones=[CANARY]),
        candidate(4, case={"opened": CANARY, "status": CANARY}),
        candidate(5, case={"opened": "2027-01-01"}),
        candidate(6, case={"opened": "2025-01-02", "last_contact": "2024-01-02"}),
        candidate(7, case={"opened": "2019-01-02"}),
        candidate(8, case={"opened": "2019-01-02", "last_contact": "2024-01-02"}),
        candidate(9, profile={"imported": {"source": CANARY}}),
    ]
    outcomes = importing.take(caller, SOURCE, given)
    found = {o.line: {(e.pointer, e.code) for e in o.faults} for o in outcomes if o.faults}
    assert found == {
        3: {("/identity/gender", "field.code"), ("/identity/phones/0", "field.phone")},
        4: {("/case/opened", "field.date"), ("/case/status", "field.code")},
        5: {("/case/opened", "import.future")},
        6: {("/case/last_contact", "import.before-opening")},
        7: {("/case/opened", "import.keeping-over")},
        9: {("/profile/imported", "field.read-only")},
    }
    assert CANARY not in repr(outcomes)
    assert set(cases_of(vault, caller)) == {"RS-2", "RS-8"}
    assert {o.fate for o in outcomes} == {Fate.TAKEN, Fate.REFUSED}


def test_minors_keep_their_safeguards(vault):
    """A child when the source opened the case: dates are rounded to years and late."""
    importing, _ = services(vault)
    caller = caller_of(vault)
    importing.take(caller, SOURCE, [candidate(2, age=15, case={"opened": "2024-05-06"})])
    assert cases_of(vault, caller)["RS-2"].due_identity == "2035-12-31"


def test_every_case_is_on_the_ledger(vault):
    """One entry for each case that was taken; a look that changes nothing is recorded too."""
    importing, _ = services(vault)
    caller = caller_of(vault)
    importing.check(caller, SOURCE, [candidate(2), candidate(3)])
    importing.take(caller, SOURCE, [candidate(2), candidate(3, gender=CANARY), candidate(4)])
    importing.take(caller, SOURCE, [candidate(2)])
    codes = Counter(e.body.code for e in vault.entries())
    assert (codes["import.check"], codes["case.import"], codes["case.open"]) == (2, 2, 0)
    (first, *_) = [e.body for e in vault.entries() if e.body.code == "case.import"]
    assert "profile.imported" in first.fields
    assert CANARY not in repr(vault.entries())


def test_who_may_not_open_cases_may_not_import(vault):
    """Nor look whether a number is known; the refusal is on the ledger."""
    importing, _ = services(vault)
    caller = caller_of(vault, role=Role.REPORTER)
    for act in (importing.check, importing.take):
        with pytest.raises(Refused):
            act(caller, SOURCE, [candidate(2)])
    with pytest.raises(Refused):
        importing.take(caller_of(vault), replace(SOURCE, team=new_id()), [candidate(2)])
    assert [e.body.code for e in vault.entries()].count("authz.deny") == 3


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (Source(" "), "import.source"),
        (Source("a" * 101), "import.source"),
        (Source("a\u202eb"), "import.source"),
        (Source("x", retention_class="for ever"), "retention.class"),
    ],
)
def test_a_source_must_be_named(vault, source, code):
    """A name of reasonable length, and a class that there is."""
    importing, _ = services(vault)
    with pytest.raises(Invalid) as caught:
        importing.take(caller_of(vault), source, [candidate(2)])
    assert caught.value.code == code


def test_several_teams_ask_which(vault):
    """Nobody's cases land in a team by chance, and a batch has an end."""
    importing, _ = services(vault)
    both = caller_of(vault, teams={TeamId(vault.team), TeamId(new_id())})
    with pytest.raises(Invalid) as caught:
        importing.begin(both, SOURCE)
    assert caught.value.code == "import.team"
    begun = importing.begin(both, replace(SOURCE, team=vault.team, name="  Old \n register "))
    assert (begun.team, begun.name) == (vault.team, "Old register")
    with pytest.raises(Invalid):
        importing.take(caller_of(vault), SOURCE, [candidate(n) for n in range(BATCH + 1)])


def test_two_runs_at_once_take_each_line_once(vault):
    """Both see a line as new; one makes the case, the other learns that it is there."""
    importing, _ = services(vault)
    given = [candidate(n) for n in range(2, 2 + BATCH)]
    found, lock = [], threading.Barrier(3)

    def run():
        lock.wait()
        found.append(fates(importing.take(caller_of(vault), SOURCE, given)))

    caller_of(vault)
    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [["present"] * BATCH] * 2 + [["taken"] * BATCH]
    assert lines_stored(vault) == BATCH


def test_an_import_that_is_always_too_late_gives_up(vault, monkeypatch):
    """A conflict that stays is said, not tried for ever."""
    importing, _ = services(vault)
    caller = caller_of(vault)
    importing.take(caller, SOURCE, [candidate(2)])
    monkeypatch.setattr(import_lines, "taken", lambda *_: set())
    with pytest.raises(Conflict):
        importing.take(caller, SOURCE, [candidate(2)])
    assert lines_stored(vault) == 1


def test_a_dump_tells_nothing_of_a_line(vault):
    """Source and number are in no column; rows of equal numbers differ; a case is not named."""
    importing, casework = services(vault)
    caller = caller_of(vault)
    importing.take(caller, SOURCE, [candidate(2, CANARY)])
    importing.take(caller, Source("Other"), [candidate(2, CANARY)])
    ids = {view.case.id.bytes for view in casework.list_cases(caller).items}
    with vault.stores.data.reading() as connection:
        rows = connection.execute(select(tables.import_line)).all()
    values = [bytes(value) for row in rows for value in row]
    assert (len(ids), len(set(values))) == (2, 4)
    assert not any(part in value for value in values for part in (CANARY.encode(), b"Old", *ids))


def test_lines_are_known_under_an_older_service_key(vault):
    """After the service key has changed, a rerun still makes nothing twice."""
    importing, _ = services(vault)
    caller = caller_of(vault)
    importing.take(caller, SOURCE, [candidate(2)])
    vault.stores.roots._material.services[2] = Key.random(2)
    assert fates(importing.take(caller, SOURCE, [candidate(2), candidate(3)])) == [
        "present",
        "taken",
    ]


def test_a_forgotten_line_can_be_taken_again(vault):
    """When a case is erased its line goes with it, found by the case alone."""
    importing, _ = services(vault)
    caller = caller_of(vault)
    importing.take(caller, SOURCE, [candidate(2), candidate(3)])
    case = cases_of(vault, caller)["RS-2"]
    stores = vault.stores
    with stores.data.writing() as connection:
        import_lines.forget(connection, stores.roots, [case.id])
        lines = [Line(stores.organisation, vault.team, "Old register", f"RS-{n}") for n in (2, 3)]
        assert import_lines.taken(connection, stores.roots, lines) == {lines[1]}


def test_refused_lines_are_for_their_importer_only(vault):
    """Sealed for 30 days; another person, with all powers of the team, sees none."""
    importing, _ = services(vault)
    caller = caller_of(vault)
    kept = Reject(
        7, importing.take(caller, SOURCE, [candidate(7, age=-1)])[0].faults, {"Age": "-1"}
    )
    importing.keep_rejects(caller, SOURCE, [kept])
    (found,) = importing.rejects(caller)
    assert (found.source, found.rejects, found.readable) == ("Old register", (kept,), True)
    vault.enrolled("amal", {"caseworker"}, vault.team)
    other = caller_of(vault, "amal", role=Role.CASEWORKER)
    assert importing.rejects(other) == []
    with pytest.raises(NotFound):
        importing.forget_rejects(other, found.id)
    importing.forget_rejects(caller, found.id)
    assert importing.rejects(caller) == []


def test_refused_lines_go_after_thirty_days(vault):
    """Nobody has to remember them."""
    importing, _ = services(vault)
    caller = caller_of(vault)
    importing.keep_rejects(caller, SOURCE, [Reject(2, (), {"a": 1})])
    today = vault.stores.clock.now().date()
    assert private.erase_due(vault.stores, today + timedelta(days=30)) == 0
    assert private.erase_due(vault.stores, today + timedelta(days=31)) == 1
    assert importing.rejects(caller) == []
