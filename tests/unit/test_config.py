"""Settings: what each may be, who may set it, and that nothing secret comes back out."""

from __future__ import annotations

import re
import types
import typing
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import ValidationError

from casevault import config
from casevault.config import FILE_ONLY, Settings, describe, load_settings, without_password
from casevault.config.hints import WHAT_TO_DO
from casevault.errors import Misconfigured

MARKER = "zq7-made-up-secret"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is to be refused
PIN = "0123456789abcdef" * 4
# Setting → what it may be at its bounds, and what it may not be.
TAKEN: dict[str, tuple[tuple[object, ...], tuple[object, ...]]] = {
    "organisation_id": (("8f9c1f3e-6f56-4a8e-9a44-0d7e9e0a1b2c",), ("", "nobody", 7)),
    "organisation_name": (("", "o" * 120), ("o" * 121, 7)),
    "root_fingerprint": ((PIN,), ("", PIN[1:], PIN + "0", PIN.upper(), "g" + PIN[1:], PIN + "\n")),
    "unfinished": (("6b1e6f20-1808-41de-8cc9-6a1e4158bf8d",), ("", "yes", True)),
    "kdf_profile": (("standard", "small"), ("", "Small", "none", 1)),
    "epochs_kept": ((0, 3), (-1, 4, "many")),
    "backups_promised_days": ((0, 3_650), (-1, 3_651, "long")),
    "ledger_origin": (
        ("a/b", "example.org/casevault/2026a", "a/" + "b" * 118),
        ("", "example.org", "/a", "a/", "a b/c", "a/b\n", "a+b/c", "A/b", "a/" + "b" * 119),
    ),
    "data_url": (
        ("sqlite:///elsewhere/data.db", "postgresql+psycopg://u@h/data"),
        ("", "sqlite://", "postgresql://u@h/data", "mysql://u@h/data", "data.db", 7),
    ),
    "keyring_url": (
        ("sqlite:///elsewhere/k.db", "postgresql+psycopg://u@h/keyring"),
        ("", "sqlite://", "postgresql+asyncpg://u@h/keyring", "k.db", 7),
    ),
    "data_migrator_url": (("postgresql+psycopg://m@h/data",), ("", "postgresql://m@h/data")),
    "keyring_migrator_url": (("postgresql+psycopg://m@h/keyring",), ("", "http://m@h/keyring")),
    "keys_dir": (("roots", "/srv/roots"), ("var", "keyring", "var/keys", ".", "x/../var/keys")),
    "runtime_dir": (("/run/casevault", "run"), ()),
    "second_medium": (("/media/usb/casevault", "medium"), ("var", "keyring/x", "keys", ".")),
    "pkcs11_module": (("/usr/lib/softhsm/libsofthsm2.so",), ()),
    "pkcs11_label": (("casevault", "l" * 32), ("l" * 33, 7)),
    "unlock_file": (("/run/casevault/unlock", "x/unlock"), ("keys/u", "var/u", "keyring/u")),
    "backup_dir": (("/media/backups", "backups"), ("var", "keyring/x", "keys/y", ".")),
    "postgres_programs": (("/usr/lib/postgresql/18/bin",), ()),
    "scratch_url": (("postgresql+psycopg://m@h/postgres",), ("", "http://m@h/postgres")),
    "machine_backups": (([], ["/home", "/srv"]), ("/home", [7])),
    "host": (("127.0.0.1", "::1", "localhost"), (EVERYWHERE, "::", "192.0.2.1", "example.org", "")),
    "port": ((1, 65_535), (0, 65_536, "http")),
    "workers": ((1, 64), (0, 65)),
    "threads": ((1, 64), (0, 65)),
    "behind_proxy": ((True, False), ("perhaps", 7)),
    "trusted_hosts": (
        (["vault.example.org", "*.example.org", "127.0.0.1", "::1", "[::1]"],),
        ([], [""], ["*"], ["vault.example.org", "*"], ["a*b"], ["a b"], ["https://a"], "a", [7]),
    ),
    "body_limit": ((1 << 16, 1 << 24), ((1 << 16) - 1, (1 << 24) + 1)),
    "case_files_mib": ((32, 8192), (31, 8193)),
    "idle_minutes": ((1, 15), (0, 16)),
    "absolute_hours": ((1, 10), (0, 11)),
    "argon2_concurrency": ((1, 16), (0, 17)),
    "minimum_assurance": (("passphrase", "second_factor"), ("", "none")),
    "closing_needs_approval": ((True, False), ("perhaps",)),
    "referrals_need_approval": ((True, False), ("perhaps",)),
    "country": (("", "FR"), ("fr", "FRA", "F1")),
    "exchange_address": (
        ("", "https://vault.example.org:8443", "http://127.0.0.1:8000"),
        ("vault.example.org", "http://vault.example.org", "https://a/b", "https://u:p@a", 7),
    ),
    "exchange_authorities": (("/etc/ssl/partners.pem", "partners.pem"), ()),
    "exchange_plain_loopback": ((True, False), ("perhaps",)),
    "break_glass_closed": ((True, False), ("perhaps",)),
    "ledger_spool": (("/srv/spool", "spool"), ("keys", "keys/spool", ".")),
    "audit_years": ((1, 10), (0, 31)),
    "leaf_years": ((6, 100), (0, 101)),
    "watched_disk": (("/srv/postgresql", "disk"), ()),
    "ledger_keys": (([], ["a"]), ("key", [7], ["a"] * 3)),
    "search_full_phones": ((True, False), ("perhaps",)),
    "search_papers": ((True, False), ("perhaps",)),
    "search_regions": (([], ["GB", "FR"]), (["gb"], ["GBR"], "GB")),
    "search_organisation_wide": ((True, False), ("perhaps",)),
    "declared_people": ((0, 100_000_000), (-1, "many")),
    "team_regions": (({}, {"Harbour": "North"}), ([], "North", {"Harbour": 7})),
    "search_per_hour": ((5, 500), (4, 501)),
    "search_processes": ((0, 16), (-1, 17)),
    "notify_command": (([], ["/usr/local/bin/call"]), ("/bin/call", [7], ["a"] * 17)),
    "time_zone": (
        ("UTC", "Africa/Nairobi"),
        ("", "Nowhere/Town", "../etc/passwd", "/etc/passwd", "America", "right/UTC", "zone.tab", 7),
    ),
    "watch_minutes": ((1, 60), (0, 61)),
    # Which limits there are is known to the rules, which start-up asks.
    "alert_limits": (({}, {"probes": 7}), ([], "probes", {"probes": "many"})),
    # Which purposes there are is known to the dictionary, which start-up asks.
    "purposes": (([], ["disability"]), ("disability", [7])),
    "log_level": (("debug", "info", "warning", "error"), ("trace", "INFO", "")),
}
PATHS = {
    "keys_dir",
    "runtime_dir",
    "second_medium",
    "ledger_spool",
    "watched_disk",
    "unlock_file",
    "pkcs11_module",
    "backup_dir",
    "postgres_programs",
    "exchange_authorities",
}
GOOD = [(name, value) for name, (good, _) in TAKEN.items() for value in good]
BAD = [(name, value) for name, (_, bad) in TAKEN.items() for value in bad]


