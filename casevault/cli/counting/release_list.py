"""What `casevault release simulate --list` prints: columns and codes in, tables out."""

from __future__ import annotations

from typing import Any

from casevault.disclosure import catalogue
from casevault.disclosure.catalogue import IndicatorTable
from casevault.disclosure.classifications import Dimension, Tier, coded_fields, codes_of
from casevault.disclosure.facts_csv import ALIASES, EVENT_COLUMNS, HISTORIC, REQUIRED
from casevault.domain import vocabulary

_MEANING = {
    "case_row": "any text, once per file",
    "pid": "any text, equal for records of one person",
    "accepted": "a date, YYYY-MM-DD",
    "region": "any text; --regions declares the list",
    "branch": "any text, counted nowhere",
    "statistics_consent": "0 or 1",
    HISTORIC: "0 or 1 (may be left out)",
    "service": "a code of the list",
    "date": "a date, YYYY-MM-DD",
    "outcome": "a code of the list",
}


def as_data() -> dict[str, Any]:
    """Return everything as data."""
    shipped = catalogue.shipped()
    return {
        "catalogue_version": shipped.version,
        "columns": _columns(),
        "services": _events("service_outcome"),
        "referrals": _events("referral_outcome"),
        "tables": [_table(shipped.tables[name]) for name in shipped.tables],
    }


def show_list() -> None:
    """Print everything as lines for people."""
    data = as_data()
    for title, columns in (
        ("COLUMNS OF FACTS (one row per case)", data["columns"]),
        ("COLUMNS OF --services", data["services"]),
        ("COLUMNS OF --referrals", data["referrals"]),
    ):
        print(title)
        for column in columns:
            many = ", several joined by ;" if column["several"] else ""
            codes = f" {' '.join(column['codes'])}" if column["codes"] else ""
            print(f"  {column['name']}: {column['meaning']}{many}{codes}")
    print("TABLES")
    for table in data["tables"]:
        spans = " x ".join(table["axes"]) or "total only"
        print(f"  {table['id']} (version {table['version']}): {table['title']}; {spans}")
        size = table["smallest_size_class"]
        print(f"    every {', '.join(table['periods'])}; smallest size class {size}")
        for axis in table["dimensions"]:
            for tier, categories in axis["tiers"].items():
                print(f"    {axis['name']} ({tier}): {_as_text(categories)}")


def _as_text(categories: dict[str, list[str]]) -> str:
    return " ".join(
        name if codes in ([], [name]) else f"{name}={'|'.join(codes)}"
        for name, codes in categories.items()
    )


def _columns() -> list[dict[str, Any]]:
    found = [_column(name, _MEANING[name]) for name in REQUIRED]
    aliases = {name: alias for alias, name in ALIASES.items()}
    for field in coded_fields():
        meaning = f"also called {aliases[field.name]}" if field.name in aliases else "codes"
        found.append(_column(field.name, meaning, codes_of(field), several=field.many))
    return [*found, _column(HISTORIC, _MEANING[HISTORIC])]


def _events(outcomes: str) -> list[dict[str, Any]]:
    lists = {"service": "service_type", "outcome": outcomes}
    return [
        _column(name, _MEANING[name], vocabulary.code_list(lists[name]) if name in lists else ())
        for name in EVENT_COLUMNS
    ]


def _column(
    name: str, meaning: str, codes: tuple[str, ...] = (), *, several: bool = False
) -> dict[str, Any]:
    return {"name": name, "meaning": meaning, "codes": list(codes), "several": several}


def _table(table: IndicatorTable) -> dict[str, Any]:
    return {
        "id": table.id,
        "version": table.version,
        "title": table.title,
        "unit": table.unit,
        "cap_per_person_and_year": table.cap,
        "smallest_size_class": table.min_class.value,
        "periods": [basis.value for basis in table.periods],
        "axes": list(table.axes),
        "dimensions": [_dimension(name) for name in table.dimensions],
    }


def _dimension(name: str) -> dict[str, Any]:
    shipped = catalogue.shipped()
    tiers = {tier.value: _categories(shipped.dimension(name, tier)) for tier in Tier}
    if tiers["coarse"] == tiers["fine"]:
        tiers = {"both": tiers["coarse"]}
    return {"name": name, "tiers": tiers}


def _categories(dimension: Dimension) -> dict[str, list[str]]:
    members = dimension.members or {}
    return {
        category: [code for code, group in members.items() if group == category]
        for category in dimension.categories
    }
