"""A photo of a permit that says where it was taken goes in, and comes back without that."""

from __future__ import annotations

from casevault.cleaning.samples import sample
from casevault.cli.demo.narrator import Narrator
from casevault.cli.demo.story import Told
from casevault.cli.demo.world import World

_PLACE = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" GPSLatitude="51,30.0N" GPSLongitude="0,7.5W"/>'
_XMP = b"http://ns.adobe.com/xap/1.0/\0"


def tell(world: World, say: Narrator, told: Told) -> None:
    """Attach it, fetch it, compare."""
    picture, token = _with_place(sample("image/jpeg")), told.tokens["cara"]
    at = f"/v1/cases/{told.case}/files"
    named = {
        "Content-Type": "image/jpeg",
        "Content-Disposition": "attachment; filename*=UTF-8''permit.jpg",
    }
    made = world.call("POST", at, picture, token, named)
    back = world.call("GET", f"{at}/{made.body['id']}", token=token)
    before, after = _PLACE in picture, b"GPS" in back.body
    say.line(f"   A photo of her permit says where it was taken: {before}; as it is kept: {after}.")


def _with_place(picture: bytes) -> bytes:
    """Return a JPEG with one more segment behind its start, as a telephone writes it."""
    content = _XMP + _PLACE
    segment = b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content
    return picture[:2] + segment + picture[2:]
