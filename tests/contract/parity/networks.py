"""Network policies, services and ingresses."""

from tests.contract.parity.points import Manifest, an, point, tried

_NETWORKING = "networking.k8s.io/v1"


def _policy(**spec) -> Manifest:
    return an("NetworkPolicy", "p", _NETWORKING, spec={"podSelector": {}} | spec)


def _block(cidr: str, *excepted: str) -> Manifest:
    block = {"cidr": cidr} | ({"except": list(excepted)} if excepted else {})
    return _policy(policyTypes=["Egress"], egress=[{"to": [{"ipBlock": block}]}])


def _peer(**peer) -> Manifest:
    return _policy(ingress=[{"from": [peer]}])


def _port(**port) -> Manifest:
    return _policy(ingress=[{"ports": [port]}])


def _matching(**term) -> Manifest:
    return {"matchExpressions": [{"key": "team"} | term]}


#: blocks of addresses, and the code that each gets
_BLOCKS = {
    "10.0.0.0/8": 201,
    "::/0": 201,
    "2001:db8::/32": 201,
    "10.0.0.1/8": 422,
    "10.0.0.0": 422,
    "10.0.0.0/33": 422,
    "010.0.0.0/8": 422,
    "10.0.0.0/08": 422,
    "::ffff:10.0.0.0/104": 422,
    "fe80::1%eth0/64": 422,
    "": 422,
    "all": 422,
}

_POLICIES = (
    ("an exception", 201, _block("10.0.0.0/8", "10.1.0.0/16")),
    ("an exception outside", 422, _block("10.0.0.0/8", "11.0.0.0/16")),
    ("an exception that is all", 422, _block("10.0.0.0/8", "10.0.0.0/8")),
    ("an exception that is none", 422, _block("10.0.0.0/8", "ten")),
    ("a block and pods", 422, _peer(ipBlock={"cidr": "10.0.0.0/8"}, podSelector={})),
    ("a peer of nothing", 422, _peer()),
    ("pods in all namespaces", 201, _peer(podSelector={}, namespaceSelector={})),
    ("port 0", 422, _port(port=0)),
    ("port 65536", 422, _port(port=65536)),
    ("a named port", 201, _port(port="http")),
    ("a port named in capitals", 422, _port(port="HTTP")),
    ("a port named too long", 422, _port(port="a" * 16)),
    ("a port named by a number", 422, _port(port="80")),
    ("a port named with two dashes", 422, _port(port="a--b")),
    ("all ports of a protocol", 201, _port(protocol="UDP")),
    ("a protocol that there is none of", 422, _port(port=80, protocol="ICMP")),
    ("a protocol in small letters", 422, _port(port=80, protocol="tcp")),
    ("a range of ports", 201, _port(port=80, endPort=90)),
    ("a range backwards", 422, _port(port=80, endPort=79)),
    ("a range of a named port", 422, _port(port="http", endPort=90)),
    ("a range without a beginning", 422, _port(endPort=90)),
    ("a range that is too long", 422, _port(port=80, endPort=65536)),
    ("a type that there is none of", 422, _policy(policyTypes=["Sideways"])),
    ("three types", 422, _policy(policyTypes=["Ingress", "Egress", "Ingress"])),
    ("a type twice", 201, _policy(policyTypes=["Ingress", "Ingress"])),
    ("no type", 201, _policy()),
    ("types by what is there", 201, _policy(egress=[{}])),
    ("a selector in capitals", 422, _policy(podSelector={"matchLabels": {"Example.com/a": "b"}})),
    ("a selector's value with a blank", 422, _policy(podSelector={"matchLabels": {"a": "b c"}})),
    ("a selector with another operator", 422, _policy(podSelector=_matching(operator="Like", values=["a"]))),
    ("a selector without values", 422, _policy(podSelector=_matching(operator="In"))),
    ("a selector with values too many", 422, _policy(podSelector=_matching(operator="Exists", values=["a"]))),
    ("a selector's values with a blank", 422, _policy(podSelector=_matching(operator="In", values=["a b"]))),
    ("a selector by terms", 201, _policy(podSelector=_matching(operator="NotIn", values=["a"]))),
    ("a peer's selector without values", 422, _peer(namespaceSelector=_matching(operator="In"))),
    ("a peer's selector in capitals", 422, _peer(namespaceSelector={"matchLabels": {"Example.com/a": "b"}})),
    ("no selector", 201, an("NetworkPolicy", "p", _NETWORKING, spec={})),
)


def _service(*ports: Manifest, **spec) -> Manifest:
    return an("Service", "s", spec={"ports": list(ports)} | spec)


