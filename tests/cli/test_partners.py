"""`casevault partners`: the directory as a table."""

from __future__ import annotations

from casevault.cli.app import app

HEAD = "name,type,country,areas,services,verified_on\n"


def run(world, config_of, runner, verb, *more):
    """Run a command as the supervisor."""
    given = ["partners", verb, *more, "--config", str(config_of(world)), "--login", "sue"]
    return runner.invoke(app, given, input=world.typed("sue"))


def test_a_table_goes_in_and_out_again(sqlite_world, config_of, runner, tmp_path):
    """Faulty lines are named and the others kept; a line with an id changes that entry."""
    world, table = sqlite_world, tmp_path / "partners.csv"
    good = "Made-Up Table House,NGO,IT,Tableland,safehouse;food,2026-11-20\n"
    bad = "Made-Up Broken House,NGO,IT,Tableland,nonsense,2026-11-20\n"
    table.write_text(HEAD + good + bad)
    taken = run(world, config_of, runner, "import", str(table))
    assert taken.exit_code == 3, taken.output
    assert "Added 1, changed 0, refused 1." in taken.stderr
    assert "line 3: /services/0 field.code" in taken.stderr
    assert "Broken" not in taken.output
    out = run(world, config_of, runner, "export")
    assert out.exit_code == 0, out.output
    (line,) = [one for one in out.stdout.splitlines() if "Made-Up Table House" in one]
    head = next(one for one in out.stdout.splitlines() if one.startswith("id,"))
    table.write_text(head + "\n" + line.replace("Tableland", "Tabletop") + "\n")
    again = run(world, config_of, runner, "import", str(table))
    assert again.exit_code == 0, again.output
    assert "Added 0, changed 1, refused 0." in again.stderr
    search = {"service": "food", "area": "tabletop"}
    found = world.get("/v1/pathways", "cara", params=search).json()["items"]
    assert [one["content"]["name"] for one in found] == ["Made-Up Table House"]


def test_a_file_that_is_no_table_changes_nothing(sqlite_world, config_of, runner, tmp_path):
    """Refused before anybody is asked for a passphrase."""
    strange = tmp_path / "strange.csv"
    strange.write_bytes(b"\xff\xfe\x00")
    result = runner.invoke(
        app, ["partners", "import", str(strange), "--config", str(config_of(sqlite_world))]
    )
    assert result.exit_code != 0
