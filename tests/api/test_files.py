"""Files of a case: cleaned, sealed, given out as attachments; refused, cut off, taken away."""

from __future__ import annotations

import io
from urllib.parse import quote
from uuid import UUID

import anyio
import pytest
from PIL import Image
from sqlalchemy import func, select, update

from casevault.errors import Tampered
from casevault.store.case import files
from casevault.store.engine import tables
from casevault.store.retention import erasing
from tests.api.world import bearer, unknown_id

PIECE = tables.file_piece
TEXT = b"Ms Obviously Made-Up may stay until spring.\n"
NAME = "رسالة Made-Up.txt"
IDENTITY = "?compartment=identity"


def a_picture(**more) -> bytes:
    """Return a photo that says where it was taken."""
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x010F] = "MadeUpCamera"
    exif[0x0112] = 6
    Image.new("RGB", (40, 30), (200, 30, 30)).save(out, "JPEG", exif=exif, **more)
    return out.getvalue()


def send(world, case, content=TEXT, name=NAME, kind="text/plain", by="cara", at="", **headers):
    """Send a file."""
    named = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Type": kind,
    }
    path = f"/v1/cases/{case}/files{at}"
    return world.call("POST", path, by, content=content, headers=named | headers)


def added(world, case, *args, **more) -> str:
    """Return the address of a file that was taken."""
    answer = send(world, case, *args, **more)
    assert answer.status_code == 201, answer.text
    assert answer.json() == {"id": answer.headers["location"].rsplit("/", 1)[1]}
    return answer.headers["location"]


def rows(world, case) -> int:
    """Return how many rows the files of a case take."""
    with world.vault.stores.data.reading() as connection:
        query = select(func.count()).select_from(PIECE).where(PIECE.c.case_id == UUID(case))
        return connection.execute(query).scalar_one()


def codes(world, case) -> list[tuple[str, int, str]]:
    """Return what the log says of the files of a case: code, outcome and rule."""
    found = world.entries(case=case)
    return [(e["code"], e["outcome"], e["rule"]) for e in found if e["code"].startswith("file.")]


def test_a_file_is_cleaned_sealed_listed_and_given_out_to_be_saved(world):
    """Nobody's camera in it; nothing of it in the store; start and end on the log, both ways."""
    case = world.open()
    at = added(world, case, a_picture(), "Photo Made-Up.jpg", "image/jpeg")
    (listed,) = world.get(f"/v1/cases/{case}/files", "cara").json()["items"]
    assert (listed["name"], listed["media_type"]) == ("Photo Made-Up.jpg", "image/jpeg")
    assert (listed["compartment"], listed["added_by"]) == ("narrative", world.staff["cara"])
    read = world.get(at, "cara")
    assert read.status_code == 200
    assert read.headers["content-type"] == "image/jpeg"
    assert read.headers["content-disposition"] == "attachment; filename*=UTF-8''Photo%20Made-Up.jpg"
    assert read.headers["x-content-type-options"] == "nosniff"
    assert read.headers["cache-control"] == "no-store"
    assert len(read.content) == listed["size"] == int(read.headers["content-length"])
    assert b"MadeUpCamera" not in read.content
    with Image.open(io.BytesIO(read.content)) as picture:
        assert picture.size == (30, 40)
        assert not picture.getexif()
    with world.vault.stores.data.reading() as connection:
        stored = b"".join(connection.execute(select(PIECE.c.piece)).scalars())
    assert read.content[:60] not in stored
    seen = [(code, outcome) for code, outcome, _ in codes(world, case)]
    assert seen[::-1] == [
        ("file.add_start", 0), ("file.add_end", 0), ("file.list", 0),
        ("file.read", 0), ("file.read_end", 0),
    ]  # fmt: skip


def test_a_file_lies_with_what_it_shows_and_follows_the_keys(world):
    """Who holds the narrative alone sees no paper of the identity; new keys take files along."""
    case = world.open()
    letter, paper = added(world, case), added(world, case, name="Passport.txt", at=IDENTITY)
    assert world.assign(case, "colin", compartments=["narrative", "facts"]).status_code == 204
    listed = world.get(f"/v1/cases/{case}/files", "colin").json()["items"]
    assert [one["name"] for one in listed] == [NAME]
    assert world.get(letter, "colin").content == TEXT
    assert world.get(paper, "colin").status_code == 404
    assert world.call("DELETE", paper, "colin").status_code == 404
    assert world.get(letter, "sid").status_code == 404
    revoked = world.call("DELETE", f"/v1/cases/{case}/grants/{world.staff['colin']}", "sue")
    assert revoked.status_code == 200
    assert world.get(letter, "colin").status_code == 404
    for at in (letter, paper):
        assert world.get(at, "cara").content == TEXT


