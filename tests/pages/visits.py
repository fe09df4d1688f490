"""Every page, rendered once from the world of `gallery.py`.

Each route of the URL table is asked for as a developer, a manager and a platform admin; what is not found that way has
a line below. So a new page is looked at without being listed, and a route that answers with no page must say why.
"""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from allauth.account.forms import EmailAwarePasswordResetTokenGenerator
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from bs4 import BeautifulSoup, Tag
from django.apps import apps
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.test import Client, RequestFactory
from django.urls import resolve

from environments import reports
from environments.models import TemplateVersion, User
from portal.local import invitations
from tests.pages.gallery import World
from tests.portal.local_people import code, recovery_codes, sign_in
from tests.routes import routes

ROLES = ("owner", "manager", "admin")
#: Routes that answer GET with something other than a page.
_ONLY_READ = "is refused: the admin shows these rows, and neither adds nor deletes them"
NO_PAGE = {
    "/accounts/oidc/<slug:provider>/login/": "leads to the provider",
    "/accounts/oidc/<slug:provider>/login/callback/": "is where the provider leads back to",
    "/accounts/oidc/sso/login/callback/": "is where the provider leads back to",
    "/admin/login/": "leads to the portal's own",
    "/admin/autocomplete/": "JSON",
    "/admin/jsi18n/": "a script",
    "/environments/<slug:namespace>/usage/csv/": "a download",
    "/environments/<slug:namespace>/kubeconfig/oidc/": "a download",
    "/reports/<slug:report>.csv": "a download",
    "/reports/<slug:report>.xlsx": "a download",
    "/healthz": "for machines",
    "/readyz": "for machines",
    "/metrics": "for machines",
    "/admin/admin/logentry/<path:object_id>/delete/": _ONLY_READ,
    "/admin/admin/logentry/add/": _ONLY_READ,
    "/admin/environments/condition/<path:object_id>/delete/": _ONLY_READ,
    "/admin/environments/condition/add/": _ONLY_READ,
    "/admin/environments/environment/<path:object_id>/delete/": _ONLY_READ,
    "/admin/environments/environment/add/": _ONLY_READ,
    "/admin/environments/event/<path:object_id>/delete/": _ONLY_READ,
    "/admin/environments/event/add/": _ONLY_READ,
    "/admin/environments/invitation/<path:object_id>/delete/": _ONLY_READ,
    "/admin/environments/networkopening/<path:object_id>/delete/": "is refused while an environment has it",
    "/admin/environments/standin/<path:object_id>/delete/": _ONLY_READ,
    "/admin/environments/template/<path:object_id>/delete/": _ONLY_READ,
    "/admin/environments/templateversion/<path:object_id>/delete/": _ONLY_READ,
    "/admin/environments/templateversion/add/": _ONLY_READ,
    "/admin/environments/user/<path:object_id>/delete/": _ONLY_READ,
}
HTML = "text/html"
NOWHERE = "/failing/"  # where error pages are shown, which have no address of their own


@dataclass(frozen=True)
class Shown:
    """A page as it was answered: a name for the report, the address that it is shown at, and who saw it."""

    name: str
    path: str
    response: HttpResponse


class Visits:
    """What was answered: the pages, each look of a route once, and the routes that gave none."""

    def __init__(self) -> None:
        self.pages: list[Shown] = []
        self.routes: set[str] = set()
        self.without: set[str] = set()
        self._seen: set[tuple[str, frozenset[str]]] = set()

    def add(self, shown: Shown) -> None:
        """Take a page, unless one of the same route looks like it."""
        path = shown.path.partition("?")[0]
        route = path if path.startswith(NOWHERE) else "/" + resolve(path).route
        self.routes.add(route)
        look = (route, _look(shown.response))
        if look not in self._seen:
            self._seen.add(look)
            self.pages.append(shown)


def collect(world: World) -> Visits:
    """Every page."""
    clients = {name: Client() for name in ROLES}
    for name, client in clients.items():
        client.force_login(world.people[name])
    visits = Visits()
    for route in sorted(set(routes())):
        _visit(visits, world, route, clients)
    for shown in (*_states(world, clients), *_mistakes(world, clients), *_accounts(world), *_failures()):
        assert _is_page(shown.response), (shown.name, shown.response.status_code, shown.response.get("Location"))
        visits.add(shown)
    visits.without -= visits.routes
    return visits


def _is_page(response: HttpResponse) -> bool:
    is_html = response.get("Content-Type", "").startswith(HTML) and not response.streaming
    return is_html and response.status_code not in (301, 302, 405) and b"<main" in response.content


