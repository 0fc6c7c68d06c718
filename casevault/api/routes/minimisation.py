"""The minimisation report: keys nobody uses, files past their purpose, notes that say too much."""

from __future__ import annotations

from uuid import UUID

from casevault.api.deps import CallerDep, VaultDep, needs
from casevault.api.pages import Language
from casevault.api.routing import Router
from casevault.api.schemas.minimisation import Minimisation, WordsReport
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1/minimisation", tags=["retention"])


@router.get("", operation_id="read_minimisation", openapi_extra=needs(Permission.MINIMISATION_READ))
def read_minimisation(vault: VaultDep, caller: CallerDep, language: Language) -> Minimisation:
    """Keys that nobody uses and files of cases closed long ago: numbers and references."""
    return Minimisation.of(vault.minimising.overview(caller), language)


@router.get("/words", operation_id="count_words", openapi_extra=needs(Permission.CASE_LIST))
def count_words(
    vault: VaultDep, caller: CallerDep, language: Language, after: UUID | None = None
) -> WordsReport:
    """Notes of your cases that are long or name somebody, counted 25 cases at a time."""
    return WordsReport.of(vault.minimising.words(caller, after), language)
