"""The roles that people are vouched for, and the names of what operations need. Pure.

Who may use which permission is the table in `domain.staff.access`.
"""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a person is vouched for. Custodians have no account."""

    CASEWORKER = "caseworker"
    SUPERVISOR = "supervisor"
    DPO = "dpo"
    AUDITOR = "auditor"
    REPORTER = "reporter"
    ADMINISTRATOR = "administrator"
    REFERRER = "referrer"


# Pairs of roles that one person may hold together; every other pair is refused. The DPO holds no
# other role: they review what supervisors and reporters do, and nobody reviews their own act.
COMPATIBLE = frozenset(
    {
        frozenset({Role.CASEWORKER, Role.SUPERVISOR}),
        frozenset({Role.ADMINISTRATOR, Role.REPORTER}),
        frozenset({Role.CASEWORKER, Role.REPORTER}),
        frozenset({Role.SUPERVISOR, Role.REPORTER}),
    }
)


class Permission(StrEnum):
    """What an operation of the API needs: each operation names exactly one."""

    HEALTH_READ = "health:read"
    DOCS_READ = "docs:read"
    VOCABULARY_READ = "vocabulary:read"
    SESSION_CREATE = "session:create"
    SESSION_READ = "session:read"
    SESSION_END = "session:end"
    SESSION_CONFIRM = "session:confirm"
    WORDS_PROPOSE = "words:propose"
    SIGN_IN_CHANGE = "sign-in:change"
    SESSION_RAISE = "session:raise"
    FACTOR_WRITE = "factor:write"
    ENROLMENT_COMPLETE = "enrolment:complete"
    STAFF_ADD = "staff:add"
    STAFF_LIST = "staff:list"
    STAFF_READ = "staff:read"
    STAFF_RESET = "staff:reset"
    STAFF_REGRANT = "staff:regrant"
    RECOVERY_CODE = "recovery-code:make"
    SIGN_IN_RESTORE = "sign-in:restore"
    STAFF_DEPART = "staff:depart"
    STAFF_SUSPEND = "staff:suspend"
    LOCKDOWN_BEGIN = "lockdown:begin"
    VOUCH_ISSUE = "vouch:issue"
    KEYS_RECOVER = "keys:recover"
    APPROVAL_LIST = "approval:list"
    APPROVAL_DECIDE = "approval:decide"
    CASE_OPEN = "case:open"
    CASE_LIST = "case:list"
    CASE_READ = "case:read"
    CASE_AMEND = "case:amend"
    CASE_ASSIGN = "case:assign"
    COVER_GIVE = "cover:give"
    CASE_REVOKE = "case:revoke"
    CASE_TRANSFER = "case:transfer"
    CASE_TAKE = "case:take"
    CASE_ACCESS = "case:access"
    CASE_EXPORT = "case:export"
    CASE_TRANSITION = "case:transition"
    CASE_DECIDE = "case:decide"
    CASE_REFER = "case:refer"
    INTAKE_SUBMIT = "intake:submit"
    INBOX_LIST = "inbox:list"
    INBOX_DECIDE = "inbox:decide"
    COLLECT_SHOW = "collect:show"
    COLLECT_OPEN = "collect:open"
    COLLECT_ANSWER = "collect:answer"
    EXCHANGE_RECEIVE = "exchange:receive"
    DRAFT_READ = "draft:read"
    DRAFT_WRITE = "draft:write"
    BREAK_GLASS_ASK = "break-glass:ask"
    BREAK_GLASS_LIST = "break-glass:list"
    BREAK_GLASS_REVIEW = "break-glass:review"
    DUTY_SET = "duty:set"
    INTAKE_SET = "intake:set"
    CASE_ERASE = "case:erase"
    CASE_EXTEND = "case:extend"
    HOLD_LIST = "hold:list"
    HOLD_SET = "hold:set"
    HOLD_RELEASE = "hold:release"
    RIGHT_ASK = "right:ask"
    RIGHT_IDENTIFY = "right:identify"
    RIGHT_LIST = "right:list"
    RIGHT_DECIDE = "right:decide"
    COMPLAINT_SEND = "complaint:send"
    COMPLAINT_LIST = "complaint:list"
    COMPLAINT_ANSWER = "complaint:answer"
    RETENTION_READ = "retention:read"
    RETENTION_CHANGE = "retention:change"
    CERTIFICATE_READ = "certificate:read"
    MINIMISATION_READ = "minimisation:read"
    PARTNER_READ = "partner:read"
    PARTNER_WRITE = "partner:write"
    PARTNER_KEY = "partner:key"
    REGISTER_READ = "register:read"
    REGISTER_WRITE = "register:write"
    RELEASE_ACCOUNT = "release:account"
    RELEASE_DISCLOSE = "release:disclose"
    RELEASE_READ = "release:read"
    RELEASE_MAKE = "release:make"
    RELEASE_REVIEW = "release:review"
    RELEASE_PUBLISH = "release:publish"
    RELEASE_WITHDRAW = "release:withdraw"
    DEADLINE_LIST = "deadline:list"
    DEADLINE_REVIEW = "deadline:review"
    WORKLIST_READ = "worklist:read"
    WORKLOAD_READ = "workload:read"
    FEED_READ = "feed:read"
    FEED_WRITE = "feed:write"
    ACCESS_ASK = "access:ask"
    ACCESS_LIST = "access:list"
    ACCESS_DECIDE = "access:decide"
    SEARCH_RUN = "search:run"
    DIRECTORY_SHARE = "directory:share"
    LEDGER_QUERY = "ledger:query"
    LEDGER_EXPORT = "ledger:export"
    LEDGER_REVIEW = "ledger:review"
    LEDGER_RELEASE = "ledger:release"
    SIGN_OFF_READ = "sign-off:read"
    LEAVER_COUNT = "leaver:count"
