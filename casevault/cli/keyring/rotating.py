"""``casevault keys rotate|retire|reissue``: new versions of keys that belong to no person."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

from casevault import bootstrap
from casevault.cli import unlocking
from casevault.cli.ceremony import shares
from casevault.cli.keyring import key_verbs as verbs
from casevault.cli.log.signer import replace_key
from casevault.cli.operating import operate
from casevault.cli.output import EXIT_PARTIAL, ConfigOption, JsonOption, emit, say, settings_from
from casevault.config import Settings
from casevault.crypto.roots import PEPPER, SERVICE_KEY
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import Refused
from casevault.host import harden_process
from casevault.services.recovery.rotations import PAIRS


class Rotatable(StrEnum):
    """What can be given a new version by itself."""

    PEPPER = PEPPER
    SERVICE_KEY = SERVICE_KEY
    SERVICE = PrincipalKind.SERVICE.value
    ORGANISATION = PrincipalKind.ORGANISATION.value
    COUNTING = PrincipalKind.COUNTING.value
    LEDGER = PrincipalKind.LEDGER.value


_NAMES = {pair.value for pair in PAIRS}


def rotate(
    kind: Rotatable = typer.Argument(..., help="Which key."),  # noqa: B008
    config: Path | None = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault keys rotate pepper

    Give a key a new version, and move what no person is needed for. (operator)

    Everybody goes on working; run it again if it was cut off. For service, organisation and
    counting the custodians type their shares, because the root vouches for the new pair. The older
    version stays until `casevault keys retire`. From `ledger` on, both keys sign checkpoints: give
    the note that is printed to every witness.
    """
    harden_process()
    settings = settings_from(config)
    if kind is Rotatable.LEDGER:
        replace_key(settings, finish=False)
        return
    if kind.value in _NAMES:
        done = _with_shares(settings, PrincipalKind(kind.value))
    else:
        done = operate(settings, verbs.ROTATE, verbs.KeyWish(kind.value))
    if as_json:
        emit(done)
        return
    print(f"{done['key']}: version {done['version']}; {done['moved']} moved.")
    for one in done["left"]:
        print(f"  version {one['version']} is needed by {one['count']} {one['what']}.")


def retire(
    kind: Rotatable = typer.Argument(..., help="Which key."),  # noqa: B008
    config: Path | None = ConfigOption,
) -> None:
    """Example: casevault keys retire pepper

    Destroy the older versions of a key, if nothing needs them any more. (operator)

    Refused, with exit code 3, while a row names one, the keyring backup is older than the last
    move, or a backup of the data store that is promised may need it; for `ledger`, while the last
    checkpoint does not carry both signatures.
    """
    harden_process()
    if kind is Rotatable.LEDGER:
        replace_key(settings_from(config), finish=True)
        return
    try:
        done = operate(settings_from(config), verbs.RETIRE, verbs.KeyWish(kind.value))
    except Refused as refusal:
        say(refusal.detail)
        raise typer.Exit(EXIT_PARTIAL) from None
    gone = done["destroyed"]
    if gone:
        print(f"{kind.value}: destroyed {', '.join(map(str, gone))}. The next roll replaces the")
        print("capsule, which still holds it.")
    else:
        print(f"{kind.value}: there is no older version.")


def _with_shares(settings: Settings, kind: PrincipalKind) -> dict[str, Any]:
    # Typed here and nowhere else: shares do not travel to the service.
    stores = unlocking.open_stores(settings)
    try:
        done = bootstrap.rotations(settings, stores).renew_pair(kind, shares.prompted())
    finally:
        stores.close()
    return verbs.described(done)
