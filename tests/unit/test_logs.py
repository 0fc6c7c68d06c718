"""Logs: only what is on the list comes out, whoever logs it and whatever went wrong."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator

import pytest
import structlog
from sqlalchemy import create_engine, text

from casevault import logs

# What a survivor's record could hold; none of it may ever be in a log.
NAME = "Zaziwe Testperson-Madeup"
WORDS = ("zaziwe", "testperson", "madeup", "15550100199", "/srv/secret")
FOREIGN = (
    "uvicorn",
    "uvicorn.error",
    "uvicorn.access",
    "uvicorn.asgi",
    "sqlalchemy.engine.Engine",
    "sqlalchemy.pool",
    "alembic.runtime.migration",
    "asyncio",
    "a.library.nobody.thought.of",
)


class Written(io.StringIO):
    """What was logged."""

    def lines(self) -> list[dict]:
        """Return every line as the JSON object that it must be."""
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def leaks(self) -> list[str]:
        """Return the words that came out."""
        return [word for word in WORDS if word in self.getvalue().lower()]


@pytest.fixture
def written() -> Iterator[Written]:
    """Configure the logs as a service does; put everything back afterwards."""
    root, names = logging.getLogger(), ("uvicorn", "uvicorn.error", "uvicorn.access", "sqlalchemy")
    kept = [(logging.getLogger(n), logging.getLogger(n).handlers) for n in names]
    before = root.handlers, root.level, logging.raiseExceptions
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    stream = Written()
    logs.configure("debug", stream)
    yield stream
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(False)
    root.handlers, level, logging.raiseExceptions = before
    root.setLevel(level)
    for logger, handlers in kept:
        logger.handlers = handlers
    structlog.reset_defaults()


def fail() -> None:
    """Fail as a careless library does: with what somebody typed in text and variables."""
    phone, path = "+15550100199", "/srv/secret/file"
    raise ValueError(f"cannot store {NAME} {phone} in {path}")


def test_the_list_is_the_one_that_was_reviewed():
    """A new key is a decision: it needs this line changed too."""
    reviewed = (
        "event level timestamp request_id route method status duration_ms actor slug code worker"
        " count phase port workers version dialect exception_type logger dropped"
    )
    assert set(logs.ALLOWED) == set(reviewed.split(" "))


def test_an_event_is_one_line_of_json(written: Written):
    """With level and time, and with what is on the list."""
    logs.get_logger().info("request", route="/v1/cases/{case_id}", status=200, duration_ms=1.5)
    (line,) = written.lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "route": "/v1/cases/{case_id}",
        "status": 200,
        "duration_ms": 1.5,
    }


@pytest.mark.parametrize(
    "key",
    ["name", "path", "url", "client", "body", "login", "passphrase", "exc_info", "stack", "detail"],
)
def test_a_key_that_is_not_listed_is_dropped_and_counted(written: Written, key: str):
    """The line says how many were dropped, not which."""
    logs.get_logger().info("request", **{key: NAME, "status": 200})
    (line,) = written.lines()
    assert line["dropped"] == 1
    assert line["status"] == 200
    assert key not in line
    assert written.leaks() == []


@pytest.mark.parametrize("key", sorted(logs.ALLOWED - {"event", "level", "timestamp", "dropped"}))
@pytest.mark.parametrize(
    "value",
    [
        NAME,
        NAME.lower(),
        f"two\nlines {NAME}",
        f'quoted"{NAME}',
        NAME.encode(),
        [NAME],
        {"name": NAME},
        (NAME,),
        ValueError(NAME),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_listed_key_holds_no_text(written: Written, key: str, value: object):
    """Templates, slugs and numbers pass; sentences, names and objects do not."""
    logs.get_logger().info("request", **{key: value})
    (line,) = written.lines()
    assert line[key] == "[redacted]"
    assert written.leaks() == []


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "", "a" * 120, "GET", "a-b_c.d:e/f{g}+h"])
def test_a_harmless_value_passes(written: Written, value: object):
    """What is short and looks like an identifier is what the log is for."""
    logs.get_logger().info("request", code=value)
    assert written.lines()[0]["code"] == value


@pytest.mark.parametrize(
    "event", [NAME, "opened for +15550100199", "a\nb", "", "a" * 81, "/srv/secret", 7, None]
)
def test_an_event_is_a_constant_in_small_letters(written: Written, event: object):
    """Whatever else stands in its place is redacted."""
    logs.get_logger().info(event)
    assert written.lines()[0]["event"] == "[redacted]"
    assert written.leaks() == []


def test_bound_values_are_filtered_too(written: Written):
    """What a logger carries along passes the same list."""
    logs.get_logger().bind(name=NAME, actor="abc").warning("request")
    (line,) = written.lines()
    assert line["actor"] == "abc"
    assert line["dropped"] == 1
    assert written.leaks() == []


@pytest.mark.parametrize("way", ["exception", "exc_info", "stack_info"])
def test_an_exception_of_ours_logs_no_text(written: Written, way: str):
    """No message, no local variable, no path of a file."""
    try:
        fail()
    except ValueError:
        if way == "exception":
            logs.get_logger().exception("failed")
        else:
            logs.get_logger().error("failed", **{way: True})
    (line,) = written.lines()
    assert line["event"] == "failed"
    assert written.leaks() == []
    assert "Traceback" not in written.getvalue()
    assert __file__ not in written.getvalue()


@pytest.mark.parametrize("name", FOREIGN)
def test_a_library_says_its_name_and_level_only(written: Written, name: str):
    """Message, arguments, exception, extra and stack of a foreign record stay inside."""
    logger = logging.getLogger(name)
    logger.error("cannot store %s", NAME)
    logger.error(NAME, extra={"client": NAME})
    logger.warning("%s from %s", NAME, "/srv/secret", stack_info=True)
    try:
        fail()
    except ValueError:
        logger.exception("failed for %s", NAME)
    found = written.lines()
    assert [(line["event"], line["logger"]) for line in found] == [("library", name)] * 4
    assert [line["level"] for line in found] == ["error", "error", "warning", "error"]
    assert found[3]["exception_type"] == "ValueError"
    assert written.leaks() == []
    assert __file__ not in written.getvalue()


def test_a_library_has_no_other_way_out(written: Written, capsys):
    """Nothing of these records is printed beside our handler."""
    for name in FOREIGN:
        logging.getLogger(name).error(NAME)
    printed = capsys.readouterr()
    assert printed.out + printed.err == ""


@pytest.mark.parametrize("level", [1, 5, 25, 35, 45, 60])
def test_a_level_of_a_librarys_own_does_no_harm(written: Written, level: int):
    """Such a record comes out at the level below it, and the library goes on."""
    logger = logging.getLogger("a.library.with.levels")
    logger.setLevel(1)
    logger.log(level, NAME)
    assert len(written.lines()) == 1
    assert written.leaks() == []


def test_the_database_layer_cannot_print_parameters(written: Written):
    """Not even with its own logging turned up to everything."""
    names = ("sqlalchemy.engine.Engine", "sqlalchemy.pool")
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    for logger, _ in before:
        logger.setLevel(logging.DEBUG)
    engine = create_engine("sqlite://", hide_parameters=False)
    try:
        with engine.connect() as connection:
            shown = connection.execute(text("SELECT :name"), {"name": NAME}).scalar_one()
    finally:
        engine.dispose()
        for logger, level in before:
            logger.setLevel(level)
    assert shown == NAME
    assert {line["logger"] for line in written.lines()} >= {names[0]}
    assert written.leaks() == []


def test_a_warning_says_nothing(written: Written):
    """Warnings of libraries come out as a name and a level."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn(NAME, UserWarning, stacklevel=1)
        logging.captureWarnings(False)
    assert [line["logger"] for line in written.lines()] == ["py.warnings"]
    assert written.leaks() == []


