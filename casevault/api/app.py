"""The application: routes, limits, problem documents and documentation around one vault."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from casevault import __version__, logs
from casevault.api import docs_page, problems, uploads
from casevault.api.deps import needs
from casevault.api.middleware import BodyGuard, HostGuard, LockdownGuard, RequestContext
from casevault.api.routes import (
    access_requests,
    alerts,
    approvals,
    auth,
    break_glass,
    cases,
    collect,
    consents,
    drafts,
    exchange,
    feeds,
    files,
    handover,
    health,
    inbox,
    ledger,
    looks,
    minimisation,
    own,
    partners,
    records,
    referrals,
    register,
    releases,
    retention,
    rights,
    safety,
    search,
    staff,
    vocabulary,
    worklist,
)
from casevault.api.routing import Router
from casevault.bootstrap import (
    Vault,
    open_vault,
)
from casevault.config import load_settings
from casevault.crypto.roots import RootsKey
from casevault.domain.staff.access import Permission
from casevault.host import harden_process, read_boot_secret, settle_memory

DESCRIPTION = (
    "Case management in which the key is the permission. Errors are problem documents (RFC 9457);"
    " changes need If-Match; lists are paged by cursor."
)
docs = Router(tags=["docs"])
ROUTERS = (
    health.router,
    auth.router,
    own.router,
    staff.router,
    safety.router,
    handover.router,
    break_glass.router,
    cases.router,
    records.router,
    consents.router,
    files.router,
    referrals.router,
    collect.router,
    inbox.router,
    exchange.router,
    partners.router,
    register.router,
    releases.router,
    minimisation.router,
    retention.router,
    rights.router,
    search.router,
    access_requests.router,
    drafts.router,
    worklist.router,
    feeds.router,
    approvals.router,
    ledger.router,
    alerts.router,
    looks.router,
    vocabulary.router,
    docs,
)


def create_app(vault: Vault) -> FastAPI:
    """Return the application that serves `vault`; it starts and closes the vault's caretaker."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # As many threads as connections: a thread that waits for a connection helps nobody.
        to_thread.current_default_thread_limiter().total_tokens = vault.settings.threads
        vault.caretaker.start()
        yield
        await to_thread.run_sync(vault.close)

    app = FastAPI(
        title="CaseVault",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        # The stock pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.vault = vault
    app.state.uploads = uploads.Slots()
    for router in ROUTERS:
        app.include_router(router)
    problems.install(app)
    app.add_middleware(BodyGuard, limit=vault.settings.body_limit, read_by_route=files.is_upload)
    app.add_middleware(LockdownGuard, is_shut=vault.lockdowns.is_shut)
    app.add_middleware(HostGuard, names=vault.settings.trusted_hosts)
    app.add_middleware(RequestContext)
    return app


def of_worker(key: RootsKey, config: Path) -> FastAPI:
    """Return the application of one worker process; `key` is what the service handed to it."""
    settings = load_settings(config)
    logs.configure(settings.log_level)
    logs.silence_crashes()
    harden_process()
    app = create_app(open_vault(settings, read_boot_secret(settings), key=key))
    settle_memory()
    return app


@docs.get("/openapi.json", operation_id="read_openapi", openapi_extra=needs(Permission.DOCS_READ))
def read_openapi(request: Request) -> JSONResponse:
    """Return this interface as OpenAPI."""
    return JSONResponse(request.app.openapi())


@docs.get(
    "/docs",
    operation_id="read_docs",
    response_class=HTMLResponse,
    openapi_extra=needs(Permission.DOCS_READ),
)
def read_docs(request: Request) -> HTMLResponse:
    """Return this interface as a page for people."""
    page = docs_page.render(request.app.openapi())
    return HTMLResponse(page, headers={"Content-Security-Policy": docs_page.CSP})


@docs.get(
    "/docs/style.css",
    operation_id="read_docs_style",
    response_class=Response,
    openapi_extra=needs(Permission.DOCS_READ),
)
def read_docs_style() -> Response:
    """Return the page's style sheet."""
    return Response(docs_page.STYLE, media_type="text/css")
