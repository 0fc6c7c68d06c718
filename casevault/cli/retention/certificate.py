"""``casevault certificate``: certificates of erasure, written out, and checked without a vault."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import typer

from casevault.cli.log.witness import verifier_key
from casevault.cli.operating import operate
from casevault.cli.output import ConfigOption, JsonOption, emit, say, settings_from
from casevault.cli.retention import retention_verbs as verbs
from casevault.crypto.principals import is_raw_signature
from casevault.errors import Tampered
from casevault.ledger import certificate
from casevault.ledger.certificate import MAX_BYTES, Checked
from casevault.ledger.note import VerifierKey
from casevault.ledger.verify import verify_export

app = typer.Typer(
    help="Example: casevault certificate verify CERTIFICATE --keys keys.txt --ledger export/",
    no_args_is_help=True,
)
KEYS = "keys.txt"


@app.command()
def export(
    folder: Path = typer.Argument(..., help="Folder for the certificates."),  # noqa: B008
    config: Path | None = ConfigOption,
) -> None:
    """Example: casevault certificate export certificates/

    Write every certificate as a file, and the keys with which anybody checks them. (operator)

    The keys belong into other hands too: who has them from elsewhere need not believe this machine.
    """
    found = operate(settings_from(config), verbs.CERTIFICATES, verbs.Nothing())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / KEYS).write_text("".join(key + "\n" for key in found["keys"]))
    for name, text in found["certificates"].items():
        (folder / f"{name}.json").write_text(text)
    print(f"{len(found['certificates'])} certificates in {folder}.")


@app.command()
def verify(
    file: Path = typer.Argument(..., exists=True, dir_okay=False),  # noqa: B008 - typer's way
    key: list[str] = typer.Option(  # noqa: B008 - typer's way
        [], "--key", help="A verifier key (name+hash+key): the log's and the organisation's."
    ),
    keys: Path | None = typer.Option(  # noqa: B008 - typer's way
        None, "--keys", exists=True, dir_okay=False, help="A file with such keys, one a line."
    ),
    ledger: Path | None = typer.Option(  # noqa: B008 - typer's way
        None, "--ledger", exists=True, help="An export of the log, which must hold the entry."
    ),
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault certificate verify 8d0f….json --keys keys.txt --ledger export/

    Check a certificate; exit code 4 if it does not hold. (offline)

    Signature of the organisation, the entry of the log with its proof, and, with --ledger, that
    the whole log still extends the state in which the erasure was recorded.
    """
    believed = _keys(key, keys)
    with file.open("rb") as opened:
        checked = certificate.check(opened.read(MAX_BYTES + 1), believed, is_raw_signature)
    if ledger is not None:
        _against(ledger, checked, believed)
    if as_json:
        emit({**checked.said, "position": checked.index, "origin": checked.head.origin})
        return
    _print(checked)
    say("The certificate holds." + ("" if ledger is None else " So does the log."))


@app.command(name="print")
def print_(
    file: Path = typer.Argument(..., exists=True, dir_okay=False),  # noqa: B008 - typer's way
    key: list[str] = typer.Option([], "--key", help="A verifier key."),  # noqa: B008
    keys: Path | None = typer.Option(  # noqa: B008 - typer's way
        None, "--keys", exists=True, dir_okay=False, help="A file with keys, one a line."
    ),
) -> None:
    """Example: casevault certificate print 8d0f….json --keys keys.txt

    A certificate on one page, for paper; only if it holds. (offline)
    """
    with file.open("rb") as opened:
        data = opened.read(MAX_BYTES + 1)
    _print(certificate.check(data, _keys(key, keys), is_raw_signature))


def _print(checked: Checked) -> None:
    said = checked.said
    print("CERTIFICATE OF ERASURE")
    for name in ("id", "organisation", "erased_at", "final_on", "retention_class", "reason"):
        print(f"{name.replace('_', ' ') + ':':<18}{said[name]}")
    print(f"{'erased:':<18}{', '.join(said['compartments'])}")
    print(f"{'destruction:':<18}{said['destruction']}")
    print(f"{'log:':<18}{checked.head.origin}, entry {checked.index} of {checked.head.size}")
    print(f"\n{said['means']}\n\n{said['residual_risk']}")


def _against(ledger: Path, checked: Checked, keys: list[VerifierKey]) -> None:
    *others, last = [one for one in keys if one.name == checked.head.origin]
    for key in others:
        # The log's key may have been replaced since: one of those that people hold must fit.
        with suppress(Tampered):
            verify_export(ledger, key.name, key.public, is_raw_signature, older=checked.note)
            return
    verify_export(ledger, last.name, last.public, is_raw_signature, older=checked.note)


def _keys(texts: list[str], file: Path | None) -> list[VerifierKey]:
    lines = [] if file is None else file.read_text().split()
    found = [verifier_key(text) for text in [*texts, *lines]]
    if not found:
        raise typer.BadParameter("give the keys with --keys or --key", param_hint="--keys")
    return found
