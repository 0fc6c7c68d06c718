"""The interface as committed: ``python -m tests.openapi_snapshot [--write]``."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path

from fastapi import FastAPI

from casevault.api import app as application

FILE = Path(__file__).parent.parent / "openapi.json"


@functools.cache
def present() -> str:
    """Return the interface of the code as text. No vault is needed: only routes are asked."""
    app = FastAPI(title="CaseVault", version="1", description=application.DESCRIPTION)
    for router in application.ROUTERS:
        app.include_router(router)
    return json.dumps(app.openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the file, or say whether it is what the code does."""
    if "--write" in sys.argv:
        FILE.write_text(present())
        return 0
    return int(FILE.read_text() != present())


if __name__ == "__main__":
    sys.exit(main())
