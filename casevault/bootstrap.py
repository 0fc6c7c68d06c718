"""The composition root: Settings become a Vault whose parts know each other.

Decides what must hold before anything starts: schema at head, durable databases, the right and
newest keyring, the pinned root. Nothing else constructs stores or services.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from casevault.cleaning.apart import Cleaner
from casevault.clock import Clock, SystemClock
from casevault.config import Settings
from casevault.crypto import principals as crypto_principals
from casevault.crypto.credentials import PROFILES, PassphraseKdf
from casevault.crypto.roots import (
    NO_KEY,
    RootsKey,
    RootsPlace,
    open_roots,
)
from casevault.domain.dictionary import Dictionary
from casevault.host import drop_boot_secret, named, new_boot_secret
from casevault.services.access_requests import AccessRequests
from casevault.services.accounts import Accounts
from casevault.services.approvals import Approvals
from casevault.services.assignments import Assignments
from casevault.services.caretaker import Caretaker
from casevault.services.casework import Casework
from casevault.services.collecting import Collecting
from casevault.services.complaints import Complaints
from casevault.services.consents import Consents
from casevault.services.copying import Copying
from casevault.services.counted_imports import CountedImports
from casevault.services.covers import Covers
from casevault.services.deadlines import Deadlines
from casevault.services.departures import Departures
from casevault.services.drafts import Drafts
from casevault.services.duplicates import Duplicates
from casevault.services.duty import Duty
from casevault.services.emergencies import Emergencies
from casevault.services.exchange import Exchange
from casevault.services.exchange_door import ExchangeDoor
from casevault.services.feeds import Feeds
from casevault.services.field_use import FieldUse
from casevault.services.files import Files
from casevault.services.holds import Holds
from casevault.services.importing import Importing
from casevault.services.inbox import Inbox
from casevault.services.intake_members import IntakeMembers
from casevault.services.keeping import Keeping
from casevault.services.ledger_exports import LedgerExports
from casevault.services.links import Links
from casevault.services.lockdowns import Lockdowns
from casevault.services.looks import LooksAt
from casevault.services.minimising import Minimising
from casevault.services.notices import Notices
from casevault.services.notifying import Notifier
from casevault.services.oversight import Oversight
from casevault.services.own_sessions import OwnSessions
from casevault.services.partners import Partners
from casevault.services.readiness import Readiness
from casevault.services.records import Records
from casevault.services.recovery import Recovery
from casevault.services.referral_outcomes import ReferralOutcomes
from casevault.services.referrals import Referrals
from casevault.services.register import Register
from casevault.services.reissues import Reissues
from casevault.services.releases import Releases
from casevault.services.reporting import Reporting
from casevault.services.resets import Resets
from casevault.services.restrictions import Restrictions
from casevault.services.reviewing import Reviewing
from casevault.services.rights import Rights
from casevault.services.rolls import Rolls
from casevault.services.rotations import Rotations
from casevault.services.search import Search
from casevault.services.search_cards import SearchCards
from casevault.services.second_factor import SecondFactors
from casevault.services.sessions import Sessions
from casevault.services.sign_offs import SignOffs
from casevault.services.suspensions import Suspensions
from casevault.services.team_referrals import TeamReferrals
from casevault.services.transfers import Transfers
from casevault.services.transitions import Transitions
from casevault.services.vault_letters import VaultLetters
from casevault.services.watching import Watch, limits_of
from casevault.services.worklist import Worklists
from casevault.store import erasures, identity, intents, lockdowns, schema, spool, tree
from casevault.store.caller import Gate
from casevault.store.checkpoints import Checkpoints, signed_size
from casevault.store.counting_options import CountingOptions
from casevault.store.database import Database
from casevault.store.finding import Finder
from casevault.store.helpers import Helpers
from casevault.store.keyring import Keyring
from casevault.store.leaving import Sender
from casevault.store.ledger import SERVICE, Act, Ledger
from casevault.store.media import Medium
from casevault.store.months import Months
from casevault.store.open_sessions import Limits, OpenSessions
from casevault.store.search_options import SearchOptions
from casevault.store.space import Space
from casevault.store.stores import Stores
from casevault.store.trust import Trust
from casevault.store.unit_of_work import unit_of_work


@dataclass(frozen=True, slots=True)
class Vault:
    """A running vault: its stores and its use cases."""

    settings: Settings
    stores: Stores
    sessions: Sessions
    own_sessions: OwnSessions
    second_factors: SecondFactors
    accounts: Accounts
    approvals: Approvals
    recovery: Recovery
    resets: Resets
    casework: Casework
    importing: Importing
    assignments: Assignments
    covers: Covers
    transfers: Transfers
    departures: Departures
    suspensions: Suspensions
    lockdowns: Lockdowns
    duty: Duty
    emergencies: Emergencies
    records: Records
    consents: Consents
    files: Files
    referrals: Referrals
    team_referrals: TeamReferrals
    referral_outcomes: ReferralOutcomes
    collecting: Collecting
    inbox: Inbox
    intake_members: IntakeMembers
    vault_letters: VaultLetters
    exchange: Exchange
    exchange_door: ExchangeDoor
    deadlines: Deadlines
    holds: Holds
    keeping: Keeping
    copying: Copying
    restrictions: Restrictions
    rights: Rights
    notices: Notices
    complaints: Complaints
    partners: Partners
    register: Register
    releases: Releases
    reporting: Reporting
    counted_imports: CountedImports
    links: Links
    transitions: Transitions
    drafts: Drafts
    worklists: Worklists
    field_use: FieldUse
    minimising: Minimising
    feeds: Feeds
    oversight: Oversight
    access_requests: AccessRequests
    duplicates: Duplicates
    search: Search
    search_cards: SearchCards
    ledger_exports: LedgerExports
    reviewing: Reviewing
    sign_offs: SignOffs
    looks: LooksAt
    watch: Watch
    readiness: Readiness
    checkpoints: Checkpoints
    caretaker: Caretaker

    def close(self) -> None:
        """Stop the caretaker, end the ledger's writer, close all connections."""
        self.caretaker.stop()
        self.search.close()
        self.stores.close()


