"""``casevault release``: counts that cannot be turned back into people.

`plan` says what a size allows. `simulate` needs no vault: records in, release files out, marked as
a simulation. Prints names of files, columns and codes; must never print what stood in a cell or an
exact count.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from casevault import __version__
from casevault.cli.counting import releases
from casevault.cli.counting.release_list import as_data, show_list
from casevault.cli.output import JsonOption, emit, messages, say, table
from casevault.disclosure import catalogue, facts_csv, planning, rendering, simulating
from casevault.disclosure.facts_csv import Facts, Watcher
from casevault.disclosure.measuring import Noisy
from casevault.disclosure.releasing import Release
from casevault.errors import Invalid

_MARK = b"SIMULATION"
app = typer.Typer(
    help="Example: casevault release simulate facts.csv --services services.csv --out release/",
    no_args_is_help=True,
)
# Without a name: its commands stand beside those that need no vault.
app.add_typer(releases.app)


@app.command()
def plan(
    declared_size: int = typer.Option(
        ..., "--declared-size", min=1, help="People in a year, as declared in public."
    ),
    regions: int = typer.Option(
        5, "--regions", min=0, max=500, help="How many regions are declared."
    ),
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault release plan --declared-size 80

    Say which tables an organisation of this size may publish in a year and about how accurate they
    will be. Looks at no record and charges nothing. (offline)
    """
    found = planning.planned(declared_size, regions, catalogue.shipped())
    if as_json:
        emit([{**asdict(one), "rho": float(one.rho)} for one in found])
        return
    table(
        "In 95 of 100 cases a number is off by at most",
        ("table", "every", "rho", "total", "margin", "detail", "shown from"),
        [
            (
                one.table,
                one.basis,
                f"{float(one.rho):g}",
                f"±{one.total:.0f}",
                _about(one.margin),
                _about(one.detail),
                str(one.shown_from),
            )
            for one in found
        ],
    )
    say("Fewer tables in a release: less noise on each. Small differences mean nothing.")


def _about(deviation: float | None) -> str:
    return "" if deviation is None else f"±{deviation:.0f}"