def _visit(visits: Visits, world: World, route: str, clients: dict[str, Client]) -> None:
    """One route as everybody."""
    if "(?P" in route or route.endswith(("/<path:object_id>/", "/logout/", "/admin/r/<path:content_type_id>")):
        return  # Django's ways from an older address to a newer one, and its list of one app
    for path in _addresses(route, world):
        answers = {role: _answer(clients[role], path) for role in _looking(route)}
        if all(answer.status_code == 405 for answer in answers.values()):
            return  # only posted to
        found = {role: answer for role, answer in answers.items() if answer.status_code == 200 and _is_page(answer)}
        for role, answer in found.items():
            visits.add(Shown(f"{path} as {role}", path, answer))
        if not found:
            visits.without.add(route)


def _looking(route: str) -> tuple[str, ...]:
    """Who looks, the most powerful first; the admin is closed to everybody else."""
    return ("admin",) if route.startswith("/admin/") else tuple(reversed(ROLES))


def _answer(client: Client, path: str) -> HttpResponse:
    response = client.get(path)
    if response.streaming:
        response.close()  # a download holds a file
    return response


def _look(response: HttpResponse) -> frozenset[str]:
    """What makes two pages look alike: the same kinds of elements within each other, whatever is written in them."""
    main = BeautifulSoup(response.content, "html.parser").find("main")
    return frozenset(f"{_kind(node.parent)} > {_kind(node)}" for node in main.find_all(True))


def _kind(node: Tag) -> str:
    return f"{node.name}.{'.'.join(node.get('class', []))}"


def _addresses(route: str, world: World) -> list[str]:
    if "<slug:report>" in route:
        return [route.replace("<slug:report>", slug) for slug in reports.REPORTS]
    if "<slug:slug>" in route:
        slugs = ("sandbox", "namespace", "preview", "gpu-namespace", "web-preview")
        return [route.replace("<slug:slug>", slug) for slug in slugs]
    known = {"<slug:namespace>": world.main.namespace, "<slug:provider>": "partner"}
    known |= {"<str:uidb36>": "x", "<str:key>": "0-0", "<str:token>": "gone"}
    if found := re.match(r"/admin/(environments|admin)/(\w+)/", route):
        row = world.row(apps.get_model(*found.groups()))
        known |= dict.fromkeys(("<path:object_id>", "<int:pk>", "<id>"), str(row.pk))
    for part, value in known.items():
        route = route.replace(part, value)
    return [route]


def _states(world: World, clients: dict[str, Client]) -> Iterator[Shown]:
    """The same routes in other states: each phase, filters, lists without rows, versions that are not drafts."""
    for name, row in world.environments.items():
        own = f"/environments/{row.namespace}/"
        yield _get(clients["owner"], own, f"environment {name}")
        yield _get(clients["admin"], own, f"environment {name} as admin")
    oidc = f"/environments/{world.environments['sign-in'].namespace}/"
    waiting, rejected = world.environments["waiting"].namespace, world.environments["rejected"].namespace
    for path in (
        f"{oidc}kubeconfig/",
        f"{oidc}kubeconfig/check/",
        f"{oidc}size/",
        f"{oidc}network/",
        f"/environments/{world.main.namespace}/changes/reject/?change={world.change.pk}",
        f"/environments/{waiting}/delete/",
        f"/environments/{waiting}/question/",
        f"/environments/{waiting}/reject/",
        f"/approvals/several/?request={waiting}",
        f"/approvals/several/?request={waiting}&decision=reject",
        *(
            f"/bulk/?do={verb}&on={world.main.namespace}&on={waiting}"
            for verb in ("extend", "move", "hand-over", "delete")
        ),
        f"/catalog/sandbox/request/?again={rejected}",
        f"/environments/{world.environments['degraded'].namespace}/move/",
        "/?q=nothing+like+it",
        "/environments/?q=nothing+like+it",
        "/environments/?phase=Deleted",
        "/reports/use/?period=year",
        "/reports/cost/?period=nonsense",
        "/admin/environments/event/?q=dana&kind__exact=Ready",
        "/admin/environments/environment/?q=nothing",
    ):
        yield _get(clients["admin"], path)
    pending = world.environments["waiting"].pk
    yield _get(clients["admin"], f"/admin/environments/environment/{pending}/change/", "waiting in the admin")
    rich, retired = Q(template__slug="web-preview"), Q(template__slug="sandbox", number=1)
    for version in TemplateVersion.objects.filter(rich | retired):
        own = f"/admin/environments/templateversion/{version.pk}/"
        for page in ("change", "preview", "differences"):
            yield _get(clients["admin"], f"{own}{page}/")


