"""The verbs that the running service does for operators: one line each."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from casevault.cli.keyring import key_verbs
from casevault.cli.operating import Verb
from casevault.cli.recovery import data_verbs
from casevault.cli.retention import retention_verbs
from casevault.cli.sharing import exchange_verbs, package_verbs

_ALL: tuple[Verb[Any], ...] = (
    key_verbs.STATUS,
    key_verbs.ROLL,
    key_verbs.ROTATE,
    key_verbs.RETIRE,
    key_verbs.SWEEP,
    data_verbs.BACKUP,
    data_verbs.STANDING,
    package_verbs.ADDRESS,
    exchange_verbs.RUN,
    retention_verbs.PREVIEW,
    retention_verbs.RUN,
    retention_verbs.CERTIFICATES,
)
VERBS = MappingProxyType({verb.name: verb for verb in _ALL})
