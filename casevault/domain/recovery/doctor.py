"""What the doctor says about an installation: from facts to findings, each with what to do.

Pure. Every limit stands here with its reason. A finding names roles, folders and days; never a
person, a case or a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

_HOUR, _DAY, _MIB = 3600, 86_400, 1 << 20
# One missed night is seen the next day, before a second one is missed.
CAPSULE_SECONDS = 24 * _HOUR
BACKUP_SECONDS = 48 * _HOUR
# A year, and a month to bring custodians together.
DRILL_SECONDS = 395 * _DAY
VOUCH_SECONDS = 60 * _DAY
# The service does it every fifth of a second; a minute is an outage.
PENDING_SECONDS = 60
# The ladder of the access log: warned, exports refused, all case data refused.
DISK_WARN, DISK_RED = 2048 * _MIB, 500 * _MIB


class Level(StrEnum):
    """How bad it is: `red` loses data or secrecy today, `warning` when something else happens."""

    RED = "red"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. Codes never change."""

    code: str
    level: Level
    says: str
    do: str


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of the vault or of its copies, as this machine shows it."""

    name: str
    exists: bool
    # Whether other accounts reach into it, or it is another account's.
    is_open: bool = False
    free: int | None = None
    # Which disk it lies on.
    device: int | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """What the machine tells without opening the vault."""

    places: tuple[Place, ...]
    # Names of folders that the machine's own backups take.
    in_machine_backups: tuple[str, ...] = ()
    has_plain_swap: bool = False
    dumps_protected_processes: bool = False
    sealed_roots: bool = True
    medium_set: bool = True
    backup_set: bool = True
    # PostgreSQL's programs can talk to the server; None without PostgreSQL.
    programs: bool | None = None

    def place(self, name: str) -> Place | None:
        """Return a place by its name."""
        return next((place for place in self.places if place.name == name), None)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the stores tell; times in Unix seconds, None for never."""

    now: int
    epoch: int
    rolled: int
    epochs_held: int
    epochs_kept: int
    capsule: int | None
    keyring_backup: int | None
    backup: int | None
    drill: int | None
    unsettled: bool = False
    quarantined: int = 0
    held_alone: tuple[str, ...] = ()
    # Roles or kinds of principals whose vouch ends soon, and when the first of each does.
    ending: tuple[tuple[str, int], ...] = ()
    one_cluster: bool = False
    # Seconds since the oldest entry that is not in the tree yet was written.
    pending: int = 0
    # It lacks entries that were signed: no checkpoint can follow.
    log_cut: bool = False
    # The clock is weeks from the day that the service noted last.
    clock_doubted: bool = False
    shut: bool = False
    # Ended by statements that do not hold; begun, and neither in force nor ended by anybody.
    unsigned_lockdowns: int = 0
    vanished_lockdowns: int = 0


def examine_machine(found: Machine) -> Iterator[Finding]:
    """Give what is wrong with files, disks and memory."""
    yield from _places(found)
    yield from _disks(found)
    for name in found.in_machine_backups:
        yield Finding(
            "backups.folder",
            Level.RED,
            f"{name}/ lies in a folder of machine_backups.",
            f"Leave {name}/ out of that backup or snapshot, and destroy its older copies: they"
            " bring erased cases back.",
        )
    if found.has_plain_swap:
        yield Finding(
            "memory.swap",
            Level.RED,
            "Swap is on and not encrypted: keys that are in memory reach the disk.",
            "Run swapoff -a and take it out of /etc/fstab, or put it on dm-crypt, random key.",
        )
    if found.dumps_protected_processes:
        yield Finding(
            "memory.dumps",
            Level.RED,
            "Protected processes leave core dumps (fs.suid_dumpable is not 0).",
            "Run sysctl -w fs.suid_dumpable=0 and keep it in /etc/sysctl.d.",
        )
    if not found.sealed_roots:
        yield Finding(
            "roots.plain",
            Level.WARNING,
            "The root material lies in a plain file: who steals the machine reads coded facts and"
            " two months of the log.",
            "Run casevault keys seal, with a passphrase or a hardware token.",
        )
    if found.programs is False:
        yield Finding(
            "backups.programs",
            Level.RED,
            "PostgreSQL's pg_dump and pg_restore are missing or older than the server.",
            "Install the server's postgresql-client package, or set postgres_programs.",
        )


