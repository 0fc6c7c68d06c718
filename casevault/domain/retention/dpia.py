"""The data protection impact assessment as a page, made from dictionary, schedule and this text.

Pure. What the software does is said with the mechanism and the test that shows it; what an
organisation must decide for itself is left open by name. Must never claim what no test shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from casevault.domain.case import dictionary
from casevault.domain.case.retention import SHIPPED, Schedule
from casevault.domain.pages import forms

_HEAD = """\
# Data protection impact assessment

Of CaseVault as it is shipped (GDPR Article 35; chapter 5 of the ICRC Handbook on Data Protection in
Humanitarian Action). Made from the data dictionary, the retention schedule and the text below: do
not edit. To make it again, with the purposes that a programme has switched on:

    casevault dictionary dpia docs/dpia.md --purpose disability

An organisation adds what stands under *To be decided here*, lets its data protection officer sign
it, and repeats it when the schedule, a purpose or the roles change.

## The processing

Case management for survivors of human trafficking: assistance, referral, follow-up, and counts
that cannot be turned back into people. The people are survivors, among them children, and those
whom they name. Harm that must not happen: traffickers find somebody; an authority uses the file
against them; a family learns what was told; somebody is counted who did not want to be.
"""

# What is owed, by which mechanism, and what shows it: a path in this repository.
MEASURES: tuple[tuple[str, str, str], ...] = (
    (
        "GDPR 5(1)(a), 6, 9: lawfulness",
        "consent with its seven points, by purpose, recipient and term; another basis takes a"
        " second person; special categories only where the programme switched them on",
        "tests/unit/domain/test_consent.py",
    ),
    (
        "GDPR 5(1)(b): purpose limitation",
        "every field names its purpose; one that the dictionary does not name is refused; a"
        " compartment opens by its key",
        "tests/security/test_return_true.py",
    ),
    (
        "GDPR 5(1)(c), 25: minimisation, by design and by default",
        "fields are off until a purpose is switched on; lists show what work needs; unused fields,"
        " unused keys, old files and long notes are counted (`casevault report minimisation`)",
        "tests/api/test_purposes.py, tests/integration/test_minimising.py",
    ),
    (
        "GDPR 5(1)(c): a narrative that names nobody",
        "whoever writes a note is told at once where it gives names, phones, numbers of papers or"
        " addresses away, in any script; advice, never a proof",
        "tests/unit/matching/test_noticing.py",
    ),
    (
        "GDPR 5(1)(d), 16: accuracy",
        "corrections keep what was said before, with the reason",
        "tests/api/test_records.py",
    ),
    (
        "GDPR 5(1)(e), 17: storage limitation, erasure",
        "schedule by compartment, nightly run, erasure on request by two; keys first, so that it"
        " reaches every backup of the data; a certificate that outsiders check",
        "tests/integration/test_erasure_backups.py, tests/integration/test_erasure_wal.py",
    ),
    (
        "GDPR 5(1)(f), 32: security",
        "sealed under keys that only people hold; roles read from signed vouches; second factor;"
        " what a stolen dump shows is a reviewed list",
        "tests/security/test_columns.py",
    ),
    (
        "GDPR 5(2), 30: accountability",
        "an access log in which no entry can be changed unseen, checked by outsiders",
        "tests/security/test_ledger_attacks.py",
    ),
    (
        "GDPR 12: answers in time, in plain words",
        "requests with a day by which they are answered (`/v1/rights`), the asker checked without"
        " keeping what was shown, an answer in four languages that says where to complain"
        " (`/v1/rights/{right_id}/answer`, `/v1/complaints`)",
        "tests/api/test_rights.py",
    ),
    (
        "GDPR 15: a copy of my file",
        "everything that is held, previewed and given as shown, as JSON, as a page in four"
        " languages, or both with the attached files (`/v1/cases/{case_id}/copy`); what"
        " speaks of others is kept back, and the copy says so and why",
        "tests/api/test_rights.py",
    ),
    (
        "GDPR 15: who looked at my file",
        "released by an auditor (`/v1/ledger/looks`), as a page in four languages"
        " (`/v1/cases/{case_id}/looks/print`)",
        "tests/api/test_looks.py",
    ),
    (
        "GDPR 18, 21: restriction, objection",
        "a case is frozen on request (`/v1/restrictions`): kept and read, not changed and not"
        " disclosed (`docs/rights.md` lists what goes on); a granted objection stops its"
        " purpose at once (`/v1/cases/{case_id}/objections`); a consent is withdrawn at any"
        " time, and its consequences are carried out",
        "tests/security/test_restriction.py",
    ),
    (
        "GDPR 16, 19: rectification, and telling recipients",
        "whoever got it before is told of a correction or restriction, and the request is not done"
        " until then (`/v1/cases/{case_id}/rights/{right_id}/notices`)",
        "tests/api/test_rights.py",
    ),
    (
        "GDPR 17: erasure on request",
        "asked for as a right (`/v1/cases/{case_id}/rights`), by a supervisor with the DPO's"
        " approval (`/v1/cases/{case_id}/erasure`)",
        "tests/api/test_retention.py",
    ),
    (
        "GDPR 20: portability",
        "a person's own data under the names of HTCDS, read back by the import"
        " (`/v1/cases/{case_id}/portability`)",
        "tests/unit/domain/test_portability.py",
    ),
    (
        "GDPR 22: no automated decision",
        "possible duplicates and alerts are shown to people, who decide",
        "tests/api/test_search.py",
    ),
    (
        "GDPR 33, 34: breaches",
        "lockdown, suspension, who saw what and when; the runbook says what to do",
        "tests/cli/test_lockdown.py",
    ),
    (
        "ICRC handbook: proportionality, do no harm",
        "safe contact first, unlisted cases, refused colleagues, break-glass with review",
        "tests/api/test_break_glass.py",
    ),
    (
        "ICRC handbook: data sharing, onward transfer",
        "what a referral discloses is consent, need and choice together, shown before it leaves",
        "tests/unit/domain/test_consent.py",
    ),
    (
        "Pledge, action 6: protect survivors' data where they are stored",
        "all of the above; what cannot be done is said in SECURITY.md",
        "tests/attacks/test_attacks.py",
    ),
)
_OPEN = """\
## To be decided here

