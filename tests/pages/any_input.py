"""Every form and every parameter that the pages of the gallery have, and what might be entered there.

They are found on the pages, so that a new form is tested without being listed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote_from_bytes, urlencode, urljoin, urlsplit

from bs4 import BeautifulSoup, Tag
from django.http import HttpResponse
from django.test import Client
from django.urls import Resolver404, resolve

from tests.pages.visits import Visits

#: What breaks programs: NUL and halves of characters, numbers and dates out of range, what is no id, what is very long,
#: digits that are no number, and the syntax of everything that texts are put into.
NASTY = (
    b"\0", b"a\0b", b"\xed\xa0\x80", b"\xff\xfe", b"", b" ", b"\r\n\r\n", b"x" * 70_000,
    b"9" * 400, b"99999999999999999999", b"2147483648", b"-1", b"0", b"1e400", b"1e-400", b"NaN", b"Infinity", b"1_0",
    "²".encode(), "٣".encode(), b"0x10", b"1.5", b"5e8m", b"9" * 30 + b"Ei", b"-0", b"1,5",
    b"0001-01-01", b"9999-12-31", b"10000-01-01", b"2026-02-30", b"0000-00-00", b"9999-12-31T23:59:59Z",
    b"not-a-uuid", b"00000000-0000-0000-0000-000000000000", b"'\"--;", b"%s %(a)s %", b"{0.__class__} {x!r:{y}}",
    b"${cpu} {{ 7 }} {% x %}", b"../../etc/passwd", b"[" * 5000, b"{" * 5000, b"[]", b"{}", b"null", b'"', b'{"a": 1}',
    b"&a [*a, *a]", b"a: &x [*x]", b"!!python/object:os.system {}", b"- - - -", b"on", b"True",
    b"\xe2\x80\xae\xe2\x80\x8b",
    "😀".encode(), b"<script>", b"a@b", b"a" * 64 + b"@" + b"b" * 250 + b".com", b"http://[", b"https://a:99999/",
    b"//",
    b"https://\xe2\x84\x80.example", b"javascript:alert(1)", b"*", b"\\", b"(((((", b"(a+)+$", b".", b"-", b",,,,",
    b"\t",
    b"-----BEGIN CERTIFICATE-----", b"eyJhbGciOiJub25lIn0.e30.", b"a,b\na@b.c", b"\x1b[31m", b"\x7f", b"\xc2\x85",
)  # fmt: skip
_OPEN = 5  # of many fields with the same name or of a table: more of them are alike


@dataclass(frozen=True)
class Form:
    """A form as a browser would send it. `fields`: each name with what is in it."""

    role: str
    method: str
    action: str
    fields: tuple[tuple[str, str], ...]

    @property
    def kind(self) -> tuple[str, str, frozenset[str]]:
        """Forms alike are one: the same route and fields."""
        return (self.method, _route(self.action), frozenset(_like(name) for name, _ in self.fields))

    def with_value(self, name: str, value: bytes) -> bytes:
        """The body, with this in a field."""
        pairs = [(other, text.encode(errors="replace")) for other, text in self.fields if other != name]
        return "&".join(
            f"{quote_from_bytes(key.encode())}={quote_from_bytes(text)}" for key, text in [*pairs, (name, value)]
        ).encode()

    def send(self, client: Client, body: bytes) -> HttpResponse:
        """The answer."""
        if self.method == "get":
            return client.get(f"{self.action.partition('?')[0]}?{body.decode()}")
        return client.post(self.action, body, content_type="application/x-www-form-urlencoded")


@dataclass
class Found:
    """What the pages have: forms, and the parameters of each address."""

    forms: dict[object, Form] = field(default_factory=dict)
    addresses: dict[str, tuple[str, str, set[str]]] = field(default_factory=dict)


def find(visits: Visits) -> Found:
    """All forms and links of these pages, each kind once."""
    found = Found()
    for shown in visits.pages:
        role = next((name for name in ("owner", "manager", "local") if shown.name.endswith(f" as {name}")), "admin")
        soup = BeautifulSoup(shown.response.content, "html.parser")
        _note(found, role, shown.path)
        for link in soup.select("a[href^='?'], a[href^='/'], [hx-get]"):
            _note(found, role, urljoin(shown.path, str(link.get("href") or link.get("hx-get"))))
        for node in soup.find_all("form"):
            form = _form(role, shown.path, node)
            if form.method == "get":
                _note(found, role, f"{form.action}?{urlencode(form.fields)}")
            found.forms.setdefault(form.kind, form)
    return found


def _note(found: Found, role: str, url: str) -> None:
    parts = urlsplit(url)
    if parts.netloc or not _route(parts.path):
        return
    route = _route(parts.path)
    names = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    found.addresses.setdefault(route, (role, parts.path, set()))[2].update(names)


def _form(role: str, path: str, node: Tag) -> Form:
    action = urljoin(path, str(node.get("action") or path))
    method = str(node.get("method") or "get").lower()
    return Form(role, method, action, tuple(_fields(node)))


def _fields(node: Tag) -> Iterator[tuple[str, str]]:
    seen: dict[str, int] = {}
    for each in node.select("input[name], textarea[name], select[name], button[name]"):
        name = str(each["name"])
        seen[_like(name)] = seen.get(_like(name), 0) + 1
        if name == "csrfmiddlewaretoken" or seen[_like(name)] > _OPEN:
            continue
        if each.get("type") in ("checkbox", "radio") and not each.has_attr("checked") and seen[_like(name)] > 1:
            continue
        yield name, _value(each)


def _value(node: Tag) -> str:
    if node.name == "textarea":
        return node.get_text().removeprefix("\n")
    if node.name == "select":
        chosen = node.select_one("option[selected]") or node.select_one("option")
        return str(chosen.get("value", "")) if chosen else ""
    return str(node.get("value", "on" if node.get("type") in ("checkbox", "radio") else ""))


def _like(name: str) -> str:
    return re.sub(r"\d+", "N", name)


def _route(path: str) -> str:
    try:
        return str(resolve(path.partition("?")[0]).route)
    except Resolver404:
        return ""
