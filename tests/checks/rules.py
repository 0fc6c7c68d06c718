"""The rules that read the source: each a pure function from a path and a source to findings.

Paths are relative to the root of the repository, with forward slashes. A rule decides itself
where it applies, so that the caller runs all rules over all modules. Rules look at what is
written, not at what runs: they hold the habits that import-linter and ruff cannot express.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from statistics import median
from typing import TypeVar

from casevault.logs import ALLOWED

Node = TypeVar("Node", bound=ast.AST)

_CODES = "casevault/ledger/codes.py"
MAXIMUM_LINES = 400
# Of a function, from `def` to its last line.
MEDIAN_LINES = 12
CRYPTOGRAPHY = frozenset({"cryptography", "argon2", "pkcs11", "pyrage", "shamir_mnemonic"})
LOGGER = re.compile(r"(?i)(^|[._])(get_)?log(ger)?(\(.*\))?$")
LOG_CALLS = frozenset({"debug", "info", "warning", "error", "critical", "exception", "log", "bind"})
CATCH_ALL = frozenset({"Exception", "BaseException"})
# What a failed opening can be caught as.
OPENING_FAILED = CATCH_ALL | {"Tampered", "InvalidTag", "CaseVaultError"}
OPENING = re.compile(r"_*(?:(?:unseal|decrypt|unwrap)(?:_\w+)?|open_\w+)")
COLUMN_CALLS = frozenset({"Column", "column", "mapped_column"})
# Vaults of made-up people have plain roots.
UNLOCKED = ("casevault/cli/unlocking.py", "casevault/cli/demo/")
OPENING_A_VAULT = frozenset({"open_stores", "open_vault"})
# The sampler: integers only, or the distribution is not the one of the proof.
INTEGERS_ONLY = ("casevault/disclosure/bits.py", "casevault/disclosure/gaussian.py")
FROM_OUTSIDE = frozenset(
    {"__future__", "collections.abc", "fractions", "hashlib", "secrets", "typing"}
)
# What connects to another machine, or could; and who may: the courier alone leaves the house.
OUTWARD = frozenset(
    {
        "socket", "ssl", "http", "urllib.request", "ftplib", "smtplib", "poplib", "imaplib",
        "telnetlib", "xmlrpc.client", "socketserver", "httpx", "httpx2", "requests", "aiohttp",
        "urllib3", "websockets",
    }
)  # fmt: skip
CONNECTING = (
    "casevault/store/sharing/courier.py",
    # The operators' socket of this machine, and listening.
    "casevault/cli/operator_socket.py",
    "casevault/cli/serve.py",
    # Made-up people on this machine.
    "casevault/cli/demo/",
)
PURE_PACKAGES = ("casevault/domain/", "casevault/ledger/")


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation: where it is (line from 1), which rule, and what is wrong."""

    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


Rule = Callable[[str, str], list[Finding]]


# --- the rules -----------------------------------------------------------------------------------


def cryptography_in_one_place(path: str, source: str) -> list[Finding]:
    """Outside casevault/crypto nobody imports a library of cryptography, by whatever spelling."""
    if path.startswith("casevault/crypto/"):
        return []
    return [
        Finding(path, line, "cryptography-in-one-place", f"imports {name}")
        for line, name in _imports(_parse(source))
        if name.split(".")[0] in CRYPTOGRAPHY
    ]


def one_way_out(path: str, source: str) -> list[Finding]:
    """Only the courier connects to another machine: nobody else imports what could."""
    if path.startswith(CONNECTING):
        return []
    return [
        Finding(path, line, "one-way-out", f"imports {name}")
        for line, name in _imports(_parse(source))
        # `from urllib import request` names no more than this.
        if name == "urllib" or any(f"{name}.".startswith(f"{one}.") for one in OUTWARD)
    ]


def sql_text_in_store(path: str, source: str) -> list[Finding]:
    """Outside casevault/store nobody writes SQL as text."""
    if path.startswith("casevault/store/"):
        return []
    tree = _parse(source)
    functions, modules = _names_of_text(tree)
    return [
        Finding(path, call.lineno, "sql-text-in-store", "calls sqlalchemy's text()")
        for call in _walk(tree, ast.Call)
        if (isinstance(call.func, ast.Name) and call.func.id in functions)
        or (
            isinstance(call.func, ast.Attribute)
            and call.func.attr == "text"
            and ast.unparse(call.func.value).split(".")[0] in modules
        )
    ]


