"""The use cases of cases against a model of dictionaries, in any order that hypothesis thinks of.

A real vault on SQLite. Whoever the model says holds a compartment reads exactly what the model
has; everybody else finds nothing. Every step is on the ledger, and at the end the log verifies and
everything is read back by everybody. New use cases get a rule below, and their part of the model.
Nothing is tested here; `test_casework` runs it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from sqlalchemy import func, select

from casevault.crypto.principals import is_raw_signature
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.staff.access import Role
from casevault.errors import Conflict, Invalid, KeyUnavailable, NotFound, Refused, Stale
from casevault.ledger.verify import verify_export
from casevault.services.casework.assignments import Assignments
from casevault.services.casework.casework import Casework
from casevault.services.casework.links import Links
from casevault.services.casework.records import Records
from casevault.services.casework.transitions import Transitions
from casevault.store.context.caller import Gate
from casevault.store.engine import tables
from casevault.store.log import exporting
from tests.builders import ORIGIN, AVault, a_vault
from tests.conftest import Databases
from tests.property.model import (
    ADMINISTRATOR,
    ALL,
    CASEWORKERS,
    CLOSED,
    CONTRADICTS,
    EVERYBODY,
    FACTS,
    IDENTITY,
    MIRRORED,
    NARRATIVE,
    SUPERVISOR,
    Closing,
    ModelCase,
    ModelRecord,
)

# Both are what somebody without a key is told; the interface makes one answer of them.
NOTHING = (NotFound, KeyUnavailable)
REFUSALS = (Refused, NotFound, KeyUnavailable, Conflict, Stale, Invalid)
KINDS = {"note": DocumentKind.NOTE, "service": DocumentKind.SERVICE, "task": DocumentKind.TASK}
FIXED = {
    "note": {"type": "visit", "date": "2026-11-20"},
    "service": {"type": "safehouse", "outcome": "provided", "date": "2026-10-01"},
    "task": {"type": "hearing", "due": "2026-12-01"},
}
ROLES = {SUPERVISOR: Role.SUPERVISOR, ADMINISTRATOR: Role.ADMINISTRATOR}

people = st.sampled_from(EVERYBODY)
caseworkers = st.sampled_from(CASEWORKERS)
kinds = st.sampled_from(sorted(KINDS))
# Few words, so that passages are found and contents are equal now and then.
names = st.sampled_from(["Azure", "Birch", "Cedar", "Дуб", "دار"])
texts = st.lists(names, min_size=1, max_size=4).map(" ".join)
places = st.integers(0, 99)
compartments = st.sets(st.sampled_from(ALL), min_size=1).map(frozenset)


class Casefiles(RuleBasedStateMachine):
    """A vault, and what it should hold."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="casevault-property-")
        folder = Path(self._folder.name)
        self.cases: dict[UUID, ModelCase] = {}
        self.vault = self._vault(folder)
        stores, gate = self.vault.stores, Gate(self.vault.stores, "passphrase")
        self.casework, self.records = Casework(stores, gate), Records(stores, gate)
        self.links, self.assignments = Links(stores, gate), Assignments(stores, gate)
        self.transitions = Transitions(stores, gate, closing_needs_approval=True)

    @staticmethod
    def _vault(folder: Path) -> AVault:
        for name in ("var", "keyring"):
            (folder / name).mkdir(mode=0o700)
        urls = (f"sqlite:///{folder / name / 'store.db'}" for name in ("var", "keyring"))
        vault = a_vault(Databases("sqlite", *urls), folder)
        for login in CASEWORKERS:
            vault.enrolled(login, {"caseworker"}, vault.team)
            vault.admit(login)
        return vault

    # --- how a step is made ----------------------------------------------------------------------

    def caller(self, who):
        """Return somebody with the keys that they hold at this moment."""
        return self.vault.caller(who, ROLES.get(who, Role.CASEWORKER))

    def size(self):
        """Return how many entries the ledger has."""
        with self.vault.stores.data.reading() as connection:
            count = select(func.count()).select_from(tables.ledger_entry)
            return connection.execute(count).scalar()

    def attempt(self, act, *expected):
        """Do something that must fail like this, or must not fail; it must be on the ledger."""
        before, outcome, error = self.size(), None, None
        try:
            outcome = act()
        except REFUSALS as raised:
            error = raised
        said = f"{type(error).__name__} {getattr(error, 'code', '')}"
        assert isinstance(error, expected or type(None)), f"expected {expected}, it was {said}"
        assert self.size() > before, "nothing was recorded"
        return outcome

    def pick(self, place):
        """Return one of the cases."""
        found = list(self.cases)
        return found[place % len(found)]

    def record_at(self, place):
        """Return a case and one of its records, or None."""
        found = [(case, row) for case, model in self.cases.items() for row in model.records]
        return found[place % len(found)] if found else None

    # --- cases -----------------------------------------------------------------------------------

    @initialize(who=caseworkers, name=names, text=texts)
    def begin(self, who, name, text):
        """There is a case from the start."""
        self.open(who, name, text)

    # Few cases, so that steps meet.
    @precondition(lambda self: len(self.cases) < 3)
    @rule(who=people, name=names, text=texts)
    def open(self, who, name, text):
        """Open a case: the creator holds all of it."""
        identity, profile = {"name_to_use": name}, {"presenting_situation": text}
        refused = [Refused] if who == ADMINISTRATOR else []
        view = self.attempt(
            lambda: self.casework.open_case(
                self.caller(who), identity, profile, "standard", self.vault.team
            ),
            *refused,
        )
        if view is not None:
            self.cases[view.case.id] = ModelCase(identity, profile, {who: set(ALL)})

    @rule(who=people, place=places)
    def read(self, who, place):
        """Everybody tries everything about a case."""
        self.check_reads(who, self.pick(place))

    @rule(who=people, place=places, name=names, stale=st.booleans())
    def amend_identity(self, who, place, name, stale):
        """Replace the identity; an old version is refused."""
        content = {"name_to_use": name, "aliases": [name]}
        self._amend(who, self.pick(place), "identity", IDENTITY, content, stale)

    @rule(who=people, place=places, text=texts, stale=st.booleans())
    def amend_profile(self, who, place, text, stale):
        """Replace the profile."""
        content = {"presenting_situation": text}
        self._amend(who, self.pick(place), "profile", NARRATIVE, content, stale)

    def _amend(self, who, case, name, compartment, content, stale):
        model = self.cases[case]
        version = model.versions[name] + stale
        expected = NOTHING if not model.holds(who, compartment) else (Stale,) if stale else ()
        kind = DocumentKind(name)
        self.attempt(
            lambda: self.casework.amend_document(self.caller(who), case, kind, content, version),
            *expected,
        )
        if not expected:
            setattr(model, name, content)
            model.versions[name] += 1

    @rule(who=people)
    def list_cases(self, who):
        """Each case that somebody holds is on exactly one page, with its name if they hold that."""
        if who == ADMINISTRATOR:
            self.attempt(lambda: self.casework.list_cases(self.caller(who)), Refused)
            return
        found, cursor = [], None
        while True:
            page = self.casework.list_cases(self.caller(who), cursor)
            found += page.items
            cursor = page.cursor
            if cursor is None:
                break
        names = {view.case.id: view.display_name for view in found}
        assert len(names) == len(found)
        assert names == {
            case: model.identity["name_to_use"] if model.holds(who, IDENTITY) else None
            for case, model in self.cases.items()
            if model.holds(who)
        }

    # --- records ---------------------------------------------------------------------------------

    @rule(who=people, place=places, kind=kinds, text=texts)
    def add(self, who, place, kind, text):
        """Add a note, a service or a task."""
        case = self.pick(place)
        model, content = self.cases[case], {**FIXED[kind], "text": text}
        expected = () if self._may_write(model, who, kind) else NOTHING
        row = self.attempt(
            lambda: self.records.add(self.caller(who), case, KINDS[kind], content), *expected
        )
        if row is not None:
            model.records[row.id] = ModelRecord(kind, [dict(content)])

    @precondition(lambda self: self.record_at(0))
    @rule(who=people, place=places, text=texts, stale=st.booleans())
    def correct(self, who, place, text, stale):
        """Write a new version of a record."""
        case, row = self.record_at(place)
        model, record = self.cases[case], self.cases[case].records[row]
        content = {**FIXED[record.kind], "text": text}
        expected = (Stale,) if stale else ()
        if not self._may_write(model, who, record.kind):
            expected = NOTHING
        self.attempt(
            lambda: self.records.correct(
                self.caller(who),
                case,
                KINDS[record.kind],
                row,
                content,
                "a reason",
                record.version + stale,
            ),
            *expected,
        )
        if not expected:
            record.versions.append(dict(content))
            record.version += 1

    @precondition(lambda self: self.record_at(0))
    @rule(who=people, place=places, passage=names)
    def redact(self, who, place, passage):
        """Take a passage out of every version; one that does not occur is refused."""
        case, row = self.record_at(place)
        model, record = self.cases[case], self.cases[case].records[row]
        occurs = any(passage in one["text"] for one in record.versions)
        expected = () if occurs else (Invalid,)
        if not self._may_write(model, who, record.kind):
            expected = NOTHING
        self.attempt(
            lambda: self.records.redact(
                self.caller(who),
                case,
                KINDS[record.kind],
                row,
                passage,
                "a reason",
                record.version,
            ),
            *expected,
        )
        if not expected:
            record.redact(passage)

    @precondition(lambda self: self.record_at(0))
    @rule(who=people, place=places, elsewhere=places)
    def read_elsewhere(self, who, place, elsewhere):
        """A record is found in its own case only."""
        case, row = self.record_at(place)
        there = self.pick(elsewhere)
        kind = KINDS[self.cases[case].records[row].kind]
        expected = () if there == case and self.cases[case].holds(who, NARRATIVE) else NOTHING
        self.attempt(lambda: self.records.read(self.caller(who), there, kind, row), *expected)

    @staticmethod
    def _may_write(model, who, kind):
        # A service is coded into the facts, so both keys are needed.
        both = model.holds(who, FACTS) if kind == "service" else True
        return both and model.holds(who, NARRATIVE)

    # --- links -----------------------------------------------------------------------------------

    @precondition(lambda self: len(self.cases) > 1)
    @rule(
        who=st.sampled_from((SUPERVISOR, SUPERVISOR, *EVERYBODY)),
        place=places,
        step=places,
        kind=st.sampled_from(["family", "dependant", "same_person", "not_same_person"]),
    )
    def link(self, who, place, step, kind):
        """Link two cases from one of them."""
        one = self.pick(place)
        others = [case for case in self.cases if case != one]
        two = others[step % len(others)]
        here, there = self.cases[one], self.cases[two]
        expected = ()
        if not (here.holds(who, NARRATIVE) and there.holds(who, NARRATIVE)):
            expected = NOTHING
        elif here.links[two, kind] or here.links[two, CONTRADICTS.get(kind)]:
            expected = (Conflict,)
        self.attempt(lambda: self.links.link(self.caller(who), one, two, {"type": kind}), *expected)
        if not expected:
            here.links[two, kind] += 1
            there.links[one, MIRRORED.get(kind, kind)] += 1

    @precondition(lambda self: any(+model.links for model in self.cases.values()))
    @rule(who=people, place=places, step=places)
    def unlink(self, who, place, step):
        """Take a link back in both cases."""
        linked = [case for case, model in self.cases.items() if +model.links]
        one = linked[place % len(linked)]
        found = self.links.links(self.caller(SUPERVISOR), one)
        chosen = found[step % len(found)]
        two, kind = chosen.record.about, chosen.record.current.content["type"]
        here, there = self.cases[one], self.cases[two]
        both = here.holds(who, NARRATIVE) and there.holds(who, NARRATIVE)
        expected = () if both else NOTHING
        self.attempt(lambda: self.links.unlink(self.caller(who), one, chosen.id), *expected)
        if not expected:
            here.links[two, kind] -= 1
            there.links[one, MIRRORED.get(kind, kind)] -= 1

    # --- who may see it --------------------------------------------------------------------------

    @rule(who=people, place=places, to=caseworkers)
    def refuse(self, who, place, to):
        """The survivor does not want somebody."""
        case = self.pick(place)
        model = self.cases[case]
        expected = (Conflict,) if to in model.refused.values() else ()
        if not model.holds(who, NARRATIVE):
            expected = NOTHING
        staff = self.vault.staff(to)
        row = self.attempt(lambda: self.links.refuse(self.caller(who), case, staff, {}), *expected)
        if row is not None:
            model.refused[row] = to

    @precondition(lambda self: any(model.refused for model in self.cases.values()))
    @rule(who=people, place=places)
    def accept(self, who, place):
        """Or does again."""
        found = [(case, row) for case, model in self.cases.items() for row in model.refused]
        case, row = found[place % len(found)]
        expected = () if self.cases[case].holds(who, NARRATIVE) else NOTHING
        self.attempt(lambda: self.links.accept_again(self.caller(who), case, row), *expected)
        if not expected:
            del self.cases[case].refused[row]

    @rule(
        who=st.sampled_from((SUPERVISOR, SUPERVISOR, SUPERVISOR, *EVERYBODY)),
        place=places,
        to=caseworkers,
        parts=compartments,
    )
    def assign(self, who, place, to, parts):
        """Give somebody keys; what they held before is replaced."""
        case = self.pick(place)
        model = self.cases[case]
        expected = (Refused,) if to in model.refused.values() else ()
        if who != SUPERVISOR:
            expected = NOTHING
        staff = self.vault.staff(to)
        self.attempt(
            lambda: self.assignments.assign(self.caller(who), case, staff, parts), *expected
        )
        if not expected:
            model.holders[to] = set(parts)

    @rule(who=st.sampled_from((SUPERVISOR, SUPERVISOR, *EVERYBODY)), place=places, to=caseworkers)
    def revoke(self, who, place, to):
        """Take the keys away and give the case new ones; others read on as before."""
        case = self.pick(place)
        model = self.cases[case]
        expected = () if who == SUPERVISOR and model.holders.get(to) else NOTHING
        staff = self.vault.staff(to)
        self.attempt(lambda: self.assignments.revoke(self.caller(who), case, staff), *expected)
        if not expected:
            del model.holders[to]

    # --- status ----------------------------------------------------------------------------------

    @rule(who=people, place=places, to=st.sampled_from(["Active", "FollowUp", *CLOSED]))
    def change_status(self, who, place, to):
        """Change the status, or ask for a closing."""
        case = self.pick(place)
        model = self.cases[case]
        expected = ()
        if not model.holds(who, NARRATIVE):
            expected = NOTHING
        elif not model.may_become(to) or (to in CLOSED and model.waiting):
            expected = (Conflict,)
        content = {"to": to, "reason": "a reason"}
        moved = self.attempt(
            lambda: self.transitions.ask(self.caller(who), case, content), *expected
        )
        if moved is not None and to in CLOSED:
            model.closings[moved.id] = Closing(who, to)
        elif moved is not None:
            model.status = to

    @precondition(lambda self: any(model.closings for model in self.cases.values()))
    @rule(who=people, place=places, approve=st.booleans())
    def decide(self, who, place, approve):
        """A supervisor who did not ask says yes or no, once."""
        found = [(case, row) for case, model in self.cases.items() for row in model.closings]
        case, row = found[place % len(found)]
        model, closing = self.cases[case], self.cases[case].closings[row]
        if who != SUPERVISOR:
            expected = NOTHING
        elif closing.asker == SUPERVISOR:
            expected = (Refused,)
        else:
            expected = (Conflict,) if closing.state != "waiting" else ()
        self.attempt(
            lambda: self.transitions.decide(
                self.caller(who), case, row, approve=approve, reason=None
            ),
            *expected,
        )
        if not expected:
            closing.state = "done" if approve else "declined"
            model.status = closing.to if approve else model.status

    # --- what must hold --------------------------------------------------------------------------

    def check_reads(self, who, case):
        """Compare everything that somebody can read of a case with the model."""
        model, caller = self.cases[case], self.caller(who)
        view = self.attempt(
            lambda: self.casework.read_case(caller, case), *(() if model.holds(who) else NOTHING)
        )
        assert view is None or view.case.status.value == model.status
        documents = (
            (DocumentKind.IDENTITY, IDENTITY, model.identity),
            (DocumentKind.PROFILE, NARRATIVE, model.profile),
            (DocumentKind.FACTS, FACTS, None),
        )
        for kind, compartment, content in documents:
            expected = () if model.holds(who, compartment) else NOTHING
            opened = self.attempt(
                lambda kind=kind: self.casework.read_document(caller, case, kind), *expected
            )
            if opened is None:
                continue
            if kind is DocumentKind.FACTS:
                counted = [dict(row) for row in opened.content.get("services", [])]
                for row in counted:
                    # Whether it is late depends on the day of the test.
                    row.pop("counted_on", None)
                assert counted == model.coded
            else:
                assert opened.content == content
                assert opened.version == model.versions[kind.value]
        self._check_narrative(who, case)

    def _check_narrative(self, who, case):
        model, caller = self.cases[case], self.caller(who)
        expected = () if model.holds(who, NARRATIVE) else NOTHING
        for row, record in model.records.items():
            kept = self.attempt(
                lambda row=row, kind=KINDS[record.kind]: self.records.read(caller, case, kind, row),
                *expected,
            )
            if kept is not None:
                assert [dict(v.content) for v in kept.record.versions] == record.versions
                assert (kept.version, len(kept.record.redactions)) == (
                    record.version,
                    record.redactions,
                )
        links = self.attempt(lambda: self.links.links(caller, case), *expected)
        refusals = self.attempt(lambda: self.links.refusals(caller, case), *expected)
        if links is not None:
            seen = sorted((one.record.about, one.record.current.content["type"]) for one in links)
            assert seen == sorted(model.links.elements())
            about = {one.record.id: one.record.record.about for one in refusals}
            assert about == {row: self.vault.staff(to) for row, to in model.refused.items()}
            holding = {row for row, to in model.refused.items() if model.holders.get(to)}
            assert {one.record.id for one in refusals if one.holds_keys} == holding

    def check_log(self):
        """Every entry opens, and an outsider finds the log complete."""
        assert len(self.vault.entries()) == self.size()
        folder, signer = Path(self._folder.name) / "export", self.vault.checkpoints()
        exporting.write_folder(folder, exporting.pieces(self.vault.stores.data, signer))
        key = signer.verifier_key
        assert key.name == ORIGIN
        assert verify_export(folder, key.name, key.public, is_raw_signature).gaps == ()

    def teardown(self):
        """At the end everybody reads everything, and the log verifies."""
        try:
            for case in self.cases:
                for who in EVERYBODY:
                    self.check_reads(who, case)
            self.check_log()
        finally:
            self.vault.close()
            self._folder.cleanup()
