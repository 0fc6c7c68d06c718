"""Kernel: case files, documents, manifests, idempotency, the ledger.

Revision 0001, after nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# 84 header bytes, the smallest bucket of 256 and the tag of 16.
_SMALLEST = 356


def _sealed_check(table: str, column: str = "sealed") -> sa.CheckConstraint:
    """The database itself refuses what does not even look sealed."""
    if op.get_bind().dialect.name == "sqlite":
        magic = f"substr({column}, 1, 4) = X'43560101'"
    else:
        magic = f"substring({column} from 1 for 4) = '\\x43560101'::bytea"
    return sa.CheckConstraint(
        f"{magic} AND length({column}) >= {_SMALLEST}", name=op.f(f"ck_{table}_{column}")
    )


def _exactly(table: str, column: str, length: int) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"length({column}) = {length}", name=op.f(f"ck_{table}_{column}"))


def upgrade() -> None:
    op.create_table(
        "store_identity",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("organisation_id", sa.Uuid, nullable=False),
        sa.Column("keyring_id", sa.Uuid, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_store_identity")),
        sa.CheckConstraint("id = 1", name=op.f("ck_store_identity_single")),
    )
    op.create_table(
        "case_file",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("reference", sa.String(12), nullable=False),
        sa.Column("team_id", sa.Uuid, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("retention_class", sa.String(32), nullable=False),
        sa.Column("opened_month", sa.String(7), nullable=False),
        sa.Column("next_review", sa.String(10), nullable=False),
        sa.Column("due_identity", sa.String(10), nullable=False),
        sa.Column("due_narrative", sa.String(10), nullable=False),
        sa.Column("due_facts", sa.String(10), nullable=False),
        sa.Column("hold", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("restriction", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("rekey_due", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("key_version", sa.Integer, nullable=False),
        sa.Column("mac", sa.LargeBinary(36), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_file")),
        sa.UniqueConstraint("reference", name=op.f("uq_case_file_reference")),
        _exactly("case_file", "mac", 36),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_case_file_team_id"), "case_file", ["team_id"])
    op.create_table(
        "document",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("case_id", sa.Uuid, nullable=False),
        sa.Column("compartment", sa.String(16), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_document_case_id")),
        _sealed_check("document"),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_document_case_id"), "document", ["case_id"])
    op.create_table(
        "manifest",
        sa.Column("case_id", sa.Uuid, nullable=False),
        sa.Column("compartment", sa.String(16), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "compartment", name=op.f("pk_manifest")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_manifest_case_id")),
        _sealed_check("manifest"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "idempotency",
        sa.Column("key", sa.LargeBinary(32), nullable=False),
        sa.Column("request", sa.LargeBinary(32), nullable=False),
        sa.Column("case_id", sa.Uuid, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency")),
        _exactly("idempotency", "key", 32),
        sqlite_with_rowid=False,
    )
    _ledger()


def _ledger() -> None:
    op.create_table(
        "ledger_entry",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("body_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("tag", sa.LargeBinary(36), nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("writer", sa.String(22), nullable=False),
        sa.Column("counter", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entry")),
        _exactly("ledger_entry", "tag", 36),
    )
    op.create_index(
        "ix_ledger_entry_writer_counter", "ledger_entry", ["writer", "counter"], unique=True
    )
    op.create_table(
        "ledger_body",
        sa.Column("entry_id", sa.Uuid, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_ledger_body")),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["ledger_entry.id"], name=op.f("fk_ledger_body_entry_id")
        ),
        _sealed_check("ledger_body"),
    )
    op.create_table(
        "ledger_subject",
        sa.Column("entry_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("pseudonym", sa.String(22), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", "kind", "pseudonym", name=op.f("pk_ledger_subject")),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["ledger_entry.id"], name=op.f("fk_ledger_subject_entry_id")
        ),
    )
    op.create_index("ix_ledger_subject_pseudonym", "ledger_subject", ["pseudonym"])
    op.create_table(
        "ledger_pending",
        sa.Column("entry_id", sa.Uuid, nullable=False),
        sa.Column("staged_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_ledger_pending")),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["ledger_entry.id"], name=op.f("fk_ledger_pending_entry_id")
        ),
    )
    op.create_table(
        "ledger_leaf",
        sa.Column("position", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.Uuid, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_ledger_leaf")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_ledger_leaf_entry_id")),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["ledger_entry.id"], name=op.f("fk_ledger_leaf_entry_id")
        ),
        _exactly("ledger_leaf", "hash", 32),
    )
    op.create_table(
        "ledger_tile",
        sa.Column("level", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("pk_ledger_tile")),
        _exactly("ledger_tile", "hashes", 8192),
    )
    op.create_table(
        "ledger_head",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("frontier", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_head")),
        sa.CheckConstraint("id = 1", name=op.f("ck_ledger_head_single")),
    )
    op.create_table(
        "ledger_checkpoint",
        sa.Column("size", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_ledger_checkpoint")),
    )
    op.create_table(
        "ledger_writer",
        sa.Column("writer", sa.String(22), nullable=False),
        sa.Column("host", sa.String(64), nullable=False),
        sa.Column("process", sa.Integer, nullable=False),
        sa.Column("closed", sa.Boolean(create_constraint=False), nullable=False),
        sa.PrimaryKeyConstraint("writer", name=op.f("pk_ledger_writer")),
    )


def downgrade() -> None:
    for table in (
        "ledger_writer",
        "ledger_checkpoint",
        "ledger_head",
        "ledger_tile",
        "ledger_leaf",
        "ledger_pending",
        "ledger_subject",
        "ledger_body",
        "ledger_entry",
        "idempotency",
        "manifest",
        "document",
        "case_file",
        "store_identity",
    ):
        op.drop_table(table)
