"""The rules that read the source: each finds what was planted, and the tree is clean."""

from __future__ import annotations

from pathlib import Path

import pytest

import casevault
from tests.checks import rules

PACKAGE = Path(casevault.__file__).parent
TREE = list(rules.modules(PACKAGE))
LOOP = """
def find(keys, blob):
    for key in keys:
        try:
            return {call}(key, blob)
        except {error}:
            {then}
"""


def _found(rule: rules.Rule, source: str, path: str = "casevault/services/planted.py") -> int:
    return len(rule(path, source))


@pytest.mark.parametrize(
    "source",
    [
        "import cryptography",
        "import argon2.low_level as a",
        "from cryptography.hazmat.primitives import hpke",
        "def f():\n    from shamir_mnemonic import combine_mnemonics",
        "import importlib\nimportlib.import_module('cryptography.fernet')",
        "__import__('argon2')",
    ],
)
def test_cryptography_elsewhere_is_found(source: str) -> None:
    """Every spelling of the import is found outside crypto, and none inside."""
    assert _found(rules.cryptography_in_one_place, source) == 1
    assert _found(rules.cryptography_in_one_place, source, "casevault/crypto/planted.py") == 0


@pytest.mark.parametrize(
    "source",
    [
        "import http.client",
        "import socket as s",
        "from http import client",
        "from urllib import request",
        "from urllib.request import urlopen",
        "import importlib\nimportlib.import_module('httpx')",
    ],
)
def test_another_way_out_is_found(source: str) -> None:
    """Letters leave through the courier, which connects to pinned vaults only."""
    assert _found(rules.one_way_out, source) == 1
    assert _found(rules.one_way_out, source, "casevault/store/sharing/courier.py") == 0
    assert _found(rules.one_way_out, "from urllib.parse import quote") == 0


@pytest.mark.parametrize(
    "source",
    ["bootstrap.open_stores(settings)", "open_vault(settings, b'')", "b.open_vault(s, b'', kay=k)"],
)
def test_a_command_that_opens_a_vault_without_its_key_is_found(source: str) -> None:
    """Where the roots are sealed it would not run; only `unlocking` knows how to ask."""
    rule = rules.opened_through_unlocking
    assert _found(rule, source, "casevault/cli/planted.py") == 1
    assert _found(rule, source, "casevault/cli/unlocking.py") == 0
    assert _found(rule, "unlocking." + source.split(".")[-1], "casevault/cli/planted.py") == 0
    assert _found(rule, source[:-1] + ", key=key)", "casevault/cli/planted.py") == 0


@pytest.mark.parametrize(
    "source",
    [
        "from sqlalchemy import text\ntext('SELECT 1')",
        "from sqlalchemy.sql import text as t\nt('SELECT 1')",
        "from sqlalchemy import sql\nsql.text('SELECT 1')",
        "import sqlalchemy\nsqlalchemy.text('SELECT 1')",
        "import sqlalchemy as sa\nsa.sql.text('SELECT 1')",
    ],
)
def test_sql_as_text_is_found(source: str) -> None:
    """Every spelling of text() is found outside the store, and none inside."""
    assert _found(rules.sql_text_in_store, source) == 1
    assert _found(rules.sql_text_in_store, source, "casevault/store/planted.py") == 0


def test_another_text_is_not_found() -> None:
    """A function that is merely called text is nobody's business."""
    source = "from ours import text\ntext('hello')\nreply.text()\nimport sqlalchemy"
    assert _found(rules.sql_text_in_store, source) == 0


@pytest.mark.parametrize(
    "call", ["unseal", "box.decrypt", "self._unwrap", "open_card", "unwrap_key"]
)
@pytest.mark.parametrize("error", ["Tampered", "errors.Tampered", "(ValueError, InvalidTag)"])
@pytest.mark.parametrize("then", ["continue", "pass", "log(1); continue"])
def test_trial_decryption_is_found(call: str, error: str, then: str) -> None:
    """Trying one key after the other is found, whatever is opened and caught."""
    assert _found(rules.no_trial_decryption, LOOP.format(call=call, error=error, then=then)) == 1


