"""A file is deleted at the survivor's wish, and who has no vault checks that it is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from casevault.cli.demo.narrator import Narrator
from casevault.cli.demo.story import Told
from casevault.cli.demo.world import World

_STEPS = (
    ("keys", "roll", "--erase-now", "--new-medium"),
    ("retention", "run"),
)


def tell(world: World, say: Narrator, told: Told) -> None:
    """Ask, approve, erase now, certify; verify with the export and the public keys alone."""
    asked = world.ok(
        "POST", f"/v1/cases/{told.other}/erasure", {"reason": "request"}, world.sign_in("sam")
    )
    path = f"/v1/approvals/{asked['id']}/decision"
    world.ok("POST", path, {"approve": True}, world.sign_in("dora"))
    for step in _STEPS:
        done = world.operator(*step)
        say.detail("forget", f"{' '.join(step)}: {done.returncode}")
    papers, log = world.folder / "certificates", world.folder / "log"
    world.operator("certificate", "export", str(papers))
    world.operator("ledger", "export", str(log))
    code = _checked_elsewhere(papers, log)
    gone = world.call("GET", f"/v1/cases/{told.other}", token=told.tokens["cara"]).status
    held = "holds" if code == 0 else f"DOES NOT HOLD ({code})"
    say.line(f"11. The other survivor wants to be forgotten: {gone} from now on, in every backup.")
    say.line(f"   Its certificate, with nothing but the log's export and public keys: {held}.")


def _checked_elsewhere(papers: Path, log: Path) -> int:
    """Return the exit code of a check that has neither the vault nor its configuration."""
    files = sorted(papers.glob("*.json"))
    if len(files) != 1:
        return -1
    done = subprocess.run(  # noqa: S603 - our own interpreter and module
        [
            *(sys.executable, "-m", "casevault", "certificate", "verify", str(files[0])),
            *("--keys", str(papers / "keys.txt"), "--ledger", str(log)),
        ],
        check=False,
        capture_output=True,
        timeout=600,
        cwd=papers,
        env={name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
    )
    return done.returncode