_HTTP = {"name": "http", "port": 80}
_SERVICES = (
    ("one port", 201, _service({"port": 80})),
    ("no ports", 422, an("Service", "s", spec={})),
    ("no ports and no address", 201, an("Service", "s", spec={"clusterIP": "None"})),
    ("two ports without names", 422, _service({"port": 80}, {"port": 81})),
    ("two ports of one name", 422, _service(_HTTP, _HTTP | {"port": 81})),
    ("two ports of one number", 422, _service(_HTTP, _HTTP | {"name": "other"})),
    ("one number for two protocols", 201, _service(_HTTP, _HTTP | {"name": "other", "protocol": "UDP"})),
    ("port 0", 422, _service({"port": 0})),
    ("port 65536", 422, _service({"port": 65536})),
    ("a port's name in capitals", 422, _service({"port": 80, "name": "Http"})),
    ("a port's name that is too long", 422, _service({"port": 80, "name": "a" * 64})),
    ("a target of port 0", 201, _service({"port": 80, "targetPort": 0})),
    ("a target by name", 201, _service({"port": 80, "targetPort": "http"})),
    ("a target in capitals", 422, _service({"port": 80, "targetPort": "HTTP"})),
    ("a protocol that there is none of", 422, _service({"port": 80, "protocol": "ICMP"})),
    ("a type that there is none of", 422, _service({"port": 80}, type="Internal")),
    ("a port on nodes that is too low", 201, _service({"port": 80, "nodePort": 80}, type="NodePort")),
    ("a port on nodes without the type", 422, _service({"port": 80, "nodePort": 30080})),
    ("an affinity that there is none of", 422, _service({"port": 80}, sessionAffinity="Always")),
    ("a name outside", 201, an("Service", "s", spec={"type": "ExternalName", "externalName": "example.com"})),
    ("a name outside that is missing", 422, an("Service", "s", spec={"type": "ExternalName"})),
    ("a selector's value with a blank", 422, _service({"port": 80}, selector={"a": "b c"})),
    ("an address that is none", 422, _service({"port": 80}, clusterIP="ten")),
    ("an address outside that is none", 422, _service({"port": 80}, externalIPs=["ten"])),
    ("sources that are none", 422, _service({"port": 80}, type="LoadBalancer", loadBalancerSourceRanges=["ten"])),
    (
        "a traffic policy that there is none of",
        422,
        _service({"port": 80}, type="NodePort", externalTrafficPolicy="Near"),
    ),
)

_BACKEND = {"service": {"name": "web", "port": {"number": 80}}}


def _ingress(path: Manifest | None = None, host: str = "example.com", **spec) -> Manifest:
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": _BACKEND} | (path or {})]}}
    return an("Ingress", "i", _NETWORKING, spec={"rules": [rule]} | spec)


_INGRESSES = (
    ("a rule", 201, _ingress()),
    ("nothing", 422, an("Ingress", "i", _NETWORKING, spec={})),
    ("a default alone", 201, an("Ingress", "i", _NETWORKING, spec={"defaultBackend": _BACKEND})),
    ("a host that is an address", 422, _ingress(host="10.0.0.1")),
    ("a host in capitals", 422, _ingress(host="Example.com")),
    ("any host below", 201, _ingress(host="*.example.com")),
    ("any host in the middle", 422, _ingress(host="a.*.example.com")),
    ("a path of no type", 422, _ingress({"pathType": None})),
    ("a path of another type", 422, _ingress({"pathType": "Regex"})),
    ("a path without a slash", 422, _ingress({"path": "a"})),
    ("a path with two slashes", 422, _ingress({"path": "/a//b"})),
    ("a backend of no port", 422, _ingress({"backend": {"service": {"name": "web"}}})),
    (
        "a backend of two ports",
        422,
        _ingress({"backend": {"service": {"name": "web", "port": {"number": 80, "name": "a"}}}}),
    ),
    ("a backend of no service", 422, _ingress({"backend": {}})),
    ("a certificate of a host in capitals", 422, _ingress(tls=[{"hosts": ["Example.com"], "secretName": "a"}])),
)

_POLICY_FIELDS = "spec.policyTypes spec.ingress spec.egress spec.podSelector"
_SERVICE_FIELDS = (
    "spec.type spec.ports[].protocol spec.ports[].targetPort spec.sessionAffinity spec.internalTrafficPolicy"
)

POINTS = (
    *(point(f"a policy with block {cidr}", code, tried(_block(cidr))) for cidr, code in _BLOCKS.items()),
    *(point(f"a policy with {name}", code, tried(found), fields=_POLICY_FIELDS) for name, code, found in _POLICIES),
    *(point(f"a service with {name}", code, tried(found), fields=_SERVICE_FIELDS) for name, code, found in _SERVICES),
    *(point(f"an ingress with {name}", code, tried(found)) for name, code, found in _INGRESSES),
)