def toml(value: object) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return repr(value) if isinstance(value, int) else '"' + str(value).replace("\n", "\\n") + '"'


def written(folder: Path, mode: int = 0o600, **values: object) -> Path:
    """Write a configuration file."""
    path = folder / "casevault.toml"
    path.write_text("".join(f"{name} = {toml(value)}\n" for name, value in values.items()))
    path.chmod(mode)
    return path


def refusal(path: Path | None, environ: dict[str, str] | None = None) -> str:
    """Return the sentence with which these settings are refused."""
    with pytest.raises(Misconfigured) as caught:
        load_settings(path, environ or {})
    assert caught.value.code == "config.refused"
    assert caught.value.__cause__ is None
    return caught.value.detail


def test_every_setting_is_tried():
    """A new setting needs its bounds in the table above."""
    assert set(TAKEN) == set(Settings.model_fields)


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_a_value_at_its_bounds_is_taken(tmp_path, name, value):
    """The last good value on each side works, from a file."""
    settings = load_settings(written(tmp_path, **{name: value}), {})
    shown = getattr(settings, name)
    if name in PATHS:
        assert shown == tmp_path / str(value)
    elif str(value).startswith("sqlite:///"):
        assert shown == f"sqlite:///{tmp_path}/{str(value).removeprefix('sqlite:///')}"
    else:
        assert shown == {"organisation_id": UUID}.get(name, type(shown))(value)


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_value_past_its_bounds_is_refused_by_name(tmp_path, name, value):
    """The sentence names the setting and says what to do."""
    found = refusal(written(tmp_path, **{name: value}))
    assert name in found
    sentence = found[found.index(name) :]
    assert re.search(r"[Cc]hoose|Give|List|Use|Put|must begin|looks like|lists", sentence), found


