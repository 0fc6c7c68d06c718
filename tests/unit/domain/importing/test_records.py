"""Records of a file: tables and JSON lines, good and bad, in memory that does not grow."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.domain.importing.records import MAX_LINE, CsvRecords, JsonRecords
from casevault.errors import Invalid


def table(data, delimiter=None):
    """Open bytes as a table."""
    return CsvRecords(io.BytesIO(data), delimiter)


def lines(data):
    """Open bytes as JSON lines."""
    return JsonRecords(io.BytesIO(data))


def codes(records):
    """Return line and first code of each record that was refused."""
    return [(r.line, r.faults[0].code) for r in records if r.faults]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_table_is_read_with_any_usual_delimiter(delimiter, mark):
    """With and without byte order mark; lines count from the header, which is 1."""
    text = delimiter.join(("No", "Name")) + "\r\n" + delimiter.join(("1", "Mira")) + "\r\n"
    found = table(mark + text.encode())
    assert found.columns == ("No", "Name")
    assert [(r.line, r.cells) for r in found] == [(2, {"No": "1", "Name": "Mira"})]


def test_a_given_delimiter_is_taken():
    """What nobody could guess is said."""
    assert table(b"No|Name\n1|Mira\n", "|").columns == ("No", "Name")


def test_only_one_column_is_a_table_too():
    """Where nothing separates, nothing is split."""
    assert [r.cells for r in table(b"No\n1\n\n2\n")] == [{"No": "1"}, {"No": "2"}]


def test_a_cell_may_hold_lines_and_signs():
    """Quoted cells keep line breaks and delimiters; the record's line is where it begins."""
    found = list(table(b'No,Text\n1,"one\ntwo, three"\n2,"say ""x"""\n'))
    assert [(r.line, r.cells["Text"]) for r in found] == [(2, "one\ntwo, three"), (4, 'say "x"')]


def test_one_bad_record_does_not_harm_its_neighbours():
    """Too few cells, too many, a broken quote: refused by line, and the next is read."""
    data = b'No,Name\n1\n2,a,b\n3,"a"b\n4,good\n'
    found = list(table(data))
    assert codes(found) == [(2, "csv.cells"), (3, "csv.cells"), (4, "csv.syntax")]
    assert found[-1].cells == {"No": "4", "Name": "good"}


def test_a_quote_that_is_never_closed_ends_as_one_fault():
    """The rest of the file belongs to the broken cell, and that is said."""
    found = list(table(b'No,Name\n1,a\n2,"open\n3,b\n'))
    assert codes(found) == [(3, "csv.syntax")]


@pytest.mark.parametrize("data", [b"", b"No,No\n", b"No,,Name\n", b'"No\n', b"x" * (MAX_LINE + 1)])
def test_a_table_needs_a_header(data):
    """Names once each and none empty; the header is never repeated in the answer."""
    with pytest.raises(Invalid) as caught:
        table(data)
    assert caught.value.code == "import.header"


def test_another_encoding_is_seen():
    """UTF-16 is refused as a file, a byte that is no UTF-8 stays visible for its line."""
    with pytest.raises(Invalid) as caught:
        table("No,Name\n1,x\n".encode("utf-16"))
    assert caught.value.code == "import.encoding"
    (found,) = table(b"No,Name\n1,M\xfcller\n")
    assert found.cells["Name"] == "M\udcfcller"


def test_a_line_that_is_too_long_is_refused_and_skipped():
    """The rest of the line is not read as a line of its own."""
    long = b'1,"' + b"x," * (MAX_LINE // 2) + b'"'
    short = b"1," + b"x" * (MAX_LINE - 10) + b"y" * 100
    for data in (long, short):
        found = list(table(b"No,Name\n" + data + b"\n2,b\n"))
        assert found[0].faults
        assert found[-1].cells.get("Name") == "b" or data is long
    objects = lines(b'{"a":1}\n{"a":"' + b"x" * MAX_LINE + b'"}\n{"a":2}\n')
    assert [(r.line, r.cells) for r in objects if not r.faults] == [(1, {"a": 1}), (3, {"a": 2})]


def test_a_cut_line_is_never_taken_for_a_whole_one():
    """A last cell that would fit, were it not cut, is refused all the same."""
    cell = b"x" * 100_000
    row = b",".join([cell] * 12)
    header = b",".join(b"c%d" % n for n in range(11)) + b"\n"
    assert codes(table(header + row + b"\n")) == [(2, "import.line-too-long")]


def test_json_lines_are_read_strictly():
    """Objects only, by the rules of the interface; empty lines are nothing."""
    data = b'{"a": 1}\n\n[1]\n{"a": NaN}\n{"a": 1, "a": 2}\n{"a": "\\ud800"}\n{\n{"b": [2]}\n'
    found = list(lines(b"\xef\xbb\xbf" + data))
    assert [(r.line, r.cells) for r in found if not r.faults] == [(1, {"a": 1}), (8, {"b": [2]})]
    assert codes(found) == [
        (3, "json.object"),
        (4, "json.number"),
        (5, "json.duplicate-key"),
        (6, "json.text"),
        (7, "json.syntax"),
    ]


def test_the_first_object_names_the_columns():
    """So that what becomes of them can be said before anything is taken."""
    assert lines(b'{"b": 1, "a": 2}\n').columns == ("b", "a")
    assert lines(b"").columns == ()
    assert list(lines(b"")) == []


@given(data=st.binary(max_size=300))
def test_any_bytes_end(data):
    """Whatever a file holds, reading it ends in records, faults or `Invalid`."""
    found, code = [], "import.encoding"
    try:
        found = [*table(b"a,b\n" + data), *lines(data)]
    except Invalid as error:
        code = error.code
    assert code == "import.encoding"
    assert not any(record.faults and record.cells for record in found)
