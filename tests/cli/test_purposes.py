"""Purposes as a setting: a list in the file or the environment; a wrong one is refused."""

from __future__ import annotations

import pytest

from casevault.cli.app import app
from casevault.config import load_settings
from casevault.errors import Misconfigured


def a_file(tmp_path, text):
    """Write a configuration file."""
    path = tmp_path / "casevault.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("text", "environ", "purposes"),
    [
        ("", {}, ()),
        ('purposes = ["disability"]', {}, ("disability",)),
        ("", {"CASEVAULT_PURPOSES": "disability"}, ("disability",)),
        ('purposes = ["disability"]', {"CASEVAULT_PURPOSES": ""}, ()),
    ],
)
def test_purposes_come_from_file_or_environment(tmp_path, text, environ, purposes):
    """None by default; the environment wins."""
    assert load_settings(a_file(tmp_path, text), environ).purposes == purposes


def test_an_unknown_purpose_is_refused(tmp_path, runner):
    """`config check` says which purposes there are, and does not repeat what was typed."""
    path = a_file(tmp_path, 'purposes = ["dissability"]')
    result = runner.invoke(app, ["config", "check", "--config", str(path)])
    assert isinstance(result.exception, Misconfigured)
    assert result.exception.code == "config.purposes"
    assert "There are: disability." in result.exception.detail
    assert "dissability" not in result.exception.detail


def test_a_known_purpose_is_shown(tmp_path, runner):
    """`config check` prints it among the settings."""
    path = a_file(tmp_path, 'purposes = ["disability"]')
    result = runner.invoke(app, ["config", "check", "--config", str(path)])
    assert result.exit_code == 0, result.output
    assert "purposes\t('disability',)" in result.stdout


def test_a_list_is_needed(tmp_path):
    """A text where a list belongs is refused with what to write."""
    with pytest.raises(Misconfigured) as caught:
        load_settings(a_file(tmp_path, 'purposes = "disability"'), {})
    assert 'purposes = ["disability"]' in caught.value.detail
