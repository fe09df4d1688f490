"""Tries what a template would make on a cluster, in one namespace that is kept for it: the workbench.

A dry run (`dryRun=All`) is checked as if it were meant, by the cluster's policies and webhooks too. But the API server
checks an object against the namespace that it is in, so the workbench is made as the environment's namespace would be:
its labels, Pod Security levels and annotations, which policies read, and its quota, which says by being counted what
it will count. These two are stored; everything else is a dry run. At rest nothing can run in the workbench: its quota
takes no pods, its level is `restricted`, and it denies all traffic. Only a test of the cluster's network
(`isolation.py`) runs pods here, two at a time.

The portal binds itself to environment-admin there, as it does in the namespace of an environment with objects of its
own (`steps/objects.py`): only so may it send them, and the cluster checks that Roles give no more than that.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run
"""

import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from environments import spec as template_spec
from environments.kube import api_warnings, manifests, network_policies, others
from environments.kube.answers import AlreadyExistsError
from environments.kube.client import ClusterClient, Manifest, Question
from environments.kube.manifests import Binding, Desired
from environments.kube.network_policies import Neighbours
from environments.lib import naming
from environments.lib.errors import PermanentError, ReconcileError, TemporaryError
from environments.lib.identity import Naming
from environments.reconcile import placing
from environments.spec import TemplateSpec, extras
from environments.spec.base import PLACEHOLDER, Problem
from environments.spec.parameters import Kind

#: The value of the environment label: no environment's id, so nothing takes the workbench for one.
LABEL = "workbench"
MOST_SAMPLES = 40  # values of lists multiply
_PROOF = Question("patch", "configmaps")  # what the portal may do there by its own binding alone
_SEEN = 1.0  # seconds until every API server knows a namespace as it is now: policies read it from a cache
_PAUSE = 0.5
_MOST_LOOKS = 20  # at a quota that is not counted, or a binding that is not in force yet
_MOST_DOUBTS = 3  # looks at what a policy refused a moment after the namespace changed

#: What the workbench is between two checks.
AT_REST = template_spec.parse(
    {
        "quota": {"pods": "0"},
        "pod_security": {"enforce": "restricted", "audit": "restricted", "warn": "restricted"},
    }
)


@dataclass(frozen=True)
class Sample:
    """One environment to try: a size, a value for each parameter, and what is special about it."""

    size: str
    values: dict[str, str]
    words: str = ""  # "cpu 4000m"; empty: the defaults


@dataclass(frozen=True)
class Attempt:
    """What a cluster says of one sample. With `wait` it is too early to tell: try again in so many seconds."""

    refusals: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    wait: float = 0.0


@dataclass(frozen=True)
class Workbench:
    """The workbench of one cluster, and how that cluster names things. `owner` is who the samples are for."""

    client: ClusterClient
    name: str
    label_domain: str
    naming: Naming = field(default_factory=Naming)
    neighbours: Neighbours = field(default_factory=Neighbours)
    account_namespace: str = "allotment"
    template: str = "template"
    owner: str = "somebody@example.com"


def samples(spec: TemplateSpec) -> list[Sample]:
    """Every size with the defaults, then every listed value of the parameters in use, at most MOST_SAMPLES."""
    usual = {each.name: extras.example(each) for each in spec.parameters}
    sizes = [size.name for size in spec.sizes] or [""]
    found = [Sample(size, usual) for size in sizes]
    for each in spec.parameters:
        values = [(choice, f"{each.title}: {choice}") for choice in each.choices]
        if not (each.required or each.default or each.type is Kind.BOOLEAN):
            values.append(("", f"{each.title} left empty"))
        using = _using(spec, each.name, sizes)
        found += [
            Sample(size, usual | {each.name: value}, words)
            for value, words in values
            if value != usual[each.name]
            for size in using
        ]
    return found[:MOST_SAMPLES]


def _using(spec: TemplateSpec, name: str, sizes: list[str]) -> list[str]:
    """The sizes in which a parameter makes a difference; the first one if it does in all."""
    own = [size.name for size in spec.sizes if name in _placeholders(*size.quota.values())]
    limits = [text for _, figures in spec.limits.groups() for text in figures.values()]
    texts = (*spec.quota.values(), *limits, *spec.labels.values(), *spec.annotations.values(), spec.manifests)
    return own or (sizes[:1] if name in _placeholders(*texts) else [])


def _placeholders(*texts: str) -> set[str]:
    return {name for text in texts for name in PLACEHOLDER.findall(text)}