@pytest.mark.parametrize("name", sorted(PATHS))
def test_what_is_no_path_is_refused(tmp_path, name):
    """`second_medium = true` is no folder of that name, and nothing at all is no folder either."""
    for value in ("", " ", 7, True, ["x"]):
        assert f"{name} is not a value that can be used. Name" in refusal(
            written(tmp_path, **{name: value})
        )


def test_every_setting_has_a_sentence_that_says_what_to_do():
    """Whatever is wrong with it."""
    assert set(WHAT_TO_DO) == set(Settings.model_fields)


@pytest.mark.parametrize("name", sorted(set(TAKEN) - PATHS))
def test_a_refusal_does_not_echo_the_value(tmp_path, name):
    """What was mistaken for another setting could be a password."""
    spoilt = f"{MARKER} " * 20
    assert MARKER not in refusal(written(tmp_path, **{name: spoilt}))


@pytest.mark.parametrize("name", sorted(set(TAKEN) - FILE_ONLY - {"trusted_hosts", "purposes"}))
def test_the_environment_wins_over_the_file(tmp_path, name):
    """Where it may set something, and with the same bounds."""
    good, bad = TAKEN[name]
    path = written(tmp_path, **{name: good[-1]})
    variable = "CASEVAULT_" + name.upper()
    load_settings(path, {variable: str(good[0])})
    for value in bad:
        assert name in refusal(path, {variable: str(value)})


def test_trusted_hosts_come_from_the_environment_as_a_list():
    """Names are separated by commas; a star is refused there too."""
    names = {"CASEVAULT_TRUSTED_HOSTS": "a.example.org,b.example.org"}
    assert load_settings(None, names).trusted_hosts == ("a.example.org", "b.example.org")
    assert "trusted_hosts" in refusal(None, {"CASEVAULT_TRUSTED_HOSTS": "a.example.org,*"})


@pytest.mark.parametrize("name", sorted(FILE_ONLY))
def test_what_decides_who_is_believed_comes_from_the_file_only(tmp_path, name):
    """Whoever can set a variable of the service cannot weaken it."""
    found = refusal(written(tmp_path), {"CASEVAULT_" + name.upper(): str(TAKEN[name][0][0])})
    assert name in found
    assert "file only" in found


def test_the_file_only_settings_are_those_of_the_design():
    """Root fingerprint, KDF profile, epochs and origin, with the organisation they belong to."""
    assert {"root_fingerprint", "kdf_profile", "epochs_kept", "ledger_origin"} <= FILE_ONLY
    assert set(Settings.model_fields) >= FILE_ONLY


@pytest.mark.parametrize("variable", ["CASEVAULT_IDLE_MINUTE", "CASEVAULT_", f"CASEVAULT_{MARKER}"])
def test_a_misspelt_variable_is_refused(variable):
    """A typo in a security setting must not leave the default in its place."""
    found = refusal(None, {variable: MARKER})
    assert "spelling" in found
    assert MARKER not in found


