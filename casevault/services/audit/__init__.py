"""Who looked: questions, alerts, reviews, sign-offs, entries that leave the house."""
