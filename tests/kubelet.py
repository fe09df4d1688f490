"""A kubelet and a network for tests: they run the pods of a cluster that has no nodes.

What a pod finds out is no script of answers. The network reads the NetworkPolicies, pods and namespaces that are in the
API, and says what it would let through: all that the policies allow if it enforces them, everything if not. The
kubelet then runs the pod's own command lines, where `nc` and `nslookup` ask that network, and writes their exit codes
into the pod's status.

Source: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Object = dict[str, Any]
Ask = Callable[..., tuple[int, Object]]  # method, path, body, content type: status, answer

_MERGE = "application/merge-patch+json"

#: In the place of what the image has. A line of $OPEN is what the network lets through; $OPEN_LATER from try $LAG on.
_TOOLS = {
    "nc": 'shift 2; exec answer "$1:$2"',
    "nslookup": 'exec answer "dns"',
    "timeout": 'shift; exec "$@"',
    "sleep": "exit 0",
    "answer": 'n=$(cat "$COUNT" 2>/dev/null || echo 0); echo $((n + 1)) > "$COUNT"\n'
    '[ "$n" -lt "$LAG" ] && open=$OPEN || open=$OPEN_LATER\n'
    'case " $open " in *" $1 "*) exit 0 ;; esac; exit 1',
}


@dataclass
class Network:
    """What a cluster's network does. `lag`: tries that a new pod makes before the network knows its policies."""

    ingress: bool = True  # enforced
    egress: bool = True
    works: bool = True  # without any policy
    dns_works: bool = True
    dns_namespace: str = "kube-system"
    dns_on_node: bool = False  # a cache on each node, which no policy is applied to
    lag: int = 0

    def opens(self, source: Object, target: Object, port: int, policies: list[Object], labels: Object) -> bool:
        """Whether a packet passes. `labels`: those of each namespace, by name."""
        out = not self.egress or _allows("egress", source, target, port, policies, labels)
        into = not self.ingress or _allows("ingress", target, source, port, policies, labels)
        return out and into


def _allows(side: str, pod: Object, peer: Object, port: int, policies: list[Object], labels: Object) -> bool:
    mine = [each["spec"] for each in policies if _is_about(side, each, pod)]
    rules = [rule for spec in mine for rule in spec.get(side) or []]
    return not mine or any(_passes(side, rule, pod, peer, port, labels) for rule in rules)


def _is_about(side: str, policy: Object, pod: Object) -> bool:
    spec, home = policy["spec"], policy["metadata"]["namespace"]
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    selected = _matches(spec.get("podSelector") or {}, pod["metadata"].get("labels") or {})
    return home == pod["metadata"]["namespace"] and side.capitalize() in types and selected


def _passes(side: str, rule: Object, pod: Object, peer: Object, port: int, labels: Object) -> bool:
    ports = rule.get("ports") or []
    if ports and port not in [each.get("port") for each in ports]:
        return False
    peers = rule.get("to" if side == "egress" else "from") or []
    return not peers or any(_is_peer(each, pod, peer, labels) for each in peers)


def _is_peer(selectors: Object, pod: Object, peer: Object, labels: Object) -> bool:
    assert "ipBlock" not in selectors, "no policy of the tests has one"
    home = peer["metadata"]["namespace"]
    if "namespaceSelector" in selectors:
        near = _matches(selectors["namespaceSelector"], labels.get(home, {}))
    else:
        near = home == pod["metadata"]["namespace"]
    return near and _matches(selectors.get("podSelector") or {}, peer["metadata"].get("labels") or {})


def _matches(selector: Object, labels: Object) -> bool:
    assert not selector.get("matchExpressions"), "no policy of the tests has one"
    return all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())