def attempt(bench: Workbench, spec: TemplateSpec, sample: Sample, tries: int) -> Attempt:
    """Try one sample. `tries`: how often this one was tried before.

    Raises TemporaryError if the cluster does not answer, PermanentError if the workbench cannot be used.
    """
    trial = _Trial(bench, spec, sample)
    with api_warnings.hearing() as warnings:
        wait, refusals = trial.arrange(tries)
        if wait:
            return Attempt(wait=wait)
        warnings.clear()  # those about the workbench itself
        found, doubtful = trial.dry_run()
    if doubtful and tries < _MOST_DOUBTS:
        return Attempt(wait=_SEEN)
    notes = [f"The cluster warns: {each}" for each in warnings]
    return Attempt(list(dict.fromkeys([*refusals, *found])), notes)


def at(bench: Workbench, spec: TemplateSpec) -> Desired:
    """The workbench as it is with such a content."""
    return _desired(bench, spec, Sample("", {}), bench.name, LABEL)


def policies_at_rest(bench: Workbench) -> list[Manifest]:
    """The NetworkPolicies of the workbench between two checks: deny-all."""
    return [_deny_all(at(bench, AT_REST))]


def claim(bench: Workbench) -> tuple[Manifest, bool]:
    """The workbench's namespace, created if it is missing, and whether that was now. Raises ReconcileError."""
    wanted = manifests.namespace(at(bench, AT_REST))
    live, is_new = bench.client.get("Namespace", bench.name), False
    if live is None:
        try:
            live, is_new = bench.client.create(wanted), True
        except AlreadyExistsError as error:
            raise TemporaryError("Someone else created the workbench namespace.", reason="Conflict") from error
    if not manifests.is_ours(live, bench.label_domain, LABEL):
        raise PermanentError(
            f"The namespace {bench.name} exists already, and it is not the portal's workbench. The portal "
            "did not change it. Enter another name for the workbench on the cluster's page.",
            reason="NotOurs",
        )
    if live["metadata"].get("deletionTimestamp"):
        raise TemporaryError("The cluster is deleting the workbench namespace.", reason="NamespaceTerminating")
    return live, is_new


def remove_pods(bench: Workbench) -> bool:
    """Delete the pods of all tests of the network; whether there are none. Raises ReconcileError."""
    is_empty = True
    for each in bench.client.list_objects("Pod", bench.name, labels=manifests.test_label(bench.label_domain)):
        is_empty = False
        if not each["metadata"].get("deletionTimestamp"):
            bench.client.delete("Pod", each["metadata"]["name"], bench.name, uid=each["metadata"]["uid"])
    return is_empty


def tidy(bench: Workbench) -> None:
    """Bring the workbench to rest. What does not work is left to the next check."""
    desired = at(bench, AT_REST)
    with suppress(ReconcileError):
        live = bench.client.get("Namespace", bench.name)
        if live is None or not manifests.is_ours(live, bench.label_domain, LABEL):
            return
        bench.client.apply(manifests.namespace(desired))
        bench.client.apply(manifests.resource_quota(desired))


def _desired(bench: Workbench, spec: TemplateSpec, sample: Sample, namespace: str, environment_id: str) -> Desired:
    roles = dict.fromkeys((spec.owner_role, *spec.collaborator_roles))
    parts = naming.parts(owner_email=bench.owner, name="sample", template=bench.template, size=sample.size)
    groups = {role: naming.group(parts, namespace, role, spec.naming.group) for role in roles}
    return Desired(
        environment_id=environment_id,
        name="sample",
        namespace=namespace,
        owner=bench.owner,
        template=bench.template,
        spec=spec,
        label_domain=bench.label_domain,
        size=sample.size,
        parameters=tuple(sample.values.items()),
        bindings=tuple(Binding(role, bench.naming.group(group)) for role, group in groups.items()),
        account_namespace=bench.account_namespace,
        neighbours=bench.neighbours,
    )


