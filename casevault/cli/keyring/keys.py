"""``casevault keys``: rows by epoch, expired grants, recovery."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import typer

from casevault.cli import unlocking
from casevault.cli.ceremony import sealing, shares
from casevault.cli.keyring import key_verbs as verbs
from casevault.cli.keyring import reissuing, rotating
from casevault.cli.operating import operate
from casevault.cli.output import (
    EXIT_PARTIAL,
    ConfigOption,
    JsonOption,
    emit,
    fail,
    say,
    settings_from,
    table,
)
from casevault.cli.personal import LoginOption, PassphraseFdOption, signed_in
from casevault.domain.staff import approvals as rules
from casevault.domain.staff.access import SECOND_FACTOR
from casevault.domain.staff.approvals import RecoveryScope, Wish
from casevault.errors import MediumFault
from casevault.host import harden_process
from casevault.services.recovery.recovery import Recovery
from casevault.store.context.caller import Gate

app = typer.Typer(help="Example: casevault keys status", no_args_is_help=True)
app.command(name="rotate")(rotating.rotate)
app.command(name="retire")(rotating.retire)
app.command(name="reissue")(reissuing.reissue)
app.command(name="seal")(sealing.seal)
app.command(name="unseal")(sealing.unseal)


@app.command()
def status(config: Path | None = ConfigOption, as_json: bool = JsonOption) -> None:
    """Example: casevault keys status

    How much lies under which version of each key, and how old the copies are. (operator)

    An older version can go when its counts are 0; opens no content.
    """
    found = operate(settings_from(config), verbs.STATUS, verbs.Nothing())
    if as_json:
        emit(found)
        return
    names = ("key", "version", "what", "count")
    rows = [tuple(str(use[name]) for name in names) for use in found["uses"]]
    table("What lies under which key", names, rows)
    say(f"Copies on the second medium: {found['copies'] or 'never made'}.")


@app.command()
def roll(
    erase_now: bool = typer.Option(
        False, "--erase-now", help="Keep no older epoch: what was deleted is gone for good."
    ),
    new_medium: bool = typer.Option(
        False, "--new-medium", help="The second medium is a new one; the last is destroyed."
    ),
    config: Path | None = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault keys roll

    Move the keyring to a new epoch and replace the copies on the second medium; nightly. (operator)

    Everybody goes on working meanwhile. A roll that was cut off is gone on with. When the copies
    cannot be made no epoch is destroyed, and the exit code is 3.
    """
    harden_process()
    settings = settings_from(config)
    try:
        done = operate(settings, verbs.ROLL, verbs.RollWish(erase_now, new_medium))
    except MediumFault as fault:
        fail(fault)
        say("No epoch was destroyed: what was deleted since the last roll could still be opened.")
        raise typer.Exit(EXIT_PARTIAL) from None
    if as_json:
        emit(done)
    else:
        gone = ", ".join(map(str, done["destroyed"])) or "none"
        print(f"Epoch {done['epoch']}: {done['moved']} rows moved; epochs destroyed: {gone}.")


@app.command()
def sweep(
    clock_is_right: bool = typer.Option(
        False,
        "--clock-is-right",
        help="The vault really rested for so long: go on from the time that the clock shows.",
    ),
    config: Path | None = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault keys sweep

    Delete grants that have expired, and mark their cases for new keys. (operator)

    Expired grants open nothing even before this; the running service sweeps every minute. While
    the clock is more than 40 days from the day that the service noted last, nothing is deleted.
    """
    done = operate(settings_from(config), verbs.SWEEP, verbs.SweepWish(clock_is_right))
    if as_json:
        emit(done)
        return
    removed, marked = done["grants_removed"], done["cases_due_for_new_keys"]
    print(f"{removed} expired grants removed; {marked} cases get new keys at their next write.")


@app.command()
def recover(
    scope: RecoveryScope = typer.Option(..., help="What to open again."),  # noqa: B008
    to: str = typer.Option(..., "--to", help="The login of the person it is for."),
    case: UUID | None = typer.Option(None, help="The id of the case."),  # noqa: B008
    team: str | None = typer.Option(None, help="With --scope team: the name of the team."),
    vouch: bool = typer.Option(False, "--vouch", help="The root vouches for the person too."),
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault keys recover --scope auditors --to new.auditor

    Open one thing again for one person, with the recovery shares. (personal)

    Run it twice. The first time it asks; then somebody else approves (GET /v1/approvals); the
    second time the custodians type their shares, one after the other.
    """
    with signed_in(config, login, passphrase_fd) as person:
        caller, recovery = person.caller, person.vault.recovery
        beneficiary = recovery.beneficiary(to)
        object_id = recovery.team(team) if team is not None else case
        asked = recovery.asked(caller, scope, object_id, beneficiary, vouch=vouch)
        if asked is None:
            wish = recovery.ask(caller, scope, object_id, beneficiary, vouch=vouch)
            _say_what_comes_next(wish, "Asked.")
            return
        wish, is_approved = asked
        if not is_approved:
            _say_what_comes_next(wish, "Not approved yet.")
            return
        recovery.carry_out(caller, wish, shares.prompted())
    say("Done. What they can open now is on the access log, and so is this recovery.")


@app.command()
def drill(config: Path | None = ConfigOption) -> None:
    """Example: casevault keys drill

    Prove that the recovery shares fit, without opening anything; once a year. (operator)
    """
    harden_process()
    stores = unlocking.open_stores(settings_from(config))
    try:
        given = shares.prompted()
        at = Recovery(stores, Gate(stores, SECOND_FACTOR)).drill(given)
    finally:
        stores.close()
    print(f"The shares hold: {len(given)} of them, {datetime.fromtimestamp(at, UTC):%Y-%m-%d}.")


def _say_what_comes_next(wish: Wish, first: str) -> None:
    who = " or ".join(sorted(role.value for role in rules.approvers_of(wish)))
    say(f"{first} Now a {who} who is neither you nor the person it is for approves it, in their")
    say(f"own session: GET /v1/approvals, then POST /v1/approvals/{wish.id}/decision.")
    say(f"Both compare the fingerprint with what the person sees: {dict(wish.parameters)['keys']}")
    say("Then run this command again, with the custodians and their shares.")
