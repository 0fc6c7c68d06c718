"""`casevault search`: cards made anew by somebody who signs in; sharing only where it is on."""

from __future__ import annotations

from casevault.cli.app import app
from tests.api.world import an_identity


def test_a_supervisor_rebuilds_the_cards_of_a_team(world, config_of, runner):
    """Every case of the team is written, nothing is printed of anybody, and it is on the ledger."""
    world.open("cara", an_identity("Philomena Rebuildable"))
    login = world.person(roles=("supervisor",), by="sue")
    typed = f"{login}\n{world.typed(login)}"
    result = runner.invoke(
        app, ["search", "rebuild", "--config", str(config_of(world))], input=typed
    )
    assert result.exit_code in (0, 3), result.output
    assert "Cards written:" in result.stderr
    assert "Philomena" not in result.output
    assert world.entries(code="search.rebuild")[0]["rule"] == "permit:team"


def test_sharing_is_refused_where_it_is_off(world, config_of, runner):
    """With a sentence that names the setting."""
    login = world.person(roles=("supervisor",), by="sue")
    typed = f"{login}\n{world.typed(login)}"
    result = runner.invoke(app, ["search", "share", "--config", str(config_of(world))], input=typed)
    assert result.exit_code != 0
    assert "search_organisation_wide" in str(result.exception or result.output)
