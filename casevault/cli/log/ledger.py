"""``casevault ledger``: export, proofs, and the offline verifier for outsiders."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from casevault import bootstrap
from casevault.cli import unlocking
from casevault.cli.log import inspecting, reopening, retiring, signer, witness
from casevault.cli.log.witness import verifier_key as verifier_key
from casevault.cli.output import ConfigOption, JsonOption, emit, say, settings_from
from casevault.crypto.principals import is_raw_signature
from casevault.errors import Invalid, Tampered
from casevault.ledger.entry import check_body, parse_leaf
from casevault.ledger.proof import MAX_PROOF_BYTES, Proof, encode_proof, parse_proof, verify_proof
from casevault.ledger.tree import leaf_hash
from casevault.ledger.verify import Report, verify_export
from casevault.store.context.stores import Stores
from casevault.store.engine.space import Space
from casevault.store.log import exporting, proofs
from casevault.store.log.checkpoints import Checkpoints
from casevault.store.log.ledger import SERVICE, Act

app = typer.Typer(
    help="Example: casevault ledger verify export/ --key 'example.org/casevault/2026a+…'",
    no_args_is_help=True,
)
for module in (witness, signer, inspecting, retiring, reopening):
    module.add_to(app)


@app.command()
def export(
    folder: Path | None = typer.Argument(  # noqa: B008 - typer's way
        None, help="New folder for tiles and JSON lines."
    ),
    tiles: Path | None = typer.Option(  # noqa: B008 - typer's way
        None, "--tiles", help="New folder for a C2SP tlog-tiles log and nothing else."
    ),
    lines: Path | None = typer.Option(  # noqa: B008 - typer's way
        None, "--lines", help="New file for one JSON line per entry; its checkpoint beside it."
    ),
    config: Path | None = ConfigOption,
) -> None:
    """Example: casevault ledger export --tiles public/

    Write leaves, tiles and a fresh checkpoint: everything an outsider needs. (operator)
    """
    wanted = [place for place in (folder, tiles, lines) if place is not None]
    if not wanted:
        raise typer.BadParameter("name a folder, --tiles or --lines", param_hint="FOLDER")
    for place in wanted:
        _require_new(place)
    with _opened(config) as (stores, signing):
        # Where there is no vault yet, that is what has to be said.
        Space.of(settings_from(config)).require_exports()
        stores.ledger.record(Act("ledger.export", SERVICE, rule="permit:operator"))
        bootstrap.settle(stores)
        found = (stores.data, signing)
        if folder is not None:
            _told(exporting.write_folder(folder, exporting.pieces(*found)), folder)
        if tiles is not None:
            files = exporting.pieces(*found, lines=False)
            _told(exporting.write_folder(tiles, files), tiles)
        if lines is not None:
            beside = exporting.write_lines(lines, exporting.pieces(*found, tiles=False))
            say(f"Verify with: casevault ledger verify {lines} --checkpoint {beside} --key '<key>'")
        say("The log's key, for whoever verifies:")
        print(signing.verifier_key.encode())


@app.command()
def prove(
    index: list[int] = typer.Argument(..., min=0, help="Places of entries, from 0."),  # noqa: B008
    to: Path = typer.Option(..., "--to", help="Folder for the proofs."),  # noqa: B008
    config: Path | None = ConfigOption,
) -> None:
    """Example: casevault ledger prove 0 1711 --to proofs/

    Write one file per entry that proves it to anybody (c2sp.org/tlog-proof@v1). (operator)
    """
    with _opened(config) as (stores, signing):
        bootstrap.settle(stores)
        note = signing.sign()
        to.mkdir(parents=True, exist_ok=True)
        for place in index:
            with stores.data.reading() as connection:
                newest = proofs.note_for(connection, place, note)
                proof = proofs.prove(connection, place, newest)
            target = to / f"{place}.tlog-proof"
            target.write_bytes(encode_proof(proof))
            print(target)


@app.command(name="verify-proof")
def check_proof(
    file: Path = typer.Argument(..., exists=True, dir_okay=False),  # noqa: B008 - typer's way
    key: str = typer.Option(..., "--key", help="The log's verifier key (name+hash+key)."),
    salt: str | None = typer.Option(None, "--salt", help="With --body: the salt, base64."),
    body: Path | None = typer.Option(  # noqa: B008 - typer's way
        None, "--body", exists=True, dir_okay=False, help="The opened body of the entry."
    ),
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault ledger verify-proof 1711.tlog-proof --key 'example.org/…+…'

    Check a proof, and the body that was shown with it; exit code 4 if it does not hold. (offline)
    """
    verifier = verifier_key(key)
    with file.open("rb") as opened:
        proof = parse_proof(opened.read(MAX_PROOF_BYTES + 1))
    head = verify_proof(
        proof, leaf_hash(proof.extra), verifier.name, verifier.public, is_raw_signature
    )
    leaf = parse_leaf(proof.extra)
    shown = _shown(proof, salt, body)
    if as_json:
        emit({"index": proof.index, "size": head.size, "leaf": proof.extra.decode(), "body": shown})
    else:
        say(f"Entry {proof.index} of {head.size}: category {leaf.c}, outcome {leaf.o}, {leaf.t}.")
        say("It stands in the log that this key signed." + (" The body is its own." * bool(shown)))


