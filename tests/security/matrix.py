"""Route × role × relation: which answer each role gets to a valid request, as reviewed.

    python -m tests.security.matrix --write

writes `matrix.json` anew from a fresh vault; the difference is then reviewed line by line, for
each cell is a promise. Roles are people of a world. A relation says what ties the person to the
case of the request: `own` (opened by themselves), `part` (only its identity was assigned to
them), `team` (a colleague's, never assigned; supervisors hold it through their team's group),
`other` (of another team), `unknown` (no such case).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from casevault import logs
from tests.api.world import World, build
from tests.conftest import Databases
from tests.security.interface import Ask, Operation, Stage, operations, request_for, send

FILE = Path(__file__).parent / "matrix.json"
ROLES = (
    "caseworker",
    "supervisor",
    "dpo",
    "auditor",
    "reporter",
    "administrator",
    "referrer",
    "nobody",
)
FOREIGN = ("team", "other", "unknown")
Matrix = dict[str, dict[str, dict[str, str]]]


# Answers after which a request is as good as new: whoever comes next can send the same.
UNTOUCHED = (401, 403, 404)


class Elsewhere(Stage):
    """A stage of no case, which notes whether a request was made for one person only."""

    personal = False

    @property
    def by(self):
        """Who will send the request."""
        self.personal = True
        return self._by

    @by.setter
    def by(self, login):
        self._by = login


class Cast:
    """One person per role, and a case per relation of each."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.people: dict[str, str | None] = {
            "caseworker": "cara",
            "supervisor": "sue",
            "dpo": "dora",
            "auditor": "ada",
            "administrator": "adi",
            "reporter": world.person(roles=("reporter",), team=None, by="dora"),
            "referrer": world.person(roles=("referrer",), team=None, by="dora"),
            "nobody": None,
        }
        self._stages: dict[tuple[str, str], Stage] = {}
        # Of the operation at hand: what was made for it, and not used up.
        self.unused: Ask | None = None

    def stage(self, role: str, relation: str) -> Stage:
        """Return the case of a relation; each role has its own."""
        if (role, relation) not in self._stages:
            self._stages[role, relation] = self._made(role, relation)
        return self._stages[role, relation]

    def _made(self, role: str, relation: str) -> Stage:
        world, login = self.world, self.people[role]
        if relation == "unknown":
            return Stage(world, None, by=login)
        holders = {"own": login, "part": "colin", "team": "colin", "other": "sofia"}
        stage = Stage.opened(world, holders[relation], by=login)
        if relation == "part":
            assert login is not None
            assert world.assign(stage.case, login, compartments=["identity"]).status_code == 204
        return stage


def relations(role: str, operation: Operation) -> tuple[str, ...]:
    """Return the relations that a role can have to what an operation is about."""
    if not operation.of_case:
        return ("any",)
    if role == "caseworker":
        return ("own", "part", *FOREIGN)
    # A supervisor holds every case of the team; the others are in no team.
    return ("own", *FOREIGN) if role == "supervisor" else ("other", "unknown")


def cell(cast: Cast, operation: Operation, role: str, relation: str):
    """Send one valid request and return the answer."""
    login = cast.people[role]
    if relation == "any":
        return _anywhere(cast, operation, role)
    ask = request_for(operation, cast.stage(role, relation))
    return send(cast.world, operation, cast.stage(role, relation), ask, login)


def _anywhere(cast: Cast, operation: Operation, role: str):
    login, ask = cast.people[role], cast.unused
    if ask is None:
        elsewhere = Elsewhere(cast.world, None, by=login or "cara")
        ask = request_for(operation, elsewhere)
        cast.unused = None if elsewhere.personal else ask
    answer = send(cast.world, operation, cast.stage(role, "unknown"), ask, login)
    if answer.status_code not in UNTOUCHED:
        cast.unused = None
    return answer


def shown(answer) -> str:
    """Return an answer as the matrix keeps it: the status, and the code of a problem."""
    if answer.status_code < 400:
        return str(answer.status_code)
    return f"{answer.status_code} {answer.json()['code']}"


def compared(answer) -> tuple[object, ...]:
    """Return everything of an answer but what differs in each: the request's own id."""
    headers = {k: v for k, v in answer.headers.items() if k.lower() != "x-request-id"}
    body = answer.text.replace(answer.headers["x-request-id"], "")
    return answer.status_code, headers, body


def walk(cast: Cast, found: Iterable[Operation]) -> tuple[Matrix, list[str]]:
    """Return the matrix, and where an unknown case and a foreign one differ."""
    matrix: Matrix = {}
    differing = []
    for operation in found:
        rows = matrix.setdefault(operation.name, {})
        cast.unused = None
        for role in ROLES:
            answers = {r: cell(cast, operation, role, r) for r in relations(role, operation)}
            rows[role] = {relation: shown(answer) for relation, answer in answers.items()}
            differing += [
                f"{operation.name} as {role}: {relation} and unknown differ"
                for relation in FOREIGN
                if relation in answers
                and not (role == "supervisor" and relation == "team")
                and compared(answers[relation]) != compared(answers["unknown"])
            ]
    return matrix, differing


def difference(found: Matrix, reviewed: Matrix) -> list[str]:
    """Return in sentences where the interface is not what was reviewed."""
    how = "run `python -m tests.security.matrix --write` and review every cell that changed"
    lines = [f"{name} has no row: {how}" for name in sorted(found.keys() - reviewed.keys())]
    lines += [f"{name} is gone: {how}" for name in sorted(reviewed.keys() - found.keys())]
    for name in sorted(found.keys() & reviewed.keys()):
        for role in sorted(found[name].keys() | reviewed[name].keys()):
            now, then = found[name].get(role), reviewed[name].get(role)
            if now != then:
                lines.append(f"{name} as {role} is {now}, reviewed was {then}: {how}")
    return lines


def text_of(matrix: Matrix) -> str:
    """Return the matrix as the file has it: one line per operation and role."""
    blocks = []
    for name, rows in matrix.items():
        width = max(len(role) for role in rows) + 3
        lines = [
            f"  {(json.dumps(role) + ':').ljust(width)} {json.dumps(cells)}"
            for role, cells in rows.items()
        ]
        blocks.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def reviewed() -> Matrix:
    """Return the matrix as it was reviewed."""
    found: Matrix = json.loads(FILE.read_text())
    return found


def main() -> int:
    """Write the file from a fresh vault."""
    if "--write" not in sys.argv:
        sys.stderr.write((__doc__ or "") + "\n")
        return 2
    logs.configure("critical")
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        urls = [f"sqlite:///{at / name / (name + '.db')}" for name in ("var", "keyring")]
        world = build(Databases("sqlite", *urls), at)
        try:
            matrix, differing = walk(Cast(world), operations(world.client))
        finally:
            world.close()
    sys.stderr.writelines(line + "\n" for line in differing)
    FILE.write_text(text_of(matrix))
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
