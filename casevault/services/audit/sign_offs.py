"""Signing off: an auditor's signed note about a period, which outsiders can check.

It names the checkpoints before and after the period, how often each rule raised an alert, how far
the reviews are and what is still open. Signed with the auditor's own key (C2SP signed note), so
that neither the service nor the log's key can write one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from casevault.crypto import macs
from casevault.domain.audit import reviewing as rules
from casevault.domain.audit.reviewing import State
from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import FieldError, Invalid
from casevault.ids import new_id
from casevault.ledger.note import Checkpoint, VerifierKey, sign_note, to_base64
from casevault.ledger.note import unverified_checkpoint as checkpoint_of
from casevault.ledger.tree import Frontier
from casevault.store.audit import alerts, audit_records
from casevault.store.audit.alerts import Alert
from casevault.store.audit.audit_records import ALERT, SIGN_OFF, New
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.log import ledger_points, tree
from casevault.store.log.ledger import Act

MOST_DAYS = 366
_ALL = 100_000


@dataclass(frozen=True, slots=True)
class SignOff:
    """A signed note about a period and the key that checks it."""

    first: date
    last: date
    note: str
    key: str


class SignOffs:
    """The use cases of signing off."""

    def __init__(self, stores: Stores, gate: Gate, sign: Callable[[], bytes], origin: str) -> None:
        self._stores = stores
        self._gate = gate
        self._sign = sign
        self._origin = origin

    def sign(self, caller: Caller, first: date, last: date) -> SignOff:
        """Sign what there is to say about the days `first` to `last` (both included, UTC)."""
        stores = self._stores
        self._gate.require(caller, Permission.LEDGER_REVIEW, Subject("sign-off"))
        if not 0 <= (last - first).days < MOST_DAYS or last >= stores.clock.now().date():
            raise Invalid(
                "A period is up to a year of days that are over, the first before the last.",
                code="sign-off.period",
                errors=(FieldError("/last", "sign-off.period"),),
            )
        found = [alerts.of(one) for one in self._records(caller, ALERT)]
        within = [one for one in found if first <= one.day <= last]
        public = caller.keys.secret.public.sign
        name = f"{self._origin}/auditor/{caller.staff}"
        text = self._text(caller, first, last, within)
        note = sign_note(text.encode(), name, public, caller.keys.secret.sign_raw)
        signed = SignOff(first, last, note.decode(), VerifierKey(name, public).encode())
        self._keep(caller, signed)
        return signed

    def list_(self, caller: Caller) -> list[SignOff]:
        """Return the sign-offs that are kept, youngest first."""
        self._gate.require(caller, Permission.SIGN_OFF_READ, Subject("sign-off"))
        found = self._records(caller, SIGN_OFF)
        self._stores.ledger.record(
            Act("audit.alerts", caller.on_ledger, rule="permit:role", filters=("sign-offs",))
        )
        return [
            SignOff(
                date.fromisoformat(one.content["first"]),
                date.fromisoformat(one.content["last"]),
                one.content["note"],
                one.content["key"],
            )
            for one in found
        ]

    def _text(self, caller: Caller, first: date, last: date, within: list[Alert]) -> str:
        stores = self._stores
        tree.integrate_all(stores.data, stores.roots)
        newest = self._sign()
        ends = datetime.combine(last + timedelta(days=1), time(), UTC)
        with stores.data.reading() as connection:
            before = ledger_points.last_before(connection, datetime.combine(first, time(), UTC))
            covering = ledger_points.first_covering(connection, ends)
        after = newest if covering is None else covering[1]
        nothing = Checkpoint(self._origin, 0, Frontier().root())
        old = nothing if before is None else checkpoint_of(before)
        new = checkpoint_of(after)
        return rules.sign_off_text(
            self._origin,
            (first.isoformat(), last.isoformat()),
            ((old.size, to_base64(old.root)), (new.size, to_base64(new.root))),
            caller.staff,
            Counter(one.rule for one in within),
            Counter[State](one.state for one in within),
            [one.id for one in within if one.state in rules.UNDECIDED],
        )

    def _keep(self, caller: Caller, signed: SignOff) -> None:
        stores = self._stores
        content = {
            "first": signed.first.isoformat(),
            "last": signed.last.isoformat(),
            "note": signed.note,
            "key": signed.key,
        }
        # As long as the log itself may be asked for.
        due = stores.clock.now().date() + timedelta(days=10 * 366)
        with stores.keyring.reading() as tx:
            readers = audit_records.auditors(stores, tx)
            readers += stores.trust.groups(tx, PrincipalKind.DPO)
        digest = macs.sha256(signed.note.encode()).hex()
        act = Act(
            "audit.signoff",
            caller.on_ledger,
            rule="permit:role",
            links=(("digest", digest),),
        )
        new = New(new_id(), SIGN_OFF, content, due)
        audit_records.add(stores, new, caller.keys.granter, readers, [act])

    def _records(self, caller: Caller, kind: str) -> list[audit_records.Record]:
        return audit_records.read_many(self._stores, caller.keys, kind, limit=_ALL)