def test_trial_decryption_in_other_shapes_is_found() -> None:
    """A while loop, a bare except, a suppressed error and a nested loop are the same thing."""
    bare = LOOP.format(call="unseal", error="Exception", then="pass").replace(" Exception", "")
    shapes = [
        bare,
        bare.replace("for key in keys:", "while keys:"),
        "for k in ks:\n    with suppress(Tampered):\n        return unseal(k)",
        "for a in b:\n    for k in ks:\n        try:\n            unseal(k)\n"
        "        except Tampered:\n            pass",
    ]
    assert [_found(rules.no_trial_decryption, shape) for shape in shapes] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "source",
    [
        LOOP.format(call="unseal", error="Tampered", then="raise"),
        LOOP.format(call="unseal", error="Tampered", then="return None"),
        LOOP.format(call="unseal", error="Tampered", then="bad.append(key)"),
        LOOP.format(call="unseal", error="ValueError", then="continue"),
        LOOP.format(call="open", error="Exception", then="continue"),
        "try:\n    unseal(key)\nexcept Tampered:\n    pass",
        "for key in keys:\n    unseal(key)",
    ],
)
def test_honest_opening_is_not_found(source: str) -> None:
    """Opening in a loop is fine when a failure is not the way to the next key."""
    assert _found(rules.no_trial_decryption, source) == 0


@pytest.mark.parametrize(
    "source",
    [
        "cases = Table('cases', metadata, Column('given_name', LargeBinary))",
        "cases = sa.Table('cases', m, sa.Column('given_name'))",
        "class Case(Base):\n    given_name: Mapped[bytes]",
        "class Case(Base):\n    given_name = mapped_column(LargeBinary)",
        "class Case(Base):\n    other: Mapped[bytes] = mapped_column('given_name')",
    ],
)
def test_a_sealed_column_is_found(source: str) -> None:
    """A column by the name of a sealed field is found in every module of tables."""
    sealed = frozenset({"given_name"})
    for name in ("tables", "keyring_tables"):
        path = f"casevault/store/{name}.py"
        assert len(rules.no_sealed_column(path, source, sealed)) == 1
        assert rules.no_sealed_column(path, source, frozenset({"family_name"})) == []
    assert rules.no_sealed_column("casevault/store/case/cases.py", source, sealed) == []


def test_the_dictionary_names_sealed_fields() -> None:
    """The rule about columns compares with something."""
    assert rules.sealed_fields(), "casevault.domain.case.dictionary is missing, or names no field"


def test_a_long_module_is_found() -> None:
    """400 lines are allowed, 401 are not."""
    assert _found(rules.short_modules, "x = 1\n" * 400) == 0
    assert _found(rules.short_modules, "x = 1\n" * 401) == 1


def test_long_functions_are_found() -> None:
    """One of 13 lines may be there, as long as most are shorter."""
    short, long = "def f():\n    pass\n", "def g():\n" + "    pass\n" * 12
    assert rules.short_functions([("casevault/a.py", short * 2 + long)]) == []
    assert len(rules.short_functions([("casevault/a.py", short + long * 2)])) == 1


def test_a_test_without_a_sentence_is_found(tmp_path: Path) -> None:
    """In whatever folder it lies; helpers need none."""
    (tmp_path / "deep").mkdir()
    source = "def helper(): ...\ndef test_a():\n    pass\ndef test_b():\n    'Holds.'\n"
    (tmp_path / "deep" / "test_planted.py").write_text(source)
    found = rules.tests_say_what(tmp_path)
    assert [(one.path, one.line) for one in found] == [("tests/deep/test_planted.py", 2)]


def test_a_code_that_nothing_records_is_found() -> None:
    """Said as it is, as a failure of what is said, or put together from a kind."""
    source = 'record("case.read")\nrecord(f"{kind}.amend")\nlog(f"{a}{b}")'
    codes = ("case.read", "case.read_failed", "note.amend", "team.add")
    found = rules.recorded_codes([("casevault/a.py", source)], codes)
    assert [one.message for one in found] == ["team.add is recorded nowhere"]


def test_print_is_found() -> None:
    """print() belongs to the command line."""
    source = "def f():\n    print('x')\nreport.print()"
    assert _found(rules.no_print, source) == 1
    assert _found(rules.no_print, source, "casevault/cli/planted.py") == 0


