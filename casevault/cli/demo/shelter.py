"""A referral to a shelter that has a phone and a browser; then the survivor takes consent back."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any

from casevault.cli.demo.narrator import Narrator
from casevault.cli.demo.story import IDENTITY, Told
from casevault.cli.demo.world import World

NAME = "Moonbeam Shelter (made up)"
WORDS = "A bed is free from Tuesday-Fictionday"
_POINTS = ("interview", "purpose", "use", "research", "access", "storage", "withdrawal")
_HTML = {"Accept": "text/html"}


def tell(world: World, say: Narrator, told: Told) -> None:
    """Refer, open as the shelter does, answer, take over, withdraw."""
    told.typed |= {NAME, WORDS}
    day = datetime.now(UTC).date()
    partner = _send(world, told, "sam", "/v1/partners", {"content": _partner(day.isoformat())})[
        "id"
    ]
    case = f"/v1/cases/{told.case}"
    consent = _send(world, told, "cara", f"{case}/consents", {"content": _consent(day)})["id"]
    content = {"service": "safehouse", "urgency": "today", "disclose": ["name", "contact"]}
    body = {"partner_id": partner, "content": content}
    at = f"{case}/referrals/" + _send(world, told, "cara", f"{case}/referrals", body)["id"]
    preview = world.call("GET", at + "/preview", token=told.tokens["cara"]).body
    _send(world, told, "cara", at + "/agreement", {"digest": preview["digest"]})
    sent = _send(world, told, "cara", at + "/sending", {})
    told.typed.add(sent["code"])
    say.line(f"   She refers Zaziwe to the {NAME}, which has a phone and a browser:")
    say.line(f"   of the file leave {', '.join(preview['leaves'])}. The link holds no data; the")
    say.line(f"   code is said by phone: {sent['code']}.")
    _visit(world, say, sent["path"], sent["code"])
    taken = _send(world, told, "cara", at + "/outcome", None)
    say.line(f'   Cara takes the answer over: {taken["stage"]}, "{taken["answer"]}".')
    gone = _send(world, told, "cara", f"{case}/consents/{consent}/withdrawal", {})
    what = [one["what"] for one in (*gone["followed"], *gone["stays"])]
    again = world.call("POST", sent["path"], {"code": sent["code"]}).status
    say.line(f"   Zaziwe takes the consent back: {', '.join(what)}; the link: {again}.")


def _visit(world: World, say: Narrator, path: str, code: str) -> None:
    """Be the shelter: a wrong code, the right one, an answer."""
    wrong = world.call("POST", path, {"code": "0000 0000 0000"}, headers=_HTML).status
    page = world.call("POST", path, {"code": code}, headers=_HTML)
    read = IDENTITY["phones"][0] in page.body
    kept = "greenhouse" not in page.body
    found = re.search(r'name="ticket" value="([^"]+)"', page.body)
    ticket = "" if found is None else unescape(found.group(1))
    body = {"ticket": ticket, "answer": "accepted", "words": WORDS}
    answered = world.call("POST", path + "/answer", body, headers=_HTML).status
    say.line(
        f"   The shelter: a wrong code {wrong}, the right one {page.status}; it reads the phone"
    )
    say.line(f"   number: {read}; what happened to her stays: {kept}; it answers: {answered}.")


def _send(world: World, told: Told, who: str, path: str, body: object) -> Any:  # noqa: ANN401
    return world.ok("POST", path, body, told.tokens[who])


def _partner(today: str) -> dict[str, Any]:
    return {
        "name": NAME,
        "type": "NGO",
        "country": "ZZ",
        "areas": ["Nowhere"],
        "services": ["safehouse"],
        "verified_on": today,
    }


def _consent(day: date) -> dict[str, Any]:
    return {
        "purpose": "referral",
        "categories": ["name", "contact"],
        "recipients": [NAME],
        "method": "verbal",
        "language": "fr",
        "wording": "2026-1",
        "given_on": day.isoformat(),
        "valid_until": (day + timedelta(days=30)).isoformat(),
        "explained": dict.fromkeys(_POINTS, True),
    }