- The law that applies and the lawful basis of each purpose; whether an authority can order
  disclosure, and what the organisation answers then.
- Who is controller and who processor; agreements with partners who receive referrals.
- The periods of the schedule, where national law asks for others.
- Who holds the recovery shares, and in which countries they live.
- What happens when somebody asks for their file: who checks who they are, and how.
"""


def page(purposes: Iterable[str] = (), schedule: Schedule = SHIPPED) -> str:
    """Return the page for a programme with these purposes and this schedule."""
    chosen = frozenset(purposes)
    return "\n".join([_HEAD, *_data(chosen), *_schedule(schedule), *_measures(), *_risks(), _OPEN])


def _data(purposes: frozenset[str]) -> Iterator[str]:
    yield "## What is kept\n"
    yield "| document | compartment | needed by | fields | off |"
    yield "|---|---|---|---|---|"
    for document in dictionary.DOCUMENTS:
        found = Counter(
            bool(one.switch) and one.switch not in purposes for _, one in dictionary.walk(document)
        )
        who = ", ".join(role.value for role in forms.needed_by(document))
        compartment = dictionary.compartment_for(document).value
        yield f"| {document} | {compartment} | {who} | {found[False]} | {found[True]} |"
    on = ", ".join(f"`{name}`" for name in sorted(purposes)) or "none"
    yield f"\nPurposes that are switched on: {on}. Each field with its reason:"
    yield "[data-dictionary.md](data-dictionary.md).\n"


def _schedule(schedule: Schedule) -> Iterator[str]:
    yield f"## How long (schedule, version {schedule.version})\n"
    yield "| class | counted from | identity | narrative | facts | basis |"
    yield "|---|---|---|---|---|---|"
    for name, one in sorted(schedule.classes.items()):
        months = f"{one.identity} | {one.narrative} | {one.facts}"
        yield f"| `{name}` | {one.counted_from} | {months} | {one.basis} |"
    yield f"\nMonths. Grace after reopening: {schedule.grace_months}; extension in all:"
    yield f"{schedule.extension_months}. Why: [retention.md](retention.md).\n"


def _measures() -> Iterator[str]:
    yield "## What is owed, and how it is kept\n"
    yield "| what | mechanism | shown by |"
    yield "|---|---|---|"
    for what, how, shown in MEASURES:
        yield f"| {what} | {how} | `{shown}` |"
    yield ""


def _risks() -> Iterator[str]:
    yield "## What is left\n"
    yield "[SECURITY.md](../SECURITY.md) says against whom each promise holds,"
    yield "what a dump still shows, and what cannot be done: root on the live server, k custodians"
    yield (
        "together, and whoever copied what they were allowed to see. The organisation accepts"
        " these, or does not.\n"
    )
