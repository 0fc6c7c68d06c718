"""What may leave a case and what comes in: consent, referrals, packages, partners."""
