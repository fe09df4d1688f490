"""What a browser may be made to send, or be sent to: forged forms, extra fields, and addresses elsewhere."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.test import Client

from environments.models import Environment, Team, User
from tests.portal.local_people import PASSWORD, local
from tests.routes import address, product_routes, routes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("enqueued")]


class TestForgery:
    """Every form carries a token that another site does not know."""

    def posts(self, environment):
        found = {address(route, environment) for route in routes() if "(?P" not in route}
        assert len(found) > 80
        return sorted(found)

    def test_no_post_passes_without_a_token(self, cast, local_accounts):
        environment, people = cast
        for role in ("admin", "owner", "anonymous"):
            client = Client(enforce_csrf_checks=True)
            if people[role] is not None:
                client.force_login(people[role])
            for path in self.posts(environment):
                status = client.post(path, {"typed_name": environment.name}).status_code
                if path.endswith("/backchannel-logout/"):  # a provider's server: its token is signed
                    assert status in (303, 400, 404), (role, path, status)
                    continue
                assert status == (405 if path in django_settings.PROBES else 403), (role, path, status)
        assert Environment.objects.get().wanted

    def test_nor_one_from_another_origin_with_a_stolen_token(self, cast):
        environment, people = cast
        client = Client(enforce_csrf_checks=True)
        client.force_login(people["owner"])
        path = f"/environments/{environment.namespace}/delete/"
        client.get(path)
        token = client.cookies[django_settings.CSRF_COOKIE_NAME].value
        sent = {"typed_name": environment.name, "csrfmiddlewaretoken": token}
        for origin in ("https://evil.example", "null", "http://testserver.evil.example", "https://testserver"):
            assert client.post(path, sent, headers={"Origin": origin}).status_code == 403, origin
        assert client.post(path, sent, headers={"Origin": "http://testserver"}).status_code == 302

    def test_what_changes_something_is_no_get(self, cast, local_accounts):
        """Every address, asked with GET by whoever may do most: nothing is changed in the record."""
        environment, people = cast
        before = record()
        for role in ("admin", "owner"):
            client = Client(raise_request_exception=False)
            client.force_login(people[role])
            for path in self.posts(environment):
                if "logout" not in path:
                    client.get(path)
        assert record() == before


def record() -> dict[str, list[tuple]]:
    """Every row of the product's own tables, but for the session's own notes."""
    skipped = {"last_login"}
    found = {}
    for model in apps.get_app_config("environments").get_models():
        columns = [each.attname for each in model._meta.concrete_fields if each.name not in skipped]
        found[model._meta.label] = sorted(map(str, model._default_manager.values_list(*columns)))
    return found


EVIL = [
    "//evil.example",
    "///evil.example",
    "////evil.example/%2f..",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "https://evil.example",
    "HTTPS://EVIL.example",
    "http://testserver@evil.example",
    "http://testserver:80@evil.example/",
    "http://testserver.evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "/%09/evil.example",
    " //evil.example",
    "/\r\nLocation: https://evil.example",
    "javascript:alert(1)",
    "jAvAsCrIpT:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "\x00//evil.example",
    "//evil。example",
    "ftp://testserver/",
    "/%5cevil.example",
    "https%3A%2F%2Fevil.example",
    "@evil.example",
]


def leads_elsewhere(location: str) -> bool:
    """Whether a browser would leave the portal: it takes \\ for / and leaves out tabs and line breaks."""
    seen = "".join(letter for letter in location if letter not in "\t\r\n\0").strip().replace("\\", "/")
    parts = urlsplit(seen)
    return seen.startswith("//") or parts.scheme not in ("", "http") or parts.netloc not in ("", "testserver")


class TestWhereSignInLeads:
    """`next` leads to pages of the portal, whatever is written there."""

    @pytest.mark.parametrize("evil", EVIL)
    @pytest.mark.parametrize("door", ["/accounts/login/", "/accounts/oidc/sso/login/", "/admin/login/"])
    def test_single_sign_on(self, browser, provider, door, evil):
        start = browser.get(f"{door}?next={quote(evil)}")
        while start.status_code == 302 and not start.url.startswith(provider.issuer):
            assert not leads_elsewhere(start.url), start.url
            start = browser.get(start.url)
        end = browser.get(f"/accounts/oidc/sso/login/callback/?{provider.grant(start.url)}")
        assert end.status_code == 302
        assert not leads_elsewhere(end.url), end.url

    @pytest.mark.parametrize("evil", EVIL)
    def test_a_password(self, client, dana, local_accounts, evil):
        local(dana)
        sent = {"login": dana.email, "password": PASSWORD, "next": evil}
        for path in ("/accounts/login/", f"/accounts/login/?next={quote(evil)}"):
            end = Client().post(path, sent)
            assert end.status_code == 302
            assert not leads_elsewhere(end.url), end.url

    @pytest.mark.parametrize("evil", EVIL)
    def test_somebody_who_is_in_already_and_somebody_who_leaves(self, client, dana, evil):
        client.force_login(dana)
        for method, path in (("get", "/accounts/login/"), ("post", "/accounts/logout/")):
            end = getattr(client, method)(f"{path}?next={quote(evil)}")
            assert end.status_code == 302
            assert not leads_elsewhere(end.url), end.url


#: What nobody sets by sending it: columns of environments and users, and what a later version may have.
MORE = {
    "owner": "2",
    "owner_id": "2",
    "cluster": "2",
    "cluster_id": "2",
    "directory": "2",
    "team": "2",
    "team_id": "2",
    "wanted": "false",
    "phase": "Ready",
    "namespace": "kube-system",
    "namespace_uid": "x",
    "generation": "99",
    "lease": str(uuid.uuid4()),
    "spec": '{"quota": {"pods": "9999"}}',
    "parameters": '{"cpu": "64"}',
    "version_id": "7",
    "reserved_cpu": "0",
    "ends_at": "2099-01-01",
    "extensions": "0",
    "applied_objects": '["Secret/x"]',
    "is_superuser": "true",
    "is_staff": "on",
    "is_manager": "on",
    "groups_claim": '["platform-admins"]',
    "teams": "2",
    "managed_teams": "2",
    "actor": "2",
    "added_by": "2",
    "in_group": "true",
    "allowed": "true",
    "has_account": "true",
}


class TestExtraFields:
    """A form takes its own fields, and nothing that is sent beside them."""

    def sensitive(self):
        names = ("owner_id", "team_id", "cluster_id", "directory_id", "namespace", "wanted", "spec", "parameters")
        more = ("generation", "lease", "ends_at", "extensions", "applied_objects", "request_key", "version_id")
        environments = list(Environment.objects.values_list("pk", *names, *more))
        people = list(User.objects.order_by("pk").values_list("email", "is_superuser", "is_staff", "is_manager"))
        teams = sorted(User.teams.through.objects.values_list("user_id", "team_id"))
        return environments, people, teams

    def test_every_page_with_nothing_but_extra_fields_changes_none_of_it(self, cast, local_accounts):
        environment, people = cast
        Team.objects.create(name="Search", group="team-search")
        before = self.sensitive()
        left_out = (
            "try-again",
            "logout",
            "extend",
            "/move/",
            "/leave/",
        )  # buttons without fields: what they do is asked for
        for role in ("owner", "member", "stranger", "manager"):
            client = Client(raise_request_exception=False)
            client.force_login(people[role])
            for route in product_routes():
                if not any(word in route for word in left_out):
                    client.post(address(route, environment), MORE)
        assert self.sensitive() == before

    def test_a_request_is_what_its_own_fields_say(self, client, people, place, local_directory, namespace_template):
        client.force_login(people[0])
        form = {"version": namespace_template.pk, "name": "shop", "p_cpu": "1000m", "p_memory": "1024Mi"}
        form |= {"cluster": place.pk, "collaborator_role": "developer"}
        more = {key: value for key, value in MORE.items() if key not in form}
        plain, padded = (self.made(client, form | extra | {"key": str(uuid.uuid4())}) for extra in ({}, more))
        for name in ("owner", "team", "cluster", "directory", "wanted", "spec", "parameters", "generation", "lease"):
            assert getattr(plain, name) == getattr(padded, name), name
        assert padded.namespace.startswith("dana-shop-")
        assert padded.extensions == 0
        assert padded.phase == plain.phase == "Provisioning"
        people[0].refresh_from_db()
        assert not people[0].is_superuser

    def made(self, client, form) -> Environment:
        assert client.post("/catalog/namespace/request/", form).status_code == 302
        return Environment.objects.get(request_key=form["key"])

    def test_somebody_elses_team_or_a_closed_cluster_cannot_be_chosen(
        self, client, people, place, local_directory, namespace_template
    ):
        mine, other = (Team.objects.create(name=name, group=name) for name in ("Mine", "Other"))
        mine.members.add(people[0])
        closed = type(place).objects.create(slug="closed", name="Closed", accepts_new=False)
        client.force_login(people[0])
        form = {"version": namespace_template.pk, "name": "shop", "p_cpu": "1000m", "p_memory": "1024Mi"}
        form |= {"cluster": place.pk, "team": mine.pk, "collaborator_role": "developer"}
        for change in ({"team": other.pk}, {"cluster": closed.pk}):
            sent = form | change | {"key": str(uuid.uuid4())}
            assert client.post("/catalog/namespace/request/", sent).status_code == 422
        assert not Environment.objects.exists()


PROBE = """
import json, django
django.setup()
from django.test import Client
client = Client(headers={"Host": "portal.example.com"})
found = {}
for path in ("/healthz", "/nothing/", "/accounts/signed-out/", "/accounts/login/", "/environments/"):
    answer = client.get(path, secure=True)
    found[path] = {"status": answer.status_code, **{name.lower(): value for name, value in answer.items()}}
