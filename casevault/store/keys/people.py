"""Staff, teams, envelopes, enrolment codes and sessions: rows of the keyring about colleagues.

Names and logins are sealed under the service key inside the row; a login is found by its HMAC.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import UUID

from casevault.crypto import canonical, macs, tokens
from casevault.crypto.canonical import Reader
from casevault.crypto.credentials import Envelope
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.sealing import Place, seal, unseal
from casevault.errors import Conflict, NotFound, Unauthenticated
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction, Row


@dataclass(frozen=True, slots=True)
class StaffMember:
    """A colleague as the administrator entered them. Powers come from vouches, not from here."""

    id: UUID
    name: str = field(repr=False)
    login: str = field(repr=False)
    roles: tuple[str, ...]
    team: UUID | None
    enrolled: bool
    # Shut out for now: no sign-in, whatever else is there.
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in person: until when, how surely, and their sealed seed. Unix seconds."""

    id: UUID
    staff: UUID
    created_at: int
    seen_at: int
    # When the person last proved to be there: at sign-in, then by stepping up.
    confirmed_at: int
    assurance: str
    sealed_seed: bytes = field(repr=False)
    # What its person calls the device.
    device: str = field(default="", repr=False)


def login_index(tx: KeyringTransaction, login: str, version: int | None = None) -> bytes:
    """Return the HMAC by which a login is found; spelling variants are one login."""
    return macs.mac(tx.roots.service(version), "login", fold_login(login))


def fold_login(login: str) -> str:
    """Fold what people vary when they type a login."""
    return login.strip().casefold()


def add_team(tx: KeyringTransaction, team: UUID, name: str) -> None:
    """Keep a team's name."""
    tx.add(tables.team, canonical.encode(name), id=team)


def teams(tx: KeyringTransaction) -> dict[UUID, str]:
    """Return the names of all teams."""
    return {row.lookup["id"]: Reader.of(row.content).text() for row in tx.find(tables.team)}


def add_staff(tx: KeyringTransaction, member: StaffMember) -> None:
    """Insert a colleague; a login that is taken is a `Conflict`."""
    if staff_by_login(tx, member.login) is not None:
        # Under another version of the service key, where no index finds it.
        raise Conflict(code="store.conflict")
    tx.add(
        tables.staff, _staff_content(tx, member), id=member.id, login=login_index(tx, member.login)
    )


def alone(tx: KeyringTransaction, staff: UUID) -> None:
    """Keep out, until this transaction ends, whoever else does something that is done once to them.

    Also of what has no row yet that could be locked. What was found before is looked up anew.
    """
    tx.lock(tables.staff, id=staff)


def change_staff(
    tx: KeyringTransaction,
    staff: UUID,
    *,
    enrolled: bool | None = None,
    suspended: bool | None = None,
) -> None:
    """Change what is kept about a colleague (None: as it is), under the present service key."""
    alone(tx, staff)
    member = known_staff(tx, staff)
    member = replace(
        member,
        enrolled=member.enrolled if enrolled is None else enrolled,
        suspended=member.suspended if suspended is None else suspended,
    )
    index = login_index(tx, member.login)
    if tx.remove(tables.staff, id=staff) != 1:
        raise Conflict(code="keyring.row")
    tx.add(tables.staff, _staff_content(tx, member), id=staff, login=index)


def by_pepper(tx: KeyringTransaction) -> dict[int, tuple[int, int]]:
    """Return how many envelopes lie under each pepper: of passphrases, and of codes on paper."""
    found: dict[int, tuple[int, int]] = {}
    for place, table in enumerate((tables.envelope, tables.recovery_envelope)):
        for row in tx.find(table):
            version = Envelope.decode(row.content).pepper_version
            counts = list(found.get(version, (0, 0)))
            counts[place] += 1
            found[version] = (counts[0], counts[1])
    return found


def by_service_key(tx: KeyringTransaction) -> dict[UUID, int]:
    """Return under which version of the service key each colleague's row lies."""
    rows = tx.find(tables.staff)
    return {row.lookup["id"]: Reader.of(row.content).number() for row in rows}


def staff_by_id(tx: KeyringTransaction, staff: UUID) -> StaffMember | None:
    """Return a colleague, or None."""
    row = tx.one(tables.staff, id=staff)
    return None if row is None else _staff(tx, row)


def known_staff(tx: KeyringTransaction, staff: UUID) -> StaffMember:
    """Return a colleague, else `NotFound`."""
    found = staff_by_id(tx, staff)
    if found is None:
        raise NotFound("There is no colleague with this id.", code="staff.unknown")
    return found


def staff_by_login(tx: KeyringTransaction, login: str) -> StaffMember | None:
    """Return the colleague with this login, or None."""
    indexes = [login_index(tx, login, version) for version in tx.roots.service_versions()]
    row = tx.one(tables.staff, login=indexes)
    return None if row is None else _staff(tx, row)


