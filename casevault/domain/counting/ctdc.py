"""Coded facts of a person as variables of CTDC's global data set (codebook of February 2024).

Pure. HTCDS codes go where CTDC puts them; what CTDC has no word for stays out. Percentages have as
their denominator only the people for whom any value of the group is known: `None` is not `0`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

GENDER = {
    "Feminine": "Woman",
    "Masculine": "Man",
    "TransgenderFeminine": "Trans/Transgender/NonConforming",
    "TransgenderMasculine": "Trans/Transgender/NonConforming",
    "NonConforming": "Trans/Transgender/NonConforming",
}
# The union of HTCDS's two lists of means of control: movement is in its definitions only.
MEANS = {
    "meansDebtBondageEarnings": ("DebtBondage", "TakesEarnings"),
    "meansThreats": ("PhysicalThreats", "ThreatensChildrenFamily", "ThreatsLawEnforcement"),
    "meansAbusePsyPhySex": ("PsychologicalAbuse", "PhysicalAbuse", "SexualAbuse"),
    "meansFalsePromises": ("FalsePromises",),
    "meansDrugsAlcohol": ("PsychoactiveSubstance",),
    "meansDenyBasicNeeds": (
        "RestrictsFinancialAccess",
        "RestrictsMovement",
        "RestrictsMedicalCare",
        "WithholdsNecessities",
    ),
    "meansExcessiveWorkHours": ("ExcessiveWorkingHours",),
    "meansWithholdDocs": ("WithholdsDocuments",),
}
# Forced criminality is asked for by practice and has no variable: it is another exploitation.
EXPLOITATION = {
    "isForcedLabour": ("ForcedLabour", "ChildLabour", "Servitude"),
    "isSexualExploit": ("SexualExploitation",),
    "isOtherExploit": (
        "ForcedMarriage",
        "ForcedMilitaryByNonStateActors",
        "OrganRemoval",
        "ForcedBegging",
        "ForcedAdoption",
        "Surrogacy",
        "Other",
        "ForcedCriminality",
    ),
}
LABOUR = {
    "typeOfLabourAgriculture": ("A_AgricultureForestryAndFishing",),
    "typeOfLabourConstruction": ("F_Construction",),
    "typeOfLabourDomesticWork": ("T_ActivitiesOfHouseholdsAsEmployers",),
    "typeOfLabourHospitality": ("I_AccommodationAndFoodServiceActivities",),
}


def variables(facts: Mapping[str, Any]) -> dict[str, int | str | None]:
    """Return CTDC's variables for one person's facts; None where nothing of a group is known."""
    found: dict[str, int | str | None] = {"gender": GENDER.get(str(facts.get("gender", "")))}
    accepted = str(facts.get("accepted_on", ""))
    found["yearOfRegistration"] = int(accepted[:4]) if accepted else None
    for field, groups in (
        ("controlled_by", MEANS),
        ("exploitation", EXPLOITATION),
        ("industry", LABOUR),
    ):
        found |= _flags(facts.get(field) or (), groups)
    return found


def share(people: Iterable[Mapping[str, int | str | None]], variable: str) -> tuple[int, int]:
    """Return how many people have a variable, and of how many anything of its group is known."""
    known = [one[variable] for one in people if one[variable] is not None]
    return sum(value == 1 for value in known), len(known)


def _flags(codes: Iterable[str], groups: Mapping[str, tuple[str, ...]]) -> dict[str, int | None]:
    held = set(codes)
    if not held:
        return dict.fromkeys(groups)
    return {name: int(bool(held & set(members))) for name, members in groups.items()}