@app.command()
def simulate(
    facts: Path | None = typer.Argument(  # noqa: B008 - typer's way
        None, exists=True, dir_okay=False, readable=True, help="Records: one row per case."
    ),
    services: Path | None = typer.Option(  # noqa: B008
        None, "--services", exists=True, dir_okay=False, readable=True, help="Services of them."
    ),
    referrals: Path | None = typer.Option(  # noqa: B008
        None, "--referrals", exists=True, dir_okay=False, readable=True, help="Referrals of them."
    ),
    tables: list[str] | None = typer.Option(  # noqa: B008
        None, "--tables", help="Ids of tables, joined by commas (default: all that apply)."
    ),
    period: list[str] | None = typer.Option(  # noqa: B008
        None,
        "--period",
        help="A year, half-year or quarter; may be repeated (default: years of many people).",
    ),
    regions: str | None = typer.Option(
        None,
        "--regions",
        help="The declared regions, joined by commas (default: those of many people).",
    ),
    declared_size: int = typer.Option(
        simulating.DEFAULT_SIZE,
        "--declared-size",
        min=1,
        help="People in a year, as declared in public; never counted from the file.",
    ),
    seed: str | None = typer.Option(
        None, "--seed", help="Same seed, same files (default: fresh noise)."
    ),
    out: Path | None = typer.Option(  # noqa: B008
        None, "--out", file_okay=False, help="Folder of the files."
    ),
    rounded: bool = typer.Option(
        False, "--rounded", help="Round to five instead: no formal guarantee, and a gate."
    ),
    given: list[Path] | None = typer.Option(  # noqa: B008
        None,
        "--given",
        exists=True,
        dir_okay=False,
        help="With --rounded: a file that the recipient has; may be repeated.",
    ),
    list_: bool = typer.Option(False, "--list", help="Print tables, columns and codes."),
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault release simulate facts.csv --tables people-total --seed 1 --out release/

    Make a release of records in a file, to see what a reader would get. Writes one CSV per table
    with a description beside it. Not a release: no budget is charged, and with a seed the noise can
    be drawn again. docs/formats/facts-csv.md. (offline)
    """
    if list_:
        emit(as_data()) if as_json else show_list()
        return
    if facts is None or out is None:
        raise typer.BadParameter("name a file of facts and --out, or --list")
    ids = [name.strip() for group in tables or () for name in group.split(",") if name.strip()]
    wish = simulating.Wish(
        simulating.chosen(
            ids,
            services=services is not None,
            referrals=referrals is not None,
            people=declared_size,
        ),
        declared_size,
        seed,
        __version__,
    )
    wish.check()
    key = simulating.snapshot_key(seed)
    found = _read(facts, services, referrals, _declared(regions), key)
    _warn(wish, found, services, referrals, regions)
    if not period:
        say("Nobody declared a period (--period): years of many people are named, by noise.")
    if rounded:
        texts = [path.read_bytes().decode("utf-8", "replace") for path in given or ()]
        done = _write(out, simulating.rounded(found, wish, sorted(set(period or ())), key, texts))
        table("Files", ("file",), [(str(out / name),) for name in done])
        say("Rounded counts have no formal guarantee. Given away, they are an exact disclosure.")
        return
    releases = simulating.simulate(found, wish, sorted(set(period or ())), key)
    written = _write(out, rendering.files(releases))
    if as_json:
        emit({"out": str(out), "files": written, "releases": [_summary(r) for r in releases]})
    else:
        table("Files", ("file",), [(str(out / name),) for name in written])
    say("This is a simulation: nothing was charged, and the files say so.")


def _declared(regions: str | None) -> tuple[str, ...] | None:
    if regions is None:
        return None
    names = tuple(name.strip() for name in regions.split(",") if name.strip())
    if len(set(names)) != len(names):
        raise Invalid("--regions names one twice.", code="release.regions")
    return names


def _read(
    facts: Path,
    services: Path | None,
    referrals: Path | None,
    regions: tuple[str, ...] | None,
    key: bytes,
) -> Facts:
    with ExitStack() as stack, _watching() as watch:

        def opened(path: Path | None) -> TextIO | None:
            if path is None:
                return None
            return stack.enter_context(path.open(encoding="utf-8-sig", newline=""))

        first = stack.enter_context(facts.open(encoding="utf-8-sig", newline=""))
        return facts_csv.read(
            first, opened(services), opened(referrals), regions=regions, key=key, watch=watch
        )


@contextmanager
def _watching() -> Iterator[Watcher]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=messages, disable=not messages.is_terminal) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda lines: bar.update(task, description=f"reading: {lines} lines")


def _warn(
    wish: simulating.Wish,
    found: Facts,
    services: Path | None,
    referrals: Path | None,
    regions: str | None,
) -> None:
    if found.ignored:
        say(f"{len(found.ignored)} columns are no coded fields and were left out (--list).")
    axes = {axis for table in wish.tables for axis in table.axes}
    if regions is None and "region" in axes:
        say("Nobody declared regions (--regions): those of many people are named, by noise.")
    counted = {table.universe for table in wish.tables}
    if (services is None and counted & {"services", catalogue.QUARTERLY, "unavailable"}) or (
        services is None and "first_service" in axes
    ):
        say("No --services: tables of services count nothing.")
    if referrals is None and "referrals" in counted:
        say("No --referrals: tables of referrals count nothing.")


def _write(out: Path, files: dict[str, bytes]) -> list[str]:
    """Write the files; one that is there already is replaced only if it was a simulation too."""
    out.mkdir(parents=True, exist_ok=True)
    for name in files:
        place = out / name
        if place.exists() and place.stat().st_size and _MARK not in place.read_bytes():
            raise Invalid(
                "The folder holds a file of that name that is no simulation.",
                code="release.out",
                hint="Name a new folder.",
            )
    for name, content in files.items():
        fresh = out / f".{name}.part"
        fresh.write_bytes(content)
        fresh.replace(out / name)
    return list(files)


def _summary(done: tuple[Release, Noisy]) -> dict[str, object]:
    release, _noisy = done
    return {**release.design.as_data(), "epsilon": round(release.design.epsilon, 4)}