@pytest.mark.parametrize(
    "source",
    [
        "get_logger().info(f'opened {name}')",
        "get_logger().error(str(error))",
        "logs.get_logger().info('opened', name=name)",
        "get_logger().error('failed', exc_info=True)",
        "logger.warning('opened %s', name)",
        "self._log.info(text)",
        "log = get_logger().bind(name=name)",
        "get_logger().info('opened', **values)",
    ],
)
def test_a_logged_text_is_found(source: str) -> None:
    """Whoever logs something that somebody typed, or a key that is not on the list, is found."""
    assert _found(rules.constant_events, source) == 1


@pytest.mark.parametrize(
    "source",
    ["get_logger().info('opened', count=3)", "math.log(x)", "report.info(text)", "dialog.error(x)"],
)
def test_a_constant_event_is_not_found(source: str) -> None:
    """Constants with allow-listed keys are what a log is for; other calls are nobody's business."""
    assert _found(rules.constant_events, source) == 0


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    f()\nexcept:\n    raise",
        "try:\n    f()\nexcept Exception:\n    pass",
        "try:\n    f()\nexcept (OSError, BaseException):\n    ...",
        "from contextlib import suppress\nwith suppress(Exception):\n    f()",
    ],
)
def test_a_silent_except_is_found(source: str) -> None:
    """Catching everything and doing nothing is found."""
    assert _found(rules.no_silent_except, source) == 1


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    f()\nexcept FileNotFoundError:\n    pass",
        "try:\n    f()\nexcept Exception:\n    close()\n    raise",
        "with suppress(FileNotFoundError):\n    f()",
    ],
)
def test_a_deliberate_except_is_not_found(source: str) -> None:
    """A named error may be passed over; everything may be caught when something follows."""
    assert _found(rules.no_silent_except, source) == 0


@pytest.mark.parametrize("source", ["", "x = 1", '"""  """', "# only a comment"])
def test_a_missing_docstring_is_found(source: str) -> None:
    """A module without a sentence about itself is found."""
    assert _found(rules.module_docstring, source) == 1
    assert _found(rules.module_docstring, '"""Decides."""\n' + source) == 0


@pytest.mark.parametrize("package", ["domain", "ledger"])
def test_a_library_in_a_pure_package_is_found(package: str) -> None:
    """The domain and the ledger import nothing third-party."""
    path = f"casevault/{package}/planted.py"
    assert _found(rules.pure_packages, "import pydantic", path) == 1
    assert _found(rules.pure_packages, "import hashlib\nfrom casevault import ids", path) == 0
    assert _found(rules.pure_packages, "import pydantic") == 0


def test_a_folder_without_init_is_found(tmp_path: Path) -> None:
    """A folder that import-linter would not look into is found; migrations are no package."""
    for place in ("a/__init__.py", "a/b/planted.py", "_migrations/data/env.py", "__init__.py"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    assert [f.path for f in rules.folders_without_init(tmp_path)] == ["casevault/a/b"]


def test_the_tree_is_read() -> None:
    """The walk finds the package: no rule passes for lack of anything to read."""
    paths = {path for path, _ in TREE}
    assert {"casevault/__init__.py", "casevault/errors.py", "casevault/ids.py"} <= paths
    assert not any("_migrations" in path for path in paths)


def test_the_tree_is_clean() -> None:
    """No rule finds anything in the package; a module is read once for all rules."""
    found = [str(finding) for path, source in TREE for finding in rules.check(path, source)]
    assert not found, "\n".join(found)


def test_every_folder_is_a_package() -> None:
    """No folder of the package hides from import-linter."""
    assert rules.folders_without_init(PACKAGE) == []


@pytest.mark.parametrize(
    "source",
    [
        "x = 0.5",
        "def f(a, b):\n    return a / b",
        "a /= 2",
        "x = float(3)",
        "import math",
        "from math import exp",
        "import numpy as np",
        "import random",
    ],
)
def test_a_float_in_the_sampler_is_found(source: str) -> None:
    """Whatever could round is found in the sampler, and is nobody's business elsewhere."""
    assert _found(rules.integers_only, source, "casevault/disclosure/gaussian.py") == 1
    assert _found(rules.integers_only, source) == 0


def test_integers_in_the_sampler_are_not_found() -> None:
    """Fractions, floor division and the integer root are what it is made of."""
    source = "from math import isqrt\nfrom fractions import Fraction\nx = isqrt(7 // 2)"
    assert _found(rules.integers_only, source, "casevault/disclosure/gaussian.py") == 0
