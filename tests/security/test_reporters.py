"""A reporter reaches counts and never a case: no id of one in an answer, no key of one."""

from __future__ import annotations

import re
import time
from pathlib import Path

from casevault.domain.staff.access import RULES, Role
from casevault.store.case import cases
from tests.api.test_consents import a_consent, posted
from tests.api.world import REPORTER
from tests.security.interface import SERVICE, TRAINING, Stage, operations, request_for, send

ROOT = Path(__file__).parents[2] / "casevault"
# Fields that would name a case, whatever is in them.
_NAMED = re.compile(r"^(case|cases|case_id|object|object_id|subject|pid|reference|references)$")
# How the counting principal is opened, and what reads facts in bulk.
_COUNTING = re.compile(
    r"FactsReader\(|in_use\([^)]*COUNTING|principal\(\s*[\"']counting|principal\([^)]*COUNTING"
)


def reporters(client):
    """Return every operation that a reporter's role is for."""
    return [one for one in operations(client) if Role.REPORTER in RULES[one.permission].roles]


def fields(schema, document, seen=()):
    """Yield the names of all fields that an answer of this schema may have."""
    name = schema.get("$ref", "").rpartition("/")[2]
    if name:
        if name not in seen:
            yield from fields(document["components"]["schemas"][name], document, (*seen, name))
        return
    for field, inner in schema.get("properties", {}).items():
        yield field
        yield from fields(inner, document, seen)
    for part in (schema.get("items"), *schema.get("anyOf", ()), *schema.get("allOf", ())):
        if part:
            yield from fields(part, document, seen)


def naming(answers, document):
    """Return the fields of these answers that would name a case."""
    found = {name for schema in answers for name in fields(schema, document)}
    return {name for name in found if _NAMED.match(name)}


def answers_of(operation):
    """Return the schemas of what an operation answers when it goes well."""
    for status, answer in operation.schema["responses"].items():
        if status.startswith("2"):
            for content in answer.get("content", {}).values():
                yield content.get("schema", {})


def test_no_answer_to_a_reporter_has_a_field_for_a_case(sqlite_world):
    """Walks the schemas of every operation of the role; at least the register and releases."""
    document = sqlite_world.client.app.openapi()
    found = reporters(sqlite_world.client)
    assert len(found) >= 15
    for operation in found:
        assert naming(answers_of(operation), document) == set(), operation.name


def test_a_field_for_a_case_is_found(sqlite_world):
    """The check can fail, also where it is nested."""
    document = {"components": {"schemas": {"X": {"properties": {"case_id": {}}}}}}
    deep = {"items": {"anyOf": [{"$ref": "#/components/schemas/X"}, {"type": "null"}]}}
    assert naming([deep], document) == {"case_id"}


def test_no_answer_to_a_reporter_holds_the_id_of_a_case(sqlite_world):
    """Asked for everything that they may ask for, beside cases that were just counted."""
    world = sqlite_world
    stage = Stage.opened(world, by=REPORTER)
    with world.vault.stores.data.reading() as connection:
        ids = [str(one) for one in cases.all_of_team(connection, stage_team(world))]
    assert stage.case in ids
    for operation in reporters(world.client):
        if operation.method == "GET":
            answer = send(world, operation, stage, request_for(operation, stage), REPORTER)
            text = answer.text + str(answer.headers)
            met = [one for one in ids if one in text or one.replace("-", "") in text]
            assert met == [], operation.name


class _View:
    """All that a reporter may read, asked for again and again in the same words."""

    def __init__(self, world):
        self._world, self._stage = world, Stage.opened(world, by=REPORTER)
        wanted = [one for one in reporters(world.client) if one.method == "GET"]
        self._asked = [(one, request_for(one, self._stage)) for one in wanted]

    def __call__(self):
        """Return the answer to each question."""
        return {
            one.id: send(self._world, one, self._stage, ask, REPORTER).text
            for one, ask in self._asked
        }


def changed(view, act):
    """Return which answers an act changes, of those that are the same when nothing happens."""
    first = view()
    # An answer that says the second in which it was made is not one that stays.
    time.sleep(1 - time.time() % 1)
    before = view()
    still = {name for name, text in before.items() if first[name] == text}
    assert len(still) >= 12
    act()
    after = view()
    return {name for name in still if after[name] != before[name]}


def test_one_person_more_changes_nothing_that_a_reporter_reads(sqlite_world):
    """Plan, account, indicators, gaps, lists: not before a release is made, and then by noise.

    The check can fail: a record of the register is found."""
    world = sqlite_world

    def a_person():
        case = world.open("cara")
        posted(world, f"/v1/cases/{case}/consents", a_consent(world))
        posted(world, f"/v1/cases/{case}/services", SERVICE)

    view = _View(world)
    assert changed(view, a_person) == set()
    record = {"kind": "training", "content": TRAINING}
    assert "list_register" in changed(view, lambda: world.post("/v1/register", REPORTER, record))


def seeded(root=ROOT):
    """Return the modules in which noise may come from a seed."""
    return {
        str(path.relative_to(root)) for path in root.rglob("*.py") if "SeededBits" in _code(path)
    }


def test_only_a_simulation_can_be_drawn_again():
    """A release of a vault draws from the operating system: there is no seed to keep or steal."""
    assert seeded() == {"disclosure/bits.py", "disclosure/simulating.py"}
    text = _code(ROOT / "services/counting/reporting.py")
    assert text.count("SystemBits()") == 1
    assert "Bits" not in _code(ROOT / "services/counting/releases.py")


def stage_team(world):
    """Return the team of the shared world's cases."""
    from uuid import UUID

    return UUID(world.team())


def users(root=ROOT):
    """Return the modules that open the counting principal or read facts in bulk."""
    return {
        str(path.relative_to(root)) for path in root.rglob("*.py") if _COUNTING.search(_code(path))
    }


def _code(path):
    return " ".join(path.read_text().split())


def test_only_reporting_opens_the_counting_principal():
    """So who reads one file knows everything that happens to facts in bulk."""
    assert users() == {"services/counting/reporting.py"}


def test_another_user_is_found(tmp_path):
    """The check can fail."""
    (tmp_path / "new.py").write_text("secret = roots.principal(\n    'counting')\n")
    (tmp_path / "other.py").write_text("x = principals.in_use(tx, PrincipalKind.COUNTING)\n")
    assert users(tmp_path) == {"new.py", "other.py"}
