"""Tables of the keyring store. Every row's content is sealed under the current epoch key.

Plain columns are only those by which a row is found; `SealedTable` binds them to the content.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Uuid,
)

from casevault.store.tables import data

keyring = MetaData(naming_convention=data.naming_convention)


# SQLite would keep the order in which rows were made.
_NO_ROWIDS: dict[str, Any] = {"sqlite_with_rowid": False}


def _content() -> tuple[Column[int], Column[bytes]]:
    return (
        Column("epoch", Integer, nullable=False, index=True),
        Column("sealed", LargeBinary, nullable=False),
    )


keyring_identity = Table(
    "keyring_identity",
    keyring,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("keyring_id", Uuid, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("epoch", Integer, nullable=False),
)

# Rises with every vouch, revocation and key pair: what a process remembers of trust is void when
# it has risen. A table of its own, because every writer holds a shared lock on the identity.
keyring_trust = Table(
    "keyring_trust",
    keyring,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
)

principal = Table(
    "principal",
    keyring,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("team_id", Uuid, nullable=True),
    *_content(),
    **_NO_ROWIDS,
)

team = Table(
    "team", keyring, Column("id", Uuid, primary_key=True), *_content(), sqlite_with_rowid=False
)

staff = Table(
    "staff",
    keyring,
    Column("id", Uuid, primary_key=True),
    Column("login", LargeBinary(32), nullable=False, unique=True),
    *_content(),
    **_NO_ROWIDS,
)

envelope = Table(
    "envelope",
    keyring,
    Column("staff_id", Uuid, primary_key=True),
    *_content(),
    **_NO_ROWIDS,
)

# The same secret once more, under a code that its person keeps on paper.
recovery_envelope = Table(
    "recovery_envelope",
    keyring,
    Column("staff_id", Uuid, primary_key=True),
    *_content(),
    **_NO_ROWIDS,
)

enrolment = Table(
    "enrolment",
    keyring,
    Column("code", LargeBinary(32), primary_key=True),
    Column("staff_id", Uuid, nullable=False),
    *_content(),
    **_NO_ROWIDS,
)

# An authenticator (`totp`), a printed one-time code (`code`), and room for another kind.
second_factor = Table(
    "second_factor",
    keyring,
    Column("id", Uuid, primary_key=True),
    Column("staff_id", Uuid, nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    *_content(),
    **_NO_ROWIDS,
)

session = Table(
    "session",
    keyring,
    Column("sid", LargeBinary(32), primary_key=True),
    Column("staff_id", Uuid, nullable=False, index=True),
    *_content(),
    **_NO_ROWIDS,
)

# How many guesses were evaluated today; logins share the slots by their HMAC.
guess = Table(
    "guess",
    keyring,
    Column("slot", Integer, primary_key=True, autoincrement=False),
    *_content(),
    **_NO_ROWIDS,
)

# From where somebody signed in with both factors, by the digest of what the device holds.
device = Table(
    "device",
    keyring,
    Column("id", LargeBinary(32), primary_key=True),
    Column("staff_id", Uuid, nullable=False, index=True),
    *_content(),
    **_NO_ROWIDS,
)

# Failed sign-ins of a minute that are still to be recorded.
failure = Table(
    "failure",
    keyring,
    Column("key", LargeBinary(32), primary_key=True),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    *_content(),
    **_NO_ROWIDS,
)

# The vault is shut: one row for who shut it, one for each of the two who open it again.
lockdown = Table(
    "lockdown",
    keyring,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False),
    *_content(),
    **_NO_ROWIDS,
)

vouch = Table(
    "vouch",
    keyring,
    Column("serial", Uuid, primary_key=True),
    Column("subject_id", Uuid, nullable=False, index=True),
    *_content(),
    **_NO_ROWIDS,
)

revocation = Table(
    "revocation",
    keyring,
    Column("serial", Uuid, primary_key=True),
    *_content(),
    **_NO_ROWIDS,
)

case_key = Table(
    "case_key",
    keyring,
    Column("case_id", Uuid, primary_key=True),
    Column("compartment", String(16), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    *_content(),
    **_NO_ROWIDS,
)

grant = Table(
    "access_grant",
    keyring,
    Column("id", Uuid, primary_key=True),
    Column("object_kind", String(16), nullable=False),
    Column("object_id", Uuid, nullable=False),
    Column("grantee_id", Uuid, nullable=False),
    # Also in the signed terms; here so that a sweeper without keys can find it. 0 = never.
    Column("expires_at", BigInteger, nullable=False),
    *_content(),
    Index("ix_access_grant_object", "object_id", "grantee_id"),
    Index("ix_access_grant_grantee", "grantee_id", "object_kind", "object_id"),
    **_NO_ROWIDS,
)

grant_key = Table(
    "access_grant_key",
    keyring,
    Column("grant_id", Uuid, primary_key=True),
    Column("compartment", String(16), primary_key=True),
    *_content(),
    **_NO_ROWIDS,
)

# Keys of search cards, by the first byte of a card's id, each wrapped under the directory's key.
card_keys = Table(
    "card_keys",
    keyring,
    Column("directory_id", Uuid, primary_key=True),
    Column("page", Integer, primary_key=True, autoincrement=False),
    *_content(),
    **_NO_ROWIDS,
)

# Who asked for a case and why, and what its holders said about it.
access_request = Table(
    "access_request",
    keyring,
    Column("id", Uuid, primary_key=True),
    Column("object_id", Uuid, nullable=False, index=True),
    *_content(),
    **_NO_ROWIDS,
)

# How often somebody searched this hour, on all workers together.
search_count = Table(
    "search_count",
    keyring,
    Column("staff_id", Uuid, primary_key=True),
    *_content(),
    **_NO_ROWIDS,
)

month_key = Table(
    "month_key",
    keyring,
    Column("month", String(7), primary_key=True),
    *_content(),
    **_NO_ROWIDS,
)

# What was begun and must be finished: taking power, erasing, re-keying.
intent = Table(
    "intent",
    keyring,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("object_id", Uuid, nullable=False),
    *_content(),
    **_NO_ROWIDS,
)

# What one person asked for and others approve: their signed statements.
approval = Table(
    "approval",
    keyring,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("object_id", Uuid, nullable=False, index=True),
    *_content(),
    **_NO_ROWIDS,
)

# Who broke the glass of which case: its reason, and what the DPO said about it.
break_glass = Table(
    "break_glass",
    keyring,
    Column("id", Uuid, primary_key=True),
    Column("object_id", Uuid, nullable=False, index=True),
    *_content(),
    **_NO_ROWIDS,
)

# Organisations that help, with their public keys.
partner = Table("partner", keyring, Column("id", Uuid, primary_key=True), *_content(), **_NO_ROWIDS)

# What somebody must do in time, and the DPO looks at otherwise: kind and case in plain.
deadline = Table(
    "deadline",
    keyring,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("object_id", Uuid, nullable=False, index=True),
    *_content(),
    **_NO_ROWIDS,
)

# Referrals that wait behind a link and a spoken code: their case in plain.
collect_page = Table(
    "collect_page",
    keyring,
    Column("id", Uuid, primary_key=True),
    Column("object_id", Uuid, nullable=False, index=True),
    *_content(),
    **_NO_ROWIDS,
)

# What came in from outside and is sealed to a team's intake group: an answer and a referral name
# their case, an intake its team.
arrival = Table(
    "arrival",
    keyring,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("object_id", Uuid, nullable=False, index=True),
    *_content(),
    **_NO_ROWIDS,
)

# What is said about a case outside of it: why it must be kept (`hold`) or frozen (`restriction`),
# what somebody asked for of their rights (`right`), a complaint (`complaint`). Its text lies under
# a key of its own.
matter = Table(
    "matter",
    keyring,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("object_id", Uuid, nullable=False, index=True),
    *_content(),
    **_NO_ROWIDS,
)

# Versions of the retention schedule after the shipped one, with the statements of the two people.
retention_schedule = Table(
    "retention_schedule",
    keyring,
    Column("version", Integer, primary_key=True, autoincrement=False),
    *_content(),
    **_NO_ROWIDS,
)

# What releases have spent of people's privacy: cohort and number of the line in plain.
privacy_charge = Table(
    "privacy_charge",
    keyring,
    Column("cohort_year", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    *_content(),
    **_NO_ROWIDS,
)

# Releases: their design, the one noisy draw, who took which step.
release = Table("release", keyring, Column("id", Uuid, primary_key=True), *_content(), **_NO_ROWIDS)

# Keys of facts once more, for counting: by the first byte of a case's id.
counting_keys = Table(
    "counting_keys",
    keyring,
    Column("page", Integer, primary_key=True, autoincrement=False),
    *_content(),
    **_NO_ROWIDS,
)

# When something last happened that people are to be reminded of, such as a drill.
milestone = Table(
    "milestone",
    keyring,
    Column("kind", String(32), primary_key=True),
    *_content(),
    **_NO_ROWIDS,
)

# What must never come back, whatever backup is restored.
tombstone = Table(
    "tombstone",
    keyring,
    Column("object_id", Uuid, primary_key=True),
    *_content(),
    **_NO_ROWIDS,
)