def no_trial_decryption(path: str, source: str) -> list[Finding]:
    """No loop tries to open something and goes on to the next key when that fails."""
    findings = []
    for attempt in _inside_loops(_parse(source)):
        swallows = (
            any(_catches(h, OPENING_FAILED) and _goes_on(h) for h in attempt.handlers)
            if isinstance(attempt, ast.Try)
            else any(_suppresses(item.context_expr, OPENING_FAILED) for item in attempt.items)
        )
        if swallows and _opens_something(attempt.body):
            message = "tries to open in a loop and goes on when it fails"
            findings.append(Finding(path, attempt.lineno, "no-trial-decryption", message))
    return findings


def no_sealed_column(path: str, source: str, sealed: frozenset[str] | None = None) -> list[Finding]:
    """No table has a column by the name of a field that the data dictionary seals."""
    place = PurePosixPath(path)
    if place.parent.as_posix() != "casevault/store" or not place.match("*tables.py"):
        return []
    names = sealed_fields() if sealed is None else sealed
    return [
        Finding(path, line, "no-sealed-column", f"column {name} is a sealed field")
        for line, name in _columns(_parse(source))
        if name in names
    ]


def short_modules(path: str, source: str) -> list[Finding]:
    """A module has at most 400 lines; a longer one holds two ideas."""
    lines = len(source.splitlines())
    if lines <= MAXIMUM_LINES:
        return []
    return [Finding(path, MAXIMUM_LINES + 1, "short-modules", f"{lines} lines")]


def no_print(path: str, source: str) -> list[Finding]:
    """Outside casevault/cli nothing prints: output goes through the logs and their allow list."""
    if path.startswith("casevault/cli/"):
        return []
    return [
        Finding(path, call.lineno, "no-print", "calls print()")
        for call in _walk(_parse(source), ast.Call)
        if isinstance(call.func, ast.Name) and call.func.id == "print"
    ]


def constant_events(path: str, source: str) -> list[Finding]:
    """What is logged is a constant with allow-listed keys, never text that somebody made."""
    if path == "casevault/logs.py":
        return []
    return [
        Finding(path, call.lineno, "constant-events", "logs something that is not a constant")
        for call in _walk(_parse(source), ast.Call)
        if isinstance(call.func, ast.Attribute)
        and LOGGER.search(ast.unparse(call.func.value))
        and call.func.attr in LOG_CALLS
        and not _is_constant_event(call)
    ]


def no_silent_except(path: str, source: str) -> list[Finding]:
    """No bare except, and no catching of everything that then does nothing."""
    tree = _parse(source)
    silent = [
        handler.lineno
        for handler in _walk(tree, ast.ExceptHandler)
        if handler.type is None or (_catches(handler, CATCH_ALL) and _is_empty(handler.body))
    ]
    silent += [call.lineno for call in _walk(tree, ast.Call) if _suppresses(call, CATCH_ALL)]
    return [
        Finding(path, line, "no-silent-except", "swallows every error") for line in sorted(silent)
    ]


def opened_through_unlocking(path: str, source: str) -> list[Finding]:
    """A command opens a vault through `cli.unlocking`, which asks for what its roots need."""
    if not path.startswith("casevault/cli/") or path.startswith(UNLOCKED):
        return []
    return [
        Finding(path, call.lineno, "opened-through-unlocking", "opens a vault without a key")
        for call in _walk(_parse(source), ast.Call)
        if _called(call) in OPENING_A_VAULT
        and not ast.unparse(call.func).startswith("unlocking.")
        and not any(keyword.arg == "key" for keyword in call.keywords)
    ]


def module_docstring(path: str, source: str) -> list[Finding]:
    """Every module says what it decides."""
    if (ast.get_docstring(_parse(source)) or "").strip():
        return []
    return [Finding(path, 1, "module-docstring", "has no docstring")]


def pure_packages(path: str, source: str) -> list[Finding]:
    """The domain and the ledger import the standard library and CaseVault, nothing else."""
    if not path.startswith(PURE_PACKAGES):
        return []
    allowed = sys.stdlib_module_names | {"casevault"}
    return [
        Finding(path, line, "pure-packages", f"imports {name}")
        for line, name in _imports(_parse(source))
        if name.split(".")[0] not in allowed
    ]


