"""What may leave the house: a release that two people review, and the pledge's report."""

from __future__ import annotations

from datetime import UTC, datetime

from casevault.cli.demo.narrator import Narrator
from casevault.cli.demo.story import Told
from casevault.cli.demo.world import World

# Region, branch, staff and volunteers, how many of them were trained.
_BRANCHES = (
    ("Made-Up North", "Made-Up Harbour", 64, 41),
    ("Made-Up South", "Made-Up Hill", 130, 52),
)
_COUNTED = ("mainstreaming", "response", "cooperation")
_MEASURES = (("mainstreaming", "migration", "screening"), ("response", "health", "legal_aid"))


def tell(world: World, say: Narrator, told: Told) -> None:
    """Keep the register, publish a year, make the report."""
    who = told.tokens
    year = datetime.now(UTC).year
    _register(world, who["rita"], year)
    say.line("10. Reporter Rita records trainings and measures, and asks for counts of people.")
    for period in (year, year - 1):
        wish = {"period": str(period), "tables": ["people-total"]}
        made = world.call("POST", "/v1/releases", wish, who["rita"])
        said = "made, seen by nobody" if made.status == 201 else f"refused, {made.body['code']}"
        say.line(f"   {period}: {made.status} {said}.")
    at = f"/v1/releases/{made.body['id']}"
    file = f"{at}/files/people-total.csv"
    early = world.call("GET", file, token=who["rita"]).status
    votes = [
        world.call("POST", f"{at}/reviews", {"approve": True}, who[login]).body["approved"]
        for login in ("sam", "dora")
    ]
    done = world.call("POST", f"{at}/publication", {}, who["rita"]).body
    say.line(f"   Rita looks before the reviews: {early}. Sam and Dora approve ({votes[-1]} of 2):")
    say.line(f"   {done['stage']}, signed; noise was drawn once, and that budget is spent.")
    report = world.call("GET", f"/v1/indicators/{year}", token=who["rita"]).body
    trained = report["trained"]
    counts = [sum(one["count"] for one in report[name]) for name in _COUNTED]
    part = f"{trained['people_trained']} of {trained['staff_total']}"
    say.line(
        f"   Pledge report {year}: (1) {part} trained, {trained['percent']} %; (2) {counts[0]} and"
    )
    say.line(
        f"   (3) {counts[1]} measures, (4) {counts[2]} acts of cooperation. casevault report pledge"
    )
    for name in ("trained_by_region", *_COUNTED):
        say.detail("counts", f"{name}: {report[name]}")
    (last,) = world.call("GET", f"/v1/indicators/{year - 1}", token=who["rita"]).body["people"]
    say.detail("counts", f"{last['indicator']} {year - 1}: {last['rows']} {last['method']}")


def _register(world: World, rita: str, year: int) -> None:
    for region, branch, staff, trained in _BRANCHES:
        content = {
            "region": region,
            "branch": branch,
            "held_on": f"{year}-01-20",
            "staff_total": staff,
            "people_trained": trained,
        }
        world.ok("POST", "/v1/register", {"kind": "training", "content": content}, rita)
    for indicator, programme, measure in _MEASURES:
        content = {
            "indicator": indicator,
            "programme": programme,
            "type": measure,
            "started": f"{year}-01",
            "status": "running",
        }
        world.ok("POST", "/v1/register", {"kind": "measure", "content": content}, rita)
