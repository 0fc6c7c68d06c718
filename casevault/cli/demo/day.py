"""The rest of a caseworker's day: interruptions, records, links, refusals, revoking, closing."""

from __future__ import annotations

from casevault.cli.demo.narrator import Narrator
from casevault.cli.demo.story import Told, texts
from casevault.cli.demo.world import Answer, World

DRAFT = {"text": "Says that Gorgonzola Importers-Fiction took her pas"}
NOTE = {
    "type": "visit",
    "date": "2026-11-20",
    "text": "Sleeps better. Hides with Cousin Placeholderina. Wants to learn to weld.",
}
PASSAGE = "Hides with Cousin Placeholderina."
SERVICE = {"type": "safehouse", "outcome": "unavailable", "date": "2026-11-20"}
TASK = {"type": "hearing", "due": "2027-02-18", "text": "Bring the Pretendland residence letter."}
INCIDENT = [
    {"identity": {"name_to_use": f"Warehouse Samplename-{number}"}}
    for number in ("Eins", "Zwei", "Drei")
]


def tell(world: World, say: Narrator, told: Told) -> None:
    """Go through the day; every step is a request to the running server."""
    say.line("6. The rest of Cara's day:")
    day = _Day(world, say, told)
    for step in (day.draft, day.records, day.incident, day.refusal, day.revoke, day.close):
        step()
    told.typed |= {t for one in (DRAFT, NOTE, TASK, *INCIDENT) for t in texts(one)}


class _Day:
    def __init__(self, world: World, say: Narrator, told: Told) -> None:
        self._world, self._say, self._told = world, say, told
        self._case = f"/v1/cases/{told.case}"

    def draft(self) -> None:
        """Save what is typed so far, be locked out, and find it again."""
        draft = {"form": "note", "case_id": self._told.case, "content": DRAFT}
        saved = self._send("cara", "POST", "/v1/drafts", draft)
        self._told.tokens["cara"] = self._world.sign_in("cara")
        again = self._send("cara", "GET", f"/v1/drafts/{saved.body['id']}")
        foreign = self._send("sam", "GET", f"/v1/drafts/{saved.body['id']}")
        kept = "there as typed" if again.body["content"] == DRAFT else "LOST"
        self._say.line(
            f"   The screen locks during an interview: her draft is {kept}; for Sam, who"
        )
        self._say.line(f"   opens every case of the team, it does not exist ({foreign.status}).")

    def records(self) -> None:
        """Write a note and take a passage out of it; a service, a task, the worklist."""
        note = self._send("cara", "POST", f"{self._case}/notes", {"content": NOTE}).body["id"]
        redaction = {"passage": PASSAGE, "reason": "A hiding place is not for the file"}
        path = f"{self._case}/notes/{note}"
        self._send("cara", "POST", f"{path}/redactions", redaction, {"If-Match": '"v1"'})
        kept = self._send("cara", "GET", path).body["content"]["text"]
        self._say.line(f'   A note, from which she redacts a hiding place: "{kept}"')
        self._send("cara", "POST", f"{self._case}/services", {"content": SERVICE})
        self._send("cara", "POST", f"{self._case}/tasks", {"content": TASK})
        waits = self._send("cara", "GET", "/v1/worklist").body["items"]
        items = ", ".join(f"{w['type']} {w['due']}" for w in waits if w["due"])
        self._say.line(f"   A service that was unavailable, a task; her worklist: {items}.")
        timeline = self._send("cara", "GET", f"{self._case}/timeline").body["items"]
        for item in timeline:
            self._say.detail("day", f"{item['date']} {item['record_type']}")

    def incident(self) -> None:
        """Record three people of one incident at once."""
        made = self._send("cara", "POST", "/v1/cases/batch", {"cases": INCIDENT}).body["items"]
        links = self._send("cara", "GET", f"/v1/cases/{made[0]['id']}/links").body["items"]
        count = f"{len(made)} cases at once, {len(links)} links from the first"
        self._say.line(f"   A raid on a warehouse: {count}.")

    def refusal(self) -> None:
        """The survivor does not want Stella: not even the supervisor can assign her."""
        refused = {"staff_id": self._told.ids["stella"]}
        self._send("cara", "POST", f"{self._case}/refused-staff", refused)
        answer = self._send("sam", "POST", f"{self._case}/grants", refused)
        self._say.line(
            "   Zaziwe does not want Stella to know; Sam tries to assign her all the same:"
        )
        self._say.line(f"   {answer.status} {answer.body['code']}.")

    def revoke(self) -> None:
        """Take the case from Colin: new keys, and everybody else goes on."""
        path = f"{self._case}/grants/{self._told.ids['colin']}"
        self._send("sam", "DELETE", path)
        colin = self._send("colin", "GET", f"{self._case}/profile").status
        cara = self._send("cara", "GET", f"{self._case}/profile").status
        self._say.line("   Sam takes the case from Colin: it gets new keys, all is sealed anew.")
        self._say.line(f"   Colin: {colin}, as if there were no such case. Cara: {cara}.")

    def close(self) -> None:
        """Ask for a closing that somebody else must approve."""
        asked = {"content": {"to": "Closed", "reason": "Moved to Elsewhereville-Fiction"}}
        self._told.typed.add("Elsewhereville-Fiction")
        path = f"/v1/cases/{self._told.other}/transitions"
        wish = self._send("cara", "POST", path, asked).body
        decision = f"{path}/{wish['id']}/decision"
        own = self._send("cara", "POST", decision, {"approve": True})
        done = self._send("sam", "POST", decision, {"approve": True}).body
        self._say.line(
            f"   Closing the other case: {wish['state']}; her own approval: {own.status};"
        )
        self._say.line(f"   with Sam's, signed with his key: {done['state']}, {done['status']}.")

    def _send(
        self,
        who: str,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        return self._world.call(method, path, body, self._told.tokens[who], headers)
