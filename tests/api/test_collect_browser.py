"""A letter in a real browser: opened by code, read, printed, answered, without any script."""

from __future__ import annotations

import json

import pytest
from pypdf import PdfReader

from tests.api.browser import Browser
from tests.api.test_referrals import IDENTITY, a_letter, wrong
from tests.security.server import running

_LOADED = "document.readyState === 'complete'"


@pytest.mark.slow
@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("ar", "rtl")])
def test_a_letter_in_a_browser(sqlite_world, tmp_path, language, direction):
    """As the shelter sees it: nothing is loaded from elsewhere, nothing of the form is printed."""
    _, at, path, code = a_letter(sqlite_world, language=language)
    with running(sqlite_world, tmp_path) as served, Browser(tmp_path) as browser:
        origin = f"http://127.0.0.1:{served.port}"
        browser.visit(origin + path)
        assert browser.run("document.dir") == direction
        assert browser.run("document.scripts.length") == 0
        assert browser.run("document.activeElement.id") == "code"
        browser.picture(tmp_path / f"door.{language}.png")
        for digits in (wrong(code), code):
            browser.run(f"document.getElementById('code').value = {json.dumps(digits)}")
            right = digits == code
            mark = "section.screen" if right else "[role=alert]"
            browser.press(f"!!document.querySelector('{mark}') && {_LOADED}")
        assert IDENTITY["name_to_use"] in browser.run("document.body.innerText")
        browser.picture(tmp_path / f"letter.{language}.png")
        loaded = browser.run("performance.getEntriesByType('resource').map(one => one.name)")
        assert {one.partition("/v1/")[0] for one in loaded} <= {origin}
        # Ours: right to left or not, the style sheet is there.
        assert browser.run("getComputedStyle(document.querySelector('dt')).fontWeight") == "700"
        (tmp_path / "letter.pdf").write_bytes(browser.paper())
        printed = "".join(page.extract_text() for page in PdfReader(tmp_path / "letter.pdf").pages)
        assert IDENTITY["phones"][0] in printed
        assert browser.run("document.querySelector('button').innerText") not in printed
        browser.run("document.querySelector('[value=accepted]').checked = true")
        browser.run("document.getElementById('words').value = 'A bed\\nfrom Tuesday'")
        browser.press(f"location.pathname.endsWith('/answer') && {_LOADED}")
        taken = sqlite_world.post(at + "/outcome", "cara", None).json()
        assert (taken["stage"], taken["answer"]) == ("accepted", "A bed\nfrom Tuesday")
