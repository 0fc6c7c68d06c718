"""`casevault register`: records as tables."""

from __future__ import annotations

from casevault.cli.app import app
from tests.api.world import REPORTER

HEAD = "region,branch,held_on,staff_total,people_trained\n"


def run(world, config_of, runner, verb, *more):
    """Run a command as the reporter."""
    world.token(REPORTER)
    given = ["register", verb, *more, "--kind", "training"]
    given += ["--config", str(config_of(world)), "--login", REPORTER]
    return runner.invoke(app, given, input=world.typed(REPORTER))


def test_a_table_goes_in_and_out_again(sqlite_world, config_of, runner, tmp_path):
    """Faulty lines are named and the others kept; a line with an id is the next version."""
    world, table = sqlite_world, tmp_path / "training.csv"
    good = "Made-Up Table,Made-Up Leg,2026-11-20,30,12\n"
    bad = "Made-Up Table,Made-Up Broken,2026-11-20,30,31\n"
    table.write_text(HEAD + good + bad)
    taken = run(world, config_of, runner, "import", str(table))
    assert taken.exit_code == 3, taken.output
    assert "Added 1, changed 0, refused 1." in taken.stderr
    assert "line 3: /people_trained register.more-than-all" in taken.stderr
    assert "Broken" not in taken.output
    out = run(world, config_of, runner, "export")
    assert out.exit_code == 0, out.output
    (line,) = [one for one in out.stdout.splitlines() if "Made-Up Leg" in one]
    head = next(one for one in out.stdout.splitlines() if one.startswith("id,"))
    table.write_text(head + "\n" + line.replace(",12,", ",13,") + "\n")
    again = run(world, config_of, runner, "import", str(table))
    assert again.exit_code == 0, again.output
    assert "Added 0, changed 1, refused 0." in again.stderr
    entry_id = line.partition(",")[0]
    versions = world.get(f"/v1/register/{entry_id}/history", REPORTER).json()["items"]
    assert [one["content"]["people_trained"] for one in versions] == [12, 13]
