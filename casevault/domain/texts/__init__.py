"""Plain forms that machines read: strict JSON, tables, calendars, names of files."""
