"""Between vaults: our card, the door for other vaults' messages, what came, and our answer."""

from __future__ import annotations

import base64
from typing import Annotated
from uuid import UUID

from fastapi import Query

from casevault.api.deps import CallerDep, RequestId, VaultDep, needs
from casevault.api.routing import Router
from casevault.api.schemas.exchange import (
    ReceivedAnswer,
    ReceivedLetter,
    ReceivedList,
    VaultCard,
    VaultMessage,
    VaultReceipt,
)
from casevault.domain.sharing.exchanging import Standing
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1/exchange", tags=["exchange"])


@router.get("/card", operation_id="read_vault_card", openapi_extra=needs(Permission.PARTNER_READ))
def read_vault_card(
    vault: VaultDep, caller: CallerDep, team: Annotated[str, Query(min_length=1, max_length=200)]
) -> VaultCard:
    """Where this vault answers and how to seal a letter to one of its teams; signed, and public."""
    card, fingerprint = vault.exchange.card(caller, team)
    return VaultCard(card=card, fingerprint=fingerprint)


@router.post(
    "/messages",
    operation_id="receive_vault_message",
    openapi_extra=needs(Permission.EXCHANGE_RECEIVE),
)
def receive_vault_message(
    vault: VaultDep, request_id: RequestId, body: VaultMessage
) -> VaultReceipt:
    """The door for other vaults: a signed message of one that is pinned here; a receipt goes back.

    Sent again, the same message brings the same answer and does nothing more.
    """
    receipt = vault.exchange_door.receive(body.message, request_id)
    return VaultReceipt(receipt=base64.b64encode(receipt).decode())


@router.get("/received", operation_id="list_received", openapi_extra=needs(Permission.INBOX_LIST))
def list_received(vault: VaultDep, caller: CallerDep) -> ReceivedList:
    """Letters and questions of other vaults for your team, and how they stand."""
    return ReceivedList(items=[ReceivedLetter.of(one) for one in vault.exchange_door.list_(caller)])


@router.post(
    "/received/{letter_id}/answer",
    operation_id="answer_received",
    openapi_extra=needs(Permission.INBOX_DECIDE),
)
def answer_received(
    vault: VaultDep, caller: CallerDep, letter_id: UUID, body: ReceivedAnswer
) -> ReceivedLetter:
    """Say whether you can help, or that it is completed. The other vault hears it when it asks."""
    answer = Standing(body.answer)
    return ReceivedLetter.of(vault.exchange_door.answer(caller, letter_id, answer, body.words))
