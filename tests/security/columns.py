"""The plain columns of every table as reviewed: ``python -m tests.security.columns --write``.

What a dump shows is decided here, not by accident. A new column needs a line in SECURITY.md too.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from casevault.store.engine.keyring_tables import keyring
from casevault.store.engine.tables import data

FILE = Path(__file__).parent / "columns.json"
# A piece is a part of a sealed stream.
SEALED = {"sealed", "piece"}


def plain_columns() -> dict[str, list[str]]:
    """Return the plain columns of every table of both stores."""
    return {
        f"{name}.{table.name}": [c.name for c in table.columns if c.name not in SEALED]
        for name, metadata in (("data", data), ("keyring", keyring))
        for table in metadata.sorted_tables
    }


def main() -> int:
    """Write the file; the difference is then reviewed."""
    if "--write" not in sys.argv:
        sys.stderr.write((__doc__ or "") + "\n")
        return 2
    FILE.write_text(json.dumps(plain_columns(), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
