"""A caseworker's client in a hundred lines: the standard library and nothing else.

    python caseworker.py http://127.0.0.1:8000 cara

Asks for passphrase and code, records a case, a note, a task and a service, and shows what waits.
Copy it, and change what `day` does. All people in it are made up.
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
        super().__init__(f"{problem['title']}: {problem.get('detail', '')} ({problem['code']})")
        self.code = problem["code"]


class Vault:
    """One person at one server."""

    def __init__(self, url, language="en"):
        self.url, self.language, self.token = url.rstrip("/"), language, None

    def sign_in(self, login, passphrase, code):
        """Begin a session; it ends after 15 minutes without a request."""
        body = {"login": login, "passphrase": passphrase, "code": code}
        self.token = self.post("/v1/auth/sessions", body)[0]["token"]

    def sign_out(self):
        """End the session at once."""
        self.call("DELETE", "/v1/auth/sessions/current")

    def get(self, path):
        """Return what is there, and its entity tag for a later change."""
        return self.call("GET", path)

    def post(self, path, body):
        """Add something; a key of our own makes it safe to send the same request again."""
        return self.call("POST", path, body, {"Idempotency-Key": uuid.uuid4().hex})

    def put(self, path, body, tag):
        """Change what still has this entity tag."""
        return self.call("PUT", path, body, {"If-Match": tag})

    def call(self, method, path, body=None, headers=None):
        """Send one request; return (JSON, entity tag) or raise `Refused`."""
        sent = {"Accept-Language": self.language, "Content-Type": "application/json"}
        sent |= headers or {}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, sent, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                raw = answer.read()
                return (json.loads(raw) if raw else None), answer.headers.get("ETag")
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(json.loads(error.read())) from None


def day(vault):
    """Do what a caseworker does in a day; return the id of the case."""
    identity = {"name_to_use": "Ondine Obvious-Madeup", "phones": ["+15550100123"]}
    case = vault.post("/v1/cases", {"identity": identity})[0]
    path = f"/v1/cases/{case['id']}"
    print("recorded", case["reference"])

    known, tag = vault.get(path + "/identity")
    vault.put(path + "/identity", {**known, "languages": ["fr"]}, tag)

    note = {"type": "visit", "date": "2026-11-20", "text": "Made up: feels safe for now."}
    vault.post(path + "/notes", {"content": note})
    task = {"type": "hearing", "due": "2026-12-01", "text": "Made up: a hearing."}
    vault.post(path + "/tasks", {"content": task})
    service = {"type": "safehouse", "outcome": "provided", "date": "2026-11-20"}
    vault.post(path + "/services", {"content": service})

    for item in vault.get("/v1/worklist")[0]["items"]:
        print("waits:", item["type"], item["due"], item["reference"])
    return case["id"]


if __name__ == "__main__":
    mine = Vault(sys.argv[1])
    mine.sign_in(sys.argv[2], getpass.getpass("Passphrase: "), input("Code: "))
    try:
        day(mine)
    finally:
        mine.sign_out()
