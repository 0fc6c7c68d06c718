"""``casevault ledger sign``, ``signer-key`` and ``rotate-key``: the signer and its keys."""

from __future__ import annotations

import signal
import threading
from functools import partial
from pathlib import Path

import typer

from casevault import bootstrap, host, logs
from casevault.cli import unlocking
from casevault.cli.output import ConfigOption, say, settings_from
from casevault.config import Settings
from casevault.errors import Invalid, Misconfigured
from casevault.store.log import signer_keys, signing
from casevault.store.log.ledger import SERVICE, Act
from casevault.store.log.signing import LocalSigner, Signer
from casevault.store.log.spool import SpoolService

StateOption = typer.Option(
    ..., "--state", help="The signer's own folder: its key and what it signed last."
)
OriginOption = typer.Option(..., "--origin", help="The log's name: ledger_origin of the vault.")


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``casevault ledger``."""
    app.command()(sign)
    app.command(name="signer-key")(signer_key)
    app.command(name="move-signer")(move_signer)
    app.command(name="rotate-key")(rotate_key)


def sign(
    spool: Path = typer.Option(  # noqa: B008 - typer's way
        ..., "--spool", exists=True, file_okay=False, help="The folder shared with the vault."
    ),
    state: Path = StateOption,
    origin: str = OriginOption,
    begin: bool = typer.Option(
        False, "--begin", help="This origin was never signed before: start its memory."
    ),
    once: bool = typer.Option(False, "--once", help="Answer what is asked now, then end."),
) -> None:
    """Example: casevault ledger sign --spool /srv/spool --state /srv/signer --origin example.org/…

    Sign the heads that a vault asks for, as another account or on another machine, and refuse
    whatever does not extend the last one. Runs until it is stopped. (operator)
    """
    logs.configure("info")
    host.harden_process()
    service = SpoolService(_signer(state, origin), spool, begin=begin)
    if once:
        decided = service.answer() or "nothing new is asked"
        say(decided)
        raise typer.Exit(0 if decided in ("signed", "nothing new is asked") else 4)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    say(f"Signing for {origin}. Stop with Ctrl-C.")
    log = logs.get_logger()
    service.run(stopped.wait, lambda code: log.info("checkpoint asked", code=code))


def signer_key(
    state: Path = StateOption,
    origin: str = OriginOption,
    next_key: bool = typer.Option(False, "--next", help="Make a successor; both sign from now on."),
    finish: bool = typer.Option(False, "--finish", help="Drop the older of two keys."),
) -> None:
    """Example: casevault ledger signer-key --state /srv/signer --origin example.org/casevault/2026a

    Make the key of a signer that runs on its own, or replace it. (operator)
    """
    if next_key and finish:
        raise typer.BadParameter("choose one of --next and --finish", param_hint="--finish")
    if next_key:
        signer_keys.add_successor(state)
    elif finish:
        _require_both(_signer(state, origin))
        signer_keys.drop_first(state)
    elif not (state / signer_keys.KEY_FILE).exists():
        signer_keys.make(state)
    _tell(_signer(state, origin))


def move_signer(
    state: Path = StateOption,
    config: Path | None = ConfigOption,
) -> None:
    """Example: casevault ledger move-signer --state /media/stick/signer

    Hand this host's signing key and memory over to a signer of its own; this host forgets the key.
    Then set ledger_spool and ledger_keys. (operator)
    """
    settings = settings_from(config)
    stores = unlocking.open_stores(settings)
    try:
        here = bootstrap.checkpoints(settings, stores)
        local = _local(here.signer)
        stores.ledger.record(Act("key.rotate", SERVICE, rule="permit:operator"))
        bootstrap.settle(stores)
        memory = here.sign()
        with local.locked():
            signer_keys.adopt(state, local.secrets, memory)
            signing.forget_root_key(stores.roots)
            local.archive()
        say(f"{state} holds the key and the memory now. Move it; no copy may stay here.")
        _tell(_signer(state, here.origin))
    finally:
        stores.close()


def rotate_key(
    finish: bool = typer.Option(False, "--finish", help="Destroy the old key; the new one stays."),
    config: Path | None = ConfigOption,
) -> None:
    """Example: casevault ledger rotate-key

    Replace the key with which this host signs checkpoints: first both sign, and whoever verifies
    gets the new one by the note printed here; after that, --finish. (operator)

    The same as `casevault keys rotate ledger` and, to finish, `casevault keys retire ledger`.
    """
    replace_key(settings_from(config), finish=finish)


def replace_key(settings: Settings, *, finish: bool) -> None:
    """Make the log's next key, which signs beside the present one; `finish`: end the older one."""
    stores = unlocking.open_stores(settings)
    try:
        before = _local(bootstrap.checkpoints(settings, stores).signer)
        if finish:
            _require_both(before)
            signing.drop_root_predecessor(stores.roots)
        else:
            signing.add_root_successor(stores.roots)
        stores.ledger.record(Act("key.rotate", SERVICE, rule="permit:operator"))
        bootstrap.settle(stores)
        after = bootstrap.checkpoints(settings, stores)
        after.sign()
        _tell(_local(after.signer))
    finally:
        stores.close()


def _local(signer: Signer) -> LocalSigner:
    if not isinstance(signer, LocalSigner):
        raise Misconfigured(
            "The log is signed elsewhere. Use `casevault ledger signer-key` there.",
            code="signer.elsewhere",
        )
    return signer


def _signer(state: Path, origin: str) -> LocalSigner:
    return LocalSigner(origin, partial(signer_keys.read, state), state)


def _require_both(signer: LocalSigner) -> None:
    if not signer.has_both():
        raise Invalid(
            "The last checkpoint is not signed by both keys yet. Wait for the next one, so that"
            " whoever knows the old key can go on.",
            code="signer.both",
        )


def _tell(signer: LocalSigner) -> None:
    if len(signer.keys) > 1:
        say("Both keys sign from now on. Give this note to everybody who verifies:")
        print(signer.handover().decode(), end="")
    else:
        say("The log's key, for whoever verifies and for ledger_keys of the vault:")
        print(signer.keys[-1].encode())
