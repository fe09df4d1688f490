"""What the product says to people: the texts of templates, Python and documents, each with its line."""

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: Keyword arguments that people read, even if the text is a single word.
_READ = {"label", "help_text", "help", "verbose_name", "verbose_name_plural", "description", "title"}

_COMMENT = re.compile(r"{% comment %}.*?{% endcomment %}|{#.*?#}|<!--.*?-->|<(script|style)\b.*?</\1>", re.DOTALL)
_DJANGO = re.compile(r"{%.*?%}|{{.*?}}", re.DOTALL)
_HTML = re.compile(r"<[^>]*>")
_QUOTED = re.compile(r"""([\w-]+=)?(?:"([^"]*)"|'([^']*)')""")
_ATTRIBUTES = ("title=", "aria-label=", "placeholder=", "alt=")
_CODE = re.compile(r"^```.*?^```|^(?: {4,}|\t)[^\n]*$|`[^`]*`|\]\([^)]*\)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Text:
    """A text that people read, and where it begins. Paths are relative to the repository."""

    path: str
    line: int
    words: str


def of_pages_and_mails() -> Iterator[Text]:
    """Each template without its comments and tags."""
    for path in _files("templates/*"):
        yield Text(path, 1, without_tags((ROOT / path).read_text()))


def of_python() -> Iterator[Text]:
    """The strings of the product's code. Migrations are left out: they are a record of what was."""
    for path in _files("portal/*.py", "environments/*.py"):
        if "/migrations/" not in path:
            yield from strings(path, (ROOT / path).read_text())


def of_documents() -> Iterator[Text]:
    """Each document without its code, and the templates that the portal ships."""
    for path in _files("*.md"):
        yield Text(path, 1, without_code((ROOT / path).read_text()))
    for path in _files("environments/seeds/*.yaml"):
        yield Text(path, 1, (ROOT / path).read_text())


def without_tags(template: str) -> str:
    """A template's text; every line stays where it is."""
    return _HTML.sub(_said_by_html, _DJANGO.sub(_said_by_django, _COMMENT.sub(_blank, template)))


def without_code(document: str) -> str:
    """A document without code blocks, `code` and addresses of links; every line stays where it is."""
    return _CODE.sub(_blank, document)


def strings(path: str, source: str) -> Iterator[Text]:
    """The strings with a space in them, and those in arguments that people read. Docstrings and `code` are left out."""
    tree = ast.parse(source)
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    skipped = parts | {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    read = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg in _READ}
    for node in ast.walk(tree):
        words = _words(node) if id(node) not in skipped else ""
        if " " in words or (words and id(node) in read):
            yield Text(path, getattr(node, "lineno", 1), without_code(words))


def _words(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_words(part) or "…" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _said_by_django(tag: re.Match[str]) -> str:
    """What one template hands to another: the quoted texts with a space in them."""
    return _keep(tag, [said.span(said.lastindex or 0) for said in _QUOTED.finditer(tag[0]) if " " in said[0]])


def _said_by_html(tag: re.Match[str]) -> str:
    """The attributes that people read."""
    return _keep(tag, [said.span(said.lastindex or 0) for said in _QUOTED.finditer(tag[0]) if said[1] in _ATTRIBUTES])


def _keep(tag: re.Match[str], spans: list[tuple[int, int]]) -> str:
    text = list(_blank(tag))
    for start, end in spans:
        text[start:end] = tag[0][start:end]
    return "".join(text)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"\S", " ", match[0])


def _files(*patterns: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


#: What the portal says of a cluster that is switched off.
REFUSED = "The cluster refuses the connection: nothing answers at this address and port."
