"""allotment-ingresses and allotment-routes on a real API server: whose host names an environment may use."""

import secrets
from collections.abc import Callable

import pytest

from environments.kube import admission, permits
from environments.lib import hosts
from environments.spec import parse
from tests.contract.arrange import eventually, namespace, real, wait_until_furnished
from tests.contract.gateway import GROUP, ROUTES, install_gateway
from tests.contract.somebody import ADMISSION, BASELINE, Somebody, denied, install

pytestmark = pytest.mark.real_cluster

DOMAIN, GLASS, MERGE = "hosts.example", "platform-emergency", "application/merge-patch+json"
PATTERN = "*.${namespace}.apps.example.com"
BACKEND = {"service": {"name": "web", "port": {"number": 80}}}
HTTP = {"paths": [{"path": "/", "pathType": "Prefix", "backend": BACKEND}]}
DNS = "external-dns.alpha.kubernetes.io/hostname"


@pytest.fixture(scope="module")
def plane():
    """A control plane with the policies, first without the Gateway API and then with it."""
    with real() as endpoint:
        install(endpoint, label_domain=DOMAIN, break_glass=GLASS)
        yield endpoint


@pytest.fixture
def furnished(plane) -> Callable[..., str]:
    """Makes a namespace of the portal's with these patterns, and waits until its policies are in force."""
    portal, made = Somebody(plane, admission.PORTAL, "system:masters"), []

    def make(*patterns: str, **options) -> str:
        name = f"hosts-{secrets.token_hex(4)}"
        spec = parse({"quota": {"pods": "9"}, "admission": options})
        allowed = permits.host_names(spec, patterns, name)
        body = namespace(name, labels=BASELINE | {f"{DOMAIN}/environment": name})
        body["metadata"]["annotations"] = permits.annotations(spec, "", DOMAIN, allowed) or {"a": "b"}
        assert portal("POST", "/api/v1/namespaces", body)[0] == 201
        made.append(name)
        wait_until_furnished(plane.admin_client(), name)
        if allowed:
            bad = ingress("other.example.net")
            eventually(lambda: denied(member(plane)("POST", dry(name), bad)), "the policies are in force")
        return name

    yield make
    for name in made:
        portal("DELETE", f"/api/v1/namespaces/{name}")


def member(plane) -> Somebody:
    return Somebody(plane, "dana@example.com", "system:masters")


def dry(name: str) -> str:
    return f"/apis/networking.k8s.io/v1/namespaces/{name}/ingresses?dryRun=All"


def ingress(*rules: str | None, name: str = "web", annotations: dict | None = None, **spec) -> dict:
    """An Ingress with a rule for each host name; None: a rule without one."""
    each = [{"http": HTTP} if host is None else {"host": host, "http": HTTP} for host in rules]
    metadata = {"name": name, "annotations": annotations or {}}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata} | {
        "spec": ({"rules": each} if each else {}) | spec
    }


def own(name: str, host: str = "web") -> str:
    return f"{host}.{name}.apps.example.com"


def test_a_pattern_allows_its_own_hosts_and_nobody_elses(plane, furnished):
    name, someone = furnished(PATTERN), member(plane)
    good = own(name)
    allowed = {
        "one": ingress(good),
        "two": ingress(good, own(name, "api")),
        "deeper": ingress(own(name, "a.b")),
        "its wildcard": ingress(f"*.{name}.apps.example.com"),
        "tls": ingress(good, tls=[{"secretName": "web", "hosts": [good]}]),
        "the controller's own certificate": ingress(good, tls=[{}]),
        "other annotations": ingress(good, annotations={"nginx.ingress.kubernetes.io/rewrite-target": "/"}),
        "a record of its own": ingress(good, annotations={DNS: f"{good}, {own(name, 'api')}"}),
    }
    for what, body in allowed.items():
        answer = someone("POST", dry(name), body)
        assert answer[0] == 201, (what, answer)
    sentence = f"must match *.{name}.apps.example.com"
    refused = {
        "another": (ingress("shop.example.com"), sentence),
        "another environment's": (ingress("web.team-b.apps.example.com"), sentence),
        "one good, one bad": (ingress(good, "shop.example.com"), sentence),
        "the domain": (ingress("apps.example.com"), sentence),
        "the whole domain": (ingress("*.apps.example.com"), sentence),
        "only the end": (ingress(f"evil{name}.apps.example.com"), sentence),
        "more behind": (ingress(f"{good}.evil.example"), sentence),
        "the end alone": (ingress(f"{name}.apps.example.com"), sentence),
        "no host": (ingress(None), sentence),
        "an empty host": (ingress(""), sentence),
        "one without host": (ingress(good, None), sentence),
        "a backend for everything": (ingress(defaultBackend=BACKEND), "defaultBackend"),
        "a backend beside": (ingress(good, defaultBackend=BACKEND), "defaultBackend"),
        "another's certificate": (ingress(good, tls=[{"secretName": "a", "hosts": ["shop.example.com"]}]), "TLS hosts"),
        "a certificate for anything": (ingress(good, tls=[{"secretName": "a"}]), "TLS certificate"),
        "an alias": (
            ingress(good, annotations={"nginx.ingress.kubernetes.io/server-alias": "shop.example.com"}),
            "server aliases",
        ),
        "a snippet": (ingress(good, annotations={"nginx.ingress.kubernetes.io/server-snippet": "x"}), "snippets"),
        "another record": (ingress(good, annotations={DNS: f"{good},shop.example.com"}), "external-dns"),
    }
    for what, (body, words) in refused.items():
        answer = someone("POST", dry(name), body)
        assert denied(answer, words), (what, answer)


