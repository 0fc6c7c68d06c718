"""Code lists as data: HTCDS, CTDC and the lists that practice adds, with their licences.

Codes are literal; nothing here translates or maps them silently. Beside them stand the words in
which people read codes, fields and forms, in four languages; tests see that none is missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

LANGUAGES = ("en", "fr", "es", "ar")
RIGHT_TO_LEFT = frozenset({"ar"})
_FOLDER = "casevault.domain.vocabulary"

# Where each list that a field names stands in codelists.json; later paths add to earlier ones.
_PLACES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "gender": (("htcds", "person", "Gender"),),
    "trafficking_status": (("htcds", "victim", "TraffickingStatus"),),
    "relationship_to_trafficker": (("htcds", "victim", "RelationshipToTrafficker"),),
    "method_of_recruitment": (("htcds", "victim", "MethodOfRecruitment"),),
    "methods_of_control": (
        ("htcds", "victim", "MethodsOfControl"),
        ("added", "MethodsOfControl"),
    ),
    "type_of_exploitation": (
        ("htcds", "victim", "TypeOfExploitation"),
        ("added", "TypeOfExploitation"),
    ),
    "type_of_sex_exploitation": (("htcds", "victim", "TypeOfSexExploitation"),),
    "labour_industry": (("htcds", "victim", "ForcedLabourIndustry"),),
    "event_type": (("htcds", "event", "Type"),),
    "perpetrator_role": (("htcds", "perpetrator", "RoleInProcess"),),
    "support_type": (("htcds", "support_plan", "Type"),),
    "service_type": (("primero", "service_type"),),
    "risk_level": (("primero", "risk_level"),),
    "case_status": (("htcds", "case", "Status"),),
    "organisation_type": (("htcds", "organisation", "Type"),),
    "referral_reason": (("htcds", "case", "ReasonForReferral"),),
}

# Short lists of our own, for what no standard settles.
_OWN: Mapping[str, tuple[str, ...]] = {
    "contact_method": ("call", "message", "through_a_person", "in_person_only", "never"),
    "contact_time": ("morning", "afternoon", "evening", "weekdays", "weekends"),
    "age_band": ("under_18", "18_to_24", "25_to_34", "35_to_49", "50_and_over"),
    "washington_group_answer": ("no", "some", "a_lot", "cannot"),
    "goal_state": ("open", "reached", "dropped"),
    "note_kind": (
        "conversation",
        "phone_call",
        "visit",
        "assessment",
        "case_conference",
        "incident",
        "other",
    ),
    "service_outcome": (
        "requested",
        "provided",
        "partly_provided",
        "unavailable",
        "declined_by_survivor",
        "stopped",
    ),
    "referral_outcome": (
        "accepted",
        "declined",
        "completed",
        "expired",
        "recalled",
        "declined_by_survivor",
        "unavailable",
        "waiting",
    ),
    "task_kind": ("follow_up", "appointment", "reflection_period", "permit", "hearing", "other"),
    "link_kind": (
        "same_person",
        "not_same_person",
        # Nobody has decided yet.
        "possible_same_person",
        "family",
        "dependant",
        "guardian",
        "same_incident",
    ),
    "context": ("climate", "health", "conflict", "disaster"),
    "consent_purpose": (
        "case_management",
        "referral",
        "cross_border",
        "statistics",
        "research_contact",
    ),
    "lawful_basis": (
        "vital_interests",
        "legal_obligation",
        "public_interest",
        "legal_claims",
    ),
    "consent_method": ("written", "verbal", "witnessed"),
    "data_category": (
        "name",
        "contact",
        "age_and_gender",
        "origin_and_languages",
        "papers",
        "situation_and_needs",
        "risk",
        "history",
        "disability",
        "plan_and_services",
        "files",
    ),
    "guardian_relation": ("parent", "relative", "appointed", "institution"),
    "serves": ("women", "men", "lgbtiq", "minors", "families", "people_with_disabilities"),
    "capacity": ("open", "waiting_list", "full"),
    "fee": ("free", "by_income", "paid"),
    "measure_indicator": ("mainstreaming", "response"),
    "measure_type": (
        "screening",
        "referral_pathway",
        "safe_accommodation",
        "psychosocial_support",
        "legal_aid",
        "livelihood_support",
        "information_point",
        "safe_procedures",
        "assessment",
        "data_protection",
        "other",
    ),
    "programme": (
        "migration",
        "disaster_response",
        "health",
        "shelter_and_cash",
        "restoring_family_links",
        "protection_gender_inclusion",
        "youth",
        "detention",
        "anti_trafficking",
        "other",
    ),
    "measure_status": ("planned", "running", "finished", "stopped"),
    "target_group": (
        "youth",
        "women",
        "lgbtiq",
        "other_marginalized_groups",
        "people_in_poverty",
        "health_inequalities",
        "disaster_or_conflict",
        "irregular_migrants",
        "asylum_seekers",
        "labour_migrants",
        "general_public",
    ),
    "awareness_channel": (
        "event",
        "outreach",
        "school",
        "social_media",
        "radio_or_television",
        "printed_matter",
        "hotline",
        "other",
    ),
    "stakeholder": (
        "police_or_justice",
        "labour_inspection",
        "migration_authority",
        "social_services",
        "health_services",
        "local_government",
        "parliament_or_government",
        "civil_society",
        "international_organisation",
        "private_sector",
    ),
    "advocacy_topic": (
        "protection_of_people_at_risk",
        "unconditional_support",
        "help_without_fear",
    ),
    "network": (
        "bilateral",
        "european_atn",
        "asia_pacific_migration_network",
        "trafficking_response_hub",
        "icrc_community_of_practice",
        "other_network",
    ),
    "cooperation_type": (
        "awareness_raising",
        "assistance_and_protection",
        "humanitarian_diplomacy",
        "training",
        "joint_guidance",
        "cross_border_pathway",
        "sharing_practice",
    ),
    "urgency": ("today", "this_week", "can_wait"),
    "legal_status_outcome": ("applied", "granted", "refused", "not_needed", "unknown"),
}


def code_list(name: str) -> tuple[str, ...]:
    """Return the codes of a list, in the order of its source."""
    if name in _OWN:
        return _OWN[name]
    return tuple(code for path in _PLACES[name] for code in _at(path))


def list_names() -> tuple[str, ...]:
    """Return the names of all lists."""
    return (*_PLACES, *_OWN)


def code_label(name: str, code: str, language: str) -> str:
    """Return a code of a list as people read it."""
    label: str = _words("labels.json")[name][code][language]
    return label


def field_label(document: str, name: str, language: str) -> str:
    """Return the label of a field, by its dotted name."""
    label: str = _words("field_labels.json")[document][name]["label"][language]
    return label


def field_help(document: str, name: str, language: str) -> str:
    """Return what helps a caseworker with a field; empty where the label is enough."""
    texts = _words("field_labels.json")[document][name]
    found: str = texts["help"][language] if "help" in texts else ""
    return found


def form_text(name: str, language: str) -> str:
    """Return a title, a help or a word of a form (``form.intake``, ``paper.keep``)."""
    text: str = _words("form_texts.json")[name][language]
    return text


def look_text(name: str, language: str) -> str:
    """Return a word of the list of who looked at a file (``did.saw``, ``role.caseworker``)."""
    text: str = _words("look_texts.json")[name][language]
    return text


def language_name(code: str) -> str:
    """Return a language as those who speak it call it; the code itself where we do not know."""
    name: str = _words("language_names.json").get(code, code)
    return name


def right_text(name: str, language: str) -> str:
    """Return a word of what survivors are answered (``right.access``, ``answer.title``)."""
    text: str = _words("rights_texts.json")[name][language]
    return text


def passphrase_words() -> tuple[str, ...]:
    """Return the 7,776 words of the EFF's large list."""
    return tuple(_text("passphrase_words.txt").split())


@cache
def common_phrases() -> frozenset[str]:
    """Return what people choose first, folded: words of their work, and sentences."""
    lines = _text("common_phrases.txt").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


@cache
def common_passwords() -> frozenset[str]:
    """Return the passwords that leaked most often, folded."""
    return frozenset(_text("common_passwords.txt").splitlines())


def _at(path: tuple[str, ...]) -> list[str]:
    found: Any = _words("codelists.json")
    for step in path:
        found = found[step]
    codes: list[str] = found
    return codes


@cache
def _words(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_text(name))
    return found


def _text(name: str) -> str:
    return resources.files(_FOLDER).joinpath(name).read_text("utf-8")
