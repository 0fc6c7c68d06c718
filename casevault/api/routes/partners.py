"""Who can help: the directory of partners, pathways, gaps, a leaflet. No survivor is in it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from fastapi.responses import HTMLResponse

from casevault.api import pages
from casevault.api.deps import CallerDep, OnceCaller, VaultDep, Version, etag, located, needs
from casevault.api.pages import STYLE, Language
from casevault.api.routing import Router
from casevault.api.schemas.exchange import PinnedVault
from casevault.api.schemas.partners import (
    GapList,
    GapShown,
    PartnerEntry,
    PartnerKey,
    PartnerList,
    PartnerShown,
)
from casevault.api.schemas.records import Made
from casevault.domain.sharing import leaflet
from casevault.domain.sharing.partners import Search
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1", tags=["partners"])
_READ, _WRITE = needs(Permission.PARTNER_READ), needs(Permission.PARTNER_WRITE)
Code = Annotated[str, Query(max_length=40, pattern=r"^[a-z_]*$")]
Area = Annotated[str, Query(max_length=200)]


@router.get("/partners", operation_id="list_partners", openapi_extra=_READ)
def list_partners(vault: VaultDep, caller: CallerDep) -> PartnerList:
    """The whole directory, by name."""
    return PartnerList(items=[PartnerShown.of(one) for one in vault.partners.list_(caller)])


@router.post("/partners", status_code=201, operation_id="add_partner", openapi_extra=_WRITE)
def add_partner(
    vault: VaultDep, caller: OnceCaller, response: Response, body: PartnerEntry
) -> Made:
    """Add an organisation. Write nothing about anybody who was sent there."""
    made = vault.partners.add(caller, body.content)
    located(response, f"/v1/partners/{made}")
    return Made(id=made)


@router.get("/partners/{partner_id}", operation_id="read_partner", openapi_extra=_READ)
def read_partner(
    vault: VaultDep, caller: CallerDep, partner_id: UUID, response: Response
) -> PartnerShown:
    """One organisation."""
    found = vault.partners.read(caller, partner_id)
    response.headers["ETag"] = etag(found.partner.version)
    return PartnerShown.of(found)


@router.put(
    "/partners/{partner_id}",
    status_code=204,
    operation_id="amend_partner",
    openapi_extra=_WRITE,
)
def amend_partner(
    vault: VaultDep, caller: CallerDep, partner_id: UUID, version: Version, body: PartnerEntry
) -> Response:
    """Change an entry; that somebody asked them again, too (`verified_on`)."""
    changed = vault.partners.amend(caller, partner_id, body.content, version)
    return Response(status_code=204, headers={"ETag": etag(changed)})


@router.delete(
    "/partners/{partner_id}",
    status_code=204,
    operation_id="remove_partner",
    openapi_extra=_WRITE,
)
def remove_partner(vault: VaultDep, caller: CallerDep, partner_id: UUID) -> Response:
    """Take an organisation out of the directory."""
    vault.partners.remove(caller, partner_id)
    return Response(status_code=204)


@router.put(
    "/partners/{partner_id}/key",
    operation_id="set_partner_key",
    openapi_extra=needs(Permission.PARTNER_KEY),
)
def set_partner_key(
    vault: VaultDep, caller: CallerDep, partner_id: UUID, version: Version, body: PartnerKey
) -> PartnerShown:
    """Keep an organisation's public keys after it read their fingerprint out to you."""
    found = vault.partners.set_key(caller, partner_id, body.key, body.fingerprint, version)
    return PartnerShown.of(found)


@router.put(
    "/partners/{partner_id}/vault",
    operation_id="pin_partner_vault",
    openapi_extra=needs(Permission.PARTNER_KEY),
)
def pin_partner_vault(
    vault: VaultDep, caller: CallerDep, partner_id: UUID, version: Version, body: PinnedVault
) -> PartnerShown:
    """Keep where an organisation's vault answers, after it read its fingerprint out to you.

    Letters go to exactly this address, and only a receipt of exactly this key is believed.
    """
    vault.exchange.pin(caller, partner_id, body.card, body.fingerprint, version)
    return PartnerShown.of(vault.partners.read(caller, partner_id))


@router.get("/pathways", operation_id="find_pathways", openapi_extra=_READ)
def find_pathways(
    vault: VaultDep,
    caller: CallerDep,
    service: Code,
    area: Area = "",
    language: Annotated[str, Query(max_length=3)] = "",
    serves: Code = "",
) -> PartnerList:
    """Who can help here: verified before stale, with room before full."""
    found = vault.partners.pathways(caller, Search(service, area, language, serves))
    return PartnerList(items=[PartnerShown.of(one) for one in found])


@router.get("/pathways/gaps", operation_id="list_gaps", openapi_extra=_READ)
def list_gaps(vault: VaultDep, caller: CallerDep) -> GapList:
    """Every service that no verified organisation offers in an area of the directory.

    Beside each: how many people needed that service in vain, if a release says so.
    """
    return GapList(items=[GapShown.of(*found) for found in vault.partners.gaps(caller)])


@router.get(
    "/pathways/leaflet",
    operation_id="print_leaflet",
    response_class=HTMLResponse,
    openapi_extra=_READ,
)
def print_leaflet(
    vault: VaultDep, caller: CallerDep, area: Area, language: Language
) -> HTMLResponse:
    """A page to print: verified organisations of an area that may stand on paper."""
    found = vault.partners.leaflet(caller, area)
    return pages.page(leaflet.page(area, found, language, STYLE), language)
