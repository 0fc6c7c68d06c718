"""A case passes to another team: given by a supervisor of the one, taken by one of the other.

Giving gives it new keys, to the supervisors of the new team and to nobody of the old one, in one
act; the survivor's consent decides. Taking makes it the new team's: its grants are signed by
somebody of that team, its search card lies in that team's directory. Cut off anywhere, taking it
finishes both. Who does not want it gives it back: taken, and given with new keys to where it came
from, whose supervisors take it like any other; for that nobody has to consent. Must never leave it
without somebody who can come to work tomorrow.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from casevault.domain.case.casefile import Compartment
from casevault.domain.staff.access import Permission
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import Conflict, NotFound
from casevault.ids import EntryId, new_id, parse_reference
from casevault.store.case import cases
from casevault.store.case.held_case import HeldCase
from casevault.store.casework import (
    access_requests,
    births,
    handing,
    rekeying,
    team_change,
    transferring,
)
from casevault.store.casework.held import Desk
from casevault.store.casework.transferring import Returned, Transfer
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, people, principals
from casevault.store.keys.grants import Object
from casevault.store.log.ledger import Act, Touched
from casevault.store.log.unit_of_work import unit_of_work
from casevault.store.search import cards
from casevault.store.search.cards import Fresh

_NARRATIVE = Compartment.NARRATIVE.value


class Transfers:
    """The use cases of giving a case to another team, and of taking it."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._desk = Desk(stores, gate)

    def case_named(self, text: str) -> UUID:
        """Return the id of a case by its reference or id; whether it is theirs is seen later."""
        reference = parse_reference(text)
        found = None
        if reference is not None:
            with self._stores.data.reading() as connection:
                found = cases.id_of_reference(connection, reference)
        try:
            return found or UUID(text)
        except ValueError:
            raise NotFound() from None

    def team_named(self, name: str) -> UUID:
        """Return the id of the team with a name."""
        wanted = " ".join(name.split()).casefold()
        with self._stores.keyring.reading() as tx:
            for team, known in people.teams(tx).items():
                if " ".join(known.split()).casefold() == wanted:
                    return team
        raise NotFound("There is no team with this name.", code="transfer.team")

    # --- giving ----------------------------------------------------------------------------------

    def give(self, caller: Caller, case_id: UUID, team: UUID) -> UUID:
        """Give a case to another team, all of it; return by which id that team takes it.

        :raises Refused: the survivor has not agreed to it, or does not want who leads that team.
        :raises Conflict: it is that team's, or somebody must still decide something in it.
        """
        return rekeying.tried_twice(lambda: self._give(caller, case_id, team))

    def _give(self, caller: Caller, case_id: UUID, team: UUID) -> UUID:
        stores = self._stores
        with stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_TRANSFER)
            with self._desk.recording_failure(caller, case_id):
                for name in held.versions:
                    held.newest_key(name)
                listed = {name: held.manifest(connection, name) for name in held.versions}
                narrative = listed.get(_NARRATIVE)
                with stores.keyring.reading() as tx:
                    receivers = self._receivers(tx, held, team)
                    leading = self._leading(tx, team)
                answer = team_change.allowed(stores, held, connection, narrative, team, leading)
        sent = Transfer(new_id(), case_id, held.case.team, team, caller.staff, stores.now())
        act = Act(
            "case.transfer",
            caller.on_ledger,
            rule=answer.rule,
            purpose="treatment",
            touched=(Touched("case", case_id), Touched("team", team)),
        )

        def on_its_way(tx: KeyringTransaction) -> None:
            transferring.begin(tx, sent)
            # Whoever searches in the old team finds the person no more.
            cards.forget(tx, sent.source, [case_id])
            # They were asked of people who hold it no more.
            access_requests.forget(tx, [case_id])

        with self._desk.recording_failure(caller, case_id):
            rekeying.hand_on(stores, caller, held, listed, receivers, act, on_its_way)
        return sent.id

    def _receivers(self, tx: KeyringTransaction, held: HeldCase, team: UUID) -> births.Receivers:
        if team == held.case.team:
            raise Conflict("The case is this team's already.", code="transfer.same")
        if not principals.groups(tx, PrincipalKind.OVERSIGHT, team):
            raise NotFound("There is no such team.", code="transfer.team")
        return _there(held, births.receivers(self._stores, tx, team, on_call=False))

    def _leading(self, tx: KeyringTransaction, team: UUID) -> set[UUID]:
        groups = self._stores.trust.groups(tx, PrincipalKind.OVERSIGHT, team)
        return {one for group in groups for one in grants.holders_of(tx, group.id)}

    # --- taking ----------------------------------------------------------------------------------

    def take(self, caller: Caller, transfer_id: UUID) -> UUID:
        """Take a case that was given to the caller's team; return its id.

        :raises NotFound: nothing of this id is on its way to the caller's team.
        """
        return rekeying.tried_twice(lambda: self._take(caller, transfer_id))

    def _take(self, caller: Caller, transfer_id: UUID) -> UUID:
        found, held = self._arrived(caller, transfer_id)
        fresh: list[Fresh] = []
        if held.case.team != found.target:
            with self._desk.recording_failure(caller, found.case):
                fresh = self._move(caller, held, found)
        with self._stores.keyring.writing() as tx:
            if not transferring.end(tx, found.id):
                # A colleague took it, or gave it back: then grants of that team are on their way.
                raise NotFound()
            transferring.take_grants(tx, found.case, found.source)
        cards.settle(self._stores, *fresh)
        return found.case

    # --- giving back -----------------------------------------------------------------------------

    def decline(self, caller: Caller, transfer_id: UUID, why: Returned) -> UUID:
        """Give a case back to the team that sent it; return by which id that team takes it.

        :raises NotFound: nothing of this id is on its way to the caller's team.
        :raises Conflict: it came back itself: nobody sends it to and fro.
        """
        return rekeying.tried_twice(lambda: self._decline(caller, transfer_id, why))

    def _decline(self, caller: Caller, transfer_id: UUID, why: Returned) -> UUID:
        stores = self._stores
        found, held = self._arrived(caller, transfer_id)
        if found.returned is not None:
            raise Conflict("This case came back to your team: take it.", code="transfer.came-back")
        if held.case.team != found.target:
            # It must be this team's before somebody of this team can give it to anybody.
            with self._desk.recording_failure(caller, found.case):
                self._move(caller, held, found)
        take, target = Permission.CASE_TAKE, found.target
        with stores.data.reading() as connection:
            # In one look: between two of them a colleague may have given it other keys.
            held = self._desk.hold(caller, connection, found.case, take, of_team=target)
            with self._desk.recording_failure(caller, found.case):
                listed = {name: held.manifest(connection, name) for name in held.versions}
        with stores.keyring.reading() as tx:
            receivers = self._receivers(tx, held, found.source)
        back = Transfer(
            new_id(), found.case, found.target, found.source, caller.staff, stores.now(), why
        )
        act = Act(
            "case.return",
            caller.on_ledger,
            rule="permit:team",
            purpose="treatment",
            touched=(Touched("case", found.case), Touched("team", found.source)),
            filters=(why.value,),
        )

        def on_its_way(tx: KeyringTransaction) -> None:
            if not transferring.end(tx, found.id):
                # A colleague took it while this one was giving it back.
                raise NotFound()
            transferring.begin(tx, back)
            cards.forget(tx, found.target, [found.case])

        with self._desk.recording_failure(caller, found.case):
            rekeying.hand_on(stores, caller, held, listed, receivers, act, on_its_way)
        return back.id

    def _arrived(self, caller: Caller, transfer_id: UUID) -> tuple[Transfer, HeldCase]:
        """Return what is on its way to the caller's team, its giving finished, else `NotFound`."""
        stores = self._stores
        with stores.keyring.reading() as tx:
            found = transferring.find(tx, transfer_id)
        case_id = new_id() if found is None else found.case
        held = self._held(caller, case_id, found)
        if found is None:
            raise NotFound()
        if held.is_behind:
            # The giving was cut off: whoever holds the newest keys can finish it.
            with self._desk.recording_failure(caller, case_id):
                rekeying.finish(stores, caller, held)
            held = self._held(caller, case_id, found)
        return found, held

    def _held(self, caller: Caller, case_id: UUID, found: Transfer | None) -> HeldCase:
        with self._stores.data.reading() as connection:
            team = None if found is None else found.target
            return self._desk.hold(caller, connection, case_id, Permission.CASE_TAKE, of_team=team)

    def _move(self, caller: Caller, held: HeldCase, found: Transfer) -> list[Fresh]:
        """Make the case the new team's: grants first, then its row, manifests and card."""
        stores, case_id = self._stores, held.case.id
        take, target = Permission.CASE_TAKE, found.target
        with stores.data.reading() as connection:
            # Looked at anew: a colleague may have given it other keys since.
            held = self._desk.hold(caller, connection, case_id, take, of_team=target)
            if _NARRATIVE in held.versions:
                handing.check_not_refused(held, connection, caller.staff)
            card = team_change.card_text(stores, held, connection)
        touched = (Touched("case", held.case.id), Touched("team", found.source))
        act = Act(
            "case.take", caller.on_ledger, rule="permit:team", purpose="treatment", touched=touched
        )
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            rekeying.check_newest(tx, held)
            self._regrant(tx, caller, held, found.target)
            fresh = []
            if card is not None:
                directory = cards.directory_of(tx, stores.trust, caller, found.target)
                fresh = [cards.renew(tx, directory, [held.case.id], stores.now())[held.case.id]]
        sealed = [cards.seal_card(stores.organisation, one, card or b"") for one in fresh]
        with unit_of_work(stores.data, stores.ledger) as uow:
            now = self._desk.locked(held, uow.connection)
            versions = team_change.rewrite(stores, uow.connection, now, found.target)
            cards.remove(uow.connection, stores.roots, found.source, [held.case.id])
            for one, text in zip(fresh, sealed, strict=True):
                cards.put(uow.connection, stores.roots, one, text)
            uow.record(
                replace(
                    act,
                    id=EntryId(new_id()),
                    code="case.move",
                    touched=(Touched("case", held.case.id, versions), *touched[1:]),
                )
            )
            uow.commit()
        return fresh

    def _regrant(self, tx: KeyringTransaction, caller: Caller, held: HeldCase, team: UUID) -> None:
        receivers = _there(held, births.receivers(self._stores, tx, team))
        # What a taking that was cut off had given already is given anew.
        transferring.take_grants(tx, held.case.id, team, [one.id for one, _ in receivers])
        grants.give(
            tx,
            Object(ObjectKind.CASE, held.case.id, team),
            {name: held.newest_key(name) for name in held.versions},
            caller.keys.granter,
            receivers,
            purpose="transfer",
            issued_at=self._stores.now(),
        )


def _there(held: HeldCase, receivers: births.Receivers) -> births.Receivers:
    """Return who receives what of the compartments that are left of a case."""
    return [(one, names & held.versions.keys()) for one, names in receivers]
