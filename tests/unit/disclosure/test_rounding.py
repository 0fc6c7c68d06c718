"""Rounded counts: no guarantee, but a gate that looks at everything a recipient ever got."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from casevault.disclosure import rounding
from casevault.disclosure.rendering import csv_bytes, rows
from casevault.disclosure.report.published import Published, read_all
from casevault.errors import Conflict, Refused
from tests.unit.disclosure.people import Book, crowd, exact, release

CONTEXT = "people-context-exploitation"


def given(snap, *tables: str) -> list[Published]:
    """Return the rounded files of some tables, as a recipient reads them."""
    made = release(*tables)
    shown = rounding.cells(made, snap)
    return [
        read_all(csv_bytes(t, rows(made, t, shown[t.id], rounding.METHOD)).decode())[0]
        for t in made.tables
    ]


def test_numbers_are_near_and_small_ones_are_not_shown():
    """Within two of the truth, a multiple of five, from ten up; the file promises nothing."""
    snap = crowd(400, seed=8).snapshot()
    (one,) = given(snap, CONTEXT)
    truth = exact(snap, release(CONTEXT))
    counts = [int(truth["people"]), *truth["people/context"], *truth["people/exploitation"]]
    counts += list(truth[f"people/{'/'.join(one.table.axes)}"].ravel())
    for row, count in zip(one.rows, counts, strict=True):
        if row.value is None:
            assert count < 8
        else:
            assert row.value % 5 == 0
            assert row.value >= 10
            assert row.lower <= count <= row.upper
    assert "NO FORMAL GUARANTEE" in one.method
    assert one.epsilon == ""


def test_the_gate_lets_one_table_through_and_freezes_it():
    """A second time, or days that overlap, are refused."""
    files = given(crowd(400, seed=8).snapshot(), "people-means")
    rounding.check([], files)
    with pytest.raises(Conflict):
        rounding.check(files, files)
    half = [replace(files[0], start=date(2025, 7, 1), end=date(2026, 6, 30))]
    with pytest.raises(Refused) as caught:
        rounding.check(half, files)
    assert caught.value.code == "release.overlap"
    rounding.check([replace(files[0], start=date(2024, 1, 1), end=date(2024, 12, 31))], files)


def _people(counts: dict[str, int]):
    book = Book()
    for kind, number in counts.items():
        for n in range(number):
            book.case(f"{kind}-{n}", exploitation=(kind,), context=("conflict",))
    return book.snapshot()


def test_the_gate_refuses_what_could_be_worked_out():
    """A bound that two files give together is found; each file alone passes."""
    snap = _people({"ForcedLabour": 42, "SexualExploitation": 38})
    total, table = given(snap, "people-total"), given(snap, CONTEXT)
    rounding.check([], total)
    rounding.check([], table)
    # Whoever has both totals under two roundings knows the overlap: here they are one and the
    # same; bend the first so that its range only touches the second's.
    row = total[0].rows[0]
    bent = replace(row, value=row.value + 4, lower=row.lower + 4, upper=row.upper + 4)
    with pytest.raises(Refused) as caught:
        rounding.check([replace(total[0], rows=(bent,))], table)
    assert caught.value.code == "release.gate"
    far = replace(row, lower=row.lower + 50, upper=row.upper + 50)
    with pytest.raises(Refused):
        rounding.check([replace(total[0], rows=(far,))], table)
