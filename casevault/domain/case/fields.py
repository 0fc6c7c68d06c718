"""The fields of every document: the data dictionary's content. `dictionary` checks against it.

Each field says what it is for; a field that no document names cannot be stored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Type(StrEnum):
    """What a field holds."""

    TEXT = "text"
    LONG = "long"
    CODE = "code"
    DATE = "date"
    MONTH = "month"
    INTEGER = "integer"
    YES_NO = "yes-no"
    PHONE = "phone"
    LANGUAGE = "language"
    COUNTRY = "country"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `many` makes it a list; a group has fields of its own.

    `purpose` says why it may be asked; `switch` names the programme purpose without which it is
    off; `low` and `high` bound integers; `htcds` is the standard's name for it.
    """

    name: str
    type: Type = Type.TEXT
    purpose: str = ""
    many: bool = False
    required: bool = False
    codes: str = ""
    fields: tuple[Field, ...] = ()
    switch: str = ""
    low: int = 0
    high: int = 0
    htcds: str = ""
    # Which category of data it is (`data_category`): what consents and referrals are about.
    category: str = ""
    # Written by the service itself and never taken from an input.
    system: bool = False


_T = Type


def _of(category: str, *fields: Field) -> tuple[Field, ...]:
    return tuple(replace(field, category=category) for field in fields)


_NAME_PARTS = (
    Field("given", purpose="To address and to find the person"),
    Field("family", purpose="To find the person"),
    Field("other", purpose="Names that are neither, as custom has it"),
)
_SAFE_CONTACT = (
    Field("who", purpose="Who may contact the person"),
    Field("how", _T.CODE, "Which way does not put them at risk", codes="contact_method"),
    Field("when", _T.CODE, "When it is safe", many=True, codes="contact_time"),
    Field("code_word", purpose="To recognise each other"),
    Field("never_say", _T.LONG, "What must not be said, to whom"),
)
_PAPERS = (
    Field("kind", purpose="Which paper", required=True),
    Field("number", purpose="To have it replaced"),
    Field("issued_by", _T.COUNTRY, "To have it replaced"),
    Field("expires", _T.DATE, "To renew it in time"),
    Field("withheld", _T.YES_NO, "A sign of control, and a task"),
)

IDENTITY = (
    *_of(
        "name",
        Field("name_to_use", purpose="How the person wants to be called", required=True),
        Field("pronoun", purpose="How the person wants to be spoken of"),
        Field("names", _T.GROUP, "To find the person again", many=True, fields=_NAME_PARTS),
        Field("aliases", purpose="Names under which others know them", many=True),
        Field("spellings", purpose="Names in other scripts and spellings", many=True),
    ),
    *_of(
        "age_and_gender",
        Field("age", _T.INTEGER, "Safeguards for minors", low=0, high=120, htcds="Age"),
        Field(
            "birth_year", _T.INTEGER, "Safeguards, when the age is not known", low=1900, high=2100
        ),
        Field("age_band", _T.CODE, "Safeguards, when only a band is known", codes="age_band"),
        Field("gender", _T.CODE, "Fitting services", codes="gender", htcds="Gender"),
    ),
    *_of(
        "origin_and_languages",
        Field(
            "citizenships", _T.COUNTRY, "Consular and legal help", many=True, htcds="Citizenship"
        ),
        Field("languages", _T.LANGUAGE, "To be understood", many=True, htcds="PrimaryLanguage"),
        Field("interpreter_needed", _T.YES_NO, "To be understood"),
    ),
    *_of(
        "contact",
        Field("safe_contact", _T.GROUP, "To reach them without harm", fields=_SAFE_CONTACT),
        Field("phones", _T.PHONE, "To reach them", many=True, htcds="Phone"),
        Field("address", _T.LONG, "Where they can be found, if that is safe to write"),
    ),
    *_of(
        "papers",
        Field("papers", _T.GROUP, "Residence and protection", many=True, fields=_PAPERS),
    ),
)