def test_a_file_is_taken_away_with_its_bytes(world):
    """By its case only; erasing a compartment or a case takes the bytes of its files too."""
    case, other = world.open(), world.open()
    at, paper = added(world, case), added(world, case, at=IDENTITY)
    elsewhere = at.replace(case, other)
    assert world.get(elsewhere, "cara").status_code == 404
    assert world.call("DELETE", elsewhere, "cara").status_code == 404
    assert world.get(at, "cara").status_code == 200
    before = rows(world, case)
    assert world.call("DELETE", at, "cara").status_code == 204
    assert world.get(at, "cara").status_code == 404
    assert world.call("DELETE", at, "cara").status_code == 404
    assert 0 < rows(world, case) < before
    assert codes(world, case)[0][0] != "file.read"
    stores = world.vault.stores
    with stores.data.writing() as connection:
        erasing.remove_compartments(connection, stores.roots, UUID(case), ["narrative"])
    assert rows(world, case) > 0
    with stores.data.writing() as connection:
        erasing.remove_compartments(connection, stores.roots, UUID(case), ["identity"])
    assert rows(world, case) == 0
    assert paper != at


REFUSED = {
    "folder": ({"name": "../../etc/passwd.txt"}, 422, "file.name"),
    "control": ({"name": "a\nb.txt"}, 422, "file.name"),
    "reversed": ({"name": "a\u202efdp.txt"}, 422, "file.name"),
    "archive": ({"name": "42.zip", "kind": "application/zip"}, 422, "file.ending"),
    "page": ({"name": "a.html", "kind": "text/html"}, 422, "file.ending"),
    "other kind": ({"name": "a.pdf"}, 422, "file.type"),
    "no kind": ({"kind": "nonsense"}, 415, "body.type"),
    "empty": ({"content": b""}, 422, "file.empty"),
    "no text": ({"content": b"\x00\x01"}, 422, "file.text"),
    "not what it says": (
        {"content": b"GIF89a", "name": "a.png", "kind": "image/png"}, 422, "file.type",
    ),
    "no name": ({"Content-Disposition": "attachment"}, 422, "file.unnamed"),
    "no UTF-8": ({"Content-Disposition": "attachment; filename*=UTF-8''%ff.txt"}, 422,
                 "file.unnamed"),
    "too large": ({"content": bytes((25 << 20) + 1)}, 413, "file.too-large"),
}  # fmt: skip


def test_what_cannot_be_taken_is_refused_explained_recorded_and_leaves_nothing(sqlite_world):
    """Names, archives, wrong kinds, too large: a sentence in four languages, never the input."""
    world = sqlite_world
    case = world.open()
    for what, (changes, status, code) in REFUSED.items():
        answer = send(world, case, **changes, **{"Accept-Language": "fr"})
        assert (answer.status_code, answer.json()["code"]) == (status, code), what
        for typed in ("passwd", "fdp", "42.zip", "GIF89a"):
            assert typed not in answer.text
        detail = answer.json()["detail"]
        english = send(world, case, **changes).json()["detail"]
        assert detail != english, what
    assert rows(world, case) == 0
    assert world.get(f"/v1/cases/{case}/files", "cara").json() == {"items": []}
    refused = {rule for _, outcome, rule in codes(world, case) if outcome == 4}
    assert {"refused:file.empty", "refused:file.text", "refused:file.too-large"} <= refused
    cases = {e["rule"] for e in world.entries(case=case)}
    assert "refused:file.name" in cases


