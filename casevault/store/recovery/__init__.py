"""The day a machine dies: backups, capsules, epochs, new shares, and what a doctor looks at."""