_EVENTS = (
    Field("type", _T.CODE, "Course of events", required=True, codes="event_type", htcds="Type"),
    Field("country", _T.COUNTRY, "Where it happened"),
    Field("started", _T.MONTH, "When it began"),
    Field("ended", _T.MONTH, "When it ended"),
    Field("exploitation", _T.CODE, "Claims and needs", many=True, codes="type_of_exploitation"),
    Field("sexual", _T.CODE, "Claims and needs", many=True, codes="type_of_sex_exploitation"),
    Field("industry", _T.CODE, "Claims", many=True, codes="labour_industry"),
    Field("recruited_by", _T.CODE, "Prevention", codes="method_of_recruitment"),
    Field("controlled_by", _T.CODE, "Risk and claims", many=True, codes="methods_of_control"),
    Field("account", _T.LONG, "What the person wants to have written down"),
)
_PERPETRATORS = (
    Field("described_as", purpose="To keep the person safe from them", required=True),
    Field("role", _T.CODE, "Risk and claims", many=True, codes="perpetrator_role"),
    Field("relationship", _T.CODE, "Risk", codes="relationship_to_trafficker"),
    Field("present_danger", _T.YES_NO, "Risk"),
)
_GOALS = (
    Field("goal", purpose="What the person wants to reach", required=True),
    Field("support", _T.CODE, "Which help", codes="support_type", htcds="Type"),
    Field("due", _T.DATE, "Follow-up"),
    Field("state", _T.CODE, "Follow-up", codes="goal_state"),
)
_WASHINGTON = tuple(
    Field(name, _T.CODE, "Barriers to services", codes="washington_group_answer")
    for name in ("seeing", "hearing", "walking", "remembering", "self_care", "communicating")
)
_IMPORTED = (
    Field("source", purpose="Where to ask about the record", system=True),
    Field("source_id", purpose="Under which number they know it", system=True),
    Field("taken_on", _T.DATE, "Since when it is here", system=True),
    Field("opened_on", _T.DATE, "When the source opened it", system=True),
    Field("last_contact", _T.DATE, "From when it is kept", system=True),
)

PROFILE = (
    *_of(
        "situation_and_needs",
        Field("presenting_situation", _T.LONG, "What the person came with"),
        Field("trafficking_status", _T.CODE, "Which rights apply", codes="trafficking_status"),
    ),
    *_of(
        "risk",
        Field("risk_level", _T.CODE, "How urgent it is", codes="risk_level"),
        Field("risk_reasons", _T.LONG, "What the danger is"),
    ),
    *_of(
        "situation_and_needs",
        Field("needs", _T.CODE, "Which services to look for", many=True, codes="service_type"),
    ),
    *_of(
        "history",
        Field("history", _T.GROUP, "Claims, needs, prevention", many=True, fields=_EVENTS),
    ),
    *_of(
        "risk",
        Field("perpetrators", _T.GROUP, "Safety", many=True, fields=_PERPETRATORS),
    ),
    *_of(
        "disability",
        Field("disability", _T.GROUP, "Barriers", fields=_WASHINGTON, switch="disability"),
    ),
    *_of(
        "plan_and_services",
        Field("plan", _T.GROUP, "What was agreed with the person", many=True, fields=_GOALS),
    ),
    Field("unlisted", _T.YES_NO, "No search card: at high risk, through the supervisor only"),
    Field(
        "imported",
        _T.GROUP,
        "Tells what was taken over from what was written here",
        fields=_IMPORTED,
        system=True,
    ),
)

_CODED_SERVICES = (
    Field("type", _T.CODE, "Counts of services", required=True, codes="service_type"),
    Field("outcome", _T.CODE, "Counts of gaps", required=True, codes="service_outcome"),
    Field("date", _T.DATE, "Time until help came", required=True),
    Field("counted_on", _T.DATE, "The later period, if it was written down too late", system=True),
)
_CODED_REFERRALS = (
    Field("service", _T.CODE, "Counts of referrals", required=True, codes="service_type"),
    Field("outcome", _T.CODE, "Counts of answers", required=True, codes="referral_outcome"),
    Field("date", _T.DATE, "Counts of a period", required=True),
)

FACTS = (
    Field("case", purpose="Ties the row to its case, inside the sealed part", system=True),
    Field("pid", purpose="Counts people once", system=True),
    Field("same_as", purpose="Counts people once who have several cases", many=True, system=True),
    Field("accepted_on", _T.DATE, "Counts of a period; never changed", system=True),
    Field("region", purpose="Counts by region, as the programme declares them", system=True),
    Field("gender", _T.CODE, "Counts by gender", codes="gender", htcds="Gender"),
    Field("age_band", _T.CODE, "Counts by age", codes="age_band"),
    Field("citizenships", _T.COUNTRY, "Counts by origin", many=True, htcds="Citizenship"),
    Field("trafficking_status", _T.CODE, "Counts of survivors", codes="trafficking_status"),
    Field("exploitation", _T.CODE, "Counts by form", many=True, codes="type_of_exploitation"),
    Field("industry", _T.CODE, "Counts by sector", many=True, codes="labour_industry"),
    Field("controlled_by", _T.CODE, "Counts by means", many=True, codes="methods_of_control"),
    Field("countries", _T.COUNTRY, "Counts by place", many=True),
    Field("context", _T.CODE, "Counts by context of crisis", many=True, codes="context"),
    Field("legal_status", _T.CODE, "Counts of protection", codes="legal_status_outcome"),
    Field(
        "services",
        _T.GROUP,
        "Counts of services, taken from the services themselves",
        many=True,
        fields=_CODED_SERVICES,
        system=True,
    ),
    Field(
        "referrals",
        _T.GROUP,
        "Counts of referrals, taken from the referrals themselves",
        many=True,
        fields=_CODED_REFERRALS,
        system=True,
    ),
    Field("historic", _T.YES_NO, "Keeps cases of before out of counts of now", system=True),
    Field(
        "statistics_until",
        _T.DATE,
        "Counts only whoever agrees to it, taken from the consents",
        system=True,
    ),
)

