"""Write tests/vectors/sealed.json: sealed objects, a grant, a vouch and a step between two keys.

Salts and HPKE are random, so the file is made once and kept: what stands in it already stays.
`verify_sealed.py` and the tests replay it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from uuid import UUID

from casevault.crypto import grants, vouches
from casevault.crypto.grants import Carried, GrantTerms
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.sealing import Key, Place, seal
from casevault.crypto.succession import succeed
from casevault.domain.staff.vouching import VouchStatement
from casevault.ids import PrincipalId

ORGANISATION, CASE, ROW = UUID(int=1), UUID(int=2), UUID(int=3)
GRANTER, GRANTEE = PrincipalSecret(bytes(range(64))), PrincipalSecret(bytes(range(64, 128)))
TEXTS = ("", "a", "x" * 252, "x" * 253, "Näme القصة 名前", "y" * 5000)


def sealed() -> list[dict[str, object]]:
    """Return sealed objects of several sizes, revisions and places."""
    found: list[dict[str, object]] = []
    for number, text in enumerate(TEXTS, start=1):
        key = Key(bytes([number]) * 32, number)
        place = Place(ORGANISATION, "document", ROW, CASE if number % 2 else None, "identity")
        found.append(
            {
                "key": key.material.hex(),
                "version": number,
                "revision": number * 7,
                "organisation": str(place.organisation),
                "kind": place.kind,
                "case": None if place.case is None else str(place.case),
                "compartment": place.compartment,
                "row": str(place.row),
                "content": text,
                "sealed": seal(key, place, text.encode(), number * 7).hex(),
            }
        )
    return found


def grant() -> dict[str, object]:
    """Return a grant of two keys with everything that opens it."""
    keys = {"identity": Key(b"\x11" * 32, 3), "narrative": Key(b"\x22" * 32, 3)}
    terms = GrantTerms(
        id=UUID(int=9),
        purpose="assignment",
        organisation=ORGANISATION,
        team=UUID(int=4),
        object_kind="case",
        object_id=CASE,
        carried=tuple(Carried(name, key.id, key.version) for name, key in keys.items()),
        grantee=UUID(int=5),
        grantee_key_id=GRANTEE.public.key_id,
        granter=UUID(int=6),
        granter_key_id=GRANTER.public.key_id,
        issued_at=1_800_000_000,
        expires_at=1_800_086_400,
    )
    made, rows = grants.issue(terms, keys, GRANTER, GRANTEE.public)
    return {
        "grantee_seed": GRANTEE.seed.hex(),
        "granter_sign_public": GRANTER.public.sign.hex(),
        "grant": made.encode().hex(),
        "rows": {name: row.hex() for name, row in rows.items()},
        "keys": {name: key.material.hex() for name, key in keys.items()},
    }


def vouch() -> dict[str, object]:
    """Return a vouch and the issuer's public key."""
    statement = VouchStatement(
        subject=PrincipalId(UUID(int=5)),
        kind="staff",
        roles=("caseworker",),
        team=None,
        kem_public=GRANTEE.public.kem,
        sign_public=GRANTEE.public.sign,
        issuer=PrincipalId(UUID(int=6)),
        valid_from=1_800_000_000,
        valid_until=1_800_086_400,
        serial=UUID(int=7),
    )
    made = vouches.issue(statement, GRANTER)
    return {"issuer_sign_public": GRANTER.public.sign.hex(), "vouch": made.encode().hex()}


def step() -> dict[str, object]:
    """Return what the keyring keeps beside the second version of a case key."""
    old, new = Key(b"\x33" * 32, 1), Key(b"\x44" * 32, 2)
    made = succeed(old, new, Place(ORGANISATION, "case-key", CASE, CASE, "identity"))
    return {
        "organisation": str(ORGANISATION),
        "case": str(CASE),
        "compartment": "identity",
        "old": {"key": old.material.hex(), "version": old.version},
        "new": {"key": new.material.hex(), "version": new.version},
        "lineage": made.lineage.hex(),
        "succession": made.succession.hex(),
    }


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("sealed.json"))
    document = {"sealed": sealed(), "grant": grant(), "vouch": vouch(), "step": step()}
    if target.exists():
        document |= json.loads(target.read_text())
    target.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
