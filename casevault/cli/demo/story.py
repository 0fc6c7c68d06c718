"""One case from the first word on, told in plain language; in the end the auditor asks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from casevault.cli.demo.narrator import Narrator
from casevault.cli.demo.world import FIRST, World
from casevault.config import sqlite_path

LATER = (
    ("cara", "Cara Caraway-Madeup", "caseworker"),
    ("colin", "Colin Coriander-Madeup", "caseworker"),
    ("stella", "Stella Starfruit-Madeup", "caseworker"),
    ("rita", "Rita Rhubarb-Madeup", "reporter"),
)
IDENTITY: dict[str, Any] = {
    "name_to_use": "Zaziwe Testperson",
    "names": [{"given": "Zaziwe", "family": "Testperson-Notreal"}],
    "aliases": ["Moonflower-Alias"],
    "phones": ["+15550100199"],
    "address": "Third mattress, Imaginary House, Nowhere Lane 7",
    "safe_contact": {
        "who": "Aunt Fictitia",
        "how": "through_a_person",
        "code_word": "periwinkle-umbrella",
        "never_say": "Never mention the orchard",
    },
}
PROFILE: dict[str, Any] = {
    "presenting_situation": "Escaped from a greenhouse on Thursday; passport kept by Brokerzilla.",
    "risk_level": "high",
    "risk_reasons": "Brokerzilla knows the sleeping place.",
}
# How three colleagues would write the name that they hear.
HEARD = ("Testpersson Zazive", "Зазиве Тестперсон", "ዛዚዌ ቴስትፐርሶን")
ASKING = "She stands at the made-up reception desk"
OTHER: dict[str, Any] = {"name_to_use": "Quillon Secondperson", "phones": ["+15550100142"]}


@dataclass
class Told:
    """What the attacks and the last question need to know."""

    case: str = ""
    other: str = ""
    reference: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    typed: set[str] = field(default_factory=set)
    phrases: set[str] = field(default_factory=set)


def tell(world: World, say: Narrator) -> Told:
    """Tell the story; every step is a request to the running server."""
    told = Told()
    _ceremony(world, say, told)
    enrol_staff(world, say, told)
    _case(world, say, told)
    _stranger(world, say, told)
    _search(world, say, told)
    _assign(world, say, told)
    return told


def _ceremony(world: World, say: Narrator, told: Told) -> None:
    outcome = world.outcome
    say.line("CaseVault demo - everybody in it is made up.")
    shares = f"{len(outcome.shares)} paper shares, any {outcome.threshold} of them recover"
    say.line(f"1. Key ceremony: {shares}.")
    say.line(f"   Root fingerprint {outcome.root_pin}")
    say.line("   Vouched by the root: supervisor Sam, DPO Dora, auditor Ada; by Dora: admin Adi.")
    for login, name, role, _team in _first():
        say.detail("ceremony", f"{name} ({login}): {role}, id {outcome.staff[login]}")
    say.detail("ceremony", f"first words of share 1: {' '.join(outcome.shares[0].split()[:3])} …")
    say.detail("ceremony", f"roles held by one person alone: {', '.join(outcome.held_alone)}")
    told.ids |= {login: str(staff) for login, staff in outcome.staff.items()}
    told.typed |= {name for _, name, *_ in _first()}
    told.phrases |= set(world.passphrases.values())


def enrol_staff(world: World, say: Narrator, told: Told) -> None:
    """Bring in the colleagues who were not at the ceremony, and sign everybody in."""
    adi = world.sign_in("adi")
    team = world.call("GET", "/v1/teams", token=adi).body["items"][0]["id"]
    for login, name, role in LATER:
        new = {"name": name, "login": login, "roles": [role]}
        if role == "caseworker":
            new["team"] = team
        added = world.call("POST", "/v1/staff", new, adi).body
        world.passphrases[login] = world.new_passphrase()
        enrolment = {"code": added["code"], "passphrase": world.passphrases[login]}
        enrolled = world.call("POST", "/v1/auth/enrolments", enrolment).body
        voucher = world.sign_in("sam" if role == "caseworker" else "dora")
        vouch = {"staff_id": added["id"], "fingerprint": enrolled["fingerprint"]}
        vouched = world.call("POST", "/v1/vouches", vouch, voucher)
        say.detail("staff", f"{name}: fingerprint {enrolled['fingerprint']} -> {vouched.status}")
        told.ids[login] = added["id"]
        told.typed |= {name, added["code"]}
        told.phrases.add(world.passphrases[login])
    refused = world.call("POST", "/v1/vouches", vouch, adi)
    say.line("2. Staff: Adi adds Cara, Colin, Stella and Rita; each enrols with a one-time code;")
    say.line("   Sam and Dora compare fingerprints and vouch. Adi, who made the accounts, tries to")
    say.line(f"   vouch too: {refused.status} {refused.body['code']}.")
    say.line("   Everybody's first sign-in sets up a phone and prints ten one-time codes; until")
    say.line("   then a session holds no key at all.")
    told.tokens = {login: world.sign_in(login) for login in world.passphrases}
    told.typed |= world.shown


def _case(world: World, say: Narrator, told: Told) -> None:
    cara = told.tokens["cara"]
    opened = world.call("POST", "/v1/cases", {"identity": IDENTITY, "profile": PROFILE}, cara)
    other = world.call("POST", "/v1/cases", {"identity": OTHER}, cara)
    told.case, told.other = opened.body["id"], other.body["id"]
    told.reference = opened.body["reference"]
    told.typed |= set(texts(IDENTITY)) | set(texts(PROFILE)) | set(texts(OTHER))
    read = world.call("GET", f"/v1/cases/{told.case}/identity", token=cara)
    say.line(f"3. Cara records a case: {told.reference}. She reads it back: {read.status},")
    say.line(f'   "{read.body["name_to_use"]}", phone {read.body["phones"][0]}.')
    say.line(
        "   An ordinary database has this row:  Zaziwe Testperson | +15550100199 | Nowhere ..."
    )
    say.line(f"   CaseVault has this one:             {_row(world, told)}")
    say.detail("case", f"entity tag {read.headers['etag']}; a change needs it as If-Match")
    change = {**IDENTITY, "pronoun": "they-invented"}
    path = f"/v1/cases/{told.case}/identity"
    for tag in (None, '"v9"', read.headers["etag"]):
        headers = {} if tag is None else {"If-Match": tag}
        changed = world.call("PUT", path, change, cara, headers)
        say.detail("case", f"PUT with If-Match {tag}: {changed.status}")
    told.typed.add("they-invented")


def _stranger(world: World, say: Narrator, told: Told) -> None:
    stella = told.tokens["stella"]
    known = world.call("GET", f"/v1/cases/{told.case}/identity", token=stella)
    unknown = world.call("GET", f"/v1/cases/{told.ids['cara']}/identity", token=stella)
    same = {**known.body, "instance": ""} == {**unknown.body, "instance": ""}
    code = f"{known.status} {known.body['code']}"
    say.line(f"4. Stella, same team but no grant, asks for it: {code};")
    say.line(f"   a case that does not exist gives {'the same' if same else 'ANOTHER'} answer.")
    listed = world.call("GET", "/v1/cases", token=stella).body["items"]
    say.detail("stranger", f"Stella's caseload has {len(listed)} cases")
    rita = world.call("GET", "/v1/cases", token=told.tokens["rita"])
    say.detail("stranger", f"Rita, the reporter, lists cases: {rita.status} {rita.body['code']}")


def _search(world: World, say: Narrator, told: Told) -> None:
    stella = told.tokens["stella"]
    say.line("   At the reception desk she hears the name, and finds the case by three spellings:")
    for heard in HEARD:
        found = world.call("POST", "/v1/search", {"name": heard}, stella).body["items"]
        one = next((item for item in found if item["reference"] == told.reference), None)
        asked = "nobody" if one is None else ", ".join(who["name"] for who in one["ask"])
        say.line(f"   {heard} -> {told.reference if one else 'NOT FOUND'}, ask {asked}")
        say.detail(
            "search", "no answer" if one is None else f"because: {', '.join(one['reasons'])}"
        )
    until = (datetime.now(UTC) + timedelta(days=7)).isoformat()
    body = {"reason": ASKING, "compartments": ["narrative"], "until": until}
    path = f"/v1/cases/{told.reference}/access-requests"
    status = world.call("POST", path, body, stella).status
    waiting = world.call("GET", "/v1/worklist", token=told.tokens["cara"]).body["items"]
    seen = any(item["type"] == "access_request" for item in waiting)
    say.line(f"   She asks for it ({status}); it is {'' if seen else 'NOT '}on Cara's worklist.")
    told.typed |= {*HEARD, ASKING}


def _assign(world: World, say: Narrator, told: Told) -> None:
    grant = {"staff_id": told.ids["colin"], "compartments": ["narrative"]}
    assigned = world.call("POST", f"/v1/cases/{told.case}/grants", grant, told.tokens["sam"])
    colin = told.tokens["colin"]
    profile = world.call("GET", f"/v1/cases/{told.case}/profile", token=colin)
    identity = world.call("GET", f"/v1/cases/{told.case}/identity", token=colin)
    say.line(f"5. Sam assigns the narrative to Colin ({assigned.status}): Colin reads the profile")
    say.line(f"   ({profile.status}), not the identity ({identity.status}). Colin asks why:")
    access = world.call("GET", f"/v1/cases/{told.case}/access", token=colin).body["items"]
    say.line("   " + ", ".join(f"{a['compartment']} {a['rule']}" for a in access))
    for item in world.call("GET", f"/v1/cases/{told.case}/grants", token=colin).body["items"]:
        say.detail("assign", f"{item['kind']}: {', '.join(item['compartments'])}")


def audit(world: World, say: Narrator, told: Told) -> None:
    """Let the auditor ask who touched the case."""
    path = f"/v1/ledger/entries?case={told.case}"
    entries = world.call("GET", path, token=told.tokens["ada"]).body["items"]
    names = {staff: login for login, staff in told.ids.items()}
    count = f"{len(entries)} entries; the refusals among them:"
    say.line(f"8. Auditor Ada asks who touched {told.reference}: {count}")
    for entry in entries:
        who = names.get(entry["actor_id"] or "", "the service")
        text = f"{entry['code']:<12} {who:<7} {entry['rule']}"
        if entry["outcome"]:
            say.line("   " + text)
        say.detail("audit", f"#{entry['position']} {entry['recorded']} {text}")
    refused = world.call("GET", f"/v1/cases/{told.case}/identity", token=told.tokens["ada"])
    say.line(f"   Ada asks for the content itself: {refused.status}.")


def answer(world: World, told: Told, say: Narrator) -> None:
    """Answer the question that matters, as honestly as we can."""
    grants = world.call("GET", f"/v1/cases/{told.case}/grants", token=told.tokens["cara"]).body
    holders = [g for g in grants["items"] if "identity" in g["compartments"]]
    names = {staff: login for login, staff in told.ids.items()}
    known = sorted(names.get(g["principal"], g["kind"]) for g in holders)
    say.line("Who could read this survivor's phone number?")
    say.line(f"  by key: {', '.join(known)} (oversight = Sam; recovery = 3 of 5 paper shares)")
    say.line("  a stolen disk or backup: no.  the administrator, DPO, auditor, reporter: no.")
    say.line("  root on the live server: yes, what people signed in from then on can open.")
    say.detail("answer", "the plain keys folder on a stolen, powered-off server also opens the")
    say.detail("answer", "coded facts and two months of the log's bodies: see SECURITY.md")


def _first() -> Iterator[tuple[str, str, str, str | None]]:
    for login, name, role, team in FIRST:
        yield login, name, role.value, team


def _row(world: World, told: Told) -> str:
    connection = sqlite3.connect(str(sqlite_path(world.settings.data_url)))
    try:
        sealed = connection.execute(
            "SELECT sealed FROM document WHERE replace(case_id, '-', '') = ? LIMIT 1",
            (told.case.replace("-", ""),),
        ).fetchone()[0]
    finally:
        connection.close()
    return f"{bytes(sealed)[:18].hex()}... {len(sealed)} bytes"


def texts(value: object) -> Iterator[str]:
    """Yield every text inside a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
