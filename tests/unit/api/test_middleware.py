"""What surrounds every request: ids, headers, limits of size and time, names, one log line."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import uvicorn
from starlette.responses import JSONResponse
from structlog.testing import capture_logs

from casevault.api.middleware import BodyGuard, HostGuard, RequestContext
from casevault.errors import Refused
from tests.unit.api.bad_json import BAD, MARKER

LIMIT = 1000
SECURITY = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
}
JSON = ("content-type", "application/json")


@dataclass
class Answer:
    """What came back."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def problem(self) -> dict:
        """The problem document."""
        assert self.headers["content-type"] == "application/problem+json"
        return json.loads(self.body)


@dataclass
class Inner:
    """An application that keeps what it was given, and may fail."""

    error: Exception | None = None
    begin: bool = False
    bodies: list[bytes] = field(default_factory=list)
    states: list[dict] = field(default_factory=list)

    async def __call__(self, scope, receive, send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(body)
        self.states.append(scope.get("state", {}))
        if self.begin:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        if self.error is not None:
            raise self.error
        answer = JSONResponse({"fine": True}, headers={"Referrer-Policy": "same-origin"})
        await answer(scope, receive, send)


def around(inner, seconds: float = 5.0):
    """Return an application with everything around it that ours has."""
    guarded = BodyGuard(inner, LIMIT, seconds)
    return RequestContext(HostGuard(guarded, ["localhost", "*.example.org", "[::1]"]))


def ask(app, *headers: tuple[str, str], body=(b"",), method: str = "POST", end=None) -> Answer:
    """Send one request; `body` are its chunks, `end` stands in the place of the last message."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in body]
    messages[-1]["more_body"] = False
    if end is not None:
        messages[-1] = end
    found, waiting = Answer(), iter(messages)
    given = {"host": "localhost", **dict(headers)}

    async def receive():
        for message in waiting:
            if message == "nothing":
                await asyncio.sleep(30)
            return message
        return {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.start":
            found.status = message["status"]
            found.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            found.body += message.get("body", b"")

    scope = {
        "type": "http",
        "method": method,
        "path": "/" + MARKER,
        "query_string": b"",
        "headers": [(k.encode(), v.encode()) for k, v in given.items()],
    }
    asyncio.run(app(scope, receive, send))
    return found


# --- ids and headers -----------------------------------------------------------------------------


def test_every_answer_has_an_id_of_its_own():
    """32 hexadecimal digits, known to the application and sent to the client."""
    inner = Inner()
    answers = [ask(around(inner)) for _ in range(3)]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == 3
    assert all(re.fullmatch(r"[0-9a-f]{32}", found) for found in ids)
    assert [state["request_id"] for state in inner.states] == ids


def test_a_proxy_may_bring_the_id():
    """So that its log can be compared with the ledger."""
    given = "0123456789abcdef" * 2
    assert ask(around(Inner()), ("x-request-id", given)).headers["x-request-id"] == given


@pytest.mark.parametrize(
    "given", ["", "short", MARKER, "A" * 32, "0" * 33, "0" * 31 + "\n", "é" * 16]
)
def test_any_other_id_is_replaced(given: str):
    """An id ends up in logs and in the ledger: it is no place for text."""
    found = ask(around(Inner()), ("x-request-id", given)).headers["x-request-id"]
    assert found != given
    assert re.fullmatch(r"[0-9a-f]{32}", found)


ANSWERS = {
    "good": lambda: ask(around(Inner())),
    "unknown name": lambda: ask(around(Inner()), ("host", "elsewhere")),
    "too large": lambda: ask(around(Inner()), JSON, body=(b"1" * (LIMIT + 1),)),
    "too slow": lambda: ask(around(Inner(), 0.01), end="nothing"),
    "bad JSON": lambda: ask(around(Inner()), JSON, body=(b"{",)),
    "wrong type": lambda: ask(around(Inner()), body=(b"{}",)),
    "unexpected": lambda: ask(around(Inner(RuntimeError(MARKER)))),
    "error of ours": lambda: ask(around(Inner(Refused(MARKER)))),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_security_headers_are_on_every_answer(kind: str):
    """On errors too, the unexpected one included; what a page set itself stays."""
    answer = ANSWERS[kind]()
    wanted = SECURITY | ({"referrer-policy": "same-origin"} if kind == "good" else {})
    assert {name: answer.headers.get(name) for name in SECURITY} == wanted
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("kind", sorted(set(ANSWERS) - {"good"}))
def test_every_refusal_is_a_problem_document(kind: str):
    """With the request's id in it, and with nothing of the request."""
    answer = ANSWERS[kind]()
    problem = answer.problem
    assert problem["status"] == answer.status
    assert problem["instance"] == "urn:uuid:" + answer.headers["x-request-id"]
    assert set(problem) <= {"type", "title", "status", "detail", "code", "instance", "errors"}
    assert MARKER not in answer.body.decode()


def test_a_refusal_speaks_the_clients_language():
    """The guards look at Accept-Language as routes do."""
    answer = ask(around(Inner()), ("host", "elsewhere"), ("accept-language", "fr"))
    assert answer.headers["content-language"] == "fr"
    assert answer.problem["detail"].startswith("Ce service")


# --- failures ------------------------------------------------------------------------------------


def test_an_unexpected_failure_is_500_without_its_text():
    """Its class is logged, its text is not."""
    with capture_logs() as logged:
        answer = ask(around(Inner(ValueError(MARKER))))
    assert answer.status == 500
    assert answer.problem["code"] == "internal"
    assert {"event": "unexpected", "exception_type": "ValueError", "log_level": "error"} in logged
    assert MARKER not in str(logged)


def test_a_failure_in_the_middle_of_an_answer_ends_it():
    """A second beginning would be taken for content: the server cuts the connection instead."""
    with pytest.raises(ValueError, match=MARKER):
        ask(around(Inner(ValueError(MARKER), begin=True)))


def test_one_line_is_logged_for_a_request():
    """Method, status and duration; no path, no address."""
    with capture_logs() as logged:
        ask(around(Inner()), ("x-request-id", "ab" * 16))
    (line,) = logged
    assert line.pop("duration_ms") >= 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "request_id": "ab" * 16,
        "route": None,
        "method": "POST",
        "status": 200,
        "actor": None,
    }


