"""One act in a process of its own, which dies at its N-th commit: before or after it.

    python -m tests.faults.child PLAN.json ACT N before|after|full

Prints ACK when the act has returned, FULL when it could not write: `full` lets every write of this
process to a file fail from its N-th commit on. What kills is patched here, in this process only.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection

from casevault.clock import SystemClock
from casevault.crypto.credentials import SMALL, PassphraseKdf
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.recovery import read_share
from casevault.crypto.roots import PEPPER, SERVICE_KEY, open_roots
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.staff.access import Actor, Role
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import Busy, Conflict, Invalid, Unrecorded
from casevault.ids import StaffId, TeamId, new_id
from casevault.services.casework.assignments import Assignments
from casevault.services.casework.casework import Casework
from casevault.services.casework.transfers import Transfers
from casevault.services.recovery import rolls
from casevault.services.recovery.reissues import Reissues
from casevault.services.recovery.rolls import Rolls
from casevault.services.recovery.rotations import Rotations
from casevault.services.retention.retention import Retention
from casevault.services.sharing.team_referrals import TeamReferrals
from casevault.services.staff.departures import Departures
from casevault.services.staff.own_sessions import OwnSessions
from casevault.services.staff.sessions import Sessions
from casevault.store.casework.transferring import Returned
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import Keyring
from casevault.store.keys.keyholder import KeyHolder
from casevault.store.keys.trust import Trust
from casevault.store.log import signing, tree
from casevault.store.log.checkpoints import Checkpoints
from casevault.store.log.ledger import SERVICE, Act, Ledger
from casevault.store.log.months import Months
from casevault.store.recovery import pairs, sweeping
from casevault.store.recovery.media import Medium
from casevault.store.sharing.leaving import Sender
from casevault.store.staff.open_sessions import Limits, OpenSessions

ORIGIN = "example.org/casevault/faults"
# Which pair the root vouches for anew, by act.
PAIRS = {
    "counting": PrincipalKind.COUNTING,
    "service": PrincipalKind.SERVICE,
    "organisation": PrincipalKind.ORGANISATION,
}
KEY_ACTS = ("roll", "service-key", "pepper", "ledger", "reissue", *PAIRS)


def stores_of(plan) -> Stores:
    """Open the vault that a plan describes."""
    clock, organisation = SystemClock(), UUID(plan["organisation"])
    data, database = Database(plan["data_url"]), Database(plan["keyring_url"])
    roots = open_roots(Path(plan["keys_dir"]))
    keyring = Keyring(database, roots, organisation)
    trust = Trust(plan["root_pin"], clock)
    months = Months(keyring, trust, clock)
    ledger = Ledger(data, months, roots, clock)
    return Stores(organisation, data, keyring, ledger, months, trust, roots, clock)


def caller_of(plan, stores, who="supervisor") -> Caller:
    """Return a person of the plan, signed in."""
    person = plan[who]
    actor = Actor(
        StaffId(UUID(person["id"])),
        frozenset({Role(person["role"])}),
        frozenset({TeamId(UUID(person.get("team", plan["team"])))}),
        "passphrase",
        fresh=True,
    )
    secret = PrincipalSecret(bytes.fromhex(person["seed"]))
    return Caller(actor, KeyHolder(UUID(person["id"]), secret, stores.trust), new_id())


def perform(plan, stores, act) -> None:
    """Do one thing."""
    gate = Gate(stores, "passphrase")
    caller = caller_of(plan, stores, plan.get("who", "supervisor"))
    casework = Casework(stores, gate)
    if act in KEY_ACTS:
        act_on_keys(plan, stores, act)
    elif act in ("give", "take", "decline"):
        act_on_transfer(plan, Transfers(stores, gate), caller, act)
    elif act == "refer":
        refers = TeamReferrals(stores, gate, Sender("Made-up society"), needs_approval=False)
        refers.send(caller, UUID(plan["case"]), UUID(plan["referral"]))
    elif act == "open":
        casework.open_case(caller, {"name_to_use": "Killed Testperson"}, {}, "standard")
    elif act == "amend":
        case = UUID(plan["case"])
        found = casework.read_document(caller, case, DocumentKind.IDENTITY)
        changed = {"name_to_use": "Amended Testperson"}
        casework.amend_document(caller, case, DocumentKind.IDENTITY, changed, found.version)
    elif act == "sweep":
        sweeping.sweep(stores)
    elif act == "passphrase":
        change_passphrase(plan, stores, caller)
    elif act == "erase":
        signer = Checkpoints(stores.data, stores.roots, ORIGIN, Path(plan["keys_dir"]))
        Retention(stores, ORIGIN, signer.sign).run()
    elif act == "leave":
        try:
            Departures(stores, gate).depart(caller, UUID(plan["colleague"]["id"]))
        except Conflict as error:
            # It died after its last commit: nobody was told, and all is done.
            if error.code != "departure.done":
                raise
    else:
        colleague = UUID(plan["colleague"]["id"])
        case = UUID(plan["case"])
        assignments = Assignments(stores, gate)
        if act == "revoke":
            assignments.revoke(caller, case, colleague)
        else:
            assignments.assign(caller, case, colleague, frozenset({"identity"}))


def act_on_transfer(plan, transfers, caller, act) -> None:
    """Do one step of a case's way to another team and back."""
    if act == "give":
        transfers.give(caller, UUID(plan["case"]), UUID(plan["other_team"]))
    elif act == "take":
        transfers.take(caller, UUID(plan["transfer"]))
    else:
        transfers.decline(caller, UUID(plan["transfer"]), Returned.OTHER)


