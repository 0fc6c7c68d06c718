"""Whatever the interface says to people, it says in four languages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import casevault
from casevault import errors
from casevault.api import problems

ROOT = Path(casevault.__file__).parent
# Commands, start-up and the ceremony speak to the operator, in English.
NOT_HTTP = (
    "cli",
    "importing",
    "importing.py",
    "config.py",
    "bootstrap.py",
    "opening.py",
    "sealed.py",
    "token_vessel.py",
    "ceremony.py",
    "recovery.py",
    "recovering.py",
    "release_files.py",
    "claims.py",
    "rebuilding.py",
    "reissuing.py",
    "reissues.py",
    "reopening.py",
    "rotations.py",
    "dumps.py",
    "packages.py",
    "age_packages.py",
    "key_files.py",
    "exporting.py",
    "proofs.py",
    "witness.py",
    "facts_csv.py",
    "simulating.py",
    "limits.py",
    "formats",
    "rounding.py",
    "ledger",
    "vouching.py",
)
OPERATORS = {"Misconfigured", "MediumFault"}
CLASSES = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.CaseVaultError)
}


def sentences_in(source: str) -> Iterator[str]:
    """Yield the details and hints that are written out in a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SENTENCES":
            # A closed list by code.
            texts = (
                value for one in ast.walk(node) if isinstance(one, ast.Dict) for value in one.values
            )
            yield from (str(value.value) for value in texts if isinstance(value, ast.Constant))
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id not in CLASSES - OPERATORS:
            continue
        hints = [keyword.value for keyword in node.keywords if keyword.arg == "hint"]
        for value in [*node.args[:1], *hints]:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value


def missing(source: str) -> set[str]:
    """Return the sentences of a module that lack a language."""
    languages = set(problems.LANGUAGES) - {"en"}
    return {s for s in sentences_in(source) if set(problems.sentences().get(s, {})) != languages}


def test_every_sentence_has_four_languages():
    """Each detail and hint that a request can meet is translated."""
    found = {
        text
        for path in ROOT.rglob("*.py")
        if not set(path.relative_to(ROOT).parts) & set(NOT_HTTP)
        for text in missing(path.read_text())
    }
    assert found == set()


def test_a_sentence_without_translation_is_found():
    """The check can fail."""
    assert missing('raise Refused("Somebody forgot me.", hint="And me.")') == {
        "Somebody forgot me.",
        "And me.",
    }
    assert missing('SENTENCES = frozen({"a.code": "And" " me."})') == {"And me."}


def test_no_translation_is_left_over():
    """A sentence that nobody says any more is removed."""
    said = {text for path in ROOT.rglob("*.py") for text in sentences_in(path.read_text())}
    assert set(problems.sentences()) <= said


def test_every_error_has_a_title_in_four_languages():
    """Titles are kept by slug."""
    kinds = [getattr(errors, name) for name in CLASSES]
    assert {kind.slug for kind in kinds} | {problems.RouteError.slug} == set(problems.titles())
    assert all(set(titles) == set(problems.LANGUAGES) for titles in problems.titles().values())


def test_the_best_language_is_chosen():
    """Quality values decide; what we do not speak is passed over."""
    assert problems.language_of("de, ar;q=0.5, fr;q=0.9") == "fr"
    assert problems.language_of("es-MX") == "es"
    assert problems.language_of("de;q=x, *") == "en"
    assert problems.language_of("fr;q=0, es;q=0.1") == "es"
    assert problems.language_of(None) == "en"


def test_details_follow_the_language():
    """Detail and hint are translated, the code is not."""
    error = errors.Unauthenticated("Login or passphrase is wrong.", code="credentials")
    document = problems.document(error, 401, "0" * 32, "fr")
    assert document["detail"] == "L'identifiant ou la phrase secrète est incorrect."
    assert document["code"] == "credentials"
