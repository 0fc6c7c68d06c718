"""Tables of the keyring store. Every row's content is sealed under the current epoch key.

Plain columns are only those by which a row is found; `SealedTable` binds them to the content.
"""

from __future__ import annotations

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
from sqlalchemy.schema import SchemaItem

from casevault.store.engine.tables import data

keyring = MetaData(naming_convention=data.naming_convention)


def _sealed(name: str, *plain: SchemaItem) -> Table:
    """Declare a table of sealed rows: what is plain, the epoch under which a row lies, the rest.

    Without rowids: SQLite would keep the order in which rows were made.
    """
    return Table(
        name,
        keyring,
        *plain,
        Column("epoch", Integer, nullable=False, index=True),
        Column("sealed", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
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

principal = _sealed(
    "principal",
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("team_id", Uuid, nullable=True),
)

team = _sealed("team", Column("id", Uuid, primary_key=True))

staff = _sealed(
    "staff",
    Column("id", Uuid, primary_key=True),
    Column("login", LargeBinary(32), nullable=False, unique=True),
)

envelope = _sealed(
    "envelope",
    Column("staff_id", Uuid, primary_key=True),
)

# The same secret once more, under a code that its person keeps on paper.
recovery_envelope = _sealed(
    "recovery_envelope",
    Column("staff_id", Uuid, primary_key=True),
)

enrolment = _sealed(
    "enrolment",
    Column("code", LargeBinary(32), primary_key=True),
    Column("staff_id", Uuid, nullable=False),
)

# An authenticator (`totp`), a printed one-time code (`code`), and room for another kind.
second_factor = _sealed(
    "second_factor",
    Column("id", Uuid, primary_key=True),
    Column("staff_id", Uuid, nullable=False, index=True),
    Column("kind", String(16), nullable=False),
)

session = _sealed(
    "session",
    Column("sid", LargeBinary(32), primary_key=True),
    Column("staff_id", Uuid, nullable=False, index=True),
)

# How many guesses were evaluated today; logins share the slots by their HMAC.
guess = _sealed(
    "guess",
    Column("slot", Integer, primary_key=True, autoincrement=False),
)

# From where somebody signed in with both factors, by the digest of what the device holds.
device = _sealed(
    "device",
    Column("id", LargeBinary(32), primary_key=True),
    Column("staff_id", Uuid, nullable=False, index=True),
)

# Failed sign-ins of a minute that are still to be recorded.
failure = _sealed(
    "failure",
    Column("key", LargeBinary(32), primary_key=True),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
)

# The vault is shut: one row for who shut it, one for each of the two who open it again.
lockdown = _sealed(
    "lockdown",
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False),
)

vouch = _sealed(
    "vouch",
    Column("serial", Uuid, primary_key=True),
    Column("subject_id", Uuid, nullable=False, index=True),
)

revocation = _sealed(
    "revocation",
    Column("serial", Uuid, primary_key=True),
)

case_key = _sealed(
    "case_key",
    Column("case_id", Uuid, primary_key=True),
    Column("compartment", String(16), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
)

grant = _sealed(
    "access_grant",
    Column("id", Uuid, primary_key=True),
    Column("object_kind", String(16), nullable=False),
    Column("object_id", Uuid, nullable=False),
    Column("grantee_id", Uuid, nullable=False),
    # Also in the signed terms; here so that a sweeper without keys can find it. 0 = never.
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_access_grant_object", "object_id", "grantee_id"),
    Index("ix_access_grant_grantee", "grantee_id", "object_kind", "object_id"),
)

grant_key = _sealed(
    "access_grant_key",
    Column("grant_id", Uuid, primary_key=True),
    Column("compartment", String(16), primary_key=True),
)

# Keys of search cards, by the first byte of a card's id, each wrapped under the directory's key.
card_keys = _sealed(
    "card_keys",
    Column("directory_id", Uuid, primary_key=True),
    Column("page", Integer, primary_key=True, autoincrement=False),
)

# Who asked for a case and why, and what its holders said about it.
access_request = _sealed(
    "access_request",
    Column("id", Uuid, primary_key=True),
    Column("object_id", Uuid, nullable=False, index=True),
)

# How often somebody searched this hour, on all workers together.
search_count = _sealed(
    "search_count",
    Column("staff_id", Uuid, primary_key=True),
)

month_key = _sealed(
    "month_key",
    Column("month", String(7), primary_key=True),
)

# What was begun and must be finished: taking power, erasing, re-keying.
intent = _sealed(
    "intent",
    Column("id", Uuid, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("object_id", Uuid, nullable=False),
)

# What one person asked for and others approve: their signed statements.
approval = _sealed(
    "approval",
    Column("id", Uuid, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("object_id", Uuid, nullable=False, index=True),
)

# Who broke the glass of which case: its reason, and what the DPO said about it.
break_glass = _sealed(
    "break_glass",
    Column("id", Uuid, primary_key=True),
    Column("object_id", Uuid, nullable=False, index=True),
)

# Organisations that help, with their public keys.
partner = _sealed("partner", Column("id", Uuid, primary_key=True))

# What somebody must do in time, and the DPO looks at otherwise: kind and case in plain.
deadline = _sealed(
    "deadline",
    Column("id", Uuid, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("object_id", Uuid, nullable=False, index=True),
)

# Referrals that wait behind a link and a spoken code: their case in plain.
collect_page = _sealed(
    "collect_page",
    Column("id", Uuid, primary_key=True),
    Column("object_id", Uuid, nullable=False, index=True),
)

# What came in from outside and is sealed to a team's intake group: an answer and a referral name
# their case, an intake its team.
arrival = _sealed(
    "arrival",
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("object_id", Uuid, nullable=False, index=True),
)

# What is said about a case outside of it: why it must be kept (`hold`) or frozen (`restriction`),
# what somebody asked for of their rights (`right`), a complaint (`complaint`). Its text lies under
# a key of its own.
matter = _sealed(
    "matter",
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("object_id", Uuid, nullable=False, index=True),
)

# Versions of the retention schedule after the shipped one, with the statements of the two people.
retention_schedule = _sealed(
    "retention_schedule",
    Column("version", Integer, primary_key=True, autoincrement=False),
)

# What releases have spent of people's privacy: cohort and number of the line in plain.
privacy_charge = _sealed(
    "privacy_charge",
    Column("cohort_year", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
)

# Releases: their design, the one noisy draw, who took which step.
release = _sealed("release", Column("id", Uuid, primary_key=True))

# Keys of facts once more, for counting: by the first byte of a case's id.
counting_keys = _sealed(
    "counting_keys",
    Column("page", Integer, primary_key=True, autoincrement=False),
)

# When something last happened that people are to be reminded of, such as a drill.
milestone = _sealed(
    "milestone",
    Column("kind", String(32), primary_key=True),
)

# What must never come back, whatever backup is restored.
tombstone = _sealed(
    "tombstone",
    Column("object_id", Uuid, primary_key=True),
)
