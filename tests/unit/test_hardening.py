"""What every process of ours does first, in a process that really does it."""

from __future__ import annotations

import subprocess
import sys

_ASK = """
import ctypes, resource
from casevault.store.engine.hardening import harden_process
before = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
harden_process()
print(before, ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))
"""


def test_a_hardened_process_leaves_no_dump_and_is_not_looked_into():
    """PR_GET_DUMPABLE was 1 and is 0; the limit of core files is 0, for good."""
    done = subprocess.run([sys.executable, "-c", _ASK], capture_output=True, text=True, check=True)
    assert done.stdout == "1 0 (0, 0)\n"