def test_a_misspelt_setting_in_the_file_is_refused(tmp_path):
    """The same in the file, where a table is no setting either."""
    assert "spelling" in refusal(written(tmp_path, idle_minute=5))
    path = written(tmp_path)
    path.write_text("[service]\nidle_minutes = 5\n")
    assert "spelling" in refusal(path)


def test_foreign_variables_do_not_matter():
    """Other programs' variables and those of our tests are not settings."""
    environ = {"PATH": "/bin", "MY_CASEVAULT_PORT": "7", "CASEVAULT_TEST_PG_URL": "x"}
    assert load_settings(None, environ).port == 8000


def test_all_problems_are_named_at_once(tmp_path):
    """Nobody corrects one value only to learn of the next."""
    path = written(tmp_path, 0o666, idle_minutes=99, port=0, nonsense=1)
    found = refusal(path, {"CASEVAULT_KDF_PROFILE": "small"})
    for word in ("idle_minutes", "port", "spelling", "chmod", "kdf_profile"):
        assert word in found


def test_unsafe_combinations_are_named_at_once(tmp_path):
    """What each value allows alone is refused together."""
    same = "postgresql+psycopg://u@h/one"
    found = refusal(written(tmp_path, data_url=same, keyring_url=same, host=EVERYWHERE))
    assert "same database" in found
    assert "behind_proxy" in found


def test_a_proxy_makes_another_address_possible(tmp_path):
    """TLS ends at the proxy, which somebody has to declare."""
    settings = load_settings(written(tmp_path, host=EVERYWHERE, behind_proxy=True), {})
    assert settings.host == EVERYWHERE


@pytest.mark.parametrize(
    ("data", "keyring"),
    [("one/data.db", "one/keyring.db"), ("one/data.db", "x/../one/keyring.db")],
)
def test_two_stores_do_not_share_a_folder(tmp_path, data, keyring):
    """However the folder is spelt, an old backup of it would hold both."""
    path = written(tmp_path, data_url="sqlite:///" + data, keyring_url="sqlite:///" + keyring)
    assert "one folder" in refusal(path)


def test_a_link_is_another_spelling_of_its_folder(tmp_path):
    """A keys folder that is a link into the data folder is refused."""
    (tmp_path / "var" / "keys").mkdir(parents=True)
    (tmp_path / "keys").symlink_to(tmp_path / "var" / "keys")
    assert "keys_dir" in refusal(written(tmp_path))


def test_stores_on_a_server_need_no_folders(tmp_path):
    """Only files lie in folders."""
    path = written(
        tmp_path,
        data_url="postgresql+psycopg://u@h/data",
        keyring_url="postgresql+psycopg://u@h/keyring",
        keys_dir="var",
    )
    assert load_settings(path, {}).keys_dir == tmp_path / "var"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_refused(tmp_path, mode):
    """Whoever writes it could pin another root."""
    assert "chmod go-w" in refusal(written(tmp_path, mode))


def test_a_password_needs_a_file_that_others_cannot_read(tmp_path):
    """A file without one may be read; the group may read both, as packages set it up."""
    secret = {"data_url": f"postgresql+psycopg://u:{MARKER}@h/data"}
    found = refusal(written(tmp_path, 0o644, **secret))
    assert "chmod o-r" in found
    assert MARKER not in found
    load_settings(written(tmp_path, 0o640, **secret), {})
    load_settings(written(tmp_path, 0o644, port=8001), {})


def test_a_file_that_was_named_must_be_there(tmp_path):
    """By option or by variable; without either there are the defaults."""
    missing = tmp_path / "missing.toml"
    assert "no configuration file" in refusal(missing)
    assert "no configuration file" in refusal(None, {"CASEVAULT_CONFIG": str(missing)})
    assert str(tmp_path) not in refusal(missing)


def test_the_variable_names_the_file(tmp_path):
    """CASEVAULT_CONFIG is read where no option is given; the option wins."""
    path = written(tmp_path, port=8123)
    assert load_settings(None, {"CASEVAULT_CONFIG": str(path)}).port == 8123
    assert load_settings(path, {"CASEVAULT_CONFIG": "/nowhere"}).port == 8123


