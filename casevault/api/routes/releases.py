"""The privacy account: what releases have spent. No case and no count of survivors is in it."""

from __future__ import annotations

from fastapi import APIRouter

from casevault.api.deps import CallerDep, VaultDep, needs
from casevault.api.schemas.releases import ChargeShown, ExactDisclosure, PrivacyAccount
from casevault.domain.access import Permission

router = APIRouter(prefix="/v1/releases", tags=["releases"])


@router.get(
    "/account",
    operation_id="read_privacy_account",
    openapi_extra=needs(Permission.RELEASE_ACCOUNT),
)
def read_privacy_account(vault: VaultDep, caller: CallerDep) -> PrivacyAccount:
    """What was spent of people's privacy, on what and by whom, and what is left of each year."""
    return PrivacyAccount.of(vault.releases.account(caller))


@router.post(
    "/account/disclosures",
    status_code=201,
    operation_id="enter_exact_disclosure",
    openapi_extra=needs(Permission.RELEASE_DISCLOSE),
)
def enter_exact_disclosure(
    vault: VaultDep, caller: CallerDep, body: ExactDisclosure
) -> ChargeShown:
    """Enter that exact counts of a year's people were given to somebody outside.

    It cannot be taken back: what was seen was seen. Releases of that year are refused then.
    """
    return ChargeShown.of(vault.releases.disclose(caller, body.cohort_year))