def test_a_method_is_no_place_for_words():
    """A client may send any word as the method; the log has the usual ones."""
    with capture_logs() as logged:
        ask(around(Inner()), method=MARKER)
    assert logged[0]["method"] == "other"
    assert MARKER not in str(logged)


# --- bodies --------------------------------------------------------------------------------------


def test_a_body_comes_through_as_it_was_sent():
    """In one piece or in many."""
    body = b'{"a": [1, 2, 3]}'
    inner = Inner()
    ask(around(inner), JSON, body=(body,))
    ask(around(inner), JSON, body=(body[:4], b"", body[4:]))
    assert inner.bodies == [body, body]


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("piece", [100, LIMIT + 1])
def test_the_limit_is_exact(size: int, declared: bool, piece: int):
    """By Content-Length or, where there is none, by what has arrived."""
    inner = Inner()
    body = b'"' + b"x" * (size - 2) + b'"'
    chunks = tuple(body[at : at + piece] for at in range(0, size, piece))
    length = (("content-length", str(size)),) if declared else ()
    answer = ask(around(inner), JSON, *length, body=chunks)
    if size == LIMIT:
        assert (answer.status, inner.bodies) == (200, [body])
    else:
        assert (answer.status, inner.bodies) == (413, [])
        assert answer.problem["code"] == "body.too-large"
        assert answer.headers["connection"] == "close"


def test_a_chunked_body_is_given_up_at_the_limit():
    """What comes after it is not read: a body without end costs no memory."""
    read = []

    def endless():
        while True:
            read.append(1)
            yield {"type": "http.request", "body": b"x" * 100, "more_body": True}

    inner, source = Inner(), endless()
    found = Answer()

    async def receive():
        return next(source)

    async def send(message):
        if message["type"] == "http.response.start":
            found.status = message["status"]

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"host", b"localhost")]}
    asyncio.run(around(inner)(scope, receive, send))
    assert found.status == 413
    assert len(read) <= LIMIT // 100 + 1
    assert inner.bodies == []


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "+5", " 5", "9" * 13, "9" * 5000, "٣" * 13])
def test_a_strange_length_is_too_large(length: str):
    """A length that is no number of bytes is not believed."""
    inner = Inner()
    assert ask(around(inner), JSON, ("content-length", length), body=(b"{}",)).status == 413
    assert inner.bodies == []


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
    ],
)
def test_only_json_is_taken(kind: str):
    """Which also keeps forms of foreign pages out."""
    inner = Inner()
    answer = ask(around(inner), ("content-type", kind), body=(b"{}",))
    assert answer.status == 415
    assert answer.problem["code"] == "body.type"
    assert inner.bodies == []


