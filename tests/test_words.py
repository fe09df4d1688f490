"""Pages, mails, messages and documents avoid words that readers stumble over. Each finding names a better one."""

import re
from collections.abc import Iterable

import pytest

from tests import texts
from tests.texts import Text

#: A pattern (a space stands for any white space) and what to write instead.
BANNED: tuple[tuple[str, str], ...] = (
    # People
    (r"\bwho(m|s)?ever\b", "name the person or role: the owner, the approver, platform admins"),
    (r"\bnobody\b", "name who: no member, only the owner, no platform admin"),
    (r"\bsomebody\b", "name the person or role, or say someone"),
    (r"\b(someone|anyone|anybody|those) who\b", "name the role: members, owners, approvers"),
    (r"\b(is|are|was|were) told\b", "we email …, … sees, … gets an alert"),
    (r"\bsa(y|ys|id) (yes|no)\b", "allows, confirms, rejects"),
    (r"\bpresent owner\b", "current owner"),
    (r"\bYou may not\b", "You don't have permission to …"),
    # Time
    (r"\b(meanwhile|in the meantime)\b", "until then; or leave it out"),
    (r"\bany ?more\b", "no longer"),
    (r"\bput(s|ting)? (it |its end |the end )?off\b", "extend, postpone"),
    (r"\blately\b", "recently"),
    (r"\bover already\b", "has already ended, has already been deleted"),
    (r"\bfor good\b", "permanently; a cluster is lost"),
    (r"\bby (itself|themselves)\b", "automatically; or on its own"),
    # Deeds and states
    (r"\btak(e|es|en|ing) (\S+ ){0,4}away\b", "remove, revoke"),
    (r"\b(give|gives|giving) access\b", "add people, grant access"),
    (r"\bwhat (goes|stays)\b", "what will be deleted, what is kept"),
    (r"\b(is|are|was|were) gone\b", "was deleted, is missing, is no longer there"),
    (r"\blook(s|ed|ing)? at it\b", "reload the page, check, review"),
    (r"\blook(s|ed|ing)? again\b", "check again"),
    (r"\b(looked at)\b", "checked, viewed"),
    (r"\bthrow(s|n|ing)? away\b", "discard"),
    (r"\bmend(s|ed|ing)?\b", "fix"),
    (r"\bproven\b", "verify, verified"),
    (r"\bnothing (of it )?(is|was) made\b", "nothing is created, nothing was created"),
    (r"\bknows no\b", "… was not found"),
    (r"\bthere is nothing here\b", "Page not found"),
    (r"\b[Ss]end it once more\b", "try again"),
    (r"(?-i:\bSay\b)", "Enter, Choose"),
    # Little words
    (r"\blest\b", "so that … does not"),
    (r"\bbut for\b", "except"),
    (r"\ball the same\b", "still, anyway"),
    # Spelling and tone
    (r"\be-mail", "email"),
    (r"\blog(s|ged|ging)? in\b(?! which)|(?<![-./\w])log-?in(?![-./\w])", "sign in; the noun is sign-in"),
    # Back-Channel Logout is a standard's name, and its tokens are logout tokens: admins find them so at the provider.
    (r"\blog(s|ged|ging)? (out|off)\b|(?<!back-channel.)\blog-?out\b(?!.token)", "sign out"),
    (r"\b(a|the|this|that|your|each|every|first|single) sign in\b", "sign-in (the noun)"),
    (r"(?-i:\b[Cc]lient id\b)", "client ID"),
    (r"\b(sorry|oops|unfortunately|apolog\w+)\b", "say what is wrong and what to do"),
    (r"\w!(?=\s|$)", "no exclamation marks"),
)

#: Texts that keep a banned word: the path, the words, and why.
EXEMPT: dict[tuple[str, str], str] = {
    ("environments/directory/okta.py", "login"): "a field in Okta's filter language",
}

_COMPILED = [(re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE), better) for pattern, better in BANNED]

SOURCES = {
    "pages and mails": texts.of_pages_and_mails,
    "messages": texts.of_python,
    "documents": texts.of_documents,
}


def findings(said: Iterable[Text]) -> list[str]:
    """`path:line: words → better` for every banned word, in the order of the files."""
    found = []
    for text in said:
        for pattern, better in _COMPILED:
            for match in pattern.finditer(text.words):
                words = " ".join(match[0].split())
                if (text.path, words.lower()) not in EXEMPT:
                    line = text.line + text.words.count("\n", 0, match.start())
                    found.append((text.path, line, f"{text.path}:{line}: {words!r} → {better}"))
    return [sentence for _, _, sentence in sorted(found)]


@pytest.mark.parametrize("source", SOURCES)
def test_no_text_uses_a_word_that_readers_stumble_over(source):
    said = list(SOURCES[source]())
    assert len(said) > 15, "nothing was read"
    found = findings(said)
    assert not found, "\n".join(["", *found, f"{len(found)} findings in {source}"])


def test_every_exemption_is_still_needed():
    said = [text for source in SOURCES.values() for text in source()]
    for path, words in EXEMPT:
        assert any(text.path == path and words in " ".join(text.words.lower().split()) for text in said), (path, words)


def test_in_templates_comments_and_tags_are_not_read_but_what_they_say_is():
    template = (
        "{# nobody #}{% comment %}lest{% endcomment %}<!-- sorry -->\n"
        '<p class="any more" title="Nobody yet">Somebody\n<b>who</b></p>{% include "x.html" with a="put off" %}'
    )
    assert findings([Text("a.html", 1, texts.without_tags(template))]) == [
        "a.html:2: 'Nobody' → name who: no member, only the owner, no platform admin",
        "a.html:2: 'Somebody' → name the person or role, or say someone",
        "a.html:3: 'put off' → extend, postpone",
    ]


def test_in_python_messages_are_read_and_docstrings_are_not():
    source = '"""Nobody."""\nraise ValidationError(f"{name} is\\ntold")\nCharField(label="E-mail")\nreverse("login")\n'
    assert findings(texts.strings("a.py", source)) == [
        "a.py:2: 'is told' → we email …, … sees, … gets an alert",
        "a.py:3: 'E-mail' → email",
    ]


def test_in_documents_code_is_not_read():
    document = "# Log in\n\n    nobody\n\n`lest` [here](docs/any more)\n```\nsorry\n```\nDone!\n"
    assert findings([Text("a.md", 1, texts.without_code(document))]) == [
        "a.md:1: 'Log in' → sign in; the noun is sign-in",
        "a.md:9: 'e!' → no exclamation marks",
    ]