@dataclass
class Kubelet:
    """Runs the pods of one namespace, step by step. `pulls`: whether the image can be had; `binds`: as a node does."""

    ask: Ask
    namespace: str
    tools: Path
    network: Network = field(default_factory=Network)
    pulls: bool = True
    binds: bool = True
    _ran: dict[tuple[Any, ...], int] = field(default_factory=dict)
    _before: list[Object] = field(default_factory=list)  # the policies when the last pod was run

    def __post_init__(self) -> None:
        self.tools.mkdir(parents=True, exist_ok=True)
        for name, script in _TOOLS.items():
            path = self.tools / name
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)

    def step(self) -> None:
        """Do what is to be done now: end deleted pods, start new ones, run those that are to end by themselves."""
        for pod in self._list("pods"):
            path = f"{self._home}/pods/{pod['metadata']['name']}"
            if pod["metadata"].get("deletionTimestamp"):
                self.ask("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0})
            elif (pod.get("status") or {}).get("phase", "Pending") == "Pending":
                self._start(path, pod)

    def _start(self, path: str, pod: Object) -> None:
        name = pod["metadata"]["name"]
        if self.binds and not pod["spec"].get("nodeName"):
            binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}}
            self.ask("POST", f"{path}/binding", binding | {"target": {"kind": "Node", "name": "node"}})
        self._report(path, self._status(pod))

    def _status(self, pod: Object) -> Object:
        containers = pod["spec"]["containers"]
        if not self.pulls:
            waiting = {"reason": "ErrImagePull", "message": f"{containers[0]['image']}: not found"}
            return self._states("Pending", [(each, {"waiting": waiting}) for each in containers])
        if len(containers) == 1:  # it listens
            now = pod["metadata"]["creationTimestamp"]
            return self._states("Running", [(each, {"running": {"startedAt": now}}) for each in containers])
        policies = self._list("networkpolicies", "/apis/networking.k8s.io/v1")
        codes = [self._run(pod, each, policies) for each in containers]
        self._before = policies
        ended = [{"terminated": {"exitCode": code, "reason": "Error"}} for code in codes]
        return self._states("Failed", list(zip(containers, ended, strict=True)))

    def _states(self, phase: str, containers: list[tuple[Object, Object]]) -> Object:
        listed = [
            {
                "name": each["name"],
                "image": each["image"],
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": state,
            }
            for each, state in containers
        ]
        address = "10.1.0.5" if len(containers) == 1 else "10.1.0.6"
        return {"phase": phase, "podIP": address, "podIPs": [{"ip": address}], "containerStatuses": listed}

    def _run(self, pod: Object, container: Object, policies: list[Object]) -> int:
        """The exit code of a container's own command line in this network."""
        now, before = self._open(pod, policies), self._open(pod, self._before)
        known = (tuple(container["command"]), now, before, self.network.lag)
        if known not in self._ran:
            count = self.tools / "count"
            count.unlink(missing_ok=True)
            path = f"{self.tools}:/usr/bin:/bin"
            seen = {"OPEN": before if self.network.lag else now, "OPEN_LATER": now, "LAG": str(self.network.lag)}
            environment = {"PATH": path, "COUNT": str(count)} | seen
            ended = subprocess.run(container["command"], env=environment, timeout=60, check=False)
            self._ran[known] = ended.returncode
        return self._ran[known]

    def _open(self, pod: Object, policies: list[Object]) -> str:
        """What the network lets through for a pod: each listener's address with its port, and DNS."""
        network, found = self.network, []
        _, answer = self.ask("GET", "/api/v1/namespaces")
        labels = {each["metadata"]["name"]: each["metadata"].get("labels") or {} for each in answer["items"]}
        for other in self._list("pods"):
            address = (other.get("status") or {}).get("podIP")
            is_other = other["metadata"]["name"] != pod["metadata"]["name"]
            port = int(other["spec"]["containers"][0]["command"][-1]) if len(other["spec"]["containers"]) == 1 else 0
            if address and port and is_other and network.works and network.opens(pod, other, port, policies, labels):
                found.append(f"{address}:{port}")
        resolver = {"metadata": {"name": "dns", "namespace": network.dns_namespace, "labels": {}}}
        labels.setdefault(network.dns_namespace, {"kubernetes.io/metadata.name": network.dns_namespace})
        by_policy = network.dns_on_node or network.opens(pod, resolver, 53, policies, labels)
        return " ".join([*found, *(["dns"] if network.dns_works and by_policy else [])])

    def _report(self, path: str, status: Object) -> None:
        code, answer = self.ask("PATCH", f"{path}/status", {"status": status}, _MERGE)
        assert code == 200, answer

    def _list(self, plural: str, prefix: str = "/api/v1") -> list[Object]:
        _, answer = self.ask("GET", f"{prefix}/namespaces/{self.namespace}/{plural}")
        return list(answer.get("items") or [])

    @property
    def _home(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}"
