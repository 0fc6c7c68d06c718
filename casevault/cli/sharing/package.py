"""``casevault package``: sealed packages, made and opened without a vault.

For partners, referrers and other vaults. Whoever sends compares a fingerprint with the recipient,
whoever opens one with the sender; this says when nobody did. Must never write a file before all of
a package has opened, nor print a passphrase that it did not make.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import typer

from casevault.cli.operating import operate
from casevault.cli.output import ConfigOption, JsonOption, emit, say, settings_from
from casevault.cli.sharing import package_files as files
from casevault.cli.sharing.package_verbs import ADDRESS, AddressWish
from casevault.cli.unlocking import UnlockFdOption
from casevault.clock import SystemClock, unix_seconds
from casevault.crypto import age_packages, key_files, macs, packages
from casevault.crypto.credentials import STANDARD
from casevault.crypto.packages import Package, Statement
from casevault.crypto.principals import PrincipalSecret, PublicKeys
from casevault.domain import vocabulary
from casevault.domain.sharing import packing
from casevault.domain.sharing.packing import PackageKind
from casevault.errors import Invalid, Refused
from casevault.ids import new_id

_WORDS = 6
_HOUR = 3600
app = typer.Typer(
    help="Example: casevault package make letter.pdf --to shelter.pub --out letter.cvp",
    no_args_is_help=True,
)
_KEY = typer.Option(None, "--key", help="Your key file, as `keygen` made it.")
_FD = typer.Option(
    None, "--passphrase-fd", help="File descriptor with the passphrase; instead of a prompt."
)
_OUT = typer.Option(..., "--out", help="Where to write it; nothing may be there yet.")


@app.command()
def keygen(
    place: Path = typer.Argument(..., help="New key file; PLACE.pub is written beside it."),  # noqa: B008
    passphrase_fd: int | None = _FD,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault package keygen shelter.key

    Make a key of your own, sealed under a passphrase, and print its public half. Send that to
    whoever wants to send you packages, and read the fingerprint out to them by phone. (offline)
    """
    public_place = place.with_name(place.name + ".pub")
    files.require_new(place, public_place)
    secret = PrincipalSecret.generate()
    files.write(place, key_files.sealed(secret, files.new_passphrase(passphrase_fd), STANDARD))
    line = key_files.written(secret.public)
    files.write(public_place, line.encode() + b"\n")
    if as_json:
        emit({"key": line, "fingerprint": secret.public.fingerprint})
    else:
        print(line)
    say(f"Fingerprint, to be read out by voice: {secret.public.fingerprint}")


