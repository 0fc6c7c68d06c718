"""The process in which files of strangers are parsed: it holds no key, and has little of anything.

    python -m casevault.cleaning.child image/jpeg < raw > cleaned

It may use so much memory and time, open no further file and write none, start nothing. Exit code 0:
what came out is clean; 3: the code of a refusal came out instead. Any other end, a crash included,
is a file that cannot be read safely. Must never be given a key, a name or an id.
"""

from __future__ import annotations

import resource
import sys

from casevault.cleaning import MAX_BYTES, cleaned
from casevault.cleaning.faults import Unclean
from casevault.cleaning.samples import sample

REFUSED = 3
_MEMORY = 1 << 30
_SECONDS = 60


def main() -> int:
    """Clean standard input into standard output."""
    media_type, content = sys.argv[1], sys.stdin.buffer.read(MAX_BYTES + 1)
    # With this the libraries load what they need, while files may still be opened.
    cleaned(sample(media_type), media_type)
    _limit()
    try:
        found = cleaned(content, media_type)
    except Unclean as error:
        sys.stdout.write(error.code)
        return REFUSED
    sys.stdout.buffer.write(found)
    return 0


def _limit() -> None:
    for kind, most in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, _SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        # Standard input, output and error are open already; nothing else is needed.
        (resource.RLIMIT_NOFILE, 3),
        (resource.RLIMIT_NPROC, 0),
    ):
        _, already = resource.getrlimit(kind)
        # What the service may not have, its child may not have either.
        allowed = most if already == resource.RLIM_INFINITY else min(most, already)
        resource.setrlimit(kind, (allowed, allowed))


if __name__ == "__main__":
    sys.exit(main())