def _in_a_thread() -> None:
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


def _uncaught() -> None:
    try:
        fail()
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)


def _when_collected() -> None:
    class Careless:
        def __del__(self) -> None:
            fail()

    Careless()


@pytest.mark.parametrize("crash", [_in_a_thread, _uncaught, _when_collected])
def test_what_nobody_caught_is_named_by_its_class(
    written: Written, capsys, crash: Callable[[], None]
):
    """Python would print text and paths to the same place where the log goes."""
    logs.silence_crashes()
    crash()
    (line,) = written.lines()
    assert (line["event"], line["exception_type"]) == ("crash", "ValueError")
    assert written.leaks() == []
    printed = capsys.readouterr()
    assert printed.out + printed.err == ""


class _Full(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(28, NAME)


@pytest.mark.parametrize("full", [False, True])
def test_a_log_that_cannot_be_written_costs_lines_only(written: Written, capsys, full: bool):
    """Neither a full disk nor a closed pipe fails a request or brings out what was held back."""
    stream = _Full() if full else io.StringIO()
    if not full:
        stream.close()
    logs.configure("info", stream)
    logging.getLogger("uvicorn.error").error(NAME)
    logs.get_logger().info("request", status=200)
    printed = capsys.readouterr()
    assert printed.out + printed.err == ""


def test_a_planted_leak_is_found(written: Written, monkeypatch):
    """The tests above can fail: with one more key on the list the name comes out."""
    monkeypatch.setattr(logs, "ALLOWED", logs.ALLOWED | {"name"})
    logs.get_logger().info("request", name=NAME.replace(" ", ""))
    assert written.leaks()


def test_an_event_may_have_several_words(written: Written):
    """Events are constants of ours, and people read them."""
    logs.get_logger().error("ledger care failed", code="x")
    (line,) = written.lines()
    assert line["event"] == "ledger care failed"