def roots_place(settings: Settings) -> RootsPlace:
    """Return where the root material of these settings is."""
    return RootsPlace(settings.keys_dir, settings.pkcs11_module, settings.pkcs11_label)


def open_stores(
    settings: Settings,
    clock: Clock | None = None,
    *,
    key: RootsKey = NO_KEY,
    unsettled: bool = False,
) -> Stores:
    """Open both stores after every check that start-up owes; `unsettled` leaves one out.

    :raises Locked: the root material is sealed, and `key` does not open it.
    """
    crypto_principals.self_test()
    organisation, root = named(settings)
    dictionary = Dictionary.of(settings.purposes)
    at = clock or SystemClock()
    roots = open_roots(roots_place(settings), key)
    with ExitStack() as refused:
        data, keyring_database = databases(settings)
        for database, branch in ((data, "data"), (keyring_database, "keyring")):
            refused.callback(database.close)
            schema.require_head(database, branch)
            database.check_durability()
        identity.check(data, keyring_database, roots, organisation)
        keyring = Keyring(keyring_database, roots, organisation)
        trust = Trust(root, at)
        with keyring.reading() as tx:
            trust.check_root(tx)
        if not unsettled:
            signed = signed_size(settings.keys_dir, settings.ledger_origin, roots)
            identity.require_settled(data, keyring, signed, at.now())
        refused.pop_all()
    months = Months(keyring, trust, at)
    ledger = Ledger(data, months, roots, at)
    at_hand = (organisation, data, keyring, ledger, months, trust, roots, at, dictionary)
    return Stores(*at_hand, SearchOptions.of(settings), CountingOptions.of(settings))


