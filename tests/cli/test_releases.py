"""`casevault release` on a vault: made, reviewed, published, checked offline, withdrawn."""

from __future__ import annotations

import json

import pytest

from casevault.cli.app import app
from casevault.cli.log.ledger import verifier_key
from casevault.crypto.principals import is_raw_signature
from casevault.disclosure.checking import misfits
from casevault.errors import Tampered
from casevault.store.counting import release_files
from tests.api.world import REPORTER

# Every byte was tried once; the gate tries one of so many.
STEP = 61


@pytest.fixture
def run(sqlite_world, config_of, runner):
    """Run a command as somebody."""
    world = sqlite_world
    config = config_of(world)
    config.write_text(config.read_text() + "declared_people = 20_000\n")

    def go(login, verb, *more):
        world.token(login)
        given = ["release", verb, *more, "--config", str(config), "--login", login]
        return runner.invoke(app, given, input=world.typed(login))

    return go


def test_an_import_is_asked_to_count_by_a_command(sqlite_world, run):
    """Both days or none; without days it lists what counts."""
    now = sqlite_world.clock.now().date()
    days = ("--taken-on", "2020-02-03", "--as-accepted", now.isoformat())
    asked = run(REPORTER, "count-import", *days, "--json")
    assert asked.exit_code == 0, asked.output
    waiting = sqlite_world.get("/v1/approvals", "dora").json()["items"]
    (wish,) = [one for one in waiting if one["parameters"].get("taken_on") == "2020-02-03"]
    assert wish["id"] in asked.stderr
    decide = f"/v1/approvals/{wish['id']}/decision"
    assert sqlite_world.post(decide, "dora", {"approve": True}).status_code == 200
    found = json.loads(run(REPORTER, "count-import", "--json").stdout)
    assert ("2020-02-03", now.isoformat()) in {(o["taken_on"], o["accepted_on"]) for o in found}
    assert run(REPORTER, "count-import", *days[:2]).exit_code == 2


def test_from_the_command_to_the_reader(sqlite_world, run, runner, tmp_path):
    """Every step by its command; a changed file, another root and a foreign line are found."""
    world, folder = sqlite_world, tmp_path / "out"
    wish = ("--period", "2000-Q1", "--tables", "people-total", "--yes", "--json")
    odd = run(REPORTER, "make", "--period", "²⁰⁰⁰-Q1", "--yes")
    assert odd.exception.code == "period", "digits that are no number"
    made = run(REPORTER, "make", *wish)
    assert made.exit_code == 0, made.output
    (release,) = json.loads(made.stdout)
    assert run(REPORTER, "make", *wish).exit_code == 1, "not twice"
    at = f"/v1/releases/{release['id']}"
    assert world.post(at + "/reviews", "sue", {"approve": True}).status_code == 200
    reviewed = run("dora", "review", release["id"])
    assert reviewed.exit_code == 0, reviewed.output
    assert "2 of 2" in reviewed.stdout
    published = run(REPORTER, "publish", release["id"])
    assert published.exit_code == 0, published.output
    shown = run(REPORTER, "show", release["id"], "--out", str(folder))
    assert shown.exit_code == 0, shown.output
    assert sorted(one.name for one in folder.iterdir()) == [
        "people-total.csv",
        "people-total.csv-metadata.json",
        "release.json",
    ]
    root = world.settings.root_fingerprint
    key = world.vault.checkpoints.verifier_key.encode()

    def check(*more, pin=root):
        given = ["release", "verify", str(folder / "release.json"), "--root", pin, *more]
        return runner.invoke(app, given)

    good = check("--key", key)
    assert good.exit_code == 0, good.output
    assert "The log has its line" in good.stderr
    assert "rho 1/50 (reserved)" in good.stderr
    # Exit code 4 comes from `main`; here the error is what counts.
    assert type(check(pin="0" * 64).exception).__name__ == "Tampered"
    proof = folder / "release.json"
    kept = proof.read_text()
    for spoilt in (kept.replace("people-total", "people-tota1"), "{}", "[]", kept[:-20], "no"):
        proof.write_text(spoilt)
        assert type(check().exception).__name__ == "Tampered", spoilt[:40]
    data = json.loads(kept)
    data["ledger"]["body"] = data["ledger"]["body"].replace("rho:1/50", "rho:1/90")
    proof.write_bytes(release_files.encoded(data))
    assert type(check("--key", key).exception).__name__ == "Tampered"
    # Not one byte of it can be another, wherever it stands.
    log = (verifier_key(key).name, verifier_key(key).public, is_raw_signature)
    for place in range(0, len(kept), STEP):
        other = "x" if kept[place] != "x" else "y"
        proof.write_text(kept[:place] + other + kept[place + 1 :])
        with pytest.raises(Tampered):
            release_files.verify(proof, root, log[:2], log[2])
    proof.write_text(kept)
    table = folder / "people-total.csv"
    table.write_bytes(table.read_bytes().replace(b"2000-01-01", b"2000-01-02"))
    assert type(check().exception).__name__ == "Tampered"
    gone = run("dora", "withdraw", release["id"], "--reason", "error", "--yes")
    assert gone.exit_code == 0, gone.output
    listed = run("ada", "list", "--json")
    assert {one["id"]: one["stage"] for one in json.loads(listed.stdout)}[release["id"]] == (
        "withdrawn"
    )


@pytest.mark.parametrize(
    ("cells", "wrong"),
    [
        ({("_T", "_T"): 30, ("_T", "a"): 20, ("_T", "b"): 10}, []),
        ({("_T", "_T"): 30, ("_T", "a"): 20, ("_T", "b"): None}, []),
        ({("_T", "_T"): None, ("_T", "a"): 20, ("_T", "b"): 11}, []),
        ({("_T", "_T"): 30, ("_T", "a"): 20, ("_T", "b"): 11}, [("_T", "_T")]),
        ({("_T", "_T"): 30, ("_T", "a"): 31, ("_T", "b"): None}, [("_T", "_T")]),
        ({("_T", "_T"): 30, ("_T", "a"): 19, ("_T", "b"): 10}, [("_T", "_T")]),
    ],
)
def test_sums_of_a_published_table(cells, wrong):
    """What is shown adds up; what is withheld leaves room."""
    assert misfits(cells) == wrong
