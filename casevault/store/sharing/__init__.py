"""What leaves a case and what comes in: letters, packages, inboxes, other vaults."""
