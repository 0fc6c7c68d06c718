"""What to write instead: one sentence for each setting whose value cannot be used.

Never shows the value, which could be a password.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

WHAT_TO_DO: Mapping[str, str] = MappingProxyType(
    {
        "idle_minutes": "Choose 1 to 15 minutes: sessions can be made shorter, not longer.",
        "absolute_hours": "Choose 1 to 10 hours: sessions can be made shorter, not longer.",
        "kdf_profile": "Choose 'standard' or, for small machines, 'small'.",
        "minimum_assurance": "Choose 'passphrase' or 'second_factor'.",
        "root_fingerprint": "Give the 64 hexadecimal digits that `casevault init` printed.",
        "unfinished": "Put it back as `casevault init` wrote it.",
        "organisation_id": "Give the UUID that `casevault init` wrote.",
        "body_limit": "Choose 65,536 to 16,777,216 bytes.",
        "case_files_mib": "Choose 32 to 8192.",
        "trusted_hosts": "List the names under which people reach the service.",
        "port": "Choose 1 to 65,535.",
        "workers": "Choose 1 to 64 processes.",
        "threads": "Choose 1 to 64 threads for each process.",
        "argon2_concurrency": "Choose 1 to 16 passphrases at a time for each process.",
        "epochs_kept": "Choose 0 to 3 epochs.",
        "backups_promised_days": "Choose 0 to 3,650 days.",
        "organisation_name": "Choose up to 120 characters.",
        "ledger_origin": "Choose up to 120 characters, like example.org/casevault/2026a.",
        "ledger_spool": "Name the folder that is shared with the signer.",
        "keys_dir": "Name a folder of its own for the root material, such as keys.",
        "runtime_dir": "Name a folder in memory, such as /run/casevault.",
        "second_medium": "Name a folder on another disk, such as /media/casevault.",
        "backup_dir": "Name a folder on another disk, such as /srv/casevault-backups.",
        "unlock_file": "Name a file in memory, or on a medium that is taken away.",
        "pkcs11_module": "Name the library that the token's maker ships.",
        "postgres_programs": "Name the folder of pg_dump, such as /usr/lib/postgresql/18/bin.",
        "host": "Give the address on which the service listens, such as 127.0.0.1.",
        "audit_years": "Choose 1 to 30 years.",
        "leaf_years": "Choose 1 to 100 years, not fewer than audit_years.",
        "watched_disk": "Name a folder on the disk of the database server.",
        "ledger_keys": "List the keys that `casevault ledger signer-key` printed.",
        "behind_proxy": "Choose true or false.",
        "closing_needs_approval": "Choose true or false.",
        "referrals_need_approval": "Choose true or false.",
        "country": "Give a country of ISO 3166, such as FR.",
        "exchange_address": "Give an address such as https://vault.example.org.",
        "exchange_authorities": "Name a file of certificates (PEM).",
        "exchange_plain_loopback": "Choose true or false.",
        "break_glass_closed": "Choose true or false.",
        "search_full_phones": "Choose true or false.",
        "search_papers": "Choose true or false.",
        "search_regions": 'Give a list of countries, such as search_regions = ["GB", "FR"].',
        "search_organisation_wide": "Choose true or false.",
        "search_per_hour": "Choose 5 to 500 searches for each person and hour.",
        "declared_people": "Choose how many people a year you assist, as you say in public.",
        "team_regions": 'Give the region of each team, such as { Harbour = "North" }.',
        "search_processes": "Choose 0 to 16 helper processes for each worker.",
        "time_zone": "Choose a zone of the system's list, such as Europe/Rome.",
        "watch_minutes": "Choose 1 to 60 minutes.",
        "alert_limits": "Give names and numbers, such as { volume_factor = 4 }.",
        "notify_command": 'Give a list of up to 16 words, such as ["/usr/local/bin/call-duty"].',
        "data_url": "Use a sqlite:/// or postgresql+psycopg:// address.",
        "keyring_url": "Use a sqlite:/// or postgresql+psycopg:// address.",
        "data_migrator_url": "Use a sqlite:/// or postgresql+psycopg:// address.",
        "keyring_migrator_url": "Use a sqlite:/// or postgresql+psycopg:// address.",
        "scratch_url": "Use a postgresql+psycopg:// address.",
        "log_level": "Choose 'debug', 'info', 'warning' or 'error'.",
        "pkcs11_label": "Give the token's label, up to 32 characters.",
        "machine_backups": 'Give a list of folders, such as machine_backups = ["/home"].',
        "purposes": 'Give a list of purposes, such as purposes = ["disability"].',
    }
)