@pytest.mark.parametrize(
    "pattern",
    [PATTERN, "*-${namespace}.apps.example.com", "${namespace}.apps.example.com", "*.apps.example.com"],
)
def test_the_api_server_and_the_portal_match_alike(plane, furnished, pattern):
    name, someone = furnished(pattern), member(plane)
    (filled,) = hosts.filled([pattern], name)
    tried = [
        own(name),
        f"*.{name}.apps.example.com",
        f"web-{name}.apps.example.com",
        f"a.web-{name}.apps.example.com",
        f"{name}.apps.example.com",
        f"-{name}.apps.example.com".lstrip("-"),
        "*.apps.example.com",
        "apps.example.com",
        "web.apps.example.com",
        "shop.example.com",
    ]
    found = {host: someone("POST", dry(name), ingress(host))[0] == 201 for host in tried}
    assert found == {host: hosts.matches(filled, host) for host in tried}
    assert len(set(found.values())) == 2


def test_without_a_pattern_all_is_as_before(plane, furnished):
    name, someone = furnished(), member(plane)
    for body in (
        ingress("shop.example.com"),
        ingress(None),
        ingress(defaultBackend=BACKEND),
        ingress("a.example.com", annotations={DNS: "b.example.com"}),
    ):
        assert someone("POST", dry(name), body)[0] == 201


def test_a_template_has_its_own_host_names(plane, furnished):
    name, someone = furnished(PATTERN, host_names=["shop.example.com", "*.${namespace}.example.org"]), member(plane)
    assert someone("POST", dry(name), ingress("shop.example.com", f"a.{name}.example.org"))[0] == 201
    assert denied(someone("POST", dry(name), ingress(own(name))), "shop.example.com or *.")


def test_an_ingress_from_before_stays_and_is_labelled_but_gets_no_other_host(plane, furnished):
    name, someone = furnished(PATTERN), member(plane)
    glass = Somebody(plane, "ada@example.com", GLASS, "system:masters")
    path = dry(name).partition("?")[0]
    assert glass("POST", path, ingress("shop.example.com"))[0] == 201
    assert someone("PATCH", f"{path}/web", {"metadata": {"labels": {"a": "b"}}}, MERGE)[0] == 200
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    assert someone("PATCH", f"{path}/web/status", status, MERGE)[0] == 200
    assert denied(someone("PATCH", f"{path}/web", {"spec": {"ingressClassName": "nginx"}}, MERGE), "must match")
    assert denied(someone("PATCH", f"{path}/web", {"metadata": {"annotations": {DNS: "a.example"}}}, MERGE))
    assert someone("PATCH", f"{path}/web", {"spec": {"rules": [{"host": own(name)}]}}, MERGE)[0] == 200
    assert someone("DELETE", f"{path}/web")[0] == 200


def test_services_get_no_records_of_others(plane, furnished):
    name, someone = furnished(PATTERN), member(plane)
    path = f"/api/v1/namespaces/{name}/services?dryRun=All"
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    for host, is_allowed in ((own(name), True), ("shop.example.com", False)):
        body["metadata"]["annotations"] = {DNS: host}
        answer = someone("POST", path, body)
        assert (answer[0] == 201) if is_allowed else denied(answer, "external-dns"), (host, answer)


def test_no_member_changes_the_pattern(plane, furnished):
    patch = {"metadata": {"annotations": {f"{DOMAIN}/host-names": "*"}}}
    answer = member(plane)("PATCH", f"/api/v1/namespaces/{furnished(PATTERN)}", patch, MERGE)
    assert denied(answer, "These annotations of the namespace are the portal's")


def test_routes_of_the_gateway_api_are_held_too(plane, furnished):
    name, someone = furnished(PATTERN), member(plane)
    install_gateway(plane)
    for kind, plural in ROUTES.items():
        path = f"/apis/{GROUP}/v1/namespaces/{name}/{plural}?dryRun=All"

        def route(*names: str, kind=kind, annotations: dict | None = None) -> dict:
            metadata = {"name": "web", "annotations": annotations or {}}
            spec = {"parentRefs": [{"name": "shared", "namespace": "gateways"}]} | (
                {"hostnames": names} if names else {}
            )
            return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata, "spec": spec}

        eventually(lambda path=path, make=route: denied(someone("POST", path, make())), f"{plural} are held")
        for names in ([own(name)], [own(name), own(name, "a.b")], [f"*.{name}.apps.example.com"]):
            assert someone("POST", path, route(*names))[0] == 201, (kind, names)
        for names in ([], ["shop.example.com"], [own(name), "shop.example.com"], ["*.apps.example.com"], [""]):
            answer = someone("POST", path, route(*names))
            assert denied(answer, "The hostnames of each route"), (kind, names, answer)
        answer = someone("POST", path, route(own(name), annotations={DNS: "shop.example.com"}))
        assert denied(answer, "external-dns"), answer


def test_the_api_server_finds_nothing_wrong_with_the_expressions(plane):
    root = member(plane)
    for name in ("allotment-ingresses", "allotment-routes", "allotment-services"):

        def checked(name=name) -> dict | None:
            found = root("GET", f"{ADMISSION}/validatingadmissionpolicies/{name}")[1]
            return found if found.get("status", {}).get("observedGeneration") else None

        found = eventually(checked, f"{name} is checked")
        assert found["status"].get("typeChecking", {}).get("expressionWarnings", []) == []
