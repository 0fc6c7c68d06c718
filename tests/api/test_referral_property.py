"""Nothing outside consent ∩ need ∩ tick leaves the vault, whatever is recorded, asked and ticked.

The rule alone is tried in tests/unit/domain/test_referral.py; here it is tried as it is served:
preview, agreement, link, code, page; and the inbox of another team.
"""

from __future__ import annotations

import base64
import io

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casevault.crypto import packages
from casevault.domain import vocabulary
from casevault.domain.case import dictionary
from casevault.domain.sharing.referral import NEEDS, SOURCES
from tests.api.test_files import added
from tests.api.test_inbox import waiting
from tests.api.test_packed_referrals import SHELTER, keep_key
from tests.api.test_referrals import a_shelter, agreed_to, opened, written
from tests.api.test_team_referrals import to_team
from tests.api.world import SOUTH

CATEGORIES = vocabulary.code_list("data_category")
# One value per category that stands nowhere else.
MARKS = {category: f"marked-{place}-madeup" for place, category in enumerate(CATEGORIES)}
IDENTITY = {
    "name_to_use": MARKS["name"],
    "pronoun": MARKS["name"],
    "languages": ["fr"],
    "address": MARKS["contact"],
    "papers": [{"kind": MARKS["papers"]}],
}
PROFILE = {
    "presenting_situation": MARKS["situation_and_needs"],
    "risk_reasons": MARKS["risk"],
    "history": [{"type": "Transit", "account": MARKS["history"]}],
    "plan": [{"goal": MARKS["plan_and_services"], "state": "open"}],
}
FIELDS = {
    "name", "contact", "papers", "situation_and_needs", "risk", "history", "plan_and_services",
}  # fmt: skip
SHOWN = FIELDS | {"files"}
some = st.frozensets(st.sampled_from(sorted(SHOWN)), min_size=1)


def test_every_mark_is_in_a_field_of_its_category():
    """Or the test would look for something that is nowhere."""
    of = {
        (document, one.name): one.category
        for document in SOURCES
        for one in dictionary.fields_of(document)
    }
    for document, content in zip(SOURCES, (IDENTITY, PROFILE), strict=True):
        for name, value in content.items():
            found = {category for category, mark in MARKS.items() if mark in str(value)}
            assert found <= {of[document, name]}


def test_what_is_served_is_in_the_intersection(sqlite_world):
    """Consents of a partner and of a team, one of them the asked one; any service; any ticks."""
    world = sqlite_world
    body = {"identity": IDENTITY, "profile": PROFILE}
    partner, name = a_shelter(world, name="Made-Up House of Properties")
    keep_key(world, partner)

    def through_link(at):
        sent = world.post(at + "/sending", "cara", {}).json()
        return opened(world, sent["path"], sent["code"]).text

    def into_inbox(at):
        before = waiting(world, "sid")
        assert world.post(at + "/team", "cara", None).status_code == 200
        (entry,) = waiting(world, "sid") - before
        return world.get(f"/v1/inbox/{entry}", "sid").text

    def in_a_package(at):
        made = world.post(at + "/package", "cara", {}).json()
        sealed = io.BytesIO(base64.b64decode(made["package"]))
        found = packages.open_package(sealed, SHELTER).files
        return "".join(one.name + one.content.decode() for one in found)

    @given(st.booleans(), st.sampled_from(sorted(NEEDS)), some, some, some)
    @settings(
        max_examples=8,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def served(inside, service, ticked, ours, others):
        case = world.post("/v1/cases", "cara", body).json()["id"]
        agreed_to(world, case, SOUTH if inside else name, sorted(ours))
        agreed_to(world, case, name if inside else SOUTH, sorted(others))
        file = added(world, case, b"made up", MARKS["files"] + ".txt").rsplit("/", 1)[1]
        letter = {"service": service, "files": [file] if "files" in ticked else []}
        if inside:
            at = to_team(world, case, disclose=sorted(ticked), **letter)
        else:
            at = written(world, case, partner, sorted(ticked), **letter)
        leave = into_inbox if inside else through_link
        may = ticked & ours & NEEDS[service]
        shown = world.get(at + "/preview", "cara").json()
        assert set(shown["leaves"]) == may
        left = {one for one in SHOWN if MARKS[one] in shown["bytes"] + shown["page"]}
        assert left == may
        agreed = world.post(at + "/agreement", "cara", {"digest": shown["digest"]})
        if not may or (ticked & NEEDS[service]) - ours:
            assert agreed.status_code in (403, 422)
            for way, what in (("sending", {}), ("team", None)):
                assert world.post(f"{at}/{way}", "cara", what).status_code == 409
            return
        if "files" in may:
            for way, what in (("sending", {}), ("team", None)):
                assert world.post(f"{at}/{way}", "cara", what).status_code == 409
            if inside:
                return
            leave = in_a_package
        read = leave(at)
        assert {one for one in SHOWN if MARKS[one] in read} == may

    served()
