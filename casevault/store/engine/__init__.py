"""The two databases: connections, transactions, tables, migrations. Knows no meaning of rows."""
