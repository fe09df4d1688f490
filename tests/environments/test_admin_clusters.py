"""Clusters in the admin: credentials go in and never come out, and a check says what is wrong with an account."""

import copy
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from environments.admin.cluster_form import ClusterForm
from environments.kube import admission, rbac
from environments.lib import looks
from environments.models import Cluster
from tests.detours import Authority
from tests.texts import REFUSED

SECRET = "eyJhbGciOiJSUzI1NiJ9.c2VjcmV0.c2lnbmF0dXJl"
ADD, LIST = "admin:environments_cluster_add", "admin:environments_cluster_changelist"
CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBfTCCASOgAwIBAgIUVzhoVdtzDaHxBqGkXGtw1ZlBXkQwCgYIKoZIzj0EAwIw
-----END CERTIFICATE-----"""
AUTHORITY = Authority(Path()).pem.strip()
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "here",
    "contexts": [{"name": "here", "context": {"cluster": "c", "user": "portal"}}],
    "clusters": [{"name": "c", "cluster": {"server": "https://api.example.com:6443"}}],
    "users": [{"name": "portal", "user": {"token": SECRET}}],
}


NAMED = {"name": "allotment-portal"}


def soup(response) -> BeautifulSoup:
    return BeautifulSoup(response.content, "html.parser")


@pytest.fixture(autouse=True)
def signed_in(client, ada):
    client.force_login(ada)


@pytest.fixture
def stored(db) -> Cluster:
    return Cluster.objects.create(slug="oslo", name="Oslo", server="https://api.example.com:6443", credential=SECRET)


@pytest.fixture
def policies(admin) -> None:
    """The admission policies, installed."""
    for document in admission.documents():
        admin.apply(document)


def filled(**typed: str) -> dict[str, str]:
    data = {
        "name": "Oslo",
        "slug": "oslo",
        "credential_kind": "token",
        "server": "https://api.example.com:6443",
        "credential": SECRET,
        "accepts_new": "on",
    }
    for name, field in ClusterForm().fields.items():
        if name not in data and field.initial not in (None, False, ""):
            data[name] = str(field.initial)
    return data | typed


def kubeconfig(**changes) -> str:
    config = copy.deepcopy(KUBECONFIG)
    for path, value in changes.items():
        if path == "user":
            config["users"][0]["user"] = value
        elif path == "cluster":
            config["clusters"][0]["cluster"] = value
        else:
            config[path.replace("_", "-")] = value
    return yaml.safe_dump(config)


class TestTheCredential:
    """It is stored, used, and never shown."""

    def test_it_is_stored_and_not_on_any_page_afterwards(self, client):
        response = client.post(reverse(ADD), filled(), follow=True)
        cluster = Cluster.objects.get(slug="oslo")
        assert cluster.credential == SECRET
        for url in (response.redirect_chain[-1][0], reverse(LIST), LogEntry.objects.get().get_admin_url()):
            assert SECRET not in client.get(url).content.decode()

    def test_the_page_says_that_one_is_stored(self, client, stored):
        page = soup(client.get(reverse("admin:environments_cluster_change", args=[stored.pk])))
        field = page.select_one("textarea[name=credential]")
        assert field.get_text(strip=True) == ""
        assert "A value is stored" in page.select_one(".field-credential .help").get_text()
        assert (
            "No value is stored yet" in soup(client.get(reverse(ADD))).select_one(".field-credential .help").get_text()
        )

    def test_an_empty_field_keeps_it_and_the_log_does_not_say_that_it_changed(self, client, stored):
        url = reverse("admin:environments_cluster_change", args=[stored.pk])
        assert client.post(url, filled(credential="", description="GPU pool")).status_code == 302
        stored.refresh_from_db()
        assert (stored.credential, stored.description) == (SECRET, "GPU pool")
        assert LogEntry.objects.get().get_change_message() == "Changed Description."

    def test_it_is_not_sent_back_with_an_error_and_the_page_asks_for_it_again(self, client):
        response = client.post(reverse(ADD), filled(name=""))
        assert SECRET not in response.content.decode()
        assert (
            "Enter this again. The page never sends it back"
            in soup(response).select_one(".field-credential .errorlist").get_text()
        )

    def test_it_is_never_sent_to_another_address_than_it_was_stored_for(self, client, stored):
        url = reverse("admin:environments_cluster_change", args=[stored.pk])
        response = client.post(url, filled(credential="", server="https://attacker.example.com"))
        assert "The address changed" in soup(response).select_one(".field-credential .errorlist").get_text()
        stored.refresh_from_db()
        assert stored.server == "https://api.example.com:6443"

    def test_another_kind_needs_another_one(self, client, stored):
        url = reverse("admin:environments_cluster_change", args=[stored.pk])
        response = client.post(url, filled(credential="", credential_kind="kubeconfig"))
        assert "Paste the kubeconfig here." in soup(response).select_one(".field-credential .errorlist").get_text()


@pytest.mark.parametrize(
    ("typed", "field", "sentence"),
    [
        ({"server": ""}, "server", "Enter the API server's address, for example https://api.cluster.example.com:6443"),
        ({"credential": ""}, "credential", "Paste the token here."),
        ({"credential": "two words"}, "credential", "one line of letters"),
        ({"credential": yaml.safe_dump(KUBECONFIG)}, "credential", "This is a file, not a token"),
        ({"certificate_authority": "LS0tLS1CRUdJTg=="}, "certificate_authority", "not a PEM certificate"),
        (
            {"public_trust": "own", "public_certificate_authority": "LS0tLS1CRUdJTg=="},
            "public_certificate_authority",
            "not a PEM certificate",
        ),
        ({"public_server": "http://api.example.com"}, "public_server", "kubectl never signs in over http"),
        ({"public_trust": "own"}, "public_certificate_authority", "Paste the certificates here, or choose differently"),
        (
            {"public_certificate_authority": AUTHORITY},
            "public_certificate_authority",
            "choose “The certificates below”",
        ),
        ({"public_trust": "nobody"}, "public_trust", "Select a valid choice"),
        ({"oidc_certificate_authority": "x"}, "oidc_certificate_authority", "not a PEM certificate"),
        ({"tls_server_name": "https://api.example.com"}, "tls_server_name", "Enter a host name or an IP address"),
        ({"tls_server_name": "api..example.com"}, "tls_server_name", "Enter a host name or an IP address"),
        ({"tls_server_name": "*.example.com"}, "tls_server_name", "Enter a host name or an IP address"),
        ({"proxy_url": "proxy.example.com:3128"}, "proxy_url", "Enter an address with http, https or socks5"),
        ({"proxy_url": "ftp://proxy.example.com"}, "proxy_url", "Enter an address with http, https or socks5"),
        ({"proxy_url": "http://proxy:99999"}, "proxy_url", "Enter an address with http, https or socks5"),
        ({"proxy_url": "http://[proxy"}, "proxy_url", "Enter an address with http, https or socks5"),
        ({"proxy_url": "http://proxy/path?x"}, "proxy_url", "Enter an address with http, https or socks5"),
        ({"proxy_url": "http://dana:secret@proxy:3128"}, "proxy_url", "Remove the user name and the password"),
        ({"certificate_authority": "-----BEGIN PRIVATE KEY-----"}, "certificate_authority", "contains a private key"),
        ({"credential_kind": "in_cluster"}, "credential_kind", "The portal does not run in a cluster"),
        ({"username_claim": "two claims"}, "username_claim", "Enter the name of one claim"),
        ({"username_prefix": "x" * 201}, "username_prefix", "at most 200 characters"),
        ({"username_prefix": "system:"}, "username_prefix", "Names that begin with system: are Kubernetes' own"),
        ({"groups_prefix": "system:node"}, "groups_prefix", "Names that begin with system: are Kubernetes' own"),
        ({"username_claim": "sub"}, "username_prefix", "Enter - if there is none."),
        (
            {"username_claim": "sub", "oidc_issuer": "https://idp.example.com/a"},
            "username_prefix",
            "uses the prefix https://idp.example.com/a#",
        ),
        ({"bind_members": "", "bind_groups": ""}, "bind_groups", "Select at least one"),
        ({"groups_by": "dn"}, "groups_by", "Select a valid choice"),
        ({"access": "oidc", "oidc_client_id": "k"}, "oidc_issuer", "Enter the issuer that the API server trusts"),
        (
            {"access": "oidc", "oidc_issuer": "https://idp.example.com"},
            "oidc_client_id",
            "Enter the client ID that the API server expects",
        ),
        (
            {"access": "oidc", "oidc_issuer": "https://i.example.com", "oidc_client_id": "k", "oidc_scopes": "email"},
            "oidc_scopes",
            "Add openid.",
        ),
        ({"id_token_minutes": "0"}, "id_token_minutes", "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_with_a_connection_is_said_at_its_field(typed, field, sentence, db):
    form = ClusterForm(filled(**typed))
    assert not form.is_valid()
    assert sentence in " ".join(form.errors[field])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [b", "This is not YAML (line 1)."),
        ("just words", "This is not a kubeconfig"),
        (
            kubeconfig(current_context="there"),
            "current-context is “there”, but the contexts of this kubeconfig are: here.",
        ),
        (kubeconfig(users=[]), "user is “portal”, but the users"),
        (kubeconfig(cluster={}), "has no server"),
        (kubeconfig(user={"exec": {"command": "aws"}}), "signs in with a program (exec)"),
        (kubeconfig(user={"auth-provider": {"name": "gcp"}}), "signs in with a program (auth-provider)"),
        (kubeconfig(user={"client-certificate": "/home/ada/a.crt", "client-key": "/x"}), "refers to files"),
        (kubeconfig(user={"tokenFile": "/var/run/secrets/token"}), "refers to files"),
        (kubeconfig(user={}), "no token and no client certificate"),
        (kubeconfig(contexts="nothing"), "the contexts of this kubeconfig are: none."),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_refused_with_a_sentence(text, sentence, db):
    form = ClusterForm(filled(credential_kind="kubeconfig", credential=text))
    assert not form.is_valid()
    assert sentence in " ".join(form.errors["credential"])


def test_everything_that_can_be_set_of_a_cluster_has_its_place_on_the_page(client, stored):
    """A field that somebody adds to the model must be added to the page, or nobody can ever set it."""
    page = soup(client.get(reverse("admin:environments_cluster_change", args=[stored.pk])))
    settable = {field.name for field in Cluster._meta.fields if field.editable} - {"id"}
    assert settable <= {control["name"] for control in page.select("#cluster_form [name]")}


def test_a_whole_kubeconfig_is_taken(client):
    assert client.post(reverse(ADD), filled(credential_kind="kubeconfig", credential=kubeconfig())).status_code == 302
    assert yaml.safe_load(Cluster.objects.get().credential) == KUBECONFIG


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("allotment", "Members' ServiceAccounts are in this namespace. Use another name."),
        ("Work Bench", "Use for example allotment-workbench."),
        ("", "This field is required."),
    ],
)
def test_the_workbench_is_a_namespace_of_its_own(client, stored, name, sentence):
    response = client.post(reverse(ADD), filled(name="Bergen", slug="bergen", workbench_namespace=name))
    assert sentence in soup(response).select_one(".field-workbench_namespace .errorlist").get_text()
    assert not Cluster.objects.filter(slug="bergen").exists()


@pytest.mark.parametrize(
    "typed",
    [
        {"tls_server_name": "kubernetes"},
        {"public_server": "https://203.0.113.9:6443"},
        {"tls_server_name": "203.0.113.9"},
        {"tls_server_name": "2001:db8::1"},
        {"proxy_url": "http://proxy:3128"},
        {"proxy_url": "socks5://[2001:db8::1]:1080"},
        {"proxy_url": "https://proxy.example.com/"},
        {"public_trust": "own", "public_certificate_authority": AUTHORITY},
        {"public_trust": "system", "oidc_certificate_authority": AUTHORITY},
    ],
)
def test_what_members_need_to_reach_a_cluster_is_stored(client, typed):
    assert client.post(reverse(ADD), filled(**typed)).status_code == 302
    row = Cluster.objects.get(slug="oslo")
    assert {name: getattr(row, name) for name in typed} == typed


@pytest.mark.parametrize(("seconds", "sentence"), [(None, "As requested"), (5400, "by the API server to 90 minutes")])
def test_it_is_said_whether_the_cluster_shortens_tokens(client, stored, seconds, sentence):
    Cluster.objects.update(token_cap_seconds=seconds)
    page = soup(client.get(reverse("admin:environments_cluster_change", args=[stored.pk])))
    assert sentence in page.select_one(".field-token_cap").get_text()


class TestTheCheck:
    """It asks the cluster, and says what is missing and what is too much."""

    def check(self, client, row: Cluster) -> BeautifulSoup:
        return soup(client.post(reverse("admin:environments_cluster_check", args=[row.pk])))

    def test_the_shipped_account_is_as_it_should_be(self, client, place, policies):
        Cluster.objects.update(public_server="https://api.example.com")
        page = self.check(client, place)
        assert page.select_one(".panel .pill").get_text() == "passed"
        assert "v1." in page.select_one(".panel").get_text()
        assert "The cluster refuses writes of the portal’s account" in page.select(".says.ok")[-1].get_text()
        assert not page.select(".findings li")
        assert "Admission policies: installed" in [heading.get_text() for heading in page.select(".panel h3")]
        assert not page.select(".panel pre")
        place.refresh_from_db()
        assert place.checked_at is not None
        assert place.check_error == ""

    def test_the_check_is_in_the_admins_log(self, client, place, ada):
        self.check(client, place)
        entry = LogEntry.objects.get(object_id=str(place.pk))
        assert entry.user == ada
        assert "0 permissions missing, 0 too many; admission policies: missing." in entry.get_change_message()

    def test_an_address_at_which_kubectl_will_not_sign_in_is_said(self, client, place, policies):
        page = self.check(client, place)
        assert page.select_one(".panel .pill").get_text() == "kubectl cannot sign in"
        said = " ".join(page.select_one(".says.bad").get_text().split())
        assert f"kubectl will not sign in at {place.server}, the address in members’ kubeconfig files" in said
        assert (
            "kubectl will not sign in: members' address begins with http."
            in LogEntry.objects.get().get_change_message()
        )

    def test_an_account_that_may_do_everything_is_named_for_what_it_is(self, client, simulated):
        row = Cluster.objects.create(slug="x", name="X", server=simulated.url, credential=simulated.admin_token)
        page = self.check(client, row)
        assert page.select_one(".panel .pill").get_text() == "too many permissions"
        assert "the rights of cluster-admin" in page.select_one(".says.warn").get_text()
        assert len(page.select(".findings li")) == len(rbac.FORBIDDEN)

    def test_each_missing_permission_is_a_line_with_what_it_is_needed_for(self, client, place, admin):
        role = admin.get("ClusterRole", "allotment-portal")
        metadata = {"name": "allotment-portal"}
        less = [rule for rule in role["rules"] if "networkpolicies" not in rule["resources"]]
        admin.apply({"apiVersion": role["apiVersion"], "kind": "ClusterRole", "metadata": metadata, "rules": less})
        try:
            page = self.check(client, place)
        finally:
            again = {"apiVersion": role["apiVersion"], "kind": "ClusterRole", "metadata": metadata}
            admin.apply(again | {"rules": role["rules"]})
        lines = [line.get_text(" ", strip=True) for line in page.select(".findings li")]
        assert "create networkpolicies.networking.k8s.io needed for network isolation" in lines
        assert len(lines) == 4

    def test_policies_that_are_not_installed_are_said_with_the_command(self, client, place):
        page = self.check(client, place)
        assert page.select_one(".panel .pill").get_text() == "admission policies: missing"
        assert "Ask a cluster admin to install the policies" in page.select_one(".says.warn").get_text()
        assert page.select_one(".panel pre").get_text() == "manage.py print_admission | kubectl apply -f -"
        assert "policy allotment-namespaces, binding allotment-namespaces" in page.select_one(".panel").get_text()

    def test_what_the_cluster_must_refuse_the_account_and_does_not_is_said(self, client, place):
        page = self.check(client, place)
        assert (
            "allotment-portal must refuse: write a RoleBinding in kube-system, " in page.select(".says.warn")[-1].text
        )
        assert "accepts 7 writes that it must refuse." in LogEntry.objects.get().get_change_message()

    def test_a_policy_about_another_account_refuses_the_portals_nothing(self, client, place, admin, policies):
        document = next(each for each in admission.documents() if each["metadata"]["name"] == "allotment-portal")
        condition = {"name": "by-the-portal", "expression": "request.userInfo.username == 'somebody'"}
        document["spec"] |= {"matchConditions": [condition]}
        admin.apply(document)
        page = self.check(client, place)
        assert page.select_one(".panel .pill").get_text() == "admission policies: different from this portal's"
        assert "accepts writes of the portal’s account" in page.select(".says.warn")[-1].text

    def test_the_rights_of_an_older_portal_are_named(self, client, place, admin):
        """deploy/rbac once gave tokens and accounts of the whole cluster."""
        role = admin.get("ClusterRole", "allotment-portal")
        older = {"apiGroups": [""], "resources": ["serviceaccounts/token", "serviceaccounts"], "verbs": ["create"]}
        document = {key: role[key] for key in ("apiVersion", "kind")} | {"metadata": NAMED}
        admin.apply(document | {"rules": [*role["rules"], older]})
        page = self.check(client, place)
        assert page.select_one(".panel .pill").get_text() == "too many permissions"
        lines = [line.get_text(" ", strip=True) for line in page.select(".findings li")]
        assert lines == [
            "create serviceaccounts/token acts as any service account",
            "create serviceaccounts/token in kube-system acts as any service account",
            "create serviceaccounts changes accounts of others",
        ]
        assert "for an existing account too" in page.select_one(".panel").text

    def test_policies_of_another_portal_are_said_and_whom_they_exempt(self, client, place, admin, policies):
        for document in admission.documents(label_domain="other.example", break_glass=["<b>night</b> shift"]):
            admin.apply(document)
        page = self.check(client, place)
        assert page.select_one(".panel .pill").get_text() == "admission policies: different from this portal's"
        assert "--break-glass-group=<b>night</b> shift" in page.select_one(".panel pre").get_text()
        assert "Exempt: members of <b>night</b> shift." in page.select_one(".panel").get_text()

    def test_an_account_that_may_not_see_them_cannot_tell_and_nothing_fails(self, client, place, admin, policies):
        role = admin.get("ClusterRole", "allotment-portal")
        older = [rule for rule in role["rules"] if "admissionregistration.k8s.io" not in rule["apiGroups"]]
        admin.apply({key: role[key] for key in ("apiVersion", "kind")} | {"metadata": NAMED, "rules": older})
        page = self.check(client, place)
        assert page.select_one(".panel .pill").get_text() == "admission policies: unknown"
        assert "deploy/rbac again" in page.select_one(".says.warn").get_text()
        assert page.select_one(".panel pre").get_text() == "manage.py print_rbac | kubectl apply -f -"
        assert not page.select(".findings li")
        place.refresh_from_db()
        assert place.check_error == ""

    def test_a_cluster_that_does_not_answer_gets_its_sentence(self, client, stored):
        Cluster.objects.filter(pk=stored.pk).update(server="http://127.0.0.1:1")
        page = self.check(client, stored)
        assert page.select_one(".says.bad").get_text() == REFUSED
        stored.refresh_from_db()
        assert stored.check_error == REFUSED
        assert SECRET not in str(page)

    def test_several_are_checked_from_the_list(self, client, place, stored):
        Cluster.objects.filter(pk=stored.pk).update(server="http://127.0.0.1:1")
        data = {"action": "check_selected", "_selected_action": [place.pk, stored.pk]}
        page = soup(client.post(reverse(LIST), data))
        assert [heading.get_text() for heading in page.select(".panel h2")] == ["Amsterdam", "Oslo"]

    def test_it_needs_a_post(self, client, place):
        assert client.get(reverse("admin:environments_cluster_check", args=[place.pk])).status_code == 405

    def test_a_developer_cannot_start_it(self, client, dana, place):
        client.force_login(dana)
        assert client.post(reverse("admin:environments_cluster_check", args=[place.pk])).status_code == 302
        place.refresh_from_db()
        assert place.checked_at is None

    def test_its_button_is_on_the_clusters_page(self, client, place):
        page = soup(client.get(reverse("admin:environments_cluster_change", args=[place.pk])))
        form = page.find("button", string="Check connection and permissions").find_parent("form")
        assert form["method"] == "post"
        assert form["action"] == reverse("admin:environments_cluster_check", args=[place.pk])


class TestTheManifests:
    """What makes the portal's account, to copy."""

    def test_they_are_on_the_page_as_they_are_shipped(self, client):
        page = soup(client.get(reverse("admin:environments_cluster_rbac")))
        text = page.select_one("pre.tall").get_text()
        assert list(yaml.safe_load_all(text)) == rbac.documents()

    def test_they_are_downloaded_for_another_namespace(self, client):
        response = client.get(reverse("admin:environments_cluster_rbac"), {"namespace": "portals", "download": "1"})
        assert response["Content-Type"] == "application/yaml"
        assert list(yaml.safe_load_all(response.content)) == rbac.documents("portals")

    def test_a_namespace_cannot_break_out_of_the_yaml(self, client):
        response = client.get(reverse("admin:environments_cluster_rbac"), {"namespace": "a\n  b: {c", "download": "1"})
        assert list(yaml.safe_load_all(response.content)) == rbac.documents("a-b-c")


