"""Somebody is curious, the rules notice, the auditor looks at it, and the survivor can be told."""

from __future__ import annotations

from uuid import uuid4

from casevault.cli.demo.narrator import Narrator
from casevault.cli.demo.story import Told
from casevault.cli.demo.world import World

_GUESSES = 8


def tell(world: World, say: Narrator, told: Told) -> None:
    """Guess ids, find it, review it, release who looked."""
    stella = told.tokens["stella"]
    for case in (told.case, told.other, *(str(uuid4()) for _ in range(_GUESSES - 2))):
        world.call("GET", f"/v1/cases/{case}/identity", token=stella)
    world.operator("ledger", "watch")
    ada = told.tokens["ada"] = world.sign_in("ada")
    found = world.call("GET", "/v1/ledger/alerts?rule=id-probing", token=ada).body["items"]
    names = {staff: login for login, staff in told.ids.items()}
    for alert in found:
        who = ", ".join(names.get(one, "somebody").title() for one in alert["actors"])
        say.line(f"   Curious {who} asked for {_GUESSES} cases one after the other. The rules told")
        told_her = f"{alert['rule']}, {alert['count']} refusals"
        say.line(f"   Ada: {told_her}; the service cannot read it again.")
        path = f"/v1/ledger/alerts/{alert['id']}/steps"
        tag = {"If-Match": f'"v{alert["version"]}"'}
        step = world.call("POST", path, {"to": "in_review"}, ada, tag).body
        say.detail("audit", f"review of {alert['id']}: {step['alert']['state']}")
    if not found:
        say.line("   Curious Stella asked for many cases: NOT FOUND by the rules.")
    before = world.call("GET", f"/v1/cases/{told.case}/looks", token=told.tokens["cara"])
    world.call("POST", "/v1/ledger/looks", {"case_id": told.case}, ada)
    after = world.call("GET", f"/v1/cases/{told.case}/looks", token=told.tokens["cara"])
    tried = [one for one in after.body["items"] if one["did"] == "refused"]
    rows = f"{after.status}, {len(after.body['items'])} rows"
    say.line(f"   Zaziwe asks who looked. Cara, before Ada releases the list: {before.status};")
    say.line(f"   after: {rows}, {len(tried)} of people who tried and were refused.")
