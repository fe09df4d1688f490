"""TLS as kubectl has it: the same certificates taken and refused, and a sentence for each problem."""

import base64
import json
import socket
import ssl

import pytest

from environments.kube.client import ClusterClient
from environments.lib import tls, tls_problems
from environments.lib.errors import PermanentError, TemporaryError
from tests.contract.arrange import Way
from tests.security.certificates import ON_LOOPBACK, authority, issue, server
from tests.security.servers import always, http, serving
from tests.security.tls_cases import BAD, GOOD, STRICTER, Case
from tests.security.tls_ways import VERSION, WAYS, cluster, directory, issuer, port_of, said, sign_in


def by_name(cases):
    return [pytest.param(case, id=case.name) for case in cases]


def connect(context: ssl.SSLContext, host: str, port: int) -> str:
    """The sentence about a connection, empty if it is good."""
    try:
        with (
            socket.create_connection((host, port), timeout=10) as connection,
            context.wrap_socket(connection, server_hostname=host) as secure,
        ):
            secure.sendall(b"GET / HTTP/1.1\r\n\r\n")
            secure.recv(1)
    except OSError as error:
        return tls_problems.explain(error, "server").text
    return ""


@pytest.mark.parametrize("case", by_name([*GOOD, *BAD, *STRICTER]))
def test_a_certificate_is_good_or_the_sentence_says_why_not(case: Case, tmp_path):
    issued, trusted = case.make()
    with serving(VERSION, context=server(tmp_path, issued)) as running:
        sentence = connect(tls.context(trusted), case.host, port_of(running))
    assert (case.says in sentence) if case.says else sentence == ""


@pytest.mark.parametrize("kubectl", ["1.37"], indirect=True)
def test_kubectl_takes_and_refuses_the_same(kubectl, tmp_path):
    differing = []
    for number, case in enumerate([*GOOD, *BAD, *STRICTER]):
        issued, trusted = case.make()
        with serving(VERSION, context=server(tmp_path, issued)) as running:
            file = tmp_path / f"{number}.yaml"
            file.write_text(kubeconfig(running.url.replace("127.0.0.1", case.host), trusted))
            result = kubectl("get", "--raw", "/version", file=file)
        if (result.returncode == 0) != (not case.says or case in STRICTER):
            differing.append((case.name, result.stderr))
    assert differing == []