class _Trial:
    """One sample on one workbench."""

    def __init__(self, bench: Workbench, spec: TemplateSpec, sample: Sample) -> None:
        self._bench, self._client, self._spec, self._sample = bench, bench.client, spec, sample
        self._desired = _desired(bench, spec, sample, bench.name, LABEL)
        self._is_arranged = True  # the namespace is as the template says

    def arrange(self, tries: int) -> tuple[float, list[Problem]]:
        """Make the workbench as the environment's namespace would be: how long to wait for it, and what was refused."""
        live, is_new = claim(self._bench)
        if tries == 0:
            remove_pods(self._bench)  # of a test that lost its worker: the quota would count them
        refusals = self._namespace()
        if not refusals:
            try:
                changed = self._client.apply(manifests.namespace(self._desired))
            except PermanentError as error:
                refusals = self._problems(error, manifests.namespace(self._desired))
        if refusals:
            self._is_arranged = False
            changed = self._client.apply(manifests.namespace(self._at_rest()))
        self._client.apply(_deny_all(self._desired))
        self._client.apply(manifests.portal_binding(self._desired, self._client.whoami()))
        counting, uncounted = self._quota()
        is_changed = is_new or _version(changed) != _version(live)
        return self._pause(tries, is_changed=is_changed, counting=counting), [*refusals, *uncounted]

    def dry_run(self) -> tuple[list[Problem], bool]:
        """What the cluster refuses of everything else, and whether another look may find less."""
        found: list[Problem] = []
        doubtful = False
        try:
            wanted = list(self._manifests())
        except ValueError as error:  # values that make something of the manifests that may not be made
            return [(("manifests",), sentence) for sentence in str(error).splitlines()], False
        for manifest in wanted:
            try:
                self._client.apply(manifest, dry_run=True)
            except PermanentError as error:
                found += self._problems(error, manifest)
                doubtful = doubtful or error.reason in ("Forbidden", "NotFound")
        return found, doubtful

    def _manifests(self) -> Iterator[Manifest]:
        """What is only tried; without the template's own objects if the namespace cannot be as they need it."""
        desired = self._desired
        yield from filter(None, [manifests.limit_range(desired)])
        yield from manifests.network_policies(desired)
        yield from filter(None, [manifests.default_account(desired)])
        yield from manifests.role_bindings(desired)
        if self._is_arranged:
            yield from manifests.extra_objects(desired)

    def _namespace(self) -> list[Problem]:
        """What the cluster refuses of the namespace itself, created as an environment's would be."""
        parts = naming.parts(
            owner_email=self._bench.owner, name="sample", template=self._bench.template, size=self._sample.size
        )
        name = naming.namespace(parts, naming.new_suffix(), self._spec.naming.namespace)
        desired = replace(self._desired, namespace=name, environment_id=str(uuid.uuid4()))
        wanted = manifests.namespace(desired)
        try:
            self._client.create(wanted, dry_run=True)
        except PermanentError as error:
            return self._problems(error, wanted)
        return []

    def _quota(self) -> tuple[bool, list[Problem]]:
        """Whether the cluster has still to count the quota, and what it refuses of it or never counts."""
        wanted = manifests.resource_quota(self._desired)
        try:
            live = self._client.apply(wanted)
        except PermanentError as error:
            self._client.apply(manifests.resource_quota(self._at_rest()))
            return False, self._problems(error, wanted)
        if not others.counted(live):
            found = self._client.list_objects("ResourceQuota", self._bench.name)
            live = next((each for each in found if each["metadata"]["name"] == manifests.QUOTA), live)
        if not others.counted(live):
            return True, []
        return False, [self._uncounted(resource) for resource in others.uncounted(live)]

    def _uncounted(self, resource: str) -> Problem:
        sentence = f"This cluster never counts {resource}, so the quota does not limit it."
        return placing.quota_place(self._spec, self._sample.size, resource), sentence

    def _pause(self, tries: int, *, is_changed: bool, counting: bool) -> float:
        """How long to wait until the workbench is as it was made; raises TemporaryError if that takes too long."""
        if is_changed and tries == 0:
            return _SEEN
        waits = "to count the quota of its workbench" if counting else "to give the portal access to its workbench"
        if not counting and self._client.may_i(replace(_PROOF, namespace=self._bench.name)).allowed:
            return 0.0
        if tries >= _MOST_LOOKS:
            raise TemporaryError(f"The portal waited too long for the cluster {waits}.", reason="NotYet")
        return _PAUSE

    def _at_rest(self) -> Desired:
        return at(self._bench, AT_REST)

    def _problems(self, error: PermanentError, manifest: Manifest) -> list[Problem]:
        sample = self._sample
        return placing.problems(error, manifest, self._spec, sample.size, sample.values, self._bench.label_domain)


def _deny_all(desired: Desired) -> Manifest:
    return next(
        each for each in manifests.network_policies(desired) if each["metadata"]["name"] == network_policies.DENY_ALL
    )


def _version(live: Manifest) -> str:
    return str(live["metadata"].get("resourceVersion", ""))