def open_vault(
    settings: Settings,
    boot_secret: bytes,
    clock: Clock | None = None,
    *,
    key: RootsKey = NO_KEY,
    unsettled: bool = False,
    shut_too: bool = False,
) -> Vault:
    """Open a vault for one process. The caller closes it, and starts the caretaker if it serves.

    `shut_too`: people can sign in while it is locked down, to end that.
    """
    stores = open_stores(settings, clock, key=key, unsettled=unsettled)
    gate = Gate(stores, settings.minimum_assurance, Space.of(settings))
    kdf = PassphraseKdf(PROFILES[settings.kdf_profile], settings.argon2_concurrency)
    limits = Limits(settings.idle_minutes * 60, settings.absolute_hours * 3600)
    opener = OpenSessions(stores, limits, boot_secret)
    signer = checkpoints(settings, stores)
    helpers = Helpers(settings.data_url, settings.search_processes)
    finder = Finder(stores, helpers if settings.search_processes else None)
    sender = Sender(settings.organisation_name, settings.country)
    approved = settings.referrals_need_approval
    notifier, watching = Notifier(settings.notify_command), watch(settings, stores)
    return Vault(
        settings=settings,
        stores=stores,
        sessions=Sessions(stores, kdf, opener, settings.minimum_assurance, shut_too=shut_too),
        own_sessions=OwnSessions(stores, kdf, opener),
        second_factors=SecondFactors(stores, opener),
        accounts=Accounts(stores, gate, kdf),
        approvals=Approvals(stores, gate, break_glass_closed=settings.break_glass_closed),
        recovery=Recovery(stores, gate),
        resets=Resets(stores, gate, kdf),
        casework=Casework(stores, gate),
        importing=Importing(stores, gate),
        assignments=Assignments(stores, gate),
        covers=Covers(stores, gate),
        transfers=Transfers(stores, gate),
        departures=Departures(stores, gate),
        suspensions=Suspensions(stores, gate),
        lockdowns=Lockdowns(
            stores, gate, settings.organisation_name, lambda: drop_boot_secret(settings)
        ),
        duty=Duty(stores, gate),
        emergencies=Emergencies(stores, gate, closed=settings.break_glass_closed),
        records=Records(stores, gate),
        consents=Consents(stores, gate),
        files=Files(stores, gate, Cleaner(), settings.case_files_mib << 20),
        referrals=Referrals(
            stores,
            gate,
            kdf,
            sender,
            needs_approval=approved,
        ),
        team_referrals=TeamReferrals(stores, gate, sender, needs_approval=approved),
        referral_outcomes=ReferralOutcomes(stores, gate),
        collecting=Collecting(stores, kdf),
        inbox=Inbox(stores, gate),
        intake_members=IntakeMembers(stores, gate),
        vault_letters=VaultLetters(stores, gate, sender, needs_approval=approved),
        exchange=Exchange.of(stores, gate, settings),
        exchange_door=ExchangeDoor(stores, gate),
        deadlines=Deadlines(stores, gate),
        holds=Holds(stores, gate),
        keeping=Keeping(stores, gate),
        copying=Copying(stores, gate),
        restrictions=Restrictions(stores, gate),
        rights=Rights(stores, gate),
        notices=Notices(stores, gate),
        complaints=Complaints(stores, gate),
        partners=Partners(stores, gate),
        register=Register(stores, gate, settings.organisation_name),
        releases=Releases(stores, gate, signer.sign),
        reporting=Reporting(stores, gate),
        counted_imports=CountedImports(stores, gate),
        links=Links(stores, gate),
        transitions=Transitions(
            stores, gate, closing_needs_approval=settings.closing_needs_approval
        ),
        drafts=Drafts(stores, gate),
        worklists=Worklists(stores, gate),
        field_use=FieldUse(stores, gate),
        minimising=Minimising(stores, gate),
        feeds=Feeds(stores, gate),
        oversight=Oversight(stores, gate),
        access_requests=AccessRequests(stores, gate),
        duplicates=Duplicates(stores, gate, finder),
        search=Search(stores, gate, finder),
        search_cards=SearchCards(stores, gate),
        ledger_exports=LedgerExports(stores, gate, signer.sign, settings.ledger_origin),
        readiness=Readiness(stores),
        checkpoints=signer,
        reviewing=Reviewing(stores, gate, signer.sign),
        sign_offs=SignOffs(stores, gate, signer.sign, settings.ledger_origin),
        looks=LooksAt(stores, gate),
        watch=watching,
        caretaker=Caretaker(stores, signer, notifier.tell, Space.of(settings), watching.run_if_due),
    )


def watch(settings: Settings, stores: Stores) -> Watch:
    """Return the watch over the log, with the configured limits."""
    notify = Notifier(settings.notify_command).alert
    zone = ZoneInfo(settings.time_zone)
    return Watch(stores, limits_of(settings.alert_limits), zone, settings.watch_minutes, notify)


def checkpoints(settings: Settings, stores: Stores) -> Checkpoints:
    """Return the checkpoints of the configured origin, signed here or by whoever is named."""
    return Checkpoints(
        stores.data,
        stores.roots,
        settings.ledger_origin,
        settings.keys_dir,
        spool.signer(settings.ledger_origin, settings.ledger_keys, settings.ledger_spool),
    )


def rolls(settings: Settings, stores: Stores) -> Rolls:
    """Return what rolls the keyring, with the configured second medium."""
    medium = Medium(settings.second_medium, stores.roots.keyring_id)
    return Rolls(stores, medium, settings.epochs_kept)


def rotations(settings: Settings, stores: Stores) -> Rotations:
    """Return what gives keys new versions."""
    return Rotations(stores, settings.backups_promised_days)


def reissues(stores: Stores) -> Reissues:
    """Return what replaces the recovery shares."""
    return Reissues(stores)


def databases(settings: Settings, *, migrator: bool = False) -> tuple[Database, Database]:
    """Return data store and keyring store, as the application or as the migrator."""
    data, keyring = settings.data_url, settings.keyring_url
    if migrator:
        data = settings.data_migrator_url or data
        keyring = settings.keyring_migrator_url or keyring
    return Database(data, settings.threads), Database(keyring, settings.threads)


def begin_service(settings: Settings, key: RootsKey = NO_KEY) -> None:
    """Do once per start what every worker relies on: generation, boot secret, ended writers."""
    stores = open_stores(settings, key=key)
    try:
        with stores.keyring.reading() as tx:
            lockdowns.require_open(tx)
        identity.advance(stores.data, stores.keyring.database)
        new_boot_secret(settings)
        for writer in stores.ledger.crashed_writers():
            with unit_of_work(stores.data, stores.ledger) as uow:
                count = stores.ledger.close_writer(uow.connection, writer)
                links = (("writer", writer),)
                uow.record(Act("system.crash", SERVICE, count=count, links=links))
                uow.commit()
        intents.finish_all(stores)
        erasures.finish_left(stores)
        stores.ledger.record(Act("system.start", SERVICE))
        settle(stores)
    finally:
        stores.close()


def settle(stores: Stores) -> None:
    """Bring every staged entry into the tree."""
    tree.integrate_all(stores.data, stores.roots)