@app.command()
def verify(
    place: Path = typer.Argument(..., exists=True, help="An exported folder or file of lines."),  # noqa: B008
    key: str = typer.Option(..., "--key", help="The log's verifier key (name+hash+key)."),
    older: Path | None = typer.Option(  # noqa: B008 - typer's way
        None,
        "--older",
        exists=True,
        dir_okay=False,
        help="A checkpoint that you kept; the export must extend it.",
    ),
    checkpoint: Path | None = typer.Option(  # noqa: B008 - typer's way
        None, "--checkpoint", exists=True, dir_okay=False, help="The checkpoint of a file of lines."
    ),
    retired: int = typer.Option(
        0, "--retired", min=0, help="How many first entries retention may have removed."
    ),
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault ledger verify export/ --key 'example.org/casevault/2026a+5f…+AX…'

    Re-hash every stored byte of an export; exit code 4 if anything was changed. (offline)
    """
    verifier = verifier_key(key)
    if place.is_file() and checkpoint is None:
        raise typer.BadParameter("a file of lines needs --checkpoint", param_hint="PLACE")
    with typer.progressbar(
        length=100, label="hashing", file=typer.get_text_stream("stderr")
    ) as bar:
        report = verify_export(
            place,
            verifier.name,
            verifier.public,
            is_raw_signature,
            older=None if older is None else older.read_bytes(),
            checkpoint=None if checkpoint is None else checkpoint.read_bytes(),
            retired=retired,
            progress=lambda done, total: bar.update(max(0, 100 * done // max(total, 1) - bar.pos)),
        )
    _show(report, as_json)


def _show(report: Report, as_json: bool) -> None:
    root = base64.b64encode(report.root).decode()
    if as_json:
        gaps = [{"writer": g.writer, "first": g.first, "last": g.last} for g in report.gaps]
        emit(
            {
                "origin": report.origin,
                "size": report.size,
                "root": root,
                "writers": report.writers,
                "retired": report.retired,
                "gaps": gaps,
            }
        )
        return
    say(f"{report.size} entries, every byte as it was signed. Root {root}.")
    if report.retired:
        say(f"Of the first {report.retired} only the hashes are left: retention removed them.")
    for gap in report.gaps:
        say(f"writer {gap.writer}: entries {gap.first} to {gap.last} are not in the log")


def _shown(proof: Proof, salt: str | None, body: Path | None) -> str | None:
    if (salt is None) != (body is None):
        raise typer.BadParameter("--salt and --body belong together", param_hint="--body")
    if salt is None or body is None:
        return None
    try:
        raw = base64.b64decode(salt, validate=True)
        data = body.read_bytes()
        check_body(parse_leaf(proof.extra), raw, data)
    except (ValueError, Invalid):
        raise Tampered(code="ledger-commitment") from None
    return data.decode()


def _require_new(place: Path) -> None:
    if place.exists() and not (place.is_dir() and not any(place.iterdir())):
        raise Invalid(
            "There is something in that place already. Name a new folder.", code="export.folder"
        )


def _told(count: int, folder: Path) -> None:
    say(f"{count} files. Verify with: casevault ledger verify {folder} --key '<key>'")


@contextmanager
def _opened(config: Path | None) -> Iterator[tuple[Stores, Checkpoints]]:
    settings = settings_from(config)
    stores = unlocking.open_stores(settings)
    try:
        yield stores, bootstrap.checkpoints(settings, stores)
    finally:
        stores.close()