def test_an_upload_that_is_sent_twice_is_kept_once(sqlite_world):
    """Under one Idempotency-Key; another file under it is a conflict."""
    world = sqlite_world
    case, key = world.open(), {"Idempotency-Key": "made-up-upload-1"}
    first = send(world, case, **key)
    again = send(world, case, **key)
    assert again.json() == first.json()
    assert len(world.get(f"/v1/cases/{case}/files", "cara").json()["items"]) == 1
    other = send(world, case, b"another\n", **key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency.reused")
    renamed = send(world, case, name="other.txt", **key)
    assert renamed.status_code == 409
    assert send(world, unknown_id(), **key).status_code == 404


def test_a_case_has_room_for_so_much(sqlite_world, monkeypatch):
    """Padding counted, and asked again when the file is there; nothing of it stays."""
    world = sqlite_world
    case = world.open()
    added(world, case)
    monkeypatch.setattr(world.vault.files, "_quota", 3 * files.PIECE_BYTES)
    large = send(world, case, b"x" * 150_000)
    assert (large.status_code, large.json()["code"]) == (409, "file.quota")
    assert rows(world, case) == 1
    added(world, case)
    added(world, case)
    assert send(world, case).json()["code"] == "file.quota"


def test_pieces_that_were_changed_moved_or_cut_are_found(world):
    """Nothing that was not sealed there comes out; the log says so, and a look without keys too."""
    case, other = world.open(), world.open()
    long = b"made up " * 30_000
    at, foreign = added(world, case, long), added(world, other, long)
    assert world.get(at, "cara").content == long
    stores = world.vault.stores
    mine, theirs = _first(world, case), _first(world, other)

    def tamper(act):
        with stores.data.writing() as connection:
            kept = [dict(row._mapping) for row in connection.execute(select(PIECE))]
            act(connection)
        try:
            read = world.get(at, "cara")
            # What came was authentic, in its place and not all of it: the length was told before.
            assert len(read.content) < len(long) == int(read.headers["content-length"])
            assert long.startswith(read.content)
        finally:
            with stores.data.writing() as connection:
                connection.execute(PIECE.delete())
                connection.execute(PIECE.insert(), kept)

    def cut(connection):
        connection.execute(PIECE.delete().where(PIECE.c.file_id == mine, PIECE.c.number >= 2))

    def gap(connection):
        connection.execute(PIECE.delete().where(PIECE.c.file_id == mine, PIECE.c.number == 1))
        with pytest.raises(Tampered):
            files.check_pieces(connection)

    def swap(connection):
        query = select(PIECE.c.piece).where(PIECE.c.file_id == theirs, PIECE.c.number == 0)
        piece = connection.execute(query).scalar_one()
        first = update(PIECE).where(PIECE.c.file_id == mine, PIECE.c.number == 0)
        connection.execute(first.values(piece=piece))

    def flip(connection):
        query = select(PIECE.c.piece).where(PIECE.c.file_id == mine, PIECE.c.number == 1)
        piece = bytes(connection.execute(query).scalar_one())
        second = update(PIECE).where(PIECE.c.file_id == mine, PIECE.c.number == 1)
        connection.execute(second.values(piece=piece[:9] + bytes([piece[9] ^ 1]) + piece[10:]))

    for act in (cut, gap, swap, flip):
        tamper(act)
    with stores.data.reading() as connection:
        files.check_pieces(connection)
    assert world.get(at, "cara").content == long
    assert world.get(foreign, "cara").content == long
    assert ("file.read_end", 8, "failed:tampered") in codes(world, case)


def _first(world, case) -> UUID:
    with world.vault.stores.data.reading() as connection:
        query = select(PIECE.c.file_id).where(PIECE.c.case_id == UUID(case))
        return connection.execute(query.limit(1)).scalar_one()


def test_a_client_that_goes_away_is_seen_on_the_log(sqlite_world):
    """In the middle of sending, and of fetching: nothing is kept, and the end says how far."""
    world = sqlite_world
    case = world.open()
    at = added(world, case, b"made up " * 300_000)

    def run(method, path, came, headers=()):
        """Send a request whose client is gone after these messages and the answer's first bytes."""
        sent = []

        async def receive():
            if came:
                return came.pop(0)
            if method == "GET":
                while len(sent) < 2:
                    await anyio.sleep(0.001)
            return {"type": "http.disconnect"}

        async def answer(message):
            sent.append(message)
            await anyio.sleep(0.005)

        token = bearer(world.token("cara"))["Authorization"]
        fields = {"host": "localhost", "authorization": token, **dict(headers)}
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(),
            "query_string": b"", "http_version": "1.1", "scheme": "http", "root_path": "",
            "asgi": {"version": "3.0", "spec_version": "2.3"}, "client": None, "server": None,
            "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
        }  # fmt: skip
        anyio.run(world.client.app, scope, receive, answer)

    before = rows(world, case)
    begun = [{"type": "http.request", "body": b"", "more_body": False}]
    run("GET", at, begun)
    half = [{"type": "http.request", "body": b"made up", "more_body": True}]
    named = {"content-type": "text/plain", "content-disposition": 'attachment; filename="a.txt"'}
    run("POST", f"/v1/cases/{case}/files", half, named.items())
    assert rows(world, case) == before
    assert codes(world, case)[:4] == [
        ("file.add_end", 8, "failed:cut-off"),
        ("file.add_start", 0, "permit:caseload"),
        ("file.read_end", 8, "failed:cut-off"),
        ("file.read", 0, "permit:caseload"),
    ]


@pytest.mark.slow
def test_the_largest_file_goes_in_and_out(world):
    """Twenty-five mebibytes, sealed in chunks, padded to a power of two."""
    case, content = world.open(), (b"made up text\n" * 2_100_000)[: 25 << 20]
    at = added(world, case, content)
    assert world.get(at, "cara").content == content
    assert rows(world, case) == 513
