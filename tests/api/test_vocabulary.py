"""Vocabulary and forms on the interface: public, in four languages, to render or to print."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("query", "accept", "language"),
    [
        ({}, None, "en"),
        ({}, "fr-CH, en;q=0.5", "fr"),
        ({}, "tlh", "en"),
        ({"lang": "ar"}, "fr", "ar"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/vocabulary", "/v1/forms/intake", "/v1/forms/intake/print"])
def test_the_language_is_asked_for_or_negotiated(sqlite_world, path, query, accept, language):
    """`lang` wins over Accept-Language; English is the rest."""
    headers = {} if accept is None else {"Accept-Language": accept}
    answer = sqlite_world.get(path, params=query, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-language"] == language
    assert "accept-language" in answer.headers["vary"].lower()


@pytest.mark.parametrize("path", ["/v1/vocabulary", "/v1/forms/intake", "/v1/forms/intake/print"])
def test_a_language_that_we_do_not_speak_is_refused(sqlite_world, path):
    """What was asked for explicitly is not quietly replaced."""
    answer = sqlite_world.get(path, params={"lang": "de"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/query/lang"


@pytest.mark.parametrize("path", ["/v1/forms/diary", "/v1/forms/diary/print"])
def test_an_unknown_form(sqlite_world, path):
    """Is not found."""
    answer = sqlite_world.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "form.unknown"


def test_the_vocabulary_has_labels(sqlite_world):
    """Codes in the order of their list, with labels."""
    shown = sqlite_world.get("/v1/vocabulary", params={"lang": "es"}).json()
    assert shown["language"] == "es"
    assert shown["lists"]["risk_level"][0] == {"code": "high", "label": "Alto"}


@pytest.mark.parametrize(("form", "title"), [("consent", "الموافقة"), ("referral", "الإحالة")])
def test_a_form_is_a_json_schema(sqlite_world, form, title):
    """With its own media type, in the language."""
    answer = sqlite_world.get(f"/v1/forms/{form}", params={"lang": "ar"})
    assert answer.headers["content-type"].startswith("application/schema+json")
    assert answer.json()["title"] == title


def test_what_fits_the_intake_form_opens_a_case(world):
    """A front end that knows nothing but the schema can record a case."""
    schema = world.get("/v1/forms/intake").json()

    def filled(one):
        if "items" in one:
            return [filled(one["items"])]
        if one["type"] == "object":
            return {name: filled(inner) for name, inner in one["properties"].items()}
        if "oneOf" in one:
            return one["oneOf"][-1]["const"]
        samples = {"boolean": False, "integer": one.get("minimum")}
        if one["type"] in samples:
            return samples[one["type"]]
        patterns = {"\\+": "+390000000001", "[a-z]": "ar", "[A-Z]": "MD"}
        pattern = one.get("pattern", "").removeprefix("^")
        return next((v for start, v in patterns.items() if pattern.startswith(start)), "Made up")

    body = {name: filled(one) for name, one in schema["properties"].items()}
    assert set(body) == {"identity", "profile"}
    answer = world.post("/v1/cases", "cara", body)
    assert answer.status_code == 201, answer.text
    case = answer.json()["id"]
    assert world.get(f"/v1/cases/{case}/identity", "cara").json() == body["identity"]
    assert world.get(f"/v1/cases/{case}/profile", "cara").json() == body["profile"]


def test_a_printed_form_loads_only_its_own_style(sqlite_world):
    """Its policy allows the style sheet and nothing else, and the style sheet is there."""
    answer = sqlite_world.get("/v1/forms/consent/print", params={"lang": "ar"})
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; ")
    assert "unsafe" not in policy
    assert "script" not in policy
    assert '<html lang="ar" dir="rtl">' in answer.text
    assert 'href="/v1/forms/style.css"' in answer.text
    style = sqlite_world.get("/v1/forms/style.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "@page" in style.text