@pytest.mark.parametrize("kind", ["application/json; charset=UTF-8", "Application/JSON"])
def test_json_may_be_spelt_as_http_allows(kind: str):
    """The type is compared without case, and UTF-8 may be named."""
    assert ask(around(Inner()), ("content-type", kind), body=(b"{}",)).status == 200


@pytest.mark.parametrize("name", [name for name in BAD if len(BAD[name][0]) <= LIMIT])
def test_bad_json_does_not_reach_the_application(name: str):
    """400 with the code of what is wrong, nothing of the body."""
    inner = Inner()
    answer = ask(around(inner), JSON, body=(BAD[name][0],))
    assert answer.status == 400
    assert answer.problem["code"] == "json." + BAD[name][1]
    assert MARKER not in answer.body.decode()
    assert inner.bodies == []


def test_a_request_without_body_needs_no_type():
    """GET and DELETE come without one."""
    inner = Inner()
    assert ask(around(inner), method="DELETE").status == 200
    assert inner.bodies == [b""]


def test_half_a_body_is_no_request():
    """When the client goes away, what it had sent by then is not carried out."""
    inner = Inner()
    with capture_logs() as logged:
        answer = ask(around(inner), JSON, body=(b"{", b"}"), end={"type": "http.disconnect"})
    assert answer.status == 0
    assert inner.bodies == []
    assert logged[0]["status"] == 499


def test_a_body_that_does_not_come_is_given_up():
    """After the time for reading the answer is 408, and the connection is closed."""
    inner = Inner()
    began = time.monotonic()
    answer = ask(around(inner, 0.1), JSON, body=(b"{", b"}"), end="nothing")
    assert time.monotonic() - began < 2
    assert answer.status == 408
    assert answer.problem["code"] == "body.timeout"
    assert answer.headers["connection"] == "close"
    assert inner.bodies == []


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST", "localhost:8000", "a.example.org", "a.b.example.org:1", "[::1]:80"],
)
def test_our_own_names_are_served(host: str):
    """With any port and in any case."""
    assert ask(around(Inner()), ("host", host)).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "elsewhere",
        "localhost.evil.example",
        "evil-localhost",
        "example.org",
        "evilexample.org",
        "localhost:8000:1",
        "localhost@evil.example",
        "localhost, evil.example",
        "localhost/",
        "localhost\t",
        "*.example.org@",
        MARKER,
    ],
)
def test_another_name_is_refused(host: str):
    """A page elsewhere that resolves its name to our address learns nothing."""
    inner = Inner()
    answer = ask(around(inner), ("host", host))
    assert answer.status == 400
    assert answer.problem["code"] == "host.unknown"
    assert inner.states == []
    assert host == "" or host not in answer.body.decode()


def test_a_name_without_pattern_has_no_subdomains():
    """An empty list of endings fits nothing."""
    app = HostGuard(Inner(), ["localhost"])
    assert ask(app, ("host", "localhost")).status == 200
    assert ask(app, ("host", "a.localhost")).status == 400


# --- on a real socket ----------------------------------------------------------------------------


@pytest.fixture
def port() -> Iterator[int]:
    """Serve the middleware with a short time for reading; give the port."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(around(Inner(), 0.3), log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    until = time.monotonic() + 10
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(timeout=10)
    listening.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"Content-Length: 100\r\n\r\n{", b"408"),
        (b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", b"408"),
        (b"Content-Length: 100000\r\n\r\n{", b"413"),
        (b"Transfer-Encoding: chunked\r\n\r\n7D0\r\n" + b"x" * 2000 + b"\r\n", b"413"),
        (b"Content-Length: 1, 2\r\n\r\n{}", b"400"),
    ],
)
def test_a_slow_or_large_body_costs_one_connection_for_a_moment(
    port: int, sent: bytes, status: bytes
):
    """Over a real socket: the answer comes, and the server hangs up."""
    head = b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(head + sent)
        answer = b""
        while piece := client.recv(65_536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 " + status)


def test_a_request_with_two_lengths_hides_no_second_one(port: int):
    """A proxy that believes the other length would take somebody's request for the body."""
    first = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    second = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\n" + first + second)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1
    assert b'"code":"body.framing"' in answer
