"""`casevault demo`: the story and the attacks, as anybody sees them in the first minute."""

from __future__ import annotations

import pytest

from tests.cli.processes import casevault


@pytest.mark.slow
def test_the_demo_tells_its_story_and_every_attack_fails():
    """Exit code 0, at most 80 lines, PASS and no FAIL, and the honest answer at the end."""
    done = casevault("demo")
    lines = done.out.splitlines()
    assert done.code == 0, done.out + done.err
    assert len(lines) <= 80
    assert sum("PASS" in line for line in lines) >= 4
    assert not any("FAIL" in line for line in lines)
    assert any("Ada: id-probing" in line for line in lines)
    assert not any("NOT FOUND" in line for line in lines)
    assert any("referral-stops, read-referral-stays; the link: 404" in line for line in lines)
    assert any("Who could read this survivor's phone number?" in line for line in lines)
    assert any("root on the live server: yes" in line for line in lines)
    assert any("says where it was taken: True; as it is kept: False" in x for x in lines)
    assert any("published, signed" in line for line in lines)
    assert any("Pledge report" in line for line in lines)
    assert any("wants to be forgotten: 404" in line for line in lines)
    assert any("export and public keys: holds." in line for line in lines)
    assert "Traceback" not in done.err


def test_an_unknown_step_is_a_usage_error(runner):
    """With the steps that there are."""
    from casevault.cli.app import app

    done = runner.invoke(app, ["demo", "--step", "nothing"])
    assert done.exit_code == 2
    assert "ceremony" in done.stderr