@pytest.mark.parametrize(
    "content", [MARKER.encode() + b" = [", b"\xff\xfe", b'data_url = "' + MARKER.encode()]
)
def test_a_file_that_is_not_toml_is_refused(tmp_path, content):
    """Without repeating any of it."""
    path = written(tmp_path)
    path.write_bytes(content)
    found = refusal(path)
    assert "TOML" in found
    assert MARKER not in found


def test_a_folder_is_not_a_file(tmp_path):
    """An unreadable place is a sentence, not a crash."""
    assert "TOML" in refusal(tmp_path)


def test_settings_are_frozen(tmp_path):
    """Nothing changes a setting after start-up."""
    settings = load_settings(written(tmp_path), {})
    for name in Settings.model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(settings, name, getattr(settings, name))


def test_no_setting_is_a_secret_by_default():
    """A default secret is one that everybody has: every default is public, none is random."""
    first, second = Settings(), Settings()
    assert first == second
    assert first.root_fingerprint is None
    for name, field in Settings.model_fields.items():
        assert not re.search(r"secret|passphrase|password|token|pepper|key$", name), name
        assert bytes not in _kinds(field.annotation), name


def _kinds(annotation: object) -> set[object]:
    if isinstance(annotation, types.UnionType):
        return set(typing.get_args(annotation))
    return {annotation}


def test_the_defaults_are_the_strict_ones():
    """Whoever configures nothing serves loopback only, with two stores and the strong profile."""
    settings = load_settings(None, {})
    assert settings.host == "127.0.0.1"
    assert settings.kdf_profile == "standard"
    assert settings.closing_needs_approval is True
    assert (settings.idle_minutes, settings.absolute_hours) == (15, 10)
    assert settings.data_url != settings.keyring_url


URLS = [
    "postgresql+psycopg://{user}:{secret}@db.example.org:5432/data",
    "postgresql+psycopg://:{secret}@[2001:db8::1]:5432/data",
    "postgresql+psycopg://u:{secret}@not-escaped@h/data",
    "postgresql+psycopg://u:{secret}/slash@h:port/data",
    "postgresql+psycopg:///data?host=/run/pg&password={secret}&connect_timeout=2",
    "postgresql+psycopg:///data?sslpassword={secret}",
    "sqlite:////var/lib/a:{secret}@b.db",
]


@pytest.mark.parametrize("url", URLS[:-1])
def test_a_password_never_comes_out(tmp_path, url):
    """Not in the table of settings, not in a repr, wherever it stands in the address."""
    found = url.format(user="u", secret=MARKER)
    assert MARKER not in without_password(found)
    assert "…" in without_password(found)
    settings = load_settings(written(tmp_path, data_url=found, data_migrator_url=found), {})
    assert MARKER not in repr(settings) + str(settings)
    assert MARKER not in str(describe(settings))
    assert settings.data_url == found


def test_an_address_without_password_is_shown_as_it_is():
    """Nothing is lost that the operator needs to see."""
    for url in (
        "sqlite:////var/lib/casevault.db",
        "postgresql+psycopg://u@db.example.org:5432/data?host=/run/postgresql",
        URLS[-1],
    ):
        assert without_password(url) == url


def test_every_setting_is_described():
    """`config check` leaves nothing out."""
    assert [name for name, _ in describe(Settings())] == list(Settings.model_fields)


def test_the_runtime_folder_is_in_memory(monkeypatch):
    """By default the boot secret goes where a power cut takes it away."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert Settings().runtime_dir == Path("/run/user/7/casevault")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert str(Settings().runtime_dir).startswith("/dev/shm/casevault-")  # noqa: S108 - memory


def test_a_planted_leak_is_found(monkeypatch):
    """The tests above can fail: without the substitution the password is in the table."""
    monkeypatch.setattr(config, "_PASSWORD", re.compile(r"(never)"))
    assert MARKER in without_password(URLS[0].format(user="u", secret=MARKER))
