"""The pages of a letter behind a link: the door that asks for a code, the letter, the thanks.

In the recipient's language and direction, to print, without a script and without anything from
elsewhere. Nothing but the letter itself says what it is about. Pure; escaped here.
"""

from __future__ import annotations

from html import escape

from casevault.domain import vocabulary
from casevault.domain.pages import rendering
from casevault.domain.sharing.collecting import ANSWERS
from casevault.domain.sharing.referral_page import referral_html

_MOST_WORDS = 1000


def door(at: str, language: str, style_href: str, wrong: str = "") -> str:
    """Return the page that asks for the code; `wrong` is what to say about the one before."""
    note = f'<p class="keep" role="alert">{escape(wrong)}</p>\n' if wrong else ""
    body = (
        f"{note}<p>{_text('collect.ask', language)}</p>\n"
        f'<form method="post" action="{escape(at)}" autocomplete="off">\n'
        f'<p><label for="code">{_text("collect.code", language)}</label><br>\n'
        # Shown as it is typed: who holds the phone in the other hand must see what they typed.
        '<input id="code" name="code" dir="ltr" inputmode="numeric" maxlength="40" size="18"'
        " required autofocus></p>\n"
        f'<p><button type="submit">{_text("collect.open", language)}</button></p></form>\n'
        f'<p class="help">{_text("collect.limits", language)}</p>\n'
    )
    return rendering.page(_plain("collect.title", language), body, language, style_href)


def letter(
    packed: bytes | None,
    at: str,
    ticket: str,
    left: int,
    answered: str | None,
    language: str,
    style_href: str,
) -> str:
    """Return the letter, made from the very bytes that were previewed, with room to answer."""
    form = _answer_form(at, ticket, answered, language)
    if packed is None:
        spent = f"<p>{_text('collect.spent', language)}</p>\n"
        title = _plain("collect.title", language)
        return rendering.page(title, spent + form, language, style_href)
    count = (
        f'<p class="help screen">{_text("collect.left", language)}: <bdi dir="ltr">{left}</bdi>'
        f" · {_text('collect.limits', language)}</p>\n"
    )
    return referral_html(packed, language, style_href, count + form)


def thanks(language: str, style_href: str) -> str:
    """Return what is shown after an answer."""
    title = _plain("collect.thanks", language)
    return rendering.page(title, "", language, style_href)


def closed(why: str, hint: str, language: str, style_href: str, again: str = "") -> str:
    """Return what is shown instead of a letter that does not open (`again`: where to go back)."""
    body = f"<p>{escape(why)}</p>\n<p>{escape(hint)}</p>\n"
    if again:
        link = _text("collect.again", language)
        body += f'<p><a href="{escape(again)}">{link}</a></p>\n'
    return rendering.page(_plain("collect.closed", language), body, language, style_href)


def _answer_form(at: str, ticket: str, answered: str | None, language: str) -> str:
    before = ""
    if answered is not None:
        said = vocabulary.code_label("referral_outcome", answered, language)
        before = f"<p>{_text('collect.answered', language)}: {escape(said)}</p>\n"
    choices = "".join(
        f'<p><label><input type="radio" name="answer" value="{one.value}" required>'
        f" {_text(f'collect.{one.value}', language)}</label></p>\n"
        for one in ANSWERS
    )
    return (
        f'<section class="screen"><h2>{_text("collect.answer", language)}</h2>\n{before}'
        f'<form method="post" action="{escape(at)}/answer" autocomplete="off">\n{choices}'
        f'<p><label for="words">{_text("collect.words", language)}</label><br>\n'
        f'<textarea id="words" name="words" dir="auto" rows="4" cols="40"'
        f' maxlength="{_MOST_WORDS}"></textarea></p>\n'
        f'<input type="hidden" name="ticket" value="{escape(ticket)}">\n'
        f'<p><button type="submit">{_text("collect.send", language)}</button></p>'
        "</form></section>\n"
    )


def _plain(name: str, language: str) -> str:
    return vocabulary.form_text(name, language)


def _text(name: str, language: str) -> str:
    return escape(_plain(name, language))