def integers_only(path: str, source: str) -> list[Finding]:
    """The sampler of noise has no float, no true division and no mathematics but isqrt."""
    if path not in INTEGERS_ONLY:
        return []
    tree = _parse(source)
    found = [
        (node.lineno, "has a float")
        for node in _walk(tree, ast.Constant)
        if isinstance(node.value, float | complex)
    ]
    found += [(n.lineno, "divides") for n in _walk(tree, ast.BinOp) if isinstance(n.op, ast.Div)]
    found += [
        (n.lineno, "divides") for n in _walk(tree, ast.AugAssign) if isinstance(n.op, ast.Div)
    ]
    found += [
        (n.lineno, f"uses {n.id}")
        for n in _walk(tree, ast.Name)
        if n.id in {"float", "round", "pow", "complex"}
    ]
    found += [
        (line, f"imports {name}")
        for line, name in _imports(tree)
        if not _integer_import(tree, name)
    ]
    return [Finding(path, line, "integers-only", what) for line, what in sorted(found)]


def _integer_import(tree: ast.AST, name: str) -> bool:
    if name == "math":
        nodes = [n for n in _walk(tree, ast.ImportFrom) if n.module == "math"]
        return bool(nodes) and {a.name for n in nodes for a in n.names} == {"isqrt"}
    return name in FROM_OUTSIDE or name.startswith("casevault.disclosure.bits")


RULES: tuple[Rule, ...] = (
    cryptography_in_one_place,
    one_way_out,
    sql_text_in_store,
    no_trial_decryption,
    no_sealed_column,
    short_modules,
    no_print,
    constant_events,
    no_silent_except,
    module_docstring,
    opened_through_unlocking,
    pure_packages,
    integers_only,
)


# --- running them --------------------------------------------------------------------------------


def modules(package: Path) -> Iterator[tuple[str, str]]:
    """Yield path and source of every module of the package in that folder, migrations excepted."""
    for file in sorted(package.rglob("*.py")):
        place = file.relative_to(package)
        if place.parts[0] != "_migrations":
            yield f"casevault/{place.as_posix()}", file.read_text(encoding="utf-8")


def folders_without_init(package: Path) -> list[Finding]:
    """Find folders of modules that lack `__init__.py`: import-linter would not look into them."""
    folders = {file.parent for file in package.rglob("*.py")}
    lacking = sorted(
        folder.relative_to(package) for folder in folders if not (folder / "__init__.py").exists()
    )
    return [
        Finding(f"casevault/{place.as_posix()}", 1, "init-everywhere", "has no __init__.py")
        for place in lacking
        if place.parts[:1] != ("_migrations",)
    ]


def short_functions(tree: Iterable[tuple[str, str]]) -> list[Finding]:
    """Half of all functions have at most 12 lines: what takes more to say is the exception."""
    lengths = [
        (one.end_lineno or one.lineno) - one.lineno + 1
        for _, source in tree
        for kind in (ast.FunctionDef, ast.AsyncFunctionDef)
        for one in _walk(_parse(source), kind)
    ]
    middle = median(lengths or [0])
    if middle <= MEDIAN_LINES:
        return []
    return [Finding("casevault", 1, "short-functions", f"the median function has {middle} lines")]


def recorded_codes(tree: Iterable[tuple[str, str]], codes: Iterable[str]) -> list[Finding]:
    """What the log's closed list names is recorded somewhere: else its absence would say nothing.

    A failure is that of the act it is named after; some codes are put together from a kind.
    """
    said: set[str] = set()
    made: set[str] = set()
    for path, source in tree:
        if path == _CODES:
            continue
        parsed = _parse(source)
        for one in _walk(parsed, ast.Constant):
            if isinstance(one.value, str):
                said.add(one.value)
        for joined in _walk(parsed, ast.JoinedStr):
            parts = [
                re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"[a-z_.]+"
                for part in joined.values
            ]
            made.add("".join(parts))
    composed = [re.compile(one) for one in made if "\\." in one]
    return [
        Finding(_CODES, 1, "recorded-codes", f"{code} is recorded nowhere")
        for code in codes
        if code.removesuffix("_failed") not in said
        and not any(one.fullmatch(code.removesuffix("_failed")) for one in composed)
    ]


def tests_say_what(folder: Path) -> list[Finding]:
    """Every test says in a sentence what holds if it passes."""
    return [
        Finding(f"tests/{file.relative_to(folder)}", one.lineno, "tests-say-what", one.name)
        for file in sorted(folder.rglob("test_*.py"))
        for one in _walk(ast.parse(file.read_text(encoding="utf-8")), ast.FunctionDef)
        if one.name.startswith("test_") and not (ast.get_docstring(one) or "").strip()
    ]


def check(path: str, source: str) -> list[Finding]:
    """Return what any rule finds in one module."""
    return [finding for rule in RULES for finding in rule(path, source)]


