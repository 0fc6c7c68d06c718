"""Consents, referrals, inboxes, partners, other vaults."""
