"""What every process of ours does first: no core dumps, no debugger of the same account."""

from __future__ import annotations

import ctypes
import resource

_PR_SET_DUMPABLE = 4


def harden_process() -> None:
    """No core dumps, and no other process of this account may read our memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
