"""Tables of the data store: sealed documents, coarse metadata, the ledger.

The plain columns here are what a stolen dump shows; tests/security holds the reviewed list.
Tables about survivors have no row ids of their own on SQLite, which would keep insertion order.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    text,
)

data = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# One row: which keyring this data belongs to, and the newest generation of it ever seen.
store_identity = Table(
    "store_identity",
    data,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("organisation_id", Uuid, nullable=False),
    Column("keyring_id", Uuid, nullable=False),
    Column("generation", BigInteger, nullable=False),
)

case_file = Table(
    "case_file",
    data,
    Column("id", Uuid, primary_key=True),
    Column("reference", String(12), nullable=False, unique=True),
    Column("team_id", Uuid, nullable=False, index=True),
    Column("status", String(16), nullable=False),
    Column("retention_class", String(32), nullable=False),
    Column("opened_month", String(7), nullable=False),
    Column("next_review", String(10), nullable=False),
    # Indexed, so that the work of a retention run is that of what is due.
    Column("due_identity", String(10), nullable=False, index=True),
    Column("due_narrative", String(10), nullable=False, index=True),
    Column("due_facts", String(10), nullable=False, index=True),
    Column("hold", Boolean(create_constraint=False), nullable=False),
    Column("restriction", Boolean(create_constraint=False), nullable=False),
    Column("rekey_due", Boolean(create_constraint=False), nullable=False),
    Column("version", Integer, nullable=False),
    Column("key_version", Integer, nullable=False),
    # HMAC of the service key over all the other columns, for jobs that hold no key of the case.
    Column("mac", LargeBinary(36), nullable=False),
    # From what the due dates follow: `domain.case.keeping`. Rows from before have none of it.
    Column("counted_from", String(10), nullable=True),
    Column("of_age", String(10), nullable=True),
    Column("not_before", String(10), nullable=True),
    Column("not_after", String(10), nullable=True),
    Column("schedule", Integer, nullable=True, index=True),
    sqlite_with_rowid=False,
)

document = Table(
    "document",
    data,
    Column("id", Uuid, primary_key=True),
    Column("case_id", Uuid, ForeignKey("case_file.id"), nullable=False, index=True),
    Column("compartment", String(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

manifest = Table(
    "manifest",
    data,
    Column("case_id", Uuid, ForeignKey("case_file.id"), primary_key=True),
    Column("compartment", String(16), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# Attached files: sealed bytes cut into rows. Which document a file belongs to stands nowhere here.
file_piece = Table(
    "file_piece",
    data,
    Column("file_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("case_id", Uuid, ForeignKey("case_file.id"), nullable=False, index=True),
    Column("compartment", String(16), nullable=False),
    Column("piece", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# What a team's members find people by. Which case a card belongs to stands inside it; its id is an
# HMAC of the service key, so a dump does not tell which cases have none.
search_card = Table(
    "search_card",
    data,
    Column("team_id", Uuid, primary_key=True),
    Column("id", LargeBinary(16), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# What only its author may open. Whose it is stands nowhere here: the keyring knows.
private_object = Table(
    "private_object",
    data,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("erase_after", String(10), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# What a repeated POST with the same Idempotency-Key is answered with, for 24 hours.
idempotency = Table(
    "idempotency",
    data,
    Column("key", LargeBinary(32), primary_key=True),
    Column("request", LargeBinary(32), nullable=False),
    Column("case_id", Uuid, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Which lines of which sources were taken, told by HMACs of the service key only: neither the
# source, nor its number, nor which case it became can be read from a row.
import_line = Table(
    "import_line",
    data,
    Column("line", LargeBinary(36), primary_key=True),
    Column("became", LargeBinary(36), nullable=False, index=True),
    sqlite_with_rowid=False,
)

# Cases whose data is there and whose keys are not, without a tombstone: kept, opened by nobody.
quarantine = Table(
    "quarantine",
    data,
    Column("case_id", Uuid, ForeignKey("case_file.id"), primary_key=True),
    Column("since", String(7), nullable=False),
    sqlite_with_rowid=False,
)

# That something was erased, so that no copy of it opens any more: written to be shown to anybody.
certificate = Table(
    "certificate",
    data,
    Column("id", Uuid, primary_key=True),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

# Alerts with their reviews, sign-offs, counts for the watch, and what an auditor lets others know:
# each under a key of its own. Whom or which case it is about stands nowhere here.
audit_record = Table(
    "audit_record",
    data,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("erase_after", String(10), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

ledger_entry = Table(
    "ledger_entry",
    data,
    Column("id", Uuid, primary_key=True),
    Column("leaf", LargeBinary, nullable=False),
    Column("body_digest", LargeBinary(32), nullable=False),
    Column("tag", LargeBinary(36), nullable=False),
    # Derived from the leaf, for queries; checked against it on every read.
    Column("month", String(7), nullable=False),
    Column("writer", String(22), nullable=False),
    Column("counter", BigInteger, nullable=False),
    Index("ix_ledger_entry_writer_counter", "writer", "counter", unique=True),
)

ledger_body = Table(
    "ledger_body",
    data,
    Column("entry_id", Uuid, ForeignKey("ledger_entry.id"), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

ledger_subject = Table(
    "ledger_subject",
    data,
    Column("entry_id", Uuid, ForeignKey("ledger_entry.id"), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("pseudonym", String(22), primary_key=True),
    Index("ix_ledger_subject_pseudonym", "pseudonym"),
)

# PostgreSQL: entries that are durable but not in the tree yet.
ledger_pending = Table(
    "ledger_pending",
    data,
    Column("entry_id", Uuid, ForeignKey("ledger_entry.id"), primary_key=True),
    Column("staged_at", BigInteger, nullable=False),
)

ledger_leaf = Table(
    "ledger_leaf",
    data,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("entry_id", Uuid, ForeignKey("ledger_entry.id"), nullable=False, unique=True),
    Column("hash", LargeBinary(32), nullable=False),
)

ledger_tile = Table(
    "ledger_tile",
    data,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
    # What a proof needs of a full tile, so that the right edge of a level is one short read: of the
    # index alone, because in a row it stands behind 8,192 bytes of hashes.
    Column("root", LargeBinary(32), nullable=True),
    Index("ix_ledger_tile_root", "level", "number", "root"),
)

ledger_head = Table(
    "ledger_head",
    data,
    Column("id", Integer, primary_key=True, autoincrement=False),
    # Which log of this store: 0 is the first origin, each closed origin is followed by the next.
    Column("log", Integer, nullable=False, server_default=text("0")),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
)

ledger_checkpoint = Table(
    "ledger_checkpoint",
    data,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
)

# What retention removed on purpose, so that nothing else passes for it: months whose bodies are
# gone (kind `bodies`), and the position below which leaves are gone (kind `leaves`). The stamp is
# an HMAC of the service key.
ledger_retention = Table(
    "ledger_retention",
    data,
    Column("kind", String(8), primary_key=True),
    Column("value", String(20), primary_key=True),
    Column("stamp", LargeBinary(36), nullable=False),
)

# What the organisation did, not whom it helped: plain, every version kept, bound by a stamp of the
# service key.
register_entry = Table(
    "register_entry",
    data,
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("removed", Boolean(create_constraint=False), nullable=False),
    Column("body", Text, nullable=False),
    Column("stamp", LargeBinary(36), nullable=False),
)

# The files of a release, under a key of its own. Public once it is published. The year is that of
# those who paid, for when the keyring has forgotten the release.
release_payload = Table(
    "release_payload",
    data,
    Column("id", Uuid, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("cohort_year", Integer, nullable=True),
    sqlite_with_rowid=False,
)

# Why a log was closed and the next one begun: a signed note, one for each log but the first.
ledger_incident = Table(
    "ledger_incident",
    data,
    Column("log", Integer, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
)

# Who writes to the ledger: a writer that ended without saying so gets a `system.crash` entry.
ledger_writer = Table(
    "ledger_writer",
    data,
    Column("writer", String(22), primary_key=True),
    Column("host", String(64), nullable=False),
    Column("process", Integer, nullable=False),
    Column("closed", Boolean(create_constraint=False), nullable=False),
)
