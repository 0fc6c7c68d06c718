"""Settings: one frozen object from a TOML file and `CASEVAULT_*`, refused when unsafe.

What decides who is believed (root fingerprint, organisation, KDF profile, kept epochs, ledger
origin) is taken from the file only: whoever can set an environment variable of the service must
not be able to weaken it. There is no default secret, and no setting is one. A refusal says what to
do and never echoes a value that could hold a password.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from casevault.config.file_only import FILE_ONLY as FILE_ONLY
from casevault.config.hints import WHAT_TO_DO
from casevault.errors import Misconfigured

PREFIX = "CASEVAULT_"
CONFIG_VARIABLE = "CASEVAULT_CONFIG"
DEFAULT_FILE = "casevault.toml"
_URL_FIELDS = (
    "data_url",
    "keyring_url",
    "data_migrator_url",
    "keyring_migrator_url",
    "scratch_url",
)
_PATH_FIELDS = (
    "keys_dir",
    "runtime_dir",
    "second_medium",
    "ledger_spool",
    "watched_disk",
    "pkcs11_module",
    "unlock_file",
    "backup_dir",
    "postgres_programs",
    "exchange_authorities",
)
_LISTS = frozenset({"trusted_hosts", "purposes"})
_SQLITE = "sqlite:///"
_LOCAL_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
# Exactly what it means is `domain.sharing.exchanging`'s; without TLS this machine only.
_ADDRESS = r"^(https://[a-z0-9.:\[\]-]+|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?)$"
_ORIGIN = re.compile(r"[a-z0-9.-]+(/[A-Za-z0-9._-]+)+")
# Up to the last @, since people forget to escape the one in their password.
_PASSWORD = re.compile(r"^([\w+]+://[^:/@]*):.*@")
_PASSWORD_IN_QUERY = re.compile(r"([?&](?:ssl)?password=)[^&]*")
_TRUSTED_HOST = re.compile(r"(\*\.)?[A-Za-z0-9.:-]+|\[[0-9A-Fa-f:.]+\]")


def _runtime_dir() -> Path:
    base = os.environ.get("XDG_RUNTIME_DIR")
    return Path(base) / "casevault" if base else Path(f"/dev/shm/casevault-{os.getuid()}")  # noqa: S108


class Settings(BaseModel):
    """Everything that can be set. Paths are absolute or relative to the configuration file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    organisation_id: UUID | None = None
    organisation_name: str = Field(default="", max_length=120)
    root_fingerprint: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    # The keyring of a ceremony that nobody has ended: its shares may not be on paper yet.
    unfinished: UUID | None = None
    kdf_profile: Literal["standard", "small"] = "standard"
    epochs_kept: int = Field(default=1, ge=0, le=3)
    ledger_origin: str = Field(default="localhost/casevault/1", max_length=120)
    # Where another account or machine signs checkpoints, and with which keys; else this host does.
    ledger_spool: Path | None = None
    ledger_keys: tuple[str, ...] = Field(default=(), max_length=2)
    # A folder on the disk of a PostgreSQL server on this host; SQLite's own are watched anyway.
    watched_disk: Path | None = None
    # How long auditors can open what an entry of the log says, and how long its leaf is kept.
    audit_years: int = Field(default=6, ge=1, le=30)
    leaf_years: int = Field(default=10, ge=1, le=100)

    # An address may hold a password.
    data_url: str = Field(default="sqlite:///var/casevault.db", repr=False)
    keyring_url: str = Field(default="sqlite:///keyring/keyring.db", repr=False)
    data_migrator_url: str | None = Field(default=None, repr=False)
    keyring_migrator_url: str | None = Field(default=None, repr=False)
    keys_dir: Path = Path("keys")
    runtime_dir: Path = Field(default_factory=_runtime_dir)
    # A folder on another disk: every roll puts the capsule and the keyring backup there.
    second_medium: Path | None = None
    # For how long after it was made a backup of the data store must be restorable.
    backups_promised_days: int = Field(default=90, ge=0, le=3_650)
    # A hardware token that holds the root keys: the library that its maker ships, and its label.
    pkcs11_module: Path | None = None
    pkcs11_label: str = Field(default="", max_length=32)
    # A file in memory, or on a medium that is taken away, with the passphrase or PIN of the roots.
    unlock_file: Path | None = None
    # Where `db backup` puts backups of the data store, any number of them.
    backup_dir: Path | None = None
    # The folder of pg_dump and pg_restore, where they are not in the usual places.
    postgres_programs: Path | None = None
    # PostgreSQL: another server, by a database there, where `db backup` tries what it made.
    scratch_url: str | None = Field(default=None, repr=False)
    # Folders that other backups or snapshots of this machine take; `doctor` looks whether they
    # hold what must be in none.
    machine_backups: tuple[str, ...] = ()

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65_535)
    workers: int = Field(default=2, ge=1, le=64)
    threads: int = Field(default=16, ge=1, le=64)
    behind_proxy: bool = False
    trusted_hosts: tuple[str, ...] = ("localhost", "127.0.0.1")
    body_limit: int = Field(default=1 << 20, ge=1 << 16, le=1 << 24)
    # How much the attached files of one case may take, padding counted.
    case_files_mib: int = Field(default=256, ge=32, le=8192)
    idle_minutes: int = Field(default=15, ge=1, le=15)
    absolute_hours: int = Field(default=10, ge=1, le=10)
    argon2_concurrency: int = Field(default=2, ge=1, le=16)
    minimum_assurance: Literal["passphrase", "second_factor"] = "second_factor"
    # Closing a case waits for a supervisor other than the one who asked.
    closing_needs_approval: bool = True
    # A referral waits for a supervisor other than the one who wrote it.
    referrals_need_approval: bool = False
    # Where the organisation works (ISO 3166). Without it every partner counts as abroad, which
    # takes a consent of its own.
    country: Literal[""] | Annotated[str, Field(pattern="^[A-Z]{2}$")] = ""
    # Where other vaults reach this one (https://vault.example.org); empty: it has no card.
    exchange_address: Literal[""] | Annotated[str, Field(pattern=_ADDRESS, max_length=300)] = ""
    # Whose certificates count for the vaults of partners, instead of those that the system trusts.
    exchange_authorities: Path | None = None
    # Also without TLS, to this very machine: for tests and to try it out.
    exchange_plain_loopback: bool = False
    # In this programme nobody opens a case in an emergency without a grant.
    break_glass_closed: bool = False
    # Run without a shell, with a kind and a count as its last two arguments. Empty: nothing is run.
    notify_command: tuple[str, ...] = Field(default=(), max_length=16)
    # Where the people work: what is night for the alert rules.
    time_zone: str = Field(default="UTC", max_length=64)
    # How often the rules look at the log. Their limits are checked where the rules are.
    watch_minutes: int = Field(default=5, ge=1, le=60)
    alert_limits: dict[str, float] = Field(default_factory=dict, max_length=40)
    # Fields of the data dictionary that are off unless the programme has this purpose.
    purposes: tuple[str, ...] = ()
    # What stands on search cards beside names, birth years and the last seven digits of phones.
    search_full_phones: bool = False
    search_papers: bool = False
    # Whose phone numbers are read without a country's prefix (ISO 3166).
    search_regions: tuple[Annotated[str, Field(pattern="^[A-Z]{2}$")], ...] = ()
    # Teams may share their directories with all others: then a caseworker's account anywhere in
    # the organisation opens the cards of every team that does.
    search_organisation_wide: bool = False
    # What the organisation says of itself in public; releases depend on it, and on no raw count.
    declared_people: int = Field(default=0, ge=0, le=100_000_000)
    team_regions: dict[str, str] = Field(default_factory=dict, max_length=500)
    search_per_hour: int = Field(default=60, ge=5, le=500)
    # For large searches, in each worker. 0: none, and other requests wait while one is made.
    search_processes: int = Field(default=2, ge=0, le=16)
    log_level: Literal["debug", "info", "warning", "error"] = "info"


