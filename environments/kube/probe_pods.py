"""The pods that test whether a cluster's network isolates: one listens, another tries to reach it and DNS.

What they found is in the exit codes of their containers, so the portal reads only the pods' status. The scripts use
what images with BusyBox have: sh, nc, nslookup, sed, timeout, and httpd if it is there. The pods meet the Pod Security
level `restricted`, hold no token, and end by themselves.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-states
"""

from dataclasses import dataclass
from typing import Any

from environments.kube import manifests
from environments.kube.manifests import Desired, Manifest

LISTENER, CLIENT = "isolation-listener", "isolation-client"
PORT = 8080
PROBES = ("reach", "dns")  # the client's containers

#: How a container of the client ends.
OPEN, CLOSED, NO_TOOL = 10, 20, 30

LISTENER_SECONDS = 1800  # longer than a whole test: what nobody removes ends by itself
CLIENT_SECONDS = 240
_NOBODY = 65534

_LISTEN = """
command -v httpd >/dev/null && exec httpd -f -p "$1" -h /tmp
while true; do nc -l -p "$1" </dev/null >/dev/null 2>&1 || sleep 1; done
"""

# A network needs some seconds to follow a policy. So each script goes on until it finds what the policies ask for.
# It takes three failures in a row for closed: a single one can have other causes.
_TRY = """
failures=0 count=0 most=30
[ "$want" = open ] && most=12
while [ "$count" -lt "$most" ]; do
  count=$((count + 1))
  if try; then
    [ "$want" = open ] && exit 10
    failures=0
  else
    failures=$((failures + 1))
    [ "$want" = closed ] && [ "$failures" -ge 3 ] && exit 20
  fi
  sleep 1
done
[ "$want" = open ] && exit 20
exit 10
"""
_REACH = """
want=$1 address=$2 port=$3
command -v nc >/dev/null && command -v timeout >/dev/null || exit 30
try() { timeout 4 nc -w 2 "$address" "$port" </dev/null >/dev/null 2>&1; }
"""
# Every cluster has this Service. Its domain is what follows the namespace in the first search domain. An answer that
# the name does not exist is an answer, too.
_DNS = """
want=$1
command -v nslookup >/dev/null && command -v timeout >/dev/null || exit 30
domain=$(sed -n 's/^search  *[^. ]*\\.\\([^ ]*\\).*/\\1/p' /etc/resolv.conf)
try() {
  answer=$(timeout 5 nslookup "kubernetes.default.${domain:-svc.cluster.local}" 2>&1) && return 0
  case "$answer" in *NXDOMAIN*|*Name:*) return 0 ;; esac
  return 1
}
"""


@dataclass(frozen=True)
class PodState:
    """A test pod as the cluster last said. `code`: how each container ended; `waits_for`: why none began."""

    uid: str
    phase: str = "Pending"
    address: str = ""
    is_bound: bool = False  # to a node
    codes: tuple[tuple[str, int], ...] = ()
    restarts: int = 0
    waits_for: str = ""
    is_ending: bool = False

    @property
    def is_running(self) -> bool:
        """Whether it runs, and can be reached at its address."""
        return self.phase == "Running" and bool(self.address) and not self.is_ending

    @property
    def is_over(self) -> bool:
        """Whether it will do nothing more."""
        return self.phase in ("Succeeded", "Failed")


def listener(desired: Desired, image: str, run: str) -> Manifest:
    """The pod that listens."""
    container = _container("listen", image, _LISTEN, str(PORT))
    return _pod(desired, LISTENER, run, [container], LISTENER_SECONDS)


def client(desired: Desired, image: str, run: str, *, name: str, address: str, reach: bool, dns: bool) -> Manifest:
    """The pod that tries to reach the listener's address, and DNS; `reach`, `dns`: what the policies let through."""
    words = {True: "open", False: "closed"}
    containers = [
        _container("reach", image, _REACH + _TRY, words[reach], address, str(PORT)),
        _container("dns", image, _DNS + _TRY, words[dns]),
    ]
    return _pod(desired, name, run, containers, CLIENT_SECONDS)


def state(live: Manifest) -> PodState:
    """What a pod's status says of it. Reads it with care: anyone may have written it."""
    status, metadata = live.get("status") or {}, live["metadata"]
    found = [each for each in status.get("containerStatuses") or [] if isinstance(each, dict)]
    return PodState(
        uid=str(metadata["uid"]),
        phase=str(status.get("phase") or "Pending"),
        address=str(status.get("podIP") or ""),
        is_bound=bool((live.get("spec") or {}).get("nodeName")),
        codes=tuple((str(each.get("name")), code) for each in found if (code := _code(each)) is not None),
        restarts=sum(each["restartCount"] for each in found if isinstance(each.get("restartCount"), int)),
        waits_for=_waits_for(status, found)[:300],
        is_ending=bool(metadata.get("deletionTimestamp")),
    )


def _code(container: Manifest) -> int | None:
    ended = (container.get("state") or {}).get("terminated") or {}
    code = ended.get("exitCode")
    return code if isinstance(code, int) else None


def _waits_for(status: Manifest, containers: list[Any]) -> str:
    """Why a pod has not begun: what its container waits for, else what the scheduler says."""
    for each in containers:
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            return ": ".join(filter(None, (str(waiting["reason"]), str(waiting.get("message") or ""))))
    for each in status.get("conditions") or []:
        if each.get("type") == "PodScheduled" and each.get("status") == "False":
            return str(each.get("message") or each.get("reason") or "")
    return ""


def _container(name: str, image: str, script: str, *arguments: str) -> Manifest:
    figures = {"cpu": "50m", "memory": "32Mi"}
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script, name, *arguments],
        "resources": {"requests": figures, "limits": figures},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _pod(desired: Desired, name: str, run: str, containers: list[Manifest], seconds: int) -> Manifest:
    spec = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": seconds,
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _NOBODY,
            "runAsGroup": _NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": containers,
    }
    return manifests.test_pod(desired, name, run, spec)
