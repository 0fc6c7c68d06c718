"""The data dictionary as a page for people: every document, field and code, in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from casevault.domain import vocabulary
from casevault.domain.case import dictionary
from casevault.domain.case.fields import Field
from casevault.domain.pages import forms

_HEAD = """\
# Data dictionary

Every field that CaseVault can store about a survivor, and why it may be asked. What is not here is
refused. Made from the code: do not edit. To make it again:

    casevault dictionary docs

A field is *off* unless the programme has switched its purpose on (setting `purposes`, or
`CASEVAULT_PURPOSES`). Fields *of the service* are written by the service itself and are never an
input. Names with a dot are fields inside a group. Periods of retention are set per compartment.
Codes are literal; where a standard has a list, it is taken as it is (see
`casevault/domain/vocabulary/LICENCES.md`). HTCDS: Human Trafficking Case Data Standard, IOM.
"""
_COLUMNS = ("field", "label", "type", "why it may be asked", "needed", "off", "HTCDS", "codes")


def page() -> str:
    """Return the page."""
    parts = [_HEAD]
    purposes = "".join(f"- `{name}`\n" for name in sorted(dictionary.known_purposes()))
    parts.append(f"## Purposes that can be switched on\n\n{purposes}")
    parts += [_document(document) for document in dictionary.DOCUMENTS]
    parts.append("## Code lists\n\n" + "".join(_lists()))
    return "\n".join(parts)


def _document(document: str) -> str:
    compartment = dictionary.compartment_for(document).value
    who = ", ".join(role.value for role in forms.needed_by(document))
    rows = [_row(_COLUMNS), _row(["---"] * len(_COLUMNS))]
    rows += [_row(_cells(document, name, field)) for name, field in dictionary.walk(document)]
    title = document.replace("_", " ").capitalize()
    return (
        f"## {title}\n\nCompartment: {compartment}. Needed by: {who}.\n\n" + "\n".join(rows) + "\n"
    )


def _cells(document: str, name: str, field: Field) -> tuple[str, ...]:
    kind = f"list of {field.type.value}" if field.many else field.type.value
    needed = "of the service" if field.system else "yes" if field.required else ""
    return (
        f"`{name}`",
        vocabulary.field_label(document, name, "en"),
        kind,
        field.purpose,
        needed,
        f"unless `{field.switch}`" if field.switch else "",
        field.htcds,
        f"`{field.codes}`" if field.codes else "",
    )


def _lists() -> Iterator[str]:
    for name in sorted(vocabulary.list_names()):
        codes = ", ".join(f"`{code}`" for code in vocabulary.code_list(name))
        yield f"- **{name}**: {codes}\n"


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