def all_staff(tx: KeyringTransaction) -> list[StaffMember]:
    """Return all colleagues, by name."""
    members = (_staff(tx, row) for row in tx.find(tables.staff))
    return sorted(members, key=lambda member: member.name.casefold())


def put_envelope(tx: KeyringTransaction, staff: UUID, envelope: Envelope) -> None:
    """Keep a person's sealed secret, replacing the one before."""
    tx.remove(tables.envelope, staff_id=staff)
    tx.add(tables.envelope, envelope.encode(), staff_id=staff)


def envelope_of(tx: KeyringTransaction, staff: UUID) -> Envelope | None:
    """Return a person's sealed secret, or None before enrolment."""
    row = tx.one(tables.envelope, staff_id=staff)
    return None if row is None else Envelope.decode(row.content)


def put_recovery_envelope(tx: KeyringTransaction, staff: UUID, envelope: Envelope) -> None:
    """Keep a person's secret sealed under their code on paper; an earlier code dies."""
    tx.remove(tables.recovery_envelope, staff_id=staff)
    tx.add(tables.recovery_envelope, envelope.encode(), staff_id=staff)


def recovery_envelope_of(tx: KeyringTransaction, staff: UUID) -> Envelope | None:
    """Return a person's secret sealed under their code on paper, or None."""
    row = tx.one(tables.recovery_envelope, staff_id=staff)
    return None if row is None else Envelope.decode(row.content)


def drop_recovery_envelope(tx: KeyringTransaction, staff: UUID) -> bool:
    """Use a code on paper up; say whether there was one."""
    return tx.remove(tables.recovery_envelope, staff_id=staff) == 1


def take_sign_in(tx: KeyringTransaction, staff: UUID) -> None:
    """Delete everything by which a person signs in or is signed in."""
    alone(tx, staff)
    tx.remove(tables.envelope, staff_id=staff)
    tx.remove(tables.recovery_envelope, staff_id=staff)
    tx.remove(tables.enrolment, staff_id=staff)
    tx.remove(tables.session, staff_id=staff)


def add_enrolment(tx: KeyringTransaction, staff: UUID, code: str, expires_at: int) -> None:
    """Keep the digest of a one-time code; earlier codes of that person die."""
    tx.remove(tables.enrolment, staff_id=staff)
    tx.add(
        tables.enrolment,
        canonical.encode(expires_at),
        code=tokens.code_digest(code),
        staff_id=staff,
    )


def use_enrolment(tx: KeyringTransaction, code: str, now: int) -> None:
    """Use a one-time code up; a second use is refused like a wrong code."""
    enrolment_of(tx, code, now)
    # Of two at once, the one whose deletion finds nothing came second.
    if tx.remove(tables.enrolment, code=tokens.code_digest(code)) != 1:
        raise _no_such_code()


def enrolment_of(tx: KeyringTransaction, code: str, now: int) -> UUID:
    """Return whose one-time code this is; wrong, used and old codes look the same."""
    row = tx.one(tables.enrolment, code=tokens.code_digest(code))
    if row is None or Reader.of(row.content).number() <= now:
        raise _no_such_code()
    staff: UUID = row.lookup["staff_id"]
    return staff


def add_session(
    tx: KeyringTransaction,
    token: tokens.Token,
    boot_secret: bytes,
    session: Session,
    secret: PrincipalSecret,
) -> None:
    """Keep a session: the person's seed is sealed under what only token and boot secret give."""
    place = _session_place(tx.organisation, session)
    sealed = seal(token.session_key(boot_secret, session.id), place, secret.seed)
    tx.add(
        tables.session,
        _session_content(session, sealed),
        sid=token.sid_digest,
        staff_id=session.staff,
    )


def session_of(tx: KeyringTransaction, token: tokens.Token) -> Session | None:
    """Return the session that a token names, or None."""
    row = tx.one(tables.session, sid=token.sid_digest)
    return None if row is None else _session(row)


def open_session(
    organisation: UUID, token: tokens.Token, boot_secret: bytes, session: Session
) -> PrincipalSecret:
    """Return the person's secret; a wrong token or boot secret is `Tampered`."""
    key = token.session_key(boot_secret, session.id)
    place = _session_place(organisation, session)
    return PrincipalSecret(unseal(key, place, session.sealed_seed).content)


def touch_session(tx: KeyringTransaction, token: tokens.Token, now: int) -> None:
    """Note that the session was used (callers do so at most once a minute)."""
    session = session_of(tx, token)
    if session is not None:
        _replace_session(tx, token, replace(session, seen_at=max(now, session.seen_at)))


