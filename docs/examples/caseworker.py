"""A caseworker's client in a hundred lines: the standard library and nothing else.

    python caseworker.py http://127.0.0.1:8000 cara

Records a made-up case, a note, a task and a service; shows what waits. Copy it and change `day`.
"""

from __future__ import annotations

import getpass
import json
import sys
import urllib.error
import urllib.request
import uuid


class Refused(Exception):
    """The server said no; `code` never changes, the sentence follows your language."""

    def __init__(self, problem):
        super().__init__("\n".join(problem[p] for p in ("title", "detail", "hint") if p in problem))
        self.code = problem["code"]


class Vault:
    """One person at one server."""

    def __init__(self, url, language="en"):
        self.url = url.rstrip("/")
        self.headers = {"Accept-Language": language, "Content-Type": "application/json"}

    def sign_in(self, **who):
        """Begin a session; it ends after 15 minutes without a request."""
        self.headers["Authorization"] = "Bearer " + self.post("/v1/auth/sessions", who)[0]["token"]

    def sign_out(self):
        """End the session at once."""
        self.call("DELETE", "/v1/auth/sessions/current")

    def get(self, path):
        """Return what is there, and its entity tag for a later change."""
        return self.call("GET", path)

    def pages(self, path):
        """Give every item of a list; a page may be empty and not the last."""
        found = self.get(path)[0]
        yield from found["items"]
        if found["cursor"]:
            yield from self.pages(path.partition("?")[0] + "?cursor=" + found["cursor"])

    def post(self, path, body):
        """Add something; a key of our own makes it safe to send the same request again."""
        return self.call("POST", path, body, {"Idempotency-Key": uuid.uuid4().hex})

    def put(self, path, body, tag):
        """Change what still has this entity tag."""
        return self.call("PUT", path, body, {"If-Match": tag})

    def call(self, method, path, body=None, headers=None):
        """Send one request; return (JSON, entity tag) or raise `Refused`."""
        data, sent = body and json.dumps(body).encode(), self.headers | (headers or {})
        request = urllib.request.Request(self.url + path, data, sent, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.loads(answer.read() or "null"), answer.headers.get("ETag")
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(json.load(error)) from None


def day(vault):
    """Do what a caseworker does in a day; return the id of the case."""
    person = {"name_to_use": "Ondine Obvious-Madeup"}
    case = vault.post("/v1/cases", {"identity": person, "look_for_duplicates": True})[0]
    print("recorded", case["reference"], path := f"/v1/cases/{case['id']}")
    for one in (case["possible_duplicates"] or {}).get("items", []):
        print("perhaps known:", one["reference"], [who["name"] for who in one["ask"]], one["team"])
    identity, tag = vault.get(path + "/identity")
    vault.put(path + "/identity", {**identity, "languages": ["fr"]}, tag)
    note = {"type": "visit", "date": "2026-11-20", "text": "Made up: feels safe for now."}
    vault.post(path + "/notes", {"content": note})
    task = {"type": "hearing", "due": "2026-12-01", "text": "Made up: a hearing."}
    vault.post(path + "/tasks", {"content": task})
    done = {"type": "safehouse", "outcome": "provided", "date": "2026-11-20"}
    vault.post(path + "/services", {"content": done})
    for item in vault.pages("/v1/worklist"):
        print("waits:", item["type"], item["due"], item["reference"])
    return case["id"]


if __name__ == "__main__":
    address, name = sys.argv[1:3] if len(sys.argv) > 2 else sys.exit(__doc__)
    sys.excepthook = lambda _kind, fault, _trace: print(fault, file=sys.stderr)  # no trace
    me = Vault(address)
    me.sign_in(login=name, passphrase=getpass.getpass("Passphrase: "), code=input("Code: "))
    try:
        day(me)
    finally:
        me.sign_out()
