"""A person's data as another organisation can read them: names of HTCDS 2.0, codes as they are.

Pure. The inverse of the import's own mapping, so that what is written here can be read there. Only
what the person gave and what is coded: nothing that describes somebody else, no free text about
the case; those are in the copy, where somebody has looked at them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from casevault.domain.case import dictionary
from casevault.domain.case.fields import Field, Type

FORMAT = "casevault/portability/1"
# What describes others, or how to reach the person through them.
_NOT = frozenset({"safe_contact", "perpetrators", "unlisted", "imported"})
_TEXTS = frozenset({Type.TEXT, Type.LONG})
_PERSON = {
    "prs_Age": "age",
    "prs_Gender": "gender",
    "prs_Citizenship": "citizenships",
    "prs_PrimaryLanguage": "languages",
    "prs_Phone": "phones",
}
_NAMES = {"prs_FirstName": "given", "prs_MiddleName": "other", "prs_SecondName": "family"}
_VICTIM = {
    "vic_MethodOfRecruitment": "recruited_by",
    "vic_MethodsOfControl": "controlled_by",
    "vic_TypeOfExploitation": "exploitation",
    "vic_TypeOfSexExploitation": "sexual",
    "vic_ForcedLabourIndustry": "industry",
    "vic_CountryOfExploitation": "country",
}


def carried(
    reference: str, status: str, identity: Mapping[str, Any], profile: Mapping[str, Any]
) -> dict[str, Any]:
    """Return one record; what HTCDS has no name for stands under `casevault`, as we call it."""
    names = next(iter(identity.get("names", ())), {"given": identity.get("name_to_use")})
    history: Mapping[str, Any] = next(iter(profile.get("history", ())), {})
    found = {
        "cas_CaseNumber": reference,
        "cas_Status": status,
        **{name: names.get(own) for name, own in _NAMES.items()},
        **{name: identity.get(own) for name, own in _PERSON.items()},
        "vic_TraffickingStatus": profile.get("trafficking_status"),
        **{name: history.get(own) for name, own in _VICTIM.items()},
        "casevault": {
            "format": FORMAT,
            "identity": _own("identity", identity, texts=True),
            "profile": _own("profile", profile, texts=False),
        },
    }
    return {name: value for name, value in found.items() if value not in (None, [])}


def encoded(record: Mapping[str, Any]) -> bytes:
    """Return a record as one line of JSON, as the import reads it."""
    return (json.dumps(record, ensure_ascii=False) + "\n").encode()


def field_names(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of what leaves, for the ledger."""
    own = record["casevault"]
    return tuple(f"{name}.{each}" for name in ("identity", "profile") for each in sorted(own[name]))


def _own(document: str, content: Mapping[str, Any], *, texts: bool) -> dict[str, Any]:
    return _kept(dictionary.fields_of(document), content, texts=texts)


def _kept(fields: Iterable[Field], content: Mapping[str, Any], *, texts: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in fields:
        value = content.get(one.name)
        if value is None or one.name in _NOT or (one.type in _TEXTS and not texts):
            continue
        if one.type is Type.GROUP:
            groups = value if one.many else [value]
            kept = [_kept(one.fields, each, texts=texts) for each in groups]
            value = kept if one.many else kept[0]
        found[one.name] = value
    return found