def kubeconfig(url: str, trusted: str, user: dict[str, str] | None = None) -> str:
    cluster = {"server": url, "certificate-authority-data": base64.b64encode(trusted.encode()).decode()}
    return json.dumps(
        {
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": user or {"token": "a-token-of-the-portal"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    )


POLICY = [*GOOD, *(case for case in BAD if case.name in ("expired", "another name", "an unknown authority"))]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", by_name(POLICY))
def test_every_library_has_this_one_policy(case: Case, way, tmp_path, settings):
    """With the authority in CA_BUNDLE; and no credential goes to a server that is not trusted."""
    issued, trusted = case.make()
    settings.CA_BUNDLE = tls.certificates(trusted)
    greeting, answer = (b"220 smtp.example.com\r\n", smtp) if way == "mail" else (b"", VERSION)
    with serving(answer, context=server(tmp_path, issued), greeting=greeting) as running:
        sentence = said(WAYS[way], f"{case.host}:{port_of(running)}")
    assert (case.says in sentence) if case.says else sentence == ""
    assert bool(running.requests) == (not case.says)


def smtp(connection, request):
    connection.sendall(b"235 welcome\r\n" if request.startswith(b"AUTH") else b"250-smtp\r\n250 AUTH PLAIN\r\n")


def limited_to(version):
    def configure(context):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, version

    return configure


def wanting_a_client(version):
    def configure(context):
        context.maximum_version, context.verify_mode = version, ssl.CERT_REQUIRED

    return configure


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize(
    ("configure", "sentence"),
    [
        (
            limited_to(ssl.TLSVersion.TLSv1_1),
            "The cluster offers no TLS version that the portal accepts (1.2 or later).",
        ),
        (
            wanting_a_client(ssl.TLSVersion.TLSv1_3),
            "The cluster wants a client certificate, which the portal does not have.",
        ),
        (
            wanting_a_client(ssl.TLSVersion.TLSv1_2),
            "The cluster ends the TLS handshake. It wants a client certificate, or supports none of the ciphers.",
        ),
    ],
    ids=["an old version", "a client certificate", "a client certificate in TLS 1.2"],
)
def test_a_handshake_that_fails_is_told_in_a_sentence(configure, sentence, tmp_path, settings):
    ca = authority()
    settings.CA_BUNDLE = ca.pem
    context = server(tmp_path, issue("server", [ON_LOOPBACK], by=ca), configure)
    with serving(VERSION, context=context) as running:
        assert said(cluster, f"127.0.0.1:{port_of(running)}") == sentence
    assert running.requests == []


def test_a_server_without_tls_is_told_in_a_sentence():
    sentence = "The cluster answers without TLS, for example with plain HTTP. Check scheme and port of its address."
    with serving(always(http(b"{}", status="400 Bad Request"))) as running:
        assert said(cluster, running.url.partition("://")[2]) == sentence


def test_a_port_where_nothing_answers_is_told_in_a_sentence(free_port):
    sentence = "refuses the connection: nothing answers at this address and port."
    for way, who in ((cluster, "cluster"), (directory, "directory"), (issuer, "issuer"), (sign_in, "server")):
        assert said(way, f"127.0.0.1:{free_port}") == f"The {who} {sentence}"


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_a_name_that_nobody_knows_is_told_in_a_sentence():
    for way, who in ((cluster, "cluster"), (directory, "directory"), (issuer, "issuer"), (sign_in, "server")):
        assert said(way, "nowhere.invalid:443") == f"The {who}'s host name is not known (DNS). Check its address."


@pytest.mark.parametrize(
    ("error", "code"),
    [(ssl.SSLError("The read operation timed out"), "timeout"), (ssl.SSLEOFError(8, "EOF occurred"), "tls")],
    ids=["late", "cut off"],
)
def test_tls_that_fails_without_a_reason(error, code):
    error.reason = None  # as OpenSSL's own have it
    assert tls_problems.explain(error, "cluster").code == code


def test_a_server_that_says_nothing_is_told_in_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = ClusterClient(Way(f"https://127.0.0.1:{listener.getsockname()[1]}", "token"), timeout=(0.2, 0.2))
        with pytest.raises(TemporaryError, match=r"^The cluster did not answer in time\.$") as caught:
            client.version()
    assert caught.value.reason == "Timeout"


def test_a_client_certificate_of_a_kubeconfig_is_shown_and_no_file_stays(tmp_path, monkeypatch):
    ca = authority()
    person = issue("portal", by=ca)

    def configure(context):
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=ca.pem)

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "empty"))
    (tmp_path / "empty").mkdir()
    encoded = {"certificate": person.pem, "key": person.key_pem}
    user = {f"client-{part}-data": base64.b64encode(pem.encode()).decode() for part, pem in encoded.items()}
    context = server(tmp_path, issue("server", [ON_LOOPBACK], by=ca), configure)
    with serving(VERSION, context=context) as running:
        client = ClusterClient(
            Way("", kubeconfig(running.url, f"# from a colleague\n{ca.pem}", user), "", "kubeconfig")
        )
        assert list((tmp_path / "empty").iterdir()) == []
        assert client.version() == "v1.36.0"
        client.close()  # the next connection needs no file either
        assert client.version() == "v1.36.0"
    assert client.certificate_authority == ca.pem


@pytest.mark.parametrize("broken", ["key", "certificate"])
def test_half_a_client_certificate_is_a_bad_credential(broken):
    parts = {"certificate": issue("portal").pem, "key": issue("portal").key_pem}  # which do not belong together
    parts.pop(broken)
    user = {f"client-{part}-data": base64.b64encode(pem.encode()).decode() for part, pem in parts.items()}
    with pytest.raises(PermanentError) as caught:
        ClusterClient(Way("", kubeconfig("https://127.0.0.1:1", authority().pem, user), "", "kubeconfig"))
    assert caught.value.reason == "BadCredential"
