"""Tests with packets whether a cluster's network enforces NetworkPolicies, in the workbench namespace.

One pod listens. In each stage another pod tries to reach it, and to resolve a name, with other policies in force. What
it found is in the exit codes of its containers. Between two stages with policies is one without any, in which
everything must be reachable: otherwise a broken pod or a slow network would look like an isolating one.

Each function does one thing, can run any number of times, and never waits: the caller comes back later. It holds the
workbench (`actions/workbenches.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from environments import spec as template_spec
from environments.kube import manifests, others, probe_pods
from environments.kube.answers import AlreadyExistsError
from environments.kube.client import Manifest, Question
from environments.kube.manifests import Desired
from environments.kube.probe_pods import PodState
from environments.lib.errors import PermanentError, TemporaryError
from environments.lib.isolation import SENTENCES, Isolation
from environments.reconcile import workbench
from environments.reconcile.workbench import Workbench

START_SECONDS = 120  # a pod that no node has started by then will not start
STAGE_SECONDS = 390.0  # to start, and to find out

#: The workbench during a test: two pods may run. Its network is that of an environment with DNS.
TESTING = template_spec.parse(
    {
        "quota": {"pods": "2"},
        "pod_security": {"enforce": "restricted", "audit": "restricted", "warn": "restricted"},
        "network": {"dns": True},
    }
)
_NEEDED = (Question("create", "pods"), Question("get", "pods"), Question("delete", "pods"))

Codes = dict[str, int]  # by container of the client: OPEN, CLOSED or anything else


@dataclass(frozen=True)
class Stage:
    """One client pod: which policies are in force, and what they let through."""

    name: str
    title: str
    reach: bool
    dns: bool

    @property
    def is_control(self) -> bool:
        """Whether no policy is in force."""
        return self.reach and self.dns


STAGES = (
    Stage("control-1", "No policy", reach=True, dns=True),
    Stage("ingress", "Incoming traffic denied", reach=False, dns=True),
    Stage("control-2", "No policy", reach=True, dns=True),
    Stage("egress", "Outgoing traffic denied", reach=False, dns=False),
    Stage("control-3", "No policy", reach=True, dns=True),
    Stage("all", "All traffic denied, DNS allowed", reach=False, dns=True),
    Stage("control-4", "No policy", reach=True, dns=True),
)


@dataclass(frozen=True)
class Probe:
    """A test on one workbench: its image, and which test it is."""

    bench: Workbench
    image: str
    run: str

    @property
    def desired(self) -> Desired:
        """The workbench as it is during the test."""
        return workbench.at(self.bench, TESTING)


def arrange(probe: Probe) -> bool:
    """Make the workbench ready for pods and free of those of earlier tests; False if it takes another moment.

    Raises ReconcileError.
    """
    bench, desired = probe.bench, probe.desired
    workbench.claim(bench)
    bench.client.apply(manifests.namespace(desired))
    bench.client.apply(manifests.portal_binding(desired, bench.client.whoami()))
    if not all(bench.client.may_i(replace(each, namespace=bench.name)).allowed for each in _NEEDED):
        return False
    if not workbench.remove_pods(bench):
        return False
    bench.client.apply(manifests.resource_quota(desired))
    quotas = bench.client.list_objects("ResourceQuota", bench.name)
    quota = next((each for each in quotas if each["metadata"]["name"] == manifests.QUOTA), {})
    return others.counted(quota) and bench.client.get("ServiceAccount", "default", bench.name) is not None


def listen(probe: Probe) -> PodState:
    """The pod that listens, created if there is none yet. Raises ReconcileError."""
    live = probe.bench.client.get("Pod", probe_pods.LISTENER, probe.bench.name)
    if live is not None:
        return _own(probe, live)
    _enforce(probe, [])
    return _created(probe, probe_pods.listener(probe.desired, probe.image, probe.run))


def is_listening(probe: Probe, uid: str) -> bool:
    """Whether the pod that listens is still the same and runs. Raises ReconcileError."""
    live = probe.bench.client.get("Pod", probe_pods.LISTENER, probe.bench.name)
    state = probe_pods.state(live) if live else None
    return state is not None and state.uid == uid and state.is_running and not state.restarts


def measure(probe: Probe, stage: Stage, address: str) -> PodState:
    """The client pod of a stage, created with the stage's policies if there is none yet. Raises ReconcileError."""
    name = f"{probe_pods.CLIENT}-{stage.name}"
    live = probe.bench.client.get("Pod", name, probe.bench.name)
    if live is not None:
        return _own(probe, live)
    _enforce(probe, policies(probe.desired, stage))
    wanted = probe_pods.client(
        probe.desired, probe.image, probe.run, name=name, address=address, reach=stage.reach, dns=stage.dns
    )
    return _created(probe, wanted)


def policies(desired: Desired, stage: Stage) -> list[Manifest]:
    """The policies of a stage. The last ones are those of an environment."""
    if stage.is_control:
        return []
    if stage.name == "all":
        return manifests.network_policies(desired)
    return [manifests.test_policy(desired, stage.name.capitalize())]


def codes(state: PodState) -> Codes:
    """What a client that is over found out, by container."""
    return {name: code for name, code in state.codes if name in probe_pods.PROBES}


def remove(probe: Probe, stage: Stage) -> None:
    """Delete the client pod of a stage. It is over, so it counts for no quota while the cluster removes it."""
    probe.bench.client.delete("Pod", f"{probe_pods.CLIENT}-{stage.name}", probe.bench.name)