NOTE = (
    Field("type", _T.CODE, "Which contact it was", required=True, codes="note_kind"),
    Field("date", _T.DATE, "Course of the case", required=True),
    Field("text", _T.LONG, "What matters for the help", required=True),
)
SERVICE = (
    Field("type", _T.CODE, "Which help", required=True, codes="service_type"),
    Field("outcome", _T.CODE, "Whether it reached them", required=True, codes="service_outcome"),
    Field("date", _T.DATE, "Course of the help", required=True),
    Field("provider", purpose="Who gave it"),
    Field("text", _T.LONG, "What is to be known about it"),
)
TASK = (
    Field("type", _T.CODE, "What is due", required=True, codes="task_kind"),
    Field("due", _T.DATE, "Not to miss it", required=True),
    Field("text", _T.LONG, "What is to be done"),
    Field("done", _T.DATE, "When it was done"),
)
LINK = (
    Field("type", _T.CODE, "How the cases belong together", required=True, codes="link_kind"),
    Field("reason", _T.LONG, "Why somebody decided so"),
)
TRANSITION = (
    Field("to", _T.CODE, "The new status", required=True, codes="case_status", htcds="Status"),
    Field("reason", _T.LONG, "Why it changed"),
)
REFUSED_STAFF = (Field("reason", _T.LONG, "Why the person does not want them"),)

_EXPLAINED = (
    Field("interview", _T.YES_NO, "The person agrees to the talk itself"),
    Field("purpose", _T.YES_NO, "Nobody agrees to what they do not know"),
    Field("use", _T.YES_NO, "How the data are used now, and could be used later"),
    Field("research", _T.YES_NO, "Counts and research that name nobody"),
    Field("access", _T.YES_NO, "They may ask for their data at any time"),
    Field("storage", _T.YES_NO, "How long the data are kept"),
    Field("withdrawal", _T.YES_NO, "How to take the consent back"),
)
_GUARDIAN = (
    Field("name", purpose="Who decides for the child", required=True),
    Field("relation", _T.CODE, "By which right", required=True, codes="guardian_relation"),
    Field("agrees", _T.YES_NO, "A child's consent needs theirs, where that is safe"),
)
CONSENT = (
    Field("purpose", _T.CODE, "What is agreed to", required=True, codes="consent_purpose"),
    Field("categories", _T.CODE, "Which data", many=True, required=True, codes="data_category"),
    Field("recipients", purpose="Who may get them, and nobody else", many=True),
    Field("method", _T.CODE, "How it was given", required=True, codes="consent_method"),
    Field("language", _T.LANGUAGE, "In which language it was understood", required=True),
    Field("wording", purpose="Which version of the text was read", required=True),
    Field("given_on", _T.DATE, "From when it counts", required=True),
    Field("valid_until", _T.DATE, "When to ask again", required=True),
    Field("explained", _T.GROUP, "Consent that was informed", fields=_EXPLAINED, required=True),
    Field("guardian", _T.GROUP, "Who decides for a child", fields=_GUARDIAN),
    Field("assent", _T.YES_NO, "A child is asked too, whoever decides"),
)
BASIS = (
    Field("basis", _T.CODE, "Why no consent is needed", required=True, codes="lawful_basis"),
    Field("purpose", _T.CODE, "What it is for", required=True, codes="consent_purpose"),
    Field("categories", _T.CODE, "Which data", many=True, required=True, codes="data_category"),
    Field("recipients", purpose="Who may get them, and nobody else", many=True),
    Field("reason", _T.LONG, "What the second person decides by", required=True),
    Field("from", _T.DATE, "From when it counts", required=True),
    Field("valid_until", _T.DATE, "When to look again", required=True),
)
FILE = (
    Field("name", purpose="To find it again", required=True),
    Field("media_type", purpose="With which program it opens", required=True),
    Field("bytes", _T.INTEGER, "How long it takes to fetch", required=True, low=1, high=1 << 25),
    Field("stored_as", purpose="Where its bytes lie", system=True),
    Field("file_key", purpose="What opens its bytes, and nothing else", system=True),
    Field("sha256", purpose="To know that what leaves is what was agreed to", system=True),
)
REFERRAL = (
    Field("service", _T.CODE, "Which help is asked for", required=True, codes="service_type"),
    Field("recipient", purpose="Who is asked for it", required=True),
    Field("reason", _T.CODE, "Why others are asked", codes="referral_reason"),
    Field("urgency", _T.CODE, "How soon help is needed", required=True, codes="urgency"),
    Field("answer_by", _T.DATE, "When to ask again"),
    Field(
        "disclose", _T.CODE, "What they may learn", many=True, required=True, codes="data_category"
    ),
    Field("files", purpose="Which files they get, each ticked by itself", many=True),
    Field("safe_contact", _T.GROUP, "To reach them without harm", fields=_SAFE_CONTACT),
)
