"""``casevault ledger``: export, checkpoints, and the offline verifier for outsiders."""

from __future__ import annotations

import base64
from pathlib import Path

import typer

from casevault import bootstrap
from casevault.cli import unlocking
from casevault.cli.output import ConfigOption, JsonOption, emit, say, settings_from
from casevault.crypto.principals import is_raw_signature
from casevault.errors import Invalid, Tampered
from casevault.ledger.note import VerifierKey, unverified_checkpoint
from casevault.ledger.verify import verify_export
from casevault.store.ledger import SERVICE, Act

app = typer.Typer(
    help="Example: casevault ledger verify export/ --key 'example.org/casevault/2026a+…'",
    no_args_is_help=True,
)


@app.command()
def export(folder: Path, config: Path | None = ConfigOption) -> None:
    """Example: casevault ledger export export/

    Write leaves, tiles and a fresh checkpoint: everything an outsider needs. (operator)
    """
    settings = settings_from(config)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise Invalid(
            "There is something in that place already. Name a new folder.", code="export.folder"
        )
    stores = unlocking.open_stores(settings)
    try:
        stores.ledger.record(Act("ledger.export", SERVICE, rule="permit:operator"))
        bootstrap.settle(stores)
        signer = bootstrap.checkpoints(settings, stores)
        count = 0
        for relative, content in signer.export():
            path = folder / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            count += 1
        say(f"{count} files. Verify with: casevault ledger verify {folder} --key '<key>'; the key:")
        print(signer.verifier_key.encode())
    finally:
        stores.close()


@app.command()
def verify(
    folder: Path = typer.Argument(..., exists=True, file_okay=False),  # noqa: B008 - typer's way
    key: str = typer.Option(..., "--key", help="The log's verifier key (name+hash+key)."),
    older: Path | None = typer.Option(  # noqa: B008 - typer's way
        None,
        "--older",
        exists=True,
        dir_okay=False,
        help="A checkpoint that you kept; the export must extend it.",
    ),
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault ledger verify export/ --key 'example.org/casevault/2026a+5f…+AX…'

    Re-hash every stored byte of an export; exit code 4 if anything was changed. (offline)
    """
    verifier = verifier_key(key)
    before = None if older is None else older.read_bytes()
    with typer.progressbar(
        length=100, label="hashing", file=typer.get_text_stream("stderr")
    ) as bar:
        report = verify_export(
            folder,
            verifier.name,
            verifier.public,
            is_raw_signature,
            older=before,
            progress=lambda done, total: bar.update(max(0, 100 * done // max(total, 1) - bar.pos)),
        )
    data = {
        "origin": report.origin,
        "size": report.size,
        "root": base64.b64encode(report.root).decode(),
        "writers": report.writers,
        "retired": report.retired,
        "gaps": [{"writer": g.writer, "first": g.first, "last": g.last} for g in report.gaps],
    }
    if as_json:
        emit(data)
        return
    say(f"{report.size} entries, every byte as it was signed. Root {data['root']}.")
    for gap in report.gaps:
        say(f"writer {gap.writer}: entries {gap.first} to {gap.last} are not in the log")


def verifier_key(text: str) -> VerifierKey:
    """Read a verifier key as people give it; a mistyped one is a mistake in usage."""
    try:
        return VerifierKey.parse(text)
    except Tampered:
        # What was typed is wrong, not the log.
        raise typer.BadParameter(
            "not a verifier key; copy it whole, as `casevault ledger export` printed it",
            param_hint="--key",
        ) from None


@app.command(name="print")
def print_line(config: Path | None = ConfigOption) -> None:
    """Example: casevault ledger print

    One line for the minutes book: origin, size, root, date. (operator)
    """
    settings = settings_from(config)
    stores = unlocking.open_stores(settings)
    try:
        bootstrap.settle(stores)
        head = unverified_checkpoint(bootstrap.checkpoints(settings, stores).sign())
        root = base64.b64encode(head.root).decode()
        print(f"{head.origin} {head.size} {root} {stores.clock.now():%Y-%m-%d}")
    except Tampered:
        say("The log does not extend its last checkpoint. Keep everything as it is; call for help.")
        raise
    finally:
        stores.close()