def examine_standing(found: Standing) -> Iterator[Finding]:
    """Give what is wrong with copies, epochs and people."""
    yield from _state(found)
    yield from _epochs(found)
    yield from _copies(found)
    yield from _people(found)
    yield from _lockdowns(found)


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 1 if anything is red, 3 if anything is said at all, else 0."""
    if any(finding.level is Level.RED for finding in findings):
        return 1
    return 3 if findings else 0


# Which setting says where a folder is.
_SET_BY = {
    "data": "data_url",
    "keyring": "keyring_url",
    "keys": "keys_dir",
    "medium": "second_medium",
    "backups": "backup_dir",
}


def _places(found: Machine) -> Iterator[Finding]:
    for place in found.places:
        if not place.exists:
            yield Finding(
                "folder.missing",
                Level.WARNING if place.name in ("medium", "backups") else Level.RED,
                f"The folder of {place.name} ({_SET_BY[place.name]}) is not there.",
                "Mount the medium, or correct the configuration file.",
            )
        elif place.is_open:
            yield Finding(
                "folder.open",
                Level.RED,
                f"Other accounts reach into the folder of {place.name} ({_SET_BY[place.name]}),"
                " or own it.",
                "Run chmod 700 on the folder, 600 on its files; chown to the service's account.",
            )
    if not found.medium_set:
        yield Finding(
            "medium.unset",
            Level.RED,
            "There is no second medium: if this machine dies, nobody opens a case again.",
            "Set second_medium to a folder on another disk, then run casevault keys roll"
            " --new-medium.",
        )
    if not found.backup_set:
        yield Finding(
            "backups.unset",
            Level.RED,
            "There is no place for backups of the data store.",
            "Set backup_dir, and run casevault db backup every night.",
        )


def _disks(found: Machine) -> Iterator[Finding]:
    for place in found.places:
        if place.free is not None and place.free < DISK_WARN:
            level = Level.RED if place.free < DISK_RED else Level.WARNING
            yield Finding(
                "disk.low",
                level,
                f"{place.free // _MIB} MiB are free where {place.name} lies.",
                "Make room: below 500 MiB exports are refused, below 200 MiB all case data.",
            )
    for copy, of in (("medium", "keyring"), ("medium", "keys"), ("backups", "data")):
        one, other = found.place(copy), found.place(of)
        if one and other and one.device is not None and one.device == other.device:
            yield Finding(
                "disk.same",
                Level.WARNING,
                f"{copy} and {of} lie on the same disk: one fault takes both.",
                "Put the copies on a disk of their own, and a set of them into another building.",
            )


def _state(found: Standing) -> Iterator[Finding]:
    if found.unsettled:
        yield Finding(
            "data.unsettled",
            Level.RED,
            "The data store came from a backup and is not settled.",
            "Run casevault db settle.",
        )
    if found.log_cut:
        yield Finding(
            "ledger.cut",
            Level.RED,
            "The access log lacks entries that were signed, so nothing signs it any more.",
            "After a restore: 'The log lost entries' in docs/runbook.md. Otherwise keep everything"
            " as it is, and call for help.",
        )
    if found.pending > PENDING_SECONDS:
        yield Finding(
            "ledger.pending",
            Level.RED,
            f"An entry of the access log waits since {found.pending} seconds for its place.",
            "Is the service running? It moves them every fifth of a second; look into its log.",
        )
    if found.quarantined:
        yield Finding(
            "data.quarantine",
            Level.RED,
            f"{found.quarantined} cases have data and no keys.",
            "Look for a newer keyring backup; casevault db settle names them. Remove nothing.",
        )
    if found.clock_doubted:
        yield Finding(
            "clock.doubted",
            Level.RED,
            "The clock is more than 40 days from the day on which the service last worked.",
            "Set the clock. If it is right: casevault keys sweep --clock-is-right. Until then"
            " nothing is deleted by its date.",
        )
    if found.one_cluster:
        yield Finding(
            "postgres.one-cluster",
            Level.RED,
            "Data and keyring lie in one PostgreSQL cluster: base backups and WAL of the one hold"
            " destroyed keys of the other.",
            "Move the keyring's database to a cluster of its own (deploy/postgres/README.md).",
        )


def _epochs(found: Standing) -> Iterator[Finding]:
    if found.epoch > found.rolled:
        yield Finding(
            "keys.unfinished",
            Level.RED,
            "A roll was begun and has not come to its end.",
            "Run casevault keys roll again: it goes on where it was.",
        )
    elif found.epochs_held > found.epochs_kept + 1:
        yield Finding(
            "keys.epochs",
            Level.WARNING,
            f"{found.epochs_held} epochs are held: deleted rows of old ones can still be opened.",
            "Run casevault keys roll, and every night from now on.",
        )


def _copies(found: Standing) -> Iterator[Finding]:
    for code, at, limit, level, what, command in (
        ("capsule.old", found.capsule, CAPSULE_SECONDS, Level.RED, "capsule", "keys roll"),
        (
            "keyring-backup.old",
            found.keyring_backup,
            CAPSULE_SECONDS,
            Level.RED,
            "keyring backup",
            "keys roll",
        ),
        (
            "backup.old",
            found.backup,
            BACKUP_SECONDS,
            Level.RED,
            "verified data backup",
            "db backup",
        ),
        ("drill.old", found.drill, DRILL_SECONDS, Level.WARNING, "drill", "db drill"),
    ):
        if at is None:
            yield Finding(code, level, f"There never was a {what}.", f"Run casevault {command}.")
        elif found.now - at > limit:
            yield Finding(
                code,
                level,
                f"The last {what} was {_span(found.now - at)} ago.",
                f"Run casevault {command}, and look why its timer did not.",
            )


def _people(found: Standing) -> Iterator[Finding]:
    for role in found.held_alone:
        yield Finding(
            "role.alone",
            Level.WARNING,
            f"One person alone is {role}: without them, only the recovery shares help.",
            "Bring in a second one, or know the page 'The only auditor is gone' of the runbook.",
        )
    for what, until in found.ending:
        over = until <= found.now
        yield Finding(
            "vouch.ending",
            Level.RED if over else Level.WARNING,
            f"The vouch for {what} has ended."
            if over
            else f"The vouch for {what} ends in {_span(until - found.now)}.",
            "Whoever vouched renews it (POST /v1/vouches); the root's are renewed with the shares.",
        )


def _lockdowns(found: Standing) -> Iterator[Finding]:
    if found.shut:
        yield Finding(
            "lockdown.shut",
            Level.WARNING,
            "The vault is locked down: nobody signs in, and nothing serves it.",
            "Two of supervisor, DPO and administrator end it here: casevault lockdown --end.",
        )
    for code, number, how in (
        ("lockdown.unsigned", found.unsigned_lockdowns, "ended by statements that do not hold"),
        ("lockdown.vanished", found.vanished_lockdowns, "taken away without two people's word"),
    ):
        if number:
            yield Finding(
                code,
                Level.RED,
                f"{number} of the lockdowns on the access log: {how}.",
                "Somebody wrote to the keyring's database. Lock down again, keep a copy of it, and"
                " ask an auditor what was done since.",
            )


def _span(seconds: int) -> str:
    return f"{seconds // _DAY} days" if seconds >= 2 * _DAY else f"{seconds // _HOUR} hours"
