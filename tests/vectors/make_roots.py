"""Writes roots.json anew: root material that was made for this file and protects nothing.

python -m tests.vectors.make_roots
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from uuid import UUID

from casevault.crypto.credentials import SMALL
from casevault.crypto.roots import RootMaterial, RootsPlace, under_passphrase
from casevault.crypto.roots.material import encode

PASSPHRASE = "made up words for a vector of roots"


def main() -> None:
    """Seal fresh material and write file, passphrase and material side by side."""
    held = RootMaterial.fresh(UUID(int=5), "vector-host")
    with tempfile.TemporaryDirectory() as folder:
        place = RootsPlace(Path(folder))
        under_passphrase(PASSPHRASE, SMALL)(place, held)
        sealed = json.loads(place.file.read_bytes())
    vector = {"passphrase": PASSPHRASE, "file": sealed, "material": json.loads(encode(held))}
    target = Path(__file__).with_name("roots.json")
    target.write_text(json.dumps(vector, indent=1) + "\n")
    print(target.name)


if __name__ == "__main__":
    main()
