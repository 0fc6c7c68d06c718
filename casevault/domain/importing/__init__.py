"""Reading other people's tables: records from a file, columns to fields of the dictionary. Pure."""
