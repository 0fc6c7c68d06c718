"""Settings that the environment cannot change: whoever starts a process must not weaken them."""

from __future__ import annotations

FILE_ONLY = frozenset(
    {
        "organisation_id",
        "organisation_name",
        "root_fingerprint",
        "unfinished",
        "kdf_profile",
        "epochs_kept",
        "ledger_origin",
        "ledger_spool",
        "ledger_keys",
        "watched_disk",
        "audit_years",
        "leaf_years",
        "break_glass_closed",
        "referrals_need_approval",
        "country",
        # Where letters about survivors may go, and whose word counts for that.
        "exchange_address",
        "exchange_authorities",
        "exchange_plain_loopback",
        "search_organisation_wide",
        "search_full_phones",
        "search_papers",
        "search_regions",
        "declared_people",
        "team_regions",
        "notify_command",
        "time_zone",
        "watch_minutes",
        "alert_limits",
        "second_medium",
        "backups_promised_days",
        # A library that is loaded into the process, and where its secret is taken from.
        "pkcs11_module",
        "pkcs11_label",
        "unlock_file",
        "backup_dir",
        "postgres_programs",
        "machine_backups",
    }
)
