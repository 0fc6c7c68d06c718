"""Tables of the plaintext twin: what an ordinary product keeps for the same API, with its indexes.

The names and phones that searching needs are columns with indexes; the audit can be asked "who saw
this case" and "what did this person see"; a note keeps its versions; whom a case is shared with is
a row. Nothing is hidden from whoever has the file.
"""

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
)

metadata = MetaData()
staff = Table(
    "staff",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("login", String(120), nullable=False, unique=True),
    Column("passphrase", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("team", Uuid, nullable=False),
    Column("active", Boolean, nullable=False),
)
session = Table(
    "session",
    metadata,
    # SHA-256 of the token, as every product that takes care does it.
    Column("token", LargeBinary(32), primary_key=True),
    Column("staff_id", Uuid, nullable=False, index=True),
    Column("created_at", Integer, nullable=False),
    Column("seen_at", Integer, nullable=False),
)
case_file = Table(
    "case_file",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("reference", String(32), nullable=False, unique=True),
    Column("team", Uuid, nullable=False, index=True),
    Column("status", String(20), nullable=False),
    Column("retention_class", String(32), nullable=False),
    Column("opened_month", String(7), nullable=False),
    Column("next_review", String(10), nullable=False, index=True),
    Column("due_identity", String(10), nullable=False),
    Column("due_narrative", String(10), nullable=False),
    Column("due_facts", String(10), nullable=False, index=True),
    Column("hold", Boolean, nullable=False),
    Column("restriction", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
)
document = Table(
    "document",
    metadata,
    Column("case_id", Uuid, primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("content", Text, nullable=False),
)
note = Table(
    "note",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("case_id", Uuid, nullable=False, index=True),
    Column("date", String(10), nullable=False),
    Column("version", Integer, nullable=False),
)
note_version = Table(
    "note_version",
    metadata,
    Column("note_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("by", Uuid, nullable=False),
    Column("at", Integer, nullable=False),
    Column("content", Text, nullable=False),
)
search_term = Table(
    "search_term",
    metadata,
    Column("case_id", Uuid, primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("folded", String(200), primary_key=True),
    Index("search_term_folded", "folded"),
)
share = Table(
    "share",
    metadata,
    Column("case_id", Uuid, primary_key=True),
    Column("staff_id", Uuid, primary_key=True),
    Column("given_by", Uuid, nullable=False),
    Column("at", Integer, nullable=False),
    Index("share_staff", "staff_id", "case_id"),
)
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Integer, nullable=False),
    Column("request", String(32)),
    Column("staff_id", Uuid, nullable=False),
    Column("session", LargeBinary(32), nullable=False),
    Column("code", String(32), nullable=False),
    Column("case_id", Uuid, nullable=True),
    Column("fields", Text, nullable=False),
    Index("audit_case", "case_id", "at"),
    Index("audit_staff", "staff_id", "at"),
)
idempotency = Table(
    "idempotency",
    metadata,
    Column("staff_id", Uuid, primary_key=True),
    Column("route", String(80), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("made", Uuid, nullable=False),
    Column("at", Integer, nullable=False, index=True),
)
