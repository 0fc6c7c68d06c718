"""Collect pages as their visitors meet them: the code is asked for, the letter shown, answered.

No visitor signs in: the link is a random id and holds no key, the code is said by phone. A guess is
counted before it is looked at; five wrong ones end the page and raise an alarm. Each opening is on
the ledger before a byte leaves. Must never say more to a wrong code than that it was wrong.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from uuid import UUID

from casevault.crypto import collecting as locks
from casevault.crypto import tokens
from casevault.crypto.credentials import PassphraseKdf
from casevault.domain.sharing import referral
from casevault.domain.sharing.collecting import ANSWERS, CODE_DIGITS, TRIES, PageState, typed
from casevault.domain.sharing.referral import ReferralState
from casevault.errors import Busy, Conflict, NotFound, Refused, Unrecorded
from casevault.store.case import cases
from casevault.store.casework import objecting
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.log.ledger import FAILED, REFUSED, Act, Actor, Touched
from casevault.store.sharing import arrivals, collect_pages
from casevault.store.sharing.collect_pages import CollectPage
from casevault.store.staff.failures import Failures

_OPENS = (PageState.OPEN, PageState.SPENT)
_ANSWER = arrivals.ArrivalKind.ANSWER
# So many times somebody may write beside their answers to one referral; each is kept 30 days.
MOST_ANSWERS = 20


@dataclass(frozen=True, slots=True)
class Letter:
    """What a right code shows: the bytes (None once they were shown as often as may be).

    `ticket` is what an answer is given with; `left` says how often the letter opens still.
    """

    packed: bytes | None = field(repr=False)
    language: str
    ticket: str = field(repr=False)
    left: int
    answered: str | None


class Collecting:
    """The use cases of a visitor."""

    def __init__(self, stores: Stores, kdf: PassphraseKdf) -> None:
        self._stores = stores
        self._kdf = kdf
        self._failures = Failures(stores)

    def language_of(self, page_id: UUID) -> str | None:
        """Return the language in which a page speaks, None if there is no such page."""
        with self._stores.keyring.reading() as tx:
            try:
                return collect_pages.find(tx, page_id).language
            except NotFound:
                return None

    def door(self, page_id: UUID) -> PageState:
        """Return whether a page asks for a code; what has ended is an error that says how."""
        with self._stores.keyring.reading() as tx:
            page = collect_pages.find(tx, page_id)
            paused = objecting.stops_leaving(tx, page.case)
        if paused:
            raise _paused()
        state = page.state(self._stores.now())
        if state not in _OPENS:
            raise _closed(state)
        return state

    def open(self, page_id: UUID, code: str, request: str | None = None) -> Letter:
        """Return the letter to a right code.

        :raises Refused: the code is wrong. :raises NotFound: there is no such page (any more).
        """
        page = self._reserved(page_id, request)
        with self._kdf.queued():
            found = locks.stretched(self._kdf, page.lock, typed(code)[: CODE_DIGITS + 1])
        if not locks.is_right(page.lock, page.id, found):
            self._wrong(page, request)
        packed = None
        if page.sealed is not None:
            place = collect_pages.place(self._stores.organisation, page.id)
            packed = locks.open_(page.lock, place, found, page.sealed)
        return self._shown(page, packed, request)

    def answer(
        self, page_id: UUID, ticket: str, answer: ReferralState, words: str, request: str | None
    ) -> str:
        """Take what a recipient says; return the language to thank in.

        :raises Refused: not from whoever opened the letter last. :raises Conflict: said before.
        :raises Busy: they have written too much.
        """
        stores = self._stores
        page = self._known(page_id, request)
        self._require_open(page, request)
        if not _fits(page, ticket):
            self._refuse(page, "referral.answer", "deny:ticket", request)
            raise Refused("Open the letter again to answer it.", code="collect.ticket")
        if answer not in ANSWERS:
            raise Conflict(code="referral.transition")
        # Before the transaction, in which the case's store must not be asked.
        team = self._team(page)
        act = self._act(page, "referral.answer", "permit:code", request)
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            present = collect_pages.find(tx, page_id, lock=True)
            if present.answer != answer.value:
                # Who sends it twice, because nothing seemed to happen, says nothing new.
                referral.moved(present.stage(stores.now()), answer)
            collect_pages.change(tx, replace(present, answer=answer.value))
            if words.strip():
                _require_few(tx, present)
                about = (present.case, team, present.referral, present.sender)
                arrivals.keep_words(stores, tx, *about, words)
        return page.language

    # --- opening ---------------------------------------------------------------------------------

    def _reserved(self, page_id: UUID, request: str | None) -> CollectPage:
        """Count a guess before it is looked at, so that many at once are no more than five."""
        stores = self._stores
        self._require_open(self._known(page_id, request), request)
        with stores.keyring.writing() as tx:
            page = collect_pages.find(tx, page_id, lock=True)
            if page.state(stores.now()) in _OPENS:
                collect_pages.change(tx, replace(page, tries=page.tries - 1))
        self._require_open(page, request)
        return page

    def _known(self, page_id: UUID, request: str | None) -> CollectPage:
        try:
            with self._stores.keyring.reading() as tx:
                found = collect_pages.find(tx, page_id)
                paused = objecting.stops_leaving(tx, found.case)
        except NotFound:
            # Anybody can ask for any address, as often as they like.
            self._failures.record("referral.guess", "deny:unknown", page_id.hex, None, request)
            raise
        if paused:
            self._refuse(found, "referral.guess", "deny:restricted", request)
            raise _paused()
        return found

    def _require_open(self, page: CollectPage, request: str | None) -> None:
        state = page.state(self._stores.now())
        if state not in _OPENS:
            self._refuse(page, "referral.guess", f"deny:{state.value}", request)
            raise _closed(state)

    def _wrong(self, page: CollectPage, request: str | None) -> None:
        """Refuse a wrong code; the last of five ends the page, which is an alarm."""
        if page.tries > 1:
            self._refuse(page, "referral.guess", "deny:code", request)
            raise Refused("This is not the code.", code="collect.code")
        with self._stores.keyring.writing() as tx:
            present = collect_pages.find(tx, page.id, lock=True)
            collect_pages.change(tx, present.ended())
        self._refuse(page, "referral.dead", "failed:guessed", request, FAILED)
        raise _closed(PageState.DEAD)

    def _shown(self, page: CollectPage, packed: bytes | None, request: str | None) -> Letter:
        stores, ticket = self._stores, tokens.new_code()
        act = self._act(page, "referral.open", "permit:code", request, page.fields)
        try:
            with stores.ledger.giving(act), stores.keyring.writing() as tx:
                present = collect_pages.find(tx, page.id, lock=True)
                opened = _opened(present, packed is not None, ticket, stores.now())
                collect_pages.change(tx, opened)
        except Unrecorded:
            self._give_back(page)
            raise
        return Letter(packed, page.language, ticket, opened.openings, opened.answer)

    def _give_back(self, page: CollectPage) -> None:
        """Take a guess back that was right and could not be recorded."""
        with self._stores.keyring.writing() as tx:
            present = collect_pages.find(tx, page.id, lock=True)
            collect_pages.change(tx, replace(present, tries=TRIES))

    # --- answering -------------------------------------------------------------------------------

    def _team(self, page: CollectPage) -> UUID:
        with self._stores.data.reading() as connection:
            case = cases.find_case(connection, self._stores.roots, page.case)
        if case is None:
            raise NotFound()
        return case.team

    # --- the ledger ------------------------------------------------------------------------------

    def _refuse(
        self,
        page: CollectPage,
        code: str,
        rule: str,
        request: str | None,
        outcome: int = REFUSED,
    ) -> None:
        act = self._act(page, code, rule, request)
        self._stores.ledger.record(replace(act, outcome=outcome))

    @staticmethod
    def _act(
        page: CollectPage,
        code: str,
        rule: str,
        request: str | None,
        fields: tuple[str, ...] = (),
    ) -> Act:
        touched = (Touched("case", page.case), Touched("referral", page.referral))
        actor = Actor(request=request)
        return Act(code, actor, rule=rule, purpose="treatment", touched=touched, fields=fields)


def _require_few(tx: KeyringTransaction, page: CollectPage) -> None:
    """Refuse more words than anybody needs: they would bury those of others."""
    known = arrivals.about(tx, [page.case])
    if sum((one.kind, one.referral) == (_ANSWER, page.referral) for one in known) >= MOST_ANSWERS:
        raise Busy("Too much was sent today. Call the team instead.", code="intake.limited")


def _opened(present: CollectPage, shows: bool, ticket: str, now: int) -> CollectPage:
    """Return a page after one more opening; the last one takes the letter with it."""
    # Meanwhile it may have been recalled, or opened by somebody else for the last time.
    if present.recalled or present.expires_at <= now:
        raise _closed(present.state(now))
    if shows and present.openings == 0:
        raise _closed(PageState.SPENT)
    grown = replace(
        present,
        tries=TRIES,
        opened=present.opened + shows,
        openings=present.openings - shows,
        ticket=tokens.code_digest(ticket),
    )
    return grown.ended() if grown.openings == 0 else grown


def _fits(page: CollectPage, ticket: str) -> bool:
    return page.ticket is not None and hmac.compare_digest(page.ticket, tokens.code_digest(ticket))


def _paused() -> NotFound:
    # No word of why: who reads this may be anybody who has the link.
    return NotFound(
        "This letter cannot be opened at present.",
        code="collect.paused",
        hint="Call whoever sent you the link.",
    )


def _closed(state: PageState) -> NotFound:
    code = f"collect.{state.value}"
    if state is PageState.RECALLED:
        return NotFound(
            "This letter was called back by whoever sent it.",
            code=code,
            hint="Call whoever sent you the link.",
        )
    if state is PageState.EXPIRED:
        return NotFound(
            "This letter was there until a date that is past.",
            code=code,
            hint="Call whoever sent you the link.",
        )
    if state is PageState.DEAD:
        return NotFound(
            "Too many wrong codes were given. This letter is closed.",
            code=code,
            hint="Call whoever sent you the link.",
        )
    return NotFound(
        "This letter was opened as often as it may be.",
        code=code,
        hint="Call whoever sent you the link.",
    )
