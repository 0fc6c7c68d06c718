"""`casevault ledger`: for operators, for auditors, and for whoever distrusts us."""
