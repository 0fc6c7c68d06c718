"""The minimisation report: numbers and references of what is kept for no purpose."""

from __future__ import annotations

from casevault.domain.retention import minimising
from tests.api.world import an_identity

NAME = "Zaziwe Testperson"


def words(world, by):
    """Return the counts of all pages, by reference."""
    found, after = {}, ""
    while after is not None:
        page = world.get(f"/v1/minimisation/words{after}", by).json()
        found |= {one["reference"]: one for one in page["items"]}
        after = f"?after={page['after']}" if page["after"] else None
    return found


def opened(world, by="cara"):
    """Open a case; return id and reference."""
    case = world.open(by, an_identity(NAME))
    return case, world.get(f"/v1/cases/{case}", by).json()["reference"]


def note(world, case, text, by="cara"):
    """Write a note."""
    content = {"type": "visit", "date": "2026-11-20", "text": text}
    answer = world.post(f"/v1/cases/{case}/notes", by, {"content": content})
    assert answer.status_code == 201, answer.text


def test_notes_that_say_too_much_are_counted_by_their_holder(world):
    """Long ones, ones that name the person, ones that name others; the look is on the log."""
    case, reference = opened(world)
    plain, quiet = opened(world)
    note(world, plain, "Made-up: sleeps better.")
    note(world, case, "Zaziwe slept well")
    note(world, case, "Her brother Karim Madeup came")
    note(world, case, "made up " * (minimising.LONG_NOTE // 8) + "and more")
    assert world.assign(case, "colin", compartments=["narrative"]).status_code == 204
    counts = {"records": 3, "long": 1, "not_checked": 0}
    assert words(world, "cara")[reference] == {
        "reference": reference, "own": 1, "others": 1, **counts
    }  # fmt: skip
    assert quiet not in words(world, "cara")
    assert words(world, "colin")[reference] == {
        "reference": reference, "own": 0, "others": 1, **counts
    }  # fmt: skip
    codes = {entry["code"] for entry in world.entries(case=plain)}
    assert "minimisation.count" in codes


def test_who_keeps_and_opens_what_is_counted_without_a_key(world):
    """For DPO and supervisors, with the next steps; for nobody else; it is on the log."""
    for by in ("sue", "dora"):
        answer = world.get("/v1/minimisation", by)
        assert set(answer.json()["next_steps"]) == {"unused-grants", "files-past-purpose"}
        assert NAME not in answer.text
    asked = world.get("/v1/minimisation", "dora", headers={"Accept-Language": "fr"})
    assert asked.json()["next_steps"]["unused-grants"].startswith("Demandez")
    assert world.get("/v1/minimisation", "cara").status_code == 403
    assert "minimisation.read" in {entry["code"] for entry in world.entries()}