def confirm_session(tx: KeyringTransaction, token: tokens.Token, now: int) -> None:
    """Note that the person proved anew to be there; a session that ended is a `Conflict`."""
    session = session_of(tx, token)
    if session is None:
        raise Conflict(code="session.over")
    _replace_session(tx, token, replace(session, confirmed_at=now))


def raise_session(tx: KeyringTransaction, token: tokens.Token, assurance: str) -> None:
    """Note how surely we know now who this is; a session that ended meanwhile is a `Conflict`."""
    session = session_of(tx, token)
    if session is None:
        raise Conflict(code="session.over")
    raised = replace(session, assurance=assurance)
    tx.replace(
        tables.session,
        _session_content(raised, session.sealed_seed),
        sid=token.sid_digest,
        staff_id=session.staff,
    )


def end_session(tx: KeyringTransaction, token: tokens.Token) -> None:
    """Delete one session; one that is gone already is fine."""
    tx.remove(tables.session, sid=token.sid_digest)


def end_other_sessions(tx: KeyringTransaction, staff: UUID, keep: tokens.Token) -> None:
    """Delete a person's sessions but one."""
    for row in tx.lookups(tables.session, staff_id=staff):
        if bytes(row["sid"]) != keep.sid_digest:
            tx.remove(tables.session, sid=row["sid"])


def sessions_of(tx: KeyringTransaction, staff: UUID) -> list[Session]:
    """Return a person's sessions, the newest first."""
    found = [_session(row) for row in tx.find(tables.session, staff_id=staff)]
    return sorted(found, key=lambda session: session.created_at, reverse=True)


def end_session_with(tx: KeyringTransaction, staff: UUID, session: UUID) -> bool:
    """Delete the session with this id if it is this person's; say whether it was there."""
    for row in tx.find(tables.session, staff_id=staff):
        if _session(row).id == session:
            return tx.remove(tables.session, sid=row.lookup["sid"]) == 1
    return False


def end_sessions(tx: KeyringTransaction, staff: UUID) -> None:
    """Delete all sessions of a person."""
    tx.remove(tables.session, staff_id=staff)


def end_all_sessions(tx: KeyringTransaction) -> None:
    """Delete everybody's sessions."""
    for staff in {row["staff_id"] for row in tx.lookups(tables.session)}:
        tx.remove(tables.session, staff_id=staff)


def drop_oldest_sessions(tx: KeyringTransaction, staff: UUID, keep: int) -> None:
    """Delete a person's oldest sessions until `keep` are left."""
    rows = tx.find(tables.session, staff_id=staff)
    rows.sort(key=lambda row: _session(row).created_at, reverse=True)
    for row in rows[keep:]:
        tx.remove(tables.session, sid=row.lookup["sid"])


def _replace_session(tx: KeyringTransaction, token: tokens.Token, session: Session) -> None:
    tx.replace(
        tables.session,
        _session_content(session, session.sealed_seed),
        sid=token.sid_digest,
        staff_id=session.staff,
    )


def _no_such_code() -> Unauthenticated:
    return Unauthenticated("This code is not valid (any more).", code="enrolment.code")


def _staff_content(tx: KeyringTransaction, member: StaffMember) -> bytes:
    service = tx.roots.service()
    inner = canonical.encode(member.name, member.login)
    sealed = seal(service, _staff_place(tx.organisation, member.id), inner)
    return canonical.encode(
        service.version, sealed, member.roles, member.team, member.enrolled + 2 * member.suspended
    )


def _staff(tx: KeyringTransaction, row: Row) -> StaffMember:
    staff: UUID = row.lookup["id"]
    reader = Reader.of(row.content)
    service = tx.roots.service(reader.number())
    inner = Reader.of(
        unseal(service, _staff_place(tx.organisation, staff), reader.bytes_()).content
    )
    roles = tuple(str(role) for role in reader.list_())
    team, state = reader.optional_uuid(), reader.number()
    return StaffMember(
        staff, inner.text(), inner.text(), roles, team, bool(state & 1), bool(state & 2)
    )


def _staff_place(organisation: UUID, staff: UUID) -> Place:
    return Place(organisation, "staff-name", staff)


def _session_place(organisation: UUID, session: Session) -> Place:
    return Place(organisation, "session", session.id, None, session.staff.hex)


def _session_content(session: Session, sealed_seed: bytes) -> bytes:
    return canonical.encode(
        session.id,
        session.created_at,
        session.seen_at,
        session.confirmed_at,
        session.assurance,
        sealed_seed,
        session.device,
    )


def _session(row: Row) -> Session:
    reader = Reader.of(row.content)
    return Session(
        id=reader.uuid(),
        staff=row.lookup["staff_id"],
        created_at=reader.number(),
        seen_at=reader.number(),
        confirmed_at=reader.number(),
        assurance=reader.text(),
        sealed_seed=reader.bytes_(),
        device="" if reader.is_over() else reader.text(),
    )
