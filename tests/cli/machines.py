"""A vault on a machine that can be lost, and another machine. Nothing is tested here."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import make_url
from typer.testing import CliRunner

from casevault import bootstrap
from casevault.cli.app import app
from casevault.store.engine import migrate
from casevault.store.engine.database import Database
from casevault.store.recovery import capsules
from casevault.store.recovery.media import Medium
from tests.api.copies import a_world
from tests.api.world import World, started
from tests.conftest import libpq_url

_WRITTEN = (
    "organisation_id",
    "organisation_name",
    "root_fingerprint",
    "kdf_profile",
    "ledger_origin",
    "data_url",
    "keyring_url",
    "keys_dir",
    "runtime_dir",
    "second_medium",
    "backup_dir",
    "postgres_programs",
    "data_migrator_url",
    "keyring_migrator_url",
)


@dataclass
class Machine:
    """One vault, its configuration file, its medium and its backups."""

    world: World
    folder: Path
    config: Path

    @property
    def medium(self) -> Path:
        return self.folder / "medium"

    @property
    def shares(self) -> str:
        """As many shares as are needed, as they are typed."""
        outcome = self.world.outcome
        return "".join(share + "\n" for share in outcome.shares[: outcome.threshold])

    def run(self, *arguments: object, typed: str = ""):
        """Run a command; no share ever appears."""
        words = [*map(str, arguments), "--config", str(self.config)]
        result = CliRunner().invoke(app, words, input=typed)
        for share in self.world.outcome.shares:
            assert share[:40] not in result.output
        return result

    def configure(self) -> None:
        """Write the configuration file of the present settings."""
        values = {name: getattr(self.world.settings, name) for name in _WRITTEN}
        lines = [f'{name} = "{value}"\n' for name, value in values.items() if value is not None]
        self.config.write_text("".join(lines))
        self.config.chmod(0o600)

    def part_roles(self) -> None:
        """Let the service work as a role that owns nothing; the present one stays the migrator."""
        settings = self.world.settings
        role = f"cv_app_{secrets.token_hex(4)}"
        with psycopg.connect(libpq_url(settings.data_url), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {role} LOGIN")
        changes = {}
        for branch in ("data", "keyring"):
            owner = getattr(settings, f"{branch}_url")
            application = make_url(owner).set(username=role).render_as_string(hide_password=False)
            database = Database(owner, 1)
            migrate.upgrade(database, branch, application)
            database.close()
            changes |= {f"{branch}_url": application, f"{branch}_migrator_url": owner}
        self.world.settings = settings.model_copy(update=changes)
        self.configure()

    def backup(self) -> Path:
        """Make a backup of the data store."""
        done = self.run("db", "backup")
        assert done.exit_code == 0, done.output
        return Path(done.stdout.strip().splitlines()[-1])

    def copy_keyring(self) -> None:
        """Put capsule, keyring backup and backup key on the medium, as a roll does."""
        stores = self.world.vault.stores
        medium = Medium(self.medium, stores.roots.keyring_id)
        medium.take()
        with stores.keyring.reading() as tx:
            to = capsules.recipients(stores, tx)
        lowest = min(stores.roots.epochs())
        capsules.write_capsule(stores, medium, to, lowest)
        capsules.write_keyring(stores, medium, to)

    def stop(self) -> None:
        """Stop the service."""
        self.world.close()

    def start(self) -> None:
        """Serve again, as a new process would; everybody signs in anew."""
        world = self.world
        world.vault = bootstrap.open_vault(world.settings, secrets.token_bytes(32), world.clock)
        world.client = started(world.vault)
        world._tokens.clear()

    def lose_data(self) -> None:
        """The data store is gone."""
        settings = self.world.settings
        _empty(settings.data_migrator_url or settings.data_url)

    def lose_everything(self) -> None:
        """The machine is gone: both stores and the keys folder."""
        self.lose_data()
        settings = self.world.settings
        _empty(settings.keyring_migrator_url or settings.keyring_url)
        shutil.rmtree(self.world.settings.keys_dir)

    def settle_with(self, *people: str):
        """Settle, and let these people sign one after the other; return the last answer."""
        result = self.run("db", "settle")
        for login in people:
            typed = self.typed[login]
            result = self.run("db", "settle", "--login", login, typed=typed)
        return result

    def prepare(self, *people: str) -> None:
        """Let people note what they will type once the service is down."""
        self.typed = {login: self.world.typed(login) for login in people}


def a_machine(
    make_databases, kind: str, folder: Path, programs: Path | None, made_by=a_world
) -> Machine:
    """Return a vault whose everyday is set up for bad days; its runtime folder is in memory.

    `made_by`: worlds are copies of one organisation, but for those that `build` makes.
    """
    runtime = Path("/dev/shm") / f"casevault-test-{secrets.token_hex(6)}"  # noqa: S108
    world = made_by(make_databases(kind), folder)
    more = {
        "runtime_dir": runtime,
        "second_medium": folder / "medium",
        "backup_dir": folder / "backups",
        "postgres_programs": programs,
    }
    world.settings = world.settings.model_copy(update=more)
    made = Machine(world, folder, folder / "casevault.toml")
    made.configure()
    return made


def _empty(url: str) -> None:
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///"))
        for found in file.parent.glob(file.name + "*"):
            found.unlink()
        return
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