def _mistakes(world: World, clients: dict[str, Client]) -> Iterator[Shown]:
    """Forms that were not accepted, and a message about one that was."""
    own = f"/environments/{world.main.namespace}/"
    waiting = f"/environments/{world.environments['waiting'].namespace}/"
    sent = {
        "/catalog/sandbox/request/": {"name": "<b>", "collaborators": "<b>", "key": uuid.uuid4()},
        f"{own}delete/": {"typed_name": "another"},
        f"{own}members/": {"emails": "nobody"},
        f"{own}alerts/": {"alert_warn": "200"},
        f"{own}details/": {"name": ""},
        f"{own}size/": {"size": "huge", "p_cost_centre": "12"},
        f"{own}end/": {"last_day": "2020-01-01"},
        f"{own}network/": {"opening": "another"},
        f"{waiting}decide/": {"decision": "reject", "note": "x" * 600},
    }
    for path, data in sent.items():
        yield Shown(f"{path} refused", path, clients["admin"].post(path, data))
    for name in ("cluster", "directory", "rate", "team", "template", "invitation", "networkopening"):
        path = f"/admin/environments/{name}/add/"
        yield Shown(f"{path} refused", path, clients["admin"].post(path, {}))
    data = {"_selected_action": [str(world.main.cluster_id)], "action": "delete_selected"}
    path = "/admin/environments/cluster/"
    yield Shown(f"{path} deletion of several", path, clients["admin"].post(path, data))
    for path, data, role in (
        (f"{own}extend/", {}, "owner"),
        (f"/admin/environments/directory/{world.main.directory_id}/try-out/", {"email": "ada@example.com"}, "admin"),
    ):
        response = clients[role].post(path, data, follow=True)
        yield Shown(f"after {path}", response.request["PATH_INFO"], response)
    yield from _sign_ins(world.people["admin"], clients["admin"])


def _sign_ins(admin: User, client: Client) -> Iterator[Shown]:
    """A sign-in that fails, and the check of it: no provider answers here."""
    said = {"iss": "https://idp.example.com", "sub": "ada", "email": admin.email, "groups": ["platform-admins"]}
    extra_data = {"id_token": said, "userinfo": said | {"email_verified": True}}
    SocialAccount.objects.create(user=admin, provider="sso", uid="ada", extra_data=extra_data)
    yield Shown("a failed sign-in", "/accounts/oidc/sso/login/", Client().get("/accounts/oidc/sso/login/"))
    yield Shown("sign-in checked", "/admin/sign-in/", client.post("/admin/sign-in/"))


def _accounts(world: World) -> Iterator[Shown]:
    """Local accounts: signing in step by step, and the pages of somebody who did."""
    person, client = world.people["local"], Client()
    key = EmailAwarePasswordResetTokenGenerator().make_token(person)
    reset = f"/accounts/password/reset/{user_pk_to_url_str(person)}/{key}/"
    for path in ("/accounts/login/", "/accounts/password/reset/", "/accounts/password/reset/done/"):
        yield _get(client, path)
    yield Shown("a wrong password", "/accounts/login/", sign_in(client, person, "another"))
    yield _get(client, invitations.link(world.invitation).removeprefix("http://testserver"), "an invitation")
    yield _get(client, "/accounts/invitation/gone/")
    yield Shown("a new password", reset, client.get(reset, follow=True))
    yield _get(client, "/accounts/password/reset/changed/")
    yield _get(client, "/accounts/signed-out/")
    sign_in(client, person)
    yield _get(client, "/accounts/code/")
    client.post("/accounts/code/", {"code": code()})
    for path in ("confirm/code", "confirm/passkey", "security"):
        yield _get(client, f"/accounts/{path}/")
    client.post("/accounts/confirm/code/", {"code": recovery_codes(person)[0]})
    passkey = Authenticator.objects.get(user=person, type=Authenticator.Type.WEBAUTHN).pk
    for path in ("app/remove", "codes", "codes/new", "passkeys/new", f"passkeys/{passkey}/remove"):
        yield _get(client, f"/accounts/security/{path}/")
    yield from _without_factors(world.people["password"])


def _without_factors(person: User) -> Iterator[Shown]:
    client = Client()
    sign_in(client, person)
    for path in ("password", "confirm", "security", "security/app"):
        yield _get(client, f"/accounts/{path}/")


def _failures() -> Iterator[Shown]:
    """Error pages, which show themselves without a view."""
    for status in (400, 403, 404, 429, 500):
        request = RequestFactory().get(NOWHERE)
        yield Shown(f"error {status}", f"{NOWHERE}{status}/", render(request, f"{status}.html", status=status))
    refused = Client(enforce_csrf_checks=True).post("/accounts/login/", {})
    yield Shown("forged", "/accounts/login/", refused)


def _get(client: Client, path: str, name: str = "") -> Shown:
    return Shown(name or path, path, client.get(path))
