"""Real kubectls with the files that members download, and with the commands that the page gives them."""

import json
import os
import stat
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

from environments.kube import kubeconfig as files
from environments.kube.kubeconfig import Oidc, Target
from environments.lib.phases import Role
from environments.models import Cluster
from tests.arranging import settle
from tests.detours import Authority, connect_proxy, tls_front

OIDC = Oidc("https://idp.example.com", "kubectl", "openid email")
DEAD = Target("amsterdam", "https://127.0.0.1:9", "", "dana-checkout-abcde")
KUBERC = "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n"
SINCE_KUBERC = ["1.35", "1.36", "1.37"]  # the first in which a kuberc can forbid plugins


def config_of(kubectl, file: Path) -> dict:
    """A kubeconfig as kubectl reads it, by section and name."""
    done = kubectl("config", "view", "--raw", "--output=json", file=file)
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    named = {section: {each["name"]: each for each in read[section]} for section in ("clusters", "users", "contexts")}
    return named | {"current-context": read["current-context"]}


def plugin(kubectl, script: str = "") -> Path:
    """A stand-in for kubelogin in the PATH."""
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "t"}}
    file = kubectl.path[0] / files.PLUGIN
    file.write_text(script or f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    file.chmod(0o755)
    return file


def written(kubectl, text: str, name: str = "file.yaml") -> Path:
    file = kubectl.home / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize("word", ["y", "n", "N", "on", "null", "1e3", "0o17", "017", "1_0", "12", "0x1f", "2026-11-29"])
def test_a_name_is_the_same_text_for_kubectl_whatever_it_looks_like(kubectl, word):
    file = written(kubectl, files.with_oidc(Target(word, "https://api.example.com", "", word), OIDC))
    config = config_of(kubectl, file)
    assert config["current-context"] == f"{word}@{word}"
    assert set(config["clusters"]) == {word}
    assert config["contexts"][f"{word}@{word}"]["context"] == {
        "cluster": word,
        "namespace": word,
        "user": f"oidc@{word}",
    }


class TestThePlugin:
    """kubelogin under its own name."""

    def test_that_is_missing_is_named_with_the_way_to_install_it(self, kubectl):
        done = kubectl("get", "pods", file=written(kubectl, files.with_oidc(DEAD, OIDC)))
        assert done.returncode != 0
        assert "kubectl krew install oidc-login" in done.stderr
        assert "executable kubectl-oidc_login not found" in done.stderr

    @pytest.mark.parametrize("kubectl", SINCE_KUBERC, indirect=True)
    @pytest.mark.parametrize(
        ("rest", "refusal"),
        [
            ("credentialPluginPolicy: DenyAll\n", 'plugin "kubectl-oidc_login" not allowed: policy set to "DenyAll"'),
            (
                "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- name: other\n",
                "is not permitted by the credential plugin allowlist",
            ),
        ],
        ids=["deny-all", "allow-list"],
    )
    def test_that_a_kuberc_forbids_is_allowed_by_the_lines_of_the_page(self, kubectl, oidc_page, rest, refusal):
        plugin(kubectl)
        file = written(kubectl, files.with_oidc(DEAD, OIDC))
        written(kubectl, KUBERC + rest, ".kube/kuberc")
        done = kubectl("get", "pods", file=file)
        assert done.stderr.splitlines()[-1].startswith("Unable to connect to the server: getting credentials: plugin")
        assert refusal in done.stderr.replace(str(kubectl.path[0]) + "/", "")
        quoted = [words.get_text() for words in oidc_page.select("section[aria-labelledby=plugin-title] q")]
        assert quoted[0] == "Unable to connect to the server"
        assert any(each in refusal for each in quoted[1:])
        written(kubectl, KUBERC + oidc_page.select_one("#kuberc").get_text(), ".kube/kuberc")
        done = kubectl("get", "pods", file=file)
        assert "refused" in done.stderr  # the server is not there: the plugin was asked first
        assert "getting credentials" not in done.stderr

    @pytest.mark.parametrize("kubectl", ["1.35"], indirect=True)
    def test_is_allowed_by_a_word_that_the_first_of_them_knows_too(self, kubectl, oidc_page):
        plugin(kubectl)
        lines = f"{KUBERC}{oidc_page.select_one('#kuberc').get_text()}"
        written(kubectl, lines.replace("- name:", "- command:"), ".kube/kuberc")
        done = kubectl("get", "pods", file=written(kubectl, files.with_oidc(DEAD, OIDC)))
        assert "misconfigured credential plugin allowlist" in done.stderr

    def test_is_not_added_by_a_command_that_would_drop_the_others(self, kubectl):
        """Why the page tells to edit the kuberc. If this fails, it can tell the command instead."""
        entries = "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- command: other\n"
        kuberc = written(kubectl, KUBERC + entries, ".kube/kuberc")
        entry = f"--allowlist-entry=command={files.PLUGIN}"
        done = kubectl("kuberc", "set", "--section=credentialplugin", "--policy=Allowlist", entry)
        assert done.returncode == 0, done.stderr
        assert yaml.safe_load(kuberc.read_text())["credentialPluginAllowlist"] == [{"command": files.PLUGIN}]


@pytest.fixture
def environment(ask):
    return settle(ask(collaborators={"theo@example.com": Role.VIEWER}))


@pytest.fixture
def address(environment):
    return f"/environments/{environment.namespace}/kubeconfig/"


@pytest.fixture
def oidc_page(client, people, environment, address) -> BeautifulSoup:
    Cluster.objects.update(access="oidc", oidc_issuer=OIDC.issuer, oidc_client_id=OIDC.client_id)
    client.force_login(people[0])
    return BeautifulSoup(client.get(address).content, "html.parser")


def download(client, kubectl, environment, address, *, hours: int = 1) -> Path:
    """A token file, where a browser puts it."""
    answer = client.post(f"{address}token/", {"hours": str(hours)})
    assert answer.status_code == 200, answer.content
    return written(kubectl, answer.content.decode(), f"Downloads/{environment.namespace}.kubeconfig")


@pytest.fixture
def way(tmp_path, simulated, place):
    """A TLS server called api.internal.example in front of the cluster, and a proxy before that."""
    authority = Authority(tmp_path)
    port = int(simulated.url.rpartition(":")[2])
    with tls_front(port, authority.context("api.internal.example")) as front, connect_proxy() as proxy:
        Cluster.objects.update(
            public_server=f"https://{front.address}",
            public_trust=Cluster.Trust.OWN,
            public_certificate_authority=authority.pem,
            tls_server_name="api.internal.example",
            proxy_url=f"http://{proxy.address}",
        )
        yield authority, front, proxy


def reaches(done, environment) -> bool:
    """Whether the cluster answered: there are no pods in the file's namespace."""
    return (done.returncode, done.stderr) == (0, f"No resources found in {environment.namespace} namespace.\n")


@pytest.mark.django_db
class TestTheCommandsOfThePage:
    """Pasted into a shell as they stand there."""

    def test_a_merged_file_has_the_new_entries_and_keeps_those_of_others(
        self, kubectl, client, people, environment, address, way
    ):
        client.force_login(people[0])
        old = yaml.safe_load(download(client, kubectl, environment, address).read_text())
        old["clusters"][0]["cluster"]["server"] = "https://old.example.com"
        old["users"][0]["user"]["token"] = "expired"
        old["users"].append({"name": "mine", "user": {"token": "kept"}})
        old["contexts"].append({"name": "mine", "context": {"cluster": "amsterdam", "user": "mine"}})
        merged = written(kubectl, yaml.safe_dump(old | {"current-context": "mine"}), ".kube/config")
        merged.chmod(0o644)
        written(kubectl, "left over from another day", ".kube/merged").chmod(0o644)
        new = yaml.safe_load(download(client, kubectl, environment, address).read_text())
        page = BeautifulSoup(client.get(address).content, "html.parser")
        done = kubectl.shell("export KUBECONFIG=~/elsewhere\n" + page.select_one("#use-merged").get_text())
        assert done.returncode == 0, done.stderr
        config = config_of(kubectl, merged)
        name = f"{environment.namespace}@amsterdam"
        assert config["current-context"] == name
        assert config["clusters"]["amsterdam"] == new["clusters"][0]
        assert config["users"][name] == new["users"][0]
        assert config["users"]["mine"]["user"]["token"] == "kept"
        assert "mine" in config["contexts"]
        assert stat.S_IMODE(merged.stat().st_mode) == 0o600
        assert not merged.with_name("merged").exists()
        assert reaches(kubectl("get", "pods"), environment)

    def test_kubectl_signs_in_nowhere_without_tls_and_the_page_says_so(
        self, kubectl, client, people, environment, address
    ):
        client.force_login(people[0])
        file = download(client, kubectl, environment, address)
        assert "Forbidden" in kubectl("get", "pods", file=file).stderr  # for the anonymous user
        sentence = "kubectl never signs in over http"
        assert sentence in BeautifulSoup(client.get(address).content, "html.parser").get_text()
        Cluster.objects.update(public_server="https://api.example.com")
        assert sentence not in BeautifulSoup(client.get(address).content, "html.parser").get_text()

    def test_a_first_file_is_merged_with_none(self, kubectl, client, people, environment, address):
        client.force_login(people[0])
        file = download(client, kubectl, environment, address)
        page = BeautifulSoup(client.get(address).content, "html.parser")
        assert kubectl.shell(page.select_one("#use-merged").get_text()).returncode == 0
        assert config_of(kubectl, kubectl.home / ".kube" / "config") == config_of(kubectl, file)

    def test_a_file_that_cannot_be_merged_leaves_the_old_one_alone(self, kubectl, client, people, environment, address):
        client.force_login(people[0])
        written(kubectl, "no: [yaml", f"Downloads/{environment.namespace}.kubeconfig")
        old = written(kubectl, "apiVersion: v1\nkind: Config\n", ".kube/config")
        page = BeautifulSoup(client.get(address).content, "html.parser")
        done = kubectl.shell(page.select_one("#use-merged").get_text())
        assert "error" in done.stderr
        assert old.read_text() == "apiVersion: v1\nkind: Config\n"


@pytest.mark.django_db
class TestTheWayToTheServer:
    """Through a proxy, to TLS with another name and another authority."""

    def ask(self, kubectl, client, people, environment, address):
        client.force_login(people[0])
        file = download(client, kubectl, environment, address)
        return kubectl("get", "pods", file=file)

    def test_all_of_it_is_used(self, kubectl, client, people, environment, address, way):
        _, front, proxy = way
        done = self.ask(kubectl, client, people, environment, address)
        assert reaches(done, environment), done.stderr
        assert set(front.asked) == {"api.internal.example"}
        assert set(proxy.asked) == {front.address}

    def test_without_the_name_kubectl_refuses_the_certificate(self, kubectl, client, people, environment, address, way):
        Cluster.objects.update(tls_server_name="")
        done = self.ask(kubectl, client, people, environment, address)
        assert done.returncode != 0
        assert "certificate for 127.0.0.1" in done.stderr

    def test_without_the_proxy_kubectl_connects_on_its_own(self, kubectl, client, people, environment, address, way):
        _, front, proxy = way
        Cluster.objects.update(proxy_url="")
        done = self.ask(kubectl, client, people, environment, address)
        assert reaches(done, environment), done.stderr
        assert front.asked
        assert not proxy.asked

    def test_the_computers_own_authorities_are_used_where_the_file_has_none(
        self, kubectl, client, people, environment, address, way, tmp_path
    ):
        Cluster.objects.update(public_trust=Cluster.Trust.SYSTEM)
        done = self.ask(kubectl, client, people, environment, address)
        assert "certificate signed by unknown authority" in done.stderr
        kubectl.variables["SSL_CERT_FILE"] = os.fspath(written(kubectl, way[0].pem, "system.pem"))
        done = self.ask(kubectl, client, people, environment, address)
        assert reaches(done, environment), done.stderr