@lru_cache(maxsize=1)
def sealed_fields() -> frozenset[str]:
    """Return the names that the data dictionary seals; empty while there is no dictionary."""
    name = "casevault.domain.case.dictionary"
    try:
        dictionary = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in {name, "casevault.domain"}:
            raise
        return frozenset()
    return frozenset(field.name for field in dictionary.FIELDS)


# --- reading the tree ----------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _parse(source: str) -> ast.Module:
    return ast.parse(source)


def _walk(tree: ast.AST, kind: type[Node]) -> Iterator[Node]:
    return (node for node in _nodes(tree) if isinstance(node, kind))


def _nodes(tree: ast.AST) -> Iterable[ast.AST]:
    """Yield every node of a tree; the rules walk a whole module a dozen times."""
    return _of_module(tree) if isinstance(tree, ast.Module) else ast.walk(tree)


@lru_cache(maxsize=8)
def _of_module(tree: ast.Module) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree))


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and absolute name of every import, also of one made by a call."""
    for node in _nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module or ""
        elif isinstance(node, ast.Call) and _called(node) in {"import_module", "__import__"}:
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield node.lineno, first.value


def _names_of_text(tree: ast.AST) -> tuple[set[str], set[str]]:
    """Return what sqlalchemy's text() and what modules of sqlalchemy are called here."""
    functions, libraries = set(), set()
    for node in _nodes(tree):
        if isinstance(node, ast.ImportFrom) and _is_sqlalchemy(node.module or ""):
            for alias in node.names:
                bound = functions if alias.name == "text" else libraries
                bound.add(alias.asname or alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if _is_sqlalchemy(alias.name):
                    libraries.add(alias.asname or "sqlalchemy")
    return functions, libraries


def _is_sqlalchemy(module: str) -> bool:
    return module.split(".")[0] == "sqlalchemy"


def _called(call: ast.Call) -> str:
    """Return the last part of the name that is called, or nothing."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _last_names(expression: ast.AST | None) -> set[str]:
    """Return the last parts of the names in `E`, `module.E` or `(E, module.F)`."""
    if isinstance(expression, ast.Tuple):
        return set().union(*(_last_names(part) for part in expression.elts))
    if isinstance(expression, ast.Attribute):
        return {expression.attr}
    return {expression.id} if isinstance(expression, ast.Name) else set()


def _is_constant_event(call: ast.Call) -> bool:
    """Say whether only constants stand without a key, and only allow-listed keys beside them."""
    fixed = all(isinstance(argument, ast.Constant) for argument in call.args)
    return fixed and all(keyword.arg in ALLOWED for keyword in call.keywords)


def _catches(handler: ast.ExceptHandler, errors: frozenset[str]) -> bool:
    return handler.type is None or bool(_last_names(handler.type) & errors)


def _suppresses(expression: ast.AST, errors: frozenset[str]) -> bool:
    return (
        isinstance(expression, ast.Call)
        and _called(expression) == "suppress"
        and any(_last_names(argument) & errors for argument in expression.args)
    )


def _is_empty(body: list[ast.stmt]) -> bool:
    return all(
        isinstance(statement, ast.Pass)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in body
    )


def _goes_on(handler: ast.ExceptHandler) -> bool:
    return _is_empty(handler.body) or any(_walk(handler, ast.Continue))


def _opens_something(body: list[ast.stmt]) -> bool:
    return any(
        OPENING.fullmatch(_called(call))
        for statement in body
        for call in _walk(statement, ast.Call)
    )


def _inside_loops(tree: ast.AST) -> Iterator[ast.Try | ast.With | ast.AsyncWith]:
    """Yield, once each, what can swallow an error and stands in the body of a loop."""
    seen: set[ast.AST] = set()
    for loop in _nodes(tree):
        if isinstance(loop, ast.For | ast.AsyncFor | ast.While):
            for node in ast.walk(loop):
                if isinstance(node, ast.Try | ast.With | ast.AsyncWith) and node not in seen:
                    seen.add(node)
                    yield node


def _columns(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and name of every column, in SQLAlchemy's Core or declarative form."""
    for node in _nodes(tree):
        if isinstance(node, ast.Call) and _called(node) in COLUMN_CALLS:
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield node.lineno, first.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            if "Mapped" in ast.unparse(node.annotation) or _makes_column(node.value):
                yield node.lineno, node.target.id
        elif isinstance(node, ast.Assign) and _makes_column(node.value):
            yield from ((node.lineno, t.id) for t in node.targets if isinstance(t, ast.Name))


def _makes_column(value: ast.AST | None) -> bool:
    return isinstance(value, ast.Call) and _called(value) in COLUMN_CALLS
