"""What an organisation keeps or may open for no purpose any more, and what to do about it.

Decides what counts as too much: a note longer than an interview, a file of a case that was closed
long ago, a key of a case with which nobody works. Pure. It says numbers and next steps; it never
erases, takes nothing from anybody, and is no judgement about a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from casevault.domain.case.casefile import CaseMetadata, Status, is_closed
from casevault.domain.case.retention import plus_months

# Four pages: what is longer is seldom about one meeting.
LONG_NOTE: Final = 8_000
# A file outlives the work for which it was brought by this many months.
FILE_MONTHS: Final = 6
# How many cases are named for one person or team; the number says how many there are.
NAMED: Final = 50


class Finding(StrEnum):
    """One kind of too much."""

    GRANTS = "unused-grants"
    FILES = "files-past-purpose"
    LONG = "long-notes"
    NAMING = "notes-that-name"
    FIELDS = "unused-fields"


NEXT: Final[Mapping[str, Mapping[Finding, str]]] = MappingProxyType(
    {
        "en": {
            Finding.GRANTS: "Ask whether they still work on it; a supervisor takes the rest back"
            " (DELETE /v1/cases/{id}/grants/{staff}).",
            Finding.FILES: "Look whether a claim or a proceeding still needs them; whoever holds"
            " the case takes the others away (DELETE /v1/cases/{id}/files/{file}).",
            Finding.LONG: "Amend to what the next colleague needs, redact what nobody does"
            " (POST /v1/cases/{id}/notes/{note}/redactions).",
            Finding.NAMING: "Redact names and numbers; they belong to the identity, where fewer"
            " people read them.",
            Finding.FIELDS: "Ask for them no longer, or switch their purpose off (`purposes`).",
        },
        "fr": {
            Finding.GRANTS: "Demandez s'ils y travaillent encore ; un superviseur retire le reste"
            " (DELETE /v1/cases/{id}/grants/{staff}).",
            Finding.FILES: "Voyez si une demande ou une procédure en a encore besoin ; qui détient"
            " le dossier retire les autres (DELETE /v1/cases/{id}/files/{file}).",
            Finding.LONG: "Réduisez à ce dont le prochain collègue a besoin, caviardez le reste"
            " (POST /v1/cases/{id}/notes/{note}/redactions).",
            Finding.NAMING: "Caviardez noms et numéros ; leur place est dans l'identité, que moins"
            " de personnes lisent.",
            Finding.FIELDS: "Ne les demandez plus, ou désactivez leur finalité (`purposes`).",
        },
        "es": {
            Finding.GRANTS: "Pregunte si aún trabajan en ello; un supervisor retira el resto"
            " (DELETE /v1/cases/{id}/grants/{staff}).",
            Finding.FILES: "Mire si una reclamación o un proceso aún los necesita; quien tiene el"
            " caso quita los demás (DELETE /v1/cases/{id}/files/{file}).",
            Finding.LONG: "Reduzca a lo que necesita el próximo colega, tache lo demás"
            " (POST /v1/cases/{id}/notes/{note}/redactions).",
            Finding.NAMING: "Tache nombres y números; su lugar es la identidad, que leen menos"
            " personas.",
            Finding.FIELDS: "No los pida más, o desactive su finalidad (`purposes`).",
        },
        "ar": {
            Finding.GRANTS: "اسألوا إن كانوا ما زالوا يعملون عليها؛ يسحب المشرف الباقي"
            " (DELETE /v1/cases/{id}/grants/{staff}).",
            Finding.FILES: "انظروا إن كانت مطالبة أو إجراء ما زال يحتاج إليها؛ ومن يحمل الملف يزيل"
            " غيرها (DELETE /v1/cases/{id}/files/{file}).",
            Finding.LONG: "اختصروها إلى ما يحتاجه الزميل التالي، واحجبوا ما لا يحتاجه أحد"
            " (POST /v1/cases/{id}/notes/{note}/redactions).",
            Finding.NAMING: "احجبوا الأسماء والأرقام؛ مكانها في الهوية التي يقرؤها عدد أقل.",
            Finding.FIELDS: "لا تسألوا عنها بعد الآن، أو أوقفوا غرضها (`purposes`).",
        },
    }
)


def last_useful_month(today: date) -> str:
    """Return the day before which a case must have been closed for its files to count as old."""
    return plus_months(today, -FILE_MONTHS).isoformat()


def is_past_purpose(case: CaseMetadata, today: date) -> bool:
    """Say whether the files of a case have outlived the work; a legal hold needs them."""
    if not is_closed(Status(case.status)) or case.hold:
        return False
    counted = case.counted_from or f"{case.opened_month}-01"
    return counted < last_useful_month(today)
