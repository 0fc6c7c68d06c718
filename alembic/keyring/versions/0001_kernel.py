"""Kernel: principals, staff, sessions, vouches, case keys, grants, intents, tombstones.

Revision 0001, after nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SMALLEST = 356

# Table → lookup columns (name, type, nullable) and the columns of its primary key.
_TABLES: dict[str, tuple[tuple[tuple[str, sa.types.TypeEngine, bool], ...], tuple[str, ...]]] = {
    "principal": (
        (
            ("id", sa.Uuid(), False),
            ("kind", sa.String(16), False),
            ("team_id", sa.Uuid(), True),
        ),
        ("id",),
    ),
    "team": ((("id", sa.Uuid(), False),), ("id",)),
    "staff": ((("id", sa.Uuid(), False), ("login", sa.LargeBinary(32), False)), ("id",)),
    "envelope": ((("staff_id", sa.Uuid(), False),), ("staff_id",)),
    "enrolment": (
        (("code", sa.LargeBinary(32), False), ("staff_id", sa.Uuid(), False)),
        ("code",),
    ),
    "session": ((("sid", sa.LargeBinary(32), False), ("staff_id", sa.Uuid(), False)), ("sid",)),
    "vouch": ((("serial", sa.Uuid(), False), ("subject_id", sa.Uuid(), False)), ("serial",)),
    "revocation": ((("serial", sa.Uuid(), False),), ("serial",)),
    "case_key": (
        (
            ("case_id", sa.Uuid(), False),
            ("compartment", sa.String(16), False),
            ("version", sa.Integer(), False),
        ),
        ("case_id", "compartment", "version"),
    ),
    "access_grant": (
        (
            ("id", sa.Uuid(), False),
            ("object_kind", sa.String(16), False),
            ("object_id", sa.Uuid(), False),
            ("grantee_id", sa.Uuid(), False),
            ("expires_at", sa.BigInteger(), False),
        ),
        ("id",),
    ),
    "access_grant_key": (
        (("grant_id", sa.Uuid(), False), ("compartment", sa.String(16), False)),
        ("grant_id", "compartment"),
    ),
    "month_key": ((("month", sa.String(7), False),), ("month",)),
    "intent": (
        (
            ("id", sa.Uuid(), False),
            ("kind", sa.String(32), False),
            ("object_id", sa.Uuid(), False),
        ),
        ("id",),
    ),
    "tombstone": ((("object_id", sa.Uuid(), False),), ("object_id",)),
}

_INDEXES = (
    ("ix_session_staff_id", "session", ["staff_id"]),
    ("ix_vouch_subject_id", "vouch", ["subject_id"]),
    ("ix_access_grant_object", "access_grant", ["object_id", "grantee_id"]),
    ("ix_access_grant_grantee", "access_grant", ["grantee_id", "object_kind", "object_id"]),
)


def _sealed_check(table: str) -> sa.CheckConstraint:
    if op.get_bind().dialect.name == "sqlite":
        magic = "substr(sealed, 1, 4) = X'43560101'"
    else:
        magic = "substring(sealed from 1 for 4) = '\\x43560101'::bytea"
    return sa.CheckConstraint(
        f"{magic} AND length(sealed) >= {_SMALLEST}", name=op.f(f"ck_{table}_sealed")
    )


def upgrade() -> None:
    op.create_table(
        "keyring_identity",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("keyring_id", sa.Uuid, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keyring_identity")),
        sa.CheckConstraint("id = 1", name=op.f("ck_keyring_identity_single")),
    )
    op.create_table(
        "keyring_trust",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keyring_trust")),
        sa.CheckConstraint("id = 1", name=op.f("ck_keyring_trust_single")),
    )
    for name, (columns, key) in _TABLES.items():
        unique = (
            [sa.UniqueConstraint("login", name=op.f("uq_staff_login"))] if name == "staff" else []
        )
        op.create_table(
            name,
            *(
                sa.Column(column, kind, nullable=nullable, autoincrement=False)
                for column, kind, nullable in columns
            ),
            sa.Column("epoch", sa.Integer, nullable=False),
            sa.Column("sealed", sa.LargeBinary, nullable=False),
            sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")),
            *unique,
            _sealed_check(name),
            sqlite_with_rowid=False,
        )
        op.create_index(op.f(f"ix_{name}_epoch"), name, ["epoch"])
    for name, table, columns in _INDEXES:
        op.create_index(name, table, columns)


def downgrade() -> None:
    for name in (*reversed(_TABLES), "keyring_trust", "keyring_identity"):
        op.drop_table(name)
