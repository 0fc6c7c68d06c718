"""Two in the morning: a colleague breaks the glass, and everybody hears of it."""

from __future__ import annotations

from casevault.cli.demo.narrator import Narrator
from casevault.cli.demo.story import Told
from casevault.cli.demo.world import Answer, World

REASON = "Ambulance from Fictionville General asks about penicillin"


def tell(world: World, say: Narrator, told: Told) -> None:
    """Ask, approve, read, and look at what owner and DPO see of it."""
    told.typed.add(REASON)
    asked = _send(
        world, told, "colin", "POST", "/v1/break-glass", {"case": told.other, "reason": REASON}
    )
    profile = f"/v1/cases/{told.other}/identity"
    before = _send(world, told, "colin", "GET", profile).status
    decision = f"/v1/approvals/{asked.body['id']}/decision"
    told.tokens["sam"] = world.sign_in("sam")
    _send(world, told, "sam", "POST", decision, {"approve": True})
    after = _send(world, told, "colin", "GET", profile).status
    waits = _send(world, told, "cara", "GET", "/v1/worklist").body["items"]
    owner = "break_glass" in {item["type"] for item in waits}
    (review,) = _send(world, told, "dora", "GET", "/v1/break-glass").body["items"]
    say.line(f"7. 2 am: an ambulance asks Colin about the other case. Before: {before}; Sam")
    say.line(f"   says yes: {after}, for three hours. Owner Cara sees it: {owner}; DPO Dora must")
    say.line(f"   review it within 72 hours and reads the reason: {review['reason'] == REASON}.")
    say.detail("night", f"state {review['state']}, until {review['ends_at']}")


def _send(
    world: World, told: Told, who: str, method: str, path: str, body: object = None
) -> Answer:
    return world.call(method, path, body, told.tokens[who])
