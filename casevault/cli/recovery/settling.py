"""``casevault db settle``: a restored data store, brought to what the newest keyring knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import typer

from casevault import host, restoring
from casevault.cli import unlocking
from casevault.cli.output import ConfigOption, JsonOption, emit, say, settings_from
from casevault.cli.personal import LoginOption, PassphraseFdOption, signed_in
from casevault.config import Settings
from casevault.domain.recovery.settling import Findings
from casevault.domain.staff.approvals import Wish
from casevault.store.recovery import restoring as placing

EXIT_PARTIAL = 3


def settle(
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
    restored: bool = typer.Option(
        False, "--restored", help="The data came back in another way than by `db restore`."
    ),
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault db settle, and then: casevault db settle --login dana

    Bring a restored data store to what the newest keyring knows, while the service is stopped.
    Without --login: cases that were erased are removed again, data without keys is put aside,
    everything is compared and reported. Where something is lost, two people (DPO, supervisor or
    auditor) run it with their login, and the second one's word ends it. Exit code 3: something is
    left for people. (operator)
    """
    settings = settings_from(config)
    host.harden_process()
    with host.sole_service(settings):
        if login is None:
            found, done = _alone(settings, restored=restored)
        else:
            found, wish = _signed(config, settings, login, passphrase_fd)
            done = wish is None
    if as_json:
        emit(_data(found, settled=done))
    else:
        print("\n".join(_lines(found)))
    _say_what_comes_next(found, done=done, asked=login is not None)
    if found.is_partial or not done:
        raise typer.Exit(EXIT_PARTIAL)


def _alone(settings: Settings, *, restored: bool) -> tuple[Findings, bool]:
    stores = unlocking.open_stores(settings, unsettled=True)
    try:
        if restored:
            placing.mark(stores.keyring, stores.now())
        found = restoring.settling(settings, stores).settle()
    finally:
        stores.close()
    return found, not found.needs_two_people


def _signed(
    config: Path | None, settings: Settings, login: str, passphrase_fd: int | None
) -> tuple[Findings, Wish | None]:
    with signed_in(config, login, passphrase_fd, unsettled=True) as person:
        settling = restoring.settling(settings, person.vault.stores)
        found = settling.settle()
        wish = settling.sign(person.caller, found) if found.needs_two_people else None
    return found, wish


def _lines(found: Findings) -> Iterator[str]:
    yield f"{found.cases} cases; the access log has {found.log.size} entries and verifies."
    if found.log.missing:
        yield f"{found.log.missing} entries that were signed are not in it any more: they are lost."
    yield from _named(found.erased, "was erased, and has been removed again")
    yield from _named(found.lost, "has keys and no data: it is not in the backup, and lost")
    yield from _named(found.quarantined, "has data and no keys: put aside, nobody can open it")
    yield from _named(found.released, "was put aside and has keys again")
    yield from _named(found.strayed, "is its former team's in the backup: its team takes it again")
    for one in found.compared:
        yield (
            f"  {one.case} {one.compartment}: {one.fault.value}, revision {one.found}, the keyring"
            f" remembers {one.remembered}"
        )
    if found.closed:
        yield f"{found.closed} drafts, refused lines or feeds that their authors had ended: closed."


def _named(cases: tuple[UUID, ...], what: str) -> Iterator[str]:
    for case in cases:
        yield f"  {case} {what}"


def _data(found: Findings, *, settled: bool) -> dict[str, Any]:
    return {
        "settled": settled,
        "cases": found.cases,
        "erased": [str(case) for case in found.erased],
        "lost": [str(case) for case in found.lost],
        "quarantined": [str(case) for case in found.quarantined],
        "released": [str(case) for case in found.released],
        "strayed": [str(case) for case in found.strayed],
        "compared": [
            {
                "case": str(one.case),
                "compartment": one.compartment,
                "fault": one.fault.value,
                "found": one.found,
                "remembered": one.remembered,
            }
            for one in found.compared
        ],
        "closed": found.closed,
        "log": {
            "size": found.log.size,
            "signed": found.log.signed,
            "missing": found.log.missing,
        },
    }


def _say_what_comes_next(found: Findings, *, done: bool, asked: bool) -> None:
    if found.quarantined:
        say(
            "Data without keys: look for a newer keyring backup before anything else. Nothing of it"
        )
        say("has been removed, and nothing will be.")
    if found.lost:
        say("Lost cases: their keys are kept. Look for a newer data backup; else the teams record")
        say("these cases anew.")
    if found.log.missing or (found.restored and found.log.signed):
        say(
            "If `casevault ledger print` ends with exit code 4 after this, signed entries are lost:"
        )
        say("give ledger_origin its next name (2026b after 2026a), then: casevault ledger reopen.")
    if done:
        say("Settled. Next: casevault serve.")
    elif asked:
        say("Asked. Now another DPO, supervisor or auditor reads this report and runs the same")
        say("command with their own login.")
    else:
        say("Next: two people read this report and run `casevault db settle --login NAME`, one")
        say("after the other. Until then the vault is not served.")