@app.command()
def address(
    team: str = typer.Argument("", help="Name of a team; none: the organisation, as a sender."),
    config: Path | None = ConfigOption,
    unlock_fd: int | None = UnlockFdOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault package address "Team North" > north.pub

    Print the public keys to which an intake for a team is sealed, or those with which this
    organisation signs. Both are vouched for; they open nothing. (operator)
    """
    found = operate(settings_from(config), ADDRESS, AddressWish(team), unlock_fd)
    if as_json:
        emit(found)
    else:
        print(found["key"])
    say(f"Fingerprint, to be read out by voice: {found['fingerprint']}")


@app.command()
def make(
    sources: list[Path] = typer.Argument(..., help="The files that it holds."),  # noqa: B008
    out: Path = _OUT,
    to: Path | None = typer.Option(None, "--to", help="The recipient's public keys."),  # noqa: B008
    age: bool = typer.Option(
        False, "--age", help="For a recipient without a key: under a passphrase, for `age`."
    ),
    sender: str = typer.Option("", "--as", help="What you call yourself."),
    kind: PackageKind = typer.Option(PackageKind.FILES, "--kind", help="What it is for."),  # noqa: B008
    days: int | None = typer.Option(None, "--days", min=1, max=365, help="When it is too late."),
    key: Path | None = _KEY,
    passphrase_fd: int | None = _FD,
) -> None:
    """Example: casevault package make referral.html referral.json --to shelter.pub --out r.cvp

    Seal files to one recipient, who alone can open them, and sign them with your key. Compare the
    fingerprint that is shown with what the recipient reads out. With --age they are sealed under a
    passphrase that is shown once: say it by phone. (offline)
    """
    if (to is None) != age:
        raise typer.BadParameter("name a recipient, or --age", param_hint="--to")
    files.require_new(out)
    held = packing.checked(files.sources(sources))
    recipient = None if to is None else files.public(to)
    signer = None if key is None else files.secret(key, passphrase_fd)
    now = unix_seconds(SystemClock().now())
    statement = Statement(
        id=new_id(),
        kind=kind,
        sender=files.sender(sender),
        made_at=now,
        expires_at=None if days is None else now + int(timedelta(days=days).total_seconds()),
        recipient=b"" if recipient is None else recipient.key_id,
        signer=None if signer is None else signer.public,
        files=tuple(one.listed for one in held),
    )
    if recipient is not None:
        sealed = b"".join(packages.seal_package(statement, signer, recipient, held))
        files.write(out, sealed)
        say(f"Sealed to: {recipient.fingerprint}")
        say("Compare it with what the recipient reads out. If it differs, do not send this.")
    else:
        words = macs.words(vocabulary.passphrase_words(), _WORDS)
        files.write(out, age_packages.seal_package(statement, signer, words, held))
        say(f"  {words}")
        say("It is shown once. Say it by phone; never send it with the file.")
    if signer is None:
        say("Nobody signed it: the recipient has to ask who sent it. Name your key with --key.")


@app.command()
def inspect(
    package: Path = typer.Argument(..., help="The package."),  # noqa: B008
    key: Path | None = _KEY,
    passphrase_fd: int | None = _FD,
    sender: Path | None = typer.Option(None, "--from", help="The sender's public keys."),  # noqa: B008
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault package inspect r.cvp --key shelter.key

    Say what a package is. Without a key only what it shows to everybody; with it, who made it and
    which files it holds. Writes nothing. (offline)
    """
    if key is None and not files.is_age(package):
        _show(files.outside(package), as_json=as_json)
        return
    opened = files.opened(package, key, passphrase_fd)
    _show(_about(opened), as_json=as_json)
    _say_sender(opened, sender)


@app.command(name="open")
def open_(
    package: Path = typer.Argument(..., help="The package."),  # noqa: B008
    out: Path = typer.Option(..., "--out", help="A new folder for its files."),  # noqa: B008
    key: Path | None = _KEY,
    passphrase_fd: int | None = _FD,
    sender: Path | None = typer.Option(None, "--from", help="The sender's public keys."),  # noqa: B008
    again: bool = typer.Option(False, "--again", help="Also if it was opened here before."),
) -> None:
    """Example: casevault package open r.cvp --key shelter.key --from society.pub --out r/

    Open a package and write its files into a new folder. With --from it must be signed by these
    keys. A package that was opened before is refused: somebody may have sent it twice. (offline)
    """
    files.require_new(out)
    opened = files.opened(package, key, passphrase_fd)
    _require_in_time(opened.statement)
    _say_sender(opened, sender)
    if key is not None and not again:
        files.require_first(key, opened.statement.id)
    files.write_folder(out, opened.files)
    if key is not None:
        files.remember(key, opened.statement.id, SystemClock().now())
    for one in opened.files:
        print(one.name)


def _say_sender(opened: Package, expected: Path | None) -> None:
    signer = opened.statement.signer
    if expected is not None:
        _require_signer(signer, files.public(expected))
        say("Signed by the keys that you named.")
    elif signer is None:
        say("Nobody signed this package. Ask whoever it seems to come from.")
    else:
        say(f"Signed by: {signer.fingerprint}")
        say("Compare it with what the sender reads out, or name their keys with --from.")


def _require_signer(signer: PublicKeys | None, expected: PublicKeys) -> None:
    if signer != expected:
        raise Refused(
            "This package is not signed by the keys that you named.", code="package.sender"
        )


def _require_in_time(statement: Statement) -> None:
    now = unix_seconds(SystemClock().now())
    if statement.expires_at is not None and statement.expires_at <= now:
        raise Refused("This package is too old. Ask for it again.", code="package.expired")
    if statement.made_at > now + _HOUR:
        raise Invalid(
            "This package comes from the future: set the clock of this machine, or ask the sender"
            " to set theirs.",
            code="package.clock",
        )


def _about(opened: Package) -> dict[str, object]:
    one = opened.statement
    return {
        "id": str(one.id),
        "kind": one.kind.value,
        "says it is from": one.sender,
        "made": files.day(one.made_at),
        "too late after": None if one.expires_at is None else files.day(one.expires_at),
        "signed by": None if one.signer is None else one.signer.fingerprint,
        "files": [{"name": file.name, "bytes": len(file.content)} for file in opened.files],
    }


def _show(found: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        emit(found)
        return
    for name, value in found.items():
        if isinstance(value, list):
            for one in value:
                print(f"{name}\t{one['name']}\t{one['bytes']}")
        elif value is not None:
            print(f"{name}\t{value}")