def test_what_could_not_be_read_stands_on_the_clusters_page_and_above_the_list(client, stored):
    now = timezone.now()
    looked = looks.after({}, {"Deployment": now - timedelta(hours=3, seconds=1), "Namespace": now}, {}, now)
    failed = looks.after(looked, {"Namespace": now}, {"Deployment": "The answer is too large."}, now)
    said = {"check_error": "Deployment: The answer is too large.", "checked_at": now, "observed_at": now}
    Cluster.objects.update(kind_looks=failed, **said)
    page = soup(client.get(reverse("admin:environments_cluster_change", args=[stored.pk])))
    table = [[" ".join(cell.text.split()) for cell in row.select("th, td")] for row in page.select("table.plain tr")]
    assert ["Deployments", "3 hours ago", "The answer is too large."] in table
    assert ["Namespaces", "just now", "–"] in table
    assert "in part" in page.select_one(".field-answers").text
    for name in (LIST, "admin:index"):
        (alert,) = soup(client.get(reverse(name))).select("[role=alert]")
        assert "can't read everything on Oslo (Deployments: last read in full 3 hours ago)" in " ".join(
            alert.text.split()
        )


@pytest.mark.parametrize("whose", ["", "public_", "oidc_"])
def test_a_private_key_pasted_by_mistake_is_not_shown_again(whose, db):
    field = f"{whose}certificate_authority"
    form = ClusterForm(filled(**{field: "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----"}))
    assert "contains a private key" in " ".join(form.errors[field])
    assert "hunter2" not in form.as_p()
