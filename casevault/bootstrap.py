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
from casevault.crypto.roots import NO_KEY, RootsKey, RootsPlace, open_roots
from casevault.domain.case.dictionary import Dictionary
from casevault.host import drop_boot_secret, named, new_boot_secret
from casevault.services.audit.ledger_exports import LedgerExports
from casevault.services.audit.looks import LooksAt
from casevault.services.audit.notifying import Notifier
from casevault.services.audit.oversight import Oversight
from casevault.services.audit.reviewing import Reviewing
from casevault.services.audit.sign_offs import SignOffs
from casevault.services.audit.watching import Watch, limits_of
from casevault.services.casework.access_requests import AccessRequests
from casevault.services.casework.assignments import Assignments
from casevault.services.casework.casework import Casework
from casevault.services.casework.drafts import Drafts
from casevault.services.casework.emergencies import Emergencies
from casevault.services.casework.feeds import Feeds
from casevault.services.casework.files import Files
from casevault.services.casework.importing import Importing
from casevault.services.casework.links import Links
from casevault.services.casework.records import Records
from casevault.services.casework.transfers import Transfers
from casevault.services.casework.transitions import Transitions
from casevault.services.casework.worklist import Worklists
from casevault.services.counting.counted_imports import CountedImports
from casevault.services.counting.register import Register
from casevault.services.counting.releases import Releases
from casevault.services.counting.reporting import Reporting
from casevault.services.recovery.caretaker import Caretaker
from casevault.services.recovery.readiness import Readiness
from casevault.services.recovery.recovery import Recovery
from casevault.services.recovery.reissues import Reissues
from casevault.services.recovery.rolls import Rolls
from casevault.services.recovery.rotations import Rotations
from casevault.services.retention.holds import Holds
from casevault.services.retention.keeping import Keeping
from casevault.services.rights.complaints import Complaints
from casevault.services.rights.copying import Copying
from casevault.services.rights.deadlines import Deadlines
from casevault.services.rights.field_use import FieldUse
from casevault.services.rights.minimising import Minimising
from casevault.services.rights.restrictions import Restrictions
from casevault.services.rights.rights import Rights
from casevault.services.search.duplicates import Duplicates
from casevault.services.search.search import Search
from casevault.services.search.search_cards import SearchCards
from casevault.services.sharing.collecting import Collecting
from casevault.services.sharing.consents import Consents
from casevault.services.sharing.exchange import Exchange
from casevault.services.sharing.exchange_door import ExchangeDoor
from casevault.services.sharing.inbox import Inbox
from casevault.services.sharing.intake_members import IntakeMembers
from casevault.services.sharing.notices import Notices
from casevault.services.sharing.partners import Partners
from casevault.services.sharing.referral_outcomes import ReferralOutcomes
from casevault.services.sharing.referrals import Referrals
from casevault.services.sharing.team_referrals import TeamReferrals
from casevault.services.sharing.vault_letters import VaultLetters
from casevault.services.staff.accounts import Accounts
from casevault.services.staff.approvals import Approvals
from casevault.services.staff.covers import Covers
from casevault.services.staff.departures import Departures
from casevault.services.staff.duty import Duty
from casevault.services.staff.lockdowns import Lockdowns
from casevault.services.staff.own_sessions import OwnSessions
from casevault.services.staff.resets import Resets
from casevault.services.staff.second_factor import SecondFactors
from casevault.services.staff.sessions import Sessions
from casevault.services.staff.suspensions import Suspensions
from casevault.store.context import intents
from casevault.store.context.caller import Gate
from casevault.store.context.counting_options import CountingOptions
from casevault.store.context.search_options import SearchOptions
from casevault.store.context.stores import Stores
from casevault.store.engine import schema
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import Keyring
from casevault.store.engine.space import Space
from casevault.store.keys.trust import Trust
from casevault.store.log import spool, tree
from casevault.store.log.checkpoints import Checkpoints, signed_size
from casevault.store.log.ledger import SERVICE, Act, Ledger
from casevault.store.log.months import Months
from casevault.store.log.unit_of_work import unit_of_work
from casevault.store.recovery import identity
from casevault.store.recovery.media import Medium
from casevault.store.retention import erasures
from casevault.store.search.finding import Finder
from casevault.store.search.helpers import Helpers
from casevault.store.sharing.leaving import Sender
from casevault.store.staff import lockdowns
from casevault.store.staff.open_sessions import Limits, OpenSessions


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