def act_on_keys(plan, stores, act) -> None:
    """Do one of the long acts on keys, or go on with it; each thing moved is a commit."""
    pairs._AT_ONCE = 1
    if act == "roll":
        medium = Medium(Path(plan["medium"]), stores.roots.keyring_id)
        rolls.READERS_SECONDS = 0
        Rolls(stores, medium, 1).roll(erase_now=True)
    elif act == "service-key":
        Rotations(stores, 90).rotate(SERVICE_KEY)
    elif act == "pepper":
        rotate_pepper(plan, stores)
    elif act == "ledger":
        rotate_ledger(plan, stores)
    elif act in PAIRS:
        Rotations(stores, 90).renew_pair(PAIRS[act], shares_of(plan["shares"]))
    else:
        reissue(plan, Reissues(stores))


def rotate_pepper(plan, stores) -> None:
    """Make a new pepper, and let everybody sign in: that moves what lies under the old one."""
    Rotations(stores, 90).rotate(PEPPER)
    sessions = OpenSessions(stores, Limits(900, 36_000), bytes(32))
    kdf = PassphraseKdf(SMALL, 1)
    for login in plan["logins"]:
        Sessions(stores, kdf, sessions, "passphrase").sign_in(login, plan["passphrase"])


def change_passphrase(plan, stores, caller) -> None:
    """Sign in, and seal the supervisor's secret under other words."""
    sessions, kdf = OpenSessions(stores, Limits(900, 36_000), bytes(32)), PassphraseKdf(SMALL, 1)
    begun = Sessions(stores, kdf, sessions, "passphrase").sign_in(
        plan["supervisor"]["login"], plan["passphrase"]
    )
    own = OwnSessions(stores, kdf, sessions)
    own.change_passphrase(caller, begun.token, plan["passphrase"], plan["next_passphrase"])


def rotate_ledger(plan, stores) -> None:
    """Give the log another key: both sign, then the older one goes."""
    signer = Checkpoints(stores.data, stores.roots, ORIGIN, Path(plan["keys_dir"]))
    if len(stores.roots.versions("ledger")) == 1:
        signing.add_root_successor(stores.roots)
    stores.ledger.record(Act("key.rotate", SERVICE, rule="permit:operator"))
    tree.integrate_all(stores.data, stores.roots)
    signer.sign()
    assert signer.signer.has_both()
    signing.drop_root_predecessor(stores.roots)


def reissue(plan, reissues) -> None:
    """Replace the shares; the new ones lie in a file, as they would on paper."""
    paper, old = Path(plan["file"] + ".paper"), shares_of(plan["shares"])
    if reissues.is_underway():
        reissues.resume(old, shares_of(json.loads(paper.read_text())))
        return
    try:
        reissues.reissue(old, 2, 3, lambda new: paper.write_text(json.dumps(new.shares)))
    except Invalid:
        # It died after its last commit: the old shares are refused, and all is done.
        if not paper.exists():
            raise


def shares_of(texts):
    """Return two shares."""
    found = []
    for text in texts[:2]:
        found.append(read_share(text, found))
    return found


def die_at(number: int, moment: str) -> None:
    """Make the N-th commit, or file put in its place, of this process its last act."""
    counted = 0

    def begins() -> int:
        nonlocal counted
        counted += 1
        if counted == number and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if counted == number and moment == "full":
            # Of SIGXFSZ Python makes an error, as a full disk does.
            limit = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, limit))
        return counted

    def ended(mine: int) -> None:
        if mine == number and moment == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    def deadly(act):
        def counted_act(*args, **kwargs):
            mine = begins()
            done = act(*args, **kwargs)
            ended(mine)
            return done

        return counted_act

    in_one = Database.writing_at_once

    @contextmanager
    def at_once(database):
        # One statement that is its own transaction: nobody calls `commit`.
        if database.is_sqlite:
            with in_one(database) as connection:
                yield connection
            return
        mine = begins()
        with in_one(database) as connection:
            yield connection
        ended(mine)

    Database.writing_at_once = at_once  # type: ignore[method-assign]
    Connection.commit = deadly(Connection.commit)  # type: ignore[method-assign]
    Path.replace = deadly(Path.replace)  # type: ignore[method-assign]


def main(plan: str, act: str, number: str, moment: str) -> None:
    """Do one act, and die where it is said."""
    given = json.loads(Path(plan).read_text())
    opened = stores_of(given)
    die_at(int(number), moment)
    try:
        perform(given, opened, act)
        sys.stdout.write("ACK\n")
        sys.stdout.flush()
        opened.close()
    except (Busy, Unrecorded):
        sys.stdout.write("FULL\n")
        sys.stdout.flush()
        os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