def clean(bench: Workbench) -> bool:
    """Remove everything of any test and let the workbench rest; whether all of it is gone. Raises ReconcileError.

    What is not there, or is not the portal's, is left as it is.
    """
    live = bench.client.get("Namespace", bench.name)
    if live is None or not manifests.is_ours(live, bench.label_domain, workbench.LABEL):
        return True
    resting = workbench.at(bench, workbench.AT_REST)
    is_empty = workbench.remove_pods(bench)
    bench.client.apply(manifests.resource_quota(resting))
    _prune(bench, workbench.policies_at_rest(bench))
    return is_empty


def _enforce(probe: Probe, wanted: list[Manifest]) -> None:
    strange = _prune(probe.bench, wanted)
    if strange:
        names = ", ".join(sorted(strange)[:5])
        raise PermanentError(
            f"Others have NetworkPolicies in the workbench namespace: {names}. They would change the result. Remove "
            "them, or keep whatever creates them out of this namespace.",
            reason="OthersPolicies",
        )


def _prune(bench: Workbench, wanted: list[Manifest]) -> list[str]:
    """Apply policies and delete the portal's others; the names of those that others made."""
    keep, strange = {each["metadata"]["name"] for each in wanted}, []
    for each in wanted:
        bench.client.apply(each)
    for live in bench.client.list_objects("NetworkPolicy", bench.name):
        name = live["metadata"]["name"]
        if not manifests.is_ours(live, bench.label_domain, workbench.LABEL):
            strange.append(name)
        elif name not in keep:
            bench.client.delete("NetworkPolicy", name, bench.name, uid=live["metadata"]["uid"])
    return strange


def _created(probe: Probe, wanted: Manifest) -> PodState:
    try:
        return _own(probe, probe.bench.client.create(wanted))
    except AlreadyExistsError as error:
        raise TemporaryError("The cluster has a pod of another test.", reason="Conflict") from error
    except PermanentError as error:
        if "exceeded quota" in error.message or "status unknown for quota" in error.message:
            raise TemporaryError(error.message, reason="NotCounted") from error
        raise


def _own(probe: Probe, live: Manifest) -> PodState:
    """Raises TemporaryError for a pod of an earlier test: it tells nothing about this one."""
    label = manifests.test_label(probe.bench.label_domain)
    if (live["metadata"].get("labels") or {}).get(label) != probe.run:
        raise TemporaryError("The cluster still has a pod of another test.", reason="Conflict")
    return probe_pods.state(live)


# What follows from it


def judge(found: Mapping[str, Codes]) -> tuple[Isolation, str]:
    """What the exit codes of all stages say together: the result and its sentence. Pure."""
    if doubt := _doubt(found):
        return Isolation.INCONCLUSIVE, doubt
    verdict = _verdict(found)
    return verdict, SENTENCES.get(verdict, "What the stages found contradicts itself. Test again.")


def doubt(stage: Stage, codes: Codes) -> str:
    """Why what a stage found says nothing, as a sentence; empty if it counts."""
    for probe in probe_pods.PROBES:
        code = codes.get(probe)
        if code == probe_pods.NO_TOOL:
            tools = {"reach": "nc or timeout", "dns": "nslookup or timeout"}[probe]
            return f"The image of the test has no {tools}. Set ISOLATION_TEST_IMAGE to an image with BusyBox."
        if code not in (probe_pods.OPEN, probe_pods.CLOSED):
            return f"The test's pod ended early in the stage “{stage.title}”{_code_words(code)}."
    if stage.is_control and codes["reach"] == probe_pods.CLOSED:
        return "One pod could not reach another although no policy was in force. So nothing follows from the test."
    if stage.is_control and codes["dns"] == probe_pods.CLOSED:
        return "Pods could not reach DNS although no policy was in force. So nothing follows from the test."
    return ""


def _doubt(found: Mapping[str, Codes]) -> str:
    sentences = (doubt(stage, found.get(stage.name, {})) for stage in STAGES)
    return next(filter(None, sentences), "")


def _code_words(code: int | None) -> str:
    return "" if code is None else f", with exit code {code}"


def _verdict(found: Mapping[str, Codes]) -> Isolation:
    is_closed = {
        (name, probe): code == probe_pods.CLOSED for name, codes in found.items() for probe, code in codes.items()
    }
    incoming, outgoing = is_closed["ingress", "reach"], is_closed["egress", "reach"]
    if is_closed["all", "reach"] != (incoming or outgoing):
        return Isolation.INCONCLUSIVE
    if not (incoming or outgoing):
        return Isolation.NONE
    if not outgoing:
        return Isolation.INGRESS_ONLY
    if not incoming:
        return Isolation.EGRESS_ONLY
    if is_closed["all", "dns"]:
        return Isolation.DNS_CLOSED
    return Isolation.ENFORCED if is_closed["egress", "dns"] else Isolation.DNS_OPEN


def why_not_started(state: PodState, image: str) -> str:
    """Why no node ran a pod in time, as a sentence."""
    said = f" {_sentence(state.waits_for)}" if state.waits_for else ""
    if not state.is_bound:
        return f"No node ran the test's pods within two minutes.{said}"
    return f"The test's pods did not start within two minutes. Their image is {image}.{said}"


def _sentence(text: str) -> str:
    return f"The cluster says: {text.rstrip('.')}."
