"""The log as auditors meet it: questions, alerts, the inspection, and how it gets old."""