plain = client.get("/environments/")
found["plain"] = {"status": plain.status_code, "location": plain["Location"]}
client.cookies.clear()
client.get("/accounts/login/", secure=True)
found["cookies"] = {name: {key: morsel[key] for key in ("secure", "httponly", "samesite")}
                    for name, morsel in client.cookies.items()}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def production(tmp_path_factory):
    """What the portal answers with the settings it has when nobody sets more than it needs."""
    folder = tmp_path_factory.mktemp("production")
    environ = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "SECRET_KEY": "x" * 60,
        "SALT_KEY": "salt",
        "LOCAL_ACCOUNTS": "true",
        "ALLOWED_HOSTS": "portal.example.com",
        "PORTAL_URL": "https://portal.example.com",
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
        "BROKER_URL": "memory://",
        "COLLECTED_STATIC": "false",
        "LOG_LEVEL": "ERROR",
    }
    root = Path(__file__).resolve().parents[2]
    run = {"cwd": root, "env": environ, "check": True, "capture_output": True, "text": True, "timeout": 100}
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], **run)
    return json.loads(subprocess.run([sys.executable, "-c", PROBE], **run).stdout.splitlines()[-1])


class TestHeaders:
    """As it is served by default, every page says what a browser may do with it."""

    def test_every_answer_is_framed_by_nobody_and_sniffed_by_nobody(self, production):
        assert len(production) > 5
        for path, found in production.items():
            if path in ("plain", "cookies", "/healthz"):  # probes come by plain HTTP, and no browser asks them
                continue
            assert found["strict-transport-security"].startswith("max-age=31536000; includeSubDomains"), path
            assert found["x-frame-options"] == "DENY", path
            assert found["x-content-type-options"] == "nosniff", path
            assert found["referrer-policy"] == "same-origin", path
            assert found["cross-origin-opener-policy"] == "same-origin", path
            assert "camera=()" in found["permissions-policy"], path
            policy = found["content-security-policy"]
            for rule in ("default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
                assert rule in policy, path
            assert "unsafe" not in policy
            assert "*" not in policy

    def test_plain_http_leads_to_tls(self, production):
        assert production["plain"] == {"status": 301, "location": "https://portal.example.com/environments/"}

    def test_cookies_go_by_tls_alone_and_to_no_script(self, production):
        assert production["cookies"]["portal_csrf"]["secure"] is True
        for cookie in production["cookies"].values():
            assert (cookie["secure"], cookie["samesite"]) == (True, "Lax")
        assert django_settings.SESSION_COOKIE_HTTPONLY

    def test_a_session_has_an_end(self):
        assert django_settings.SESSION_COOKIE_AGE <= 24 * 3600
        assert django_settings.SESSION_SERIALIZER.endswith("JSONSerializer")

    def test_messages_in_the_queue_cannot_carry_code(self):
        from portal.celery import app

        assert set(app.conf.accept_content) == {"json"}
        assert app.conf.task_serializer == "json"
