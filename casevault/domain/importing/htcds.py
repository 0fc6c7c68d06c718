"""The mapping that is used when none is given: names of HTCDS 2.0, with or without prefix.

Codes are taken literally. A birthdate is kept as the year and no more; a relationship makes a
person of whom nothing else is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from casevault.domain.importing.mapping import ColumnMapping, parse_mapping

_PERSON: Final[dict[str, Any]] = {
    "FirstName": ["identity.names[0].given", "identity.name_to_use"],
    "MiddleName": ["identity.names[0].other", "identity.name_to_use"],
    "SecondName": ["identity.names[0].family", "identity.name_to_use"],
    "Birthdate": {"to": "identity.birth_year", "date": "%Y-%m-%d"},
    "Age": "identity.age",
    "Gender": "identity.gender",
    "Citizenship": "identity.citizenships",
    "PrimaryLanguage": "identity.languages",
    "SecondaryLanguage": "identity.languages",
    "Phone": "identity.phones",
    "HomePhone": "identity.phones",
    "MobilePhone": "identity.phones",
}
_VICTIM: Final[dict[str, Any]] = {
    "TraffickingStatus": "profile.trafficking_status",
    "MethodOfRecruitment": "profile.history[0].recruited_by",
    "MethodsOfControl": "profile.history[0].controlled_by",
    "TypeOfExploitation": "profile.history[0].exploitation",
    "TypeOfSexExploitation": "profile.history[0].sexual",
    "ForcedLabourIndustry": "profile.history[0].industry",
    "CountryOfExploitation": "profile.history[0].country",
    "RelationshipToTrafficker": "profile.perpetrators[0].relationship",
}
_CASE: Final[dict[str, Any]] = {
    "Status": "case.status",
    "IncomingReferralDate": {"to": "case.opened", "date": "%Y-%m-%d"},
}
_CONSTANTS: Final[dict[str, Any]] = {
    "profile.history[0].type": "Exploitation",
    "profile.perpetrators[0].described_as": "Not described in the source",
}


def default_mapping(columns: Iterable[str]) -> ColumnMapping:
    """Return the mapping of HTCDS's names, prefixed (``prs_Gender``) where these columns are."""
    return _mapping(any(name.startswith("prs_") for name in columns))


@cache
def _mapping(prefixed: bool) -> ColumnMapping:
    groups = (("prs_", _PERSON), ("vic_", _VICTIM), ("cas_", _CASE))
    columns = {
        (prefix if prefixed else "") + name: given
        for prefix, group in groups
        for name, given in group.items()
    }
    return parse_mapping({"columns": columns, "constants": _CONSTANTS})