def load_settings(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read file and environment (which wins, where it may); every problem is listed at once."""
    env = os.environ if environ is None else environ
    chosen = path or Path(env.get(CONFIG_VARIABLE, DEFAULT_FILE))
    problems: list[str] = []
    values = _from_file(chosen, problems, required=path is not None or CONFIG_VARIABLE in env)
    values |= _from_environment(env, problems)
    return _checked(values, chosen, problems)


def check_values(values: Mapping[str, Any], path: Path) -> None:
    """Refuse what could not be loaded from `path` if it stood there, without writing anything."""
    problems: list[str] = []
    _checked(dict(values) | _from_environment(os.environ, problems), path, problems)


def _checked(values: dict[str, Any], path: Path, problems: list[str]) -> Settings:
    _resolve(values, path.resolve().parent)
    settings = None
    try:
        settings = Settings(**values)
    except ValidationError as error:
        # Only names of fields: the values could be passwords.
        problems += [_sentence(e["loc"]) for e in error.errors(include_input=False)]
    if settings is not None:
        problems += list(_unsafe(settings))
    if problems or settings is None:
        raise Misconfigured(" ".join(problems), code="config.refused")
    return settings


def describe(settings: Settings) -> list[tuple[str, str]]:
    """Return name and value of every setting; passwords in URLs are left out."""
    rows = []
    for name in Settings.model_fields:
        value = getattr(settings, name)
        text = without_password(value) if name in _URL_FIELDS and value else str(value)
        rows.append((name, "–" if value is None else text))
    return rows


def warnings(settings: Settings) -> list[str]:
    """Return what is allowed and should not stay as it is."""
    if settings.minimum_assurance == "second_factor":
        return []
    return [
        "minimum_assurance is 'passphrase': whoever learns a passphrase reads that person's cases."
        " Remove the line when everybody has an authenticator."
    ]


def without_password(url: str) -> str:
    """Return a database URL with its password replaced by dots, wherever the password stands."""
    hidden = _PASSWORD.sub(r"\1:…@", url)
    return _PASSWORD_IN_QUERY.sub(r"\1…", hidden)


def sqlite_path(url: str) -> Path | None:
    """Return the file of a SQLite URL, None for other databases."""
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None


def _from_file(path: Path, problems: list[str], *, required: bool) -> dict[str, Any]:
    try:
        mode = path.stat().st_mode
        found = tomllib.loads(path.read_text())
    except FileNotFoundError:
        if required:
            problems.append("There is no configuration file at the place that was named.")
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        problems.append("The configuration file cannot be read as TOML.")
        return {}
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        problems.append(
            "Other accounts can write the configuration file: run `chmod go-w` on it, since it"
            " pins the root fingerprint."
        )
    if mode & stat.S_IROTH and any(_PASSWORD.search(str(found.get(n, ""))) for n in _URL_FIELDS):
        problems.append(
            "Other accounts can read the configuration file: run `chmod o-r` on it, since it holds"
            " a database password."
        )
    return found


def _from_environment(env: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, value in env.items():
        name = variable.removeprefix(PREFIX).lower()
        # Variables of the tests and of make are not settings.
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE or name[:5] == "test_":
            continue
        if name not in Settings.model_fields:
            problems.append(f"{PREFIX}* names an unknown setting; check the spelling.")
        elif name in FILE_ONLY:
            problems.append(
                f"{variable} is refused: {name} is taken from the configuration file only."
            )
        else:
            values[name] = _split(value) if name in _LISTS else value
    return values


def _split(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _resolve(values: dict[str, Any], base: Path) -> None:
    for name in _PATH_FIELDS:
        value = values.get(name, "keys" if name == "keys_dir" else None)
        # What is no text is no path, and nothing at all would be the folder of the file itself.
        if isinstance(value, (str, Path)):
            values[name] = base / value if str(value).strip() else 0
    for name in _URL_FIELDS:
        url = values.get(name, Settings.model_fields[name].default)
        if isinstance(url, str) and url.startswith(_SQLITE):
            values[name] = f"{_SQLITE}{base / url.removeprefix(_SQLITE)}"


def _sentence(location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else ""
    if name not in Settings.model_fields:
        return "The configuration file has an unknown setting; check the spelling."
    return f"{name} is not a value that can be used. {WHAT_TO_DO.get(name, '')}".strip()


def _unsafe(settings: Settings) -> list[str]:
    found = [
        f"{name} must begin with postgresql+psycopg:// or {_SQLITE}."
        for name in _URL_FIELDS
        if (url := getattr(settings, name)) is not None
        and not url.startswith((_SQLITE, "postgresql+psycopg://"))
    ]
    if settings.data_url == settings.keyring_url:
        found.append(
            "data_url and keyring_url are the same database: erasure would not be real. Use two."
        )
    if settings.host not in _LOCAL_HOSTS and not settings.behind_proxy:
        found.append(
            "host is not a loopback address. Put a TLS proxy in front and set behind_proxy = true."
        )
    if not _is_zone(settings.time_zone):
        found.append(_sentence(("time_zone",)))
    names = settings.trusted_hosts
    if not names or not all(_TRUSTED_HOST.fullmatch(name) for name in names):
        found.append(
            "trusted_hosts lists names such as vault.example.org or *.example.org; never every"
            " name there is."
        )
    if not _ORIGIN.fullmatch(settings.ledger_origin):
        found.append("ledger_origin looks like example.org/casevault/2026a.")
    if settings.leaf_years < settings.audit_years:
        found.append("leaf_years is less than audit_years: a body without its leaf proves nothing.")
    return found + _mixed_folders(settings) + _mixed_medium(settings) + _key_under_mat(settings)


def _is_zone(name: str) -> bool:
    # Asked for the one name: to list those there are, six hundred files are opened. Beside them lie
    # zones with leap seconds and files that name none.
    if name.startswith(("posix", "right/")):
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _mixed_folders(settings: Settings) -> list[str]:
    # Resolved, because "x/../keys" and links are other spellings of one folder.
    files = [sqlite_path(settings.data_url), sqlite_path(settings.keyring_url)]
    folders = [None if file is None else file.resolve().parent for file in files]
    keys = settings.keys_dir.resolve()
    named = [("data", folders[0]), ("keyring", folders[1])]
    found = [
        f"keys_dir and the folder of the {name} store lie in one another: a backup of one would"
        " hold both. Use three separate folders."
        for name, folder in named
        if folder is not None and (_within(keys, folder) or _within(folder, keys))
    ]
    if folders[0] is not None and folders[0] == folders[1]:
        found.append(
            "data and keyring lie in one folder: an old backup would hold both. Use two folders."
        )
    return found


def _mixed_medium(settings: Settings) -> list[str]:
    outside = {
        "second_medium": (settings.second_medium, "Choose a folder on another disk."),
        "backup_dir": (settings.backup_dir, "Choose a folder on another disk."),
        "ledger_spool": (settings.ledger_spool, "Choose one that only the signer shares."),
    }
    return [
        f"{name} lies in a folder of the vault. {what_to_do}"
        for name, (folder, what_to_do) in outside.items()
        if folder is not None
        for place in [folder.resolve()]
        if any(_within(place, one) or _within(one, place) for one in _lived_in(settings))
    ]


def _key_under_mat(settings: Settings) -> list[str]:
    if settings.unlock_file is None:
        return []
    file = settings.unlock_file.resolve()
    medium = [] if settings.second_medium is None else [settings.second_medium.resolve()]
    if any(_within(file, one) for one in [*_lived_in(settings), *medium]):
        return [
            "unlock_file lies in a folder of the vault, beside what it opens. Choose a place in"
            " memory or on a medium that is taken away."
        ]
    return []


def _lived_in(settings: Settings) -> list[Path]:
    files = [sqlite_path(settings.data_url), sqlite_path(settings.keyring_url)]
    folders = [file.resolve().parent for file in files if file is not None]
    return [*folders, settings.keys_dir.resolve()]


def _within(inner: Path, outer: Path) -> bool:
    return inner == outer or outer in inner.parents
