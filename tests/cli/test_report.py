"""`casevault report pledge`: pages in four languages, charts and one table of all numbers."""

from __future__ import annotations

import pytest

from casevault.cli.app import app
from tests.api.world import REPORTER
from tests.unit.disclosure.test_report import FILES


def run(world, config_of, runner, *more):
    """Run the command as the reporter."""
    world.token(REPORTER)
    given = ["report", "pledge", "--config", str(config_of(world)), "--login", REPORTER, *more]
    return runner.invoke(app, given, input=world.typed(REPORTER))


def test_the_report_of_a_period_is_written(sqlite_world, config_of, runner, tmp_path):
    """From the register and from a released file; without one it says that there is none."""
    release = tmp_path / "people-total.csv"
    release.write_text(FILES["people-total"])
    out = tmp_path / "report"
    done = run(
        sqlite_world, config_of, runner,
        "--period", "2025", "--out", str(out), "--release", str(release),
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    names = {path.name for path in out.iterdir()}
    assert {f"casevault-report-2025.{lang}.html" for lang in ("en", "fr", "es", "ar")} <= names
    assert "people-total" in (out / "casevault-report-2025.csv").read_text()
    again = run(
        sqlite_world, config_of, runner, "--period", "2024", "--lang", "fr", "--out", str(out)
    )
    assert again.exit_code == 0, again.output
    assert "No counts of people were published" in again.stderr
    assert (out / "casevault-report-2024.fr.html").exists()
    assert not (out / "casevault-report-2024.en.html").exists()


@pytest.mark.parametrize("more", [("--period", "26"), ("--period", "2025", "--lang", "de")])
def test_a_wrong_period_or_language_writes_nothing(sqlite_world, config_of, runner, tmp_path, more):
    """The error says what there is."""
    out = tmp_path / "report"
    done = run(sqlite_world, config_of, runner, "--out", str(out), *more)
    assert done.exit_code in {1, 2}
    assert not out.exists()


def test_a_released_file_is_converted_without_a_vault(runner, tmp_path):
    """The file is read as it is; DHIS2 needs its ids."""
    file = tmp_path / "people-means.csv"
    file.write_bytes(FILES["people-means"].encode())
    for form, sign in (("sdmx", "CONF_STATUS"), ("ctdc", "meansThreats"), ("hxl", "#group+means")):
        done = runner.invoke(app, ["report", "convert", str(file), "--to", form])
        assert done.exit_code == 0, done.output
        assert sign in done.stdout
    assert runner.invoke(app, ["report", "convert", str(file), "--to", "dhis2"]).exit_code == 2
    ids = tmp_path / "ids.json"
    ids.write_text('{"data_elements": {"people-means": "MadeUpElem1"}, "org_units": {}}')
    given = ["report", "convert", str(file), "--to", "dhis2", "--mapping", str(ids)]
    done = runner.invoke(app, given)
    assert done.exit_code == 0, done.output
    assert "without an id" in done.stderr
