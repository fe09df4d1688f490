"""A corpus of what people might write in a template, each with the verdict of a real API server.

tests/contract/test_published_values.py asks both clusters, tests/environments/test_published_values.py the portal's own
rules: what may be published is what a real API server takes as it is and counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What the API server makes of a value, and its quota controller of a quota's key."""

    TAKEN = "takes it as it is"
    DECIDED = "counts it if the cluster serves this resource"
    UNCOUNTED = "takes it and never counts it"
    CHANGED = "takes it and makes something else of it"
    REFUSED = "refuses it"


@dataclass(frozen=True)
class Value:
    """Something that a template could say. `stricter`: why the portal refuses what the API server takes."""

    kind: str
    words: tuple[str, ...]
    verdict: Verdict
    stricter: str = ""

    @property
    def may_be_published(self) -> bool:
        """Whether the portal's own rules let it pass."""
        return self.verdict in (Verdict.TAKEN, Verdict.DECIDED) and not self.stricter

    def __str__(self) -> str:
        return f"{self.kind} {' '.join(self.words)}"[:90]


#: Keys of a quota.
_QUOTA_KEYS = {
    Verdict.TAKEN: """
        pods services services.loadbalancers services.nodeports configmaps secrets persistentvolumeclaims
        replicationcontrollers resourcequotas cpu memory ephemeral-storage requests.cpu requests.memory
        requests.ephemeral-storage requests.storage limits.cpu limits.memory limits.ephemeral-storage
        hugepages-2Mi hugepages-1Gi requests.hugepages-2Mi requests.hugepages-1Gi hugepages-x hugepages-64Ki
        requests.nvidia.com/gpu requests.amd.com/gpu requests.example.com/My_GPU requests.example.com/GPU
        requests.example.com/gpu.shared requests.nvidia.com/mig-1g.5gb requests.gpu.intel.com/i915
        requests.example.com/a_b requests.example.com/a.b requests.x/gpu requests.k8s.io/x
        requests.example/gpu count/pods count/services count/configmaps count/secrets
        count/persistentvolumeclaims count/replicationcontrollers count/resourcequotas count/serviceaccounts
        count/limitranges count/endpoints count/podtemplates count/deployments.apps count/statefulsets.apps
        count/daemonsets.apps count/replicasets.apps count/controllerrevisions.apps count/jobs.batch
        count/cronjobs.batch count/horizontalpodautoscalers.autoscaling count/poddisruptionbudgets.policy
        count/ingresses.networking.k8s.io count/networkpolicies.networking.k8s.io
        count/roles.rbac.authorization.k8s.io count/rolebindings.rbac.authorization.k8s.io
        count/leases.coordination.k8s.io count/endpointslices.discovery.k8s.io
        count/resourceclaims.resource.k8s.io count/resourceclaimtemplates.resource.k8s.io
        count/csistoragecapacities.storage.k8s.io gold.storageclass.storage.k8s.io/requests.storage
        gold.storageclass.storage.k8s.io/persistentvolumeclaims
        a.b.storageclass.storage.k8s.io/requests.storage gpu.deviceclass.resource.k8s.io/devices
        big.gpu.deviceclass.resource.k8s.io/devices requests.deviceclass.resource.kubernetes.io/gpu
        requests.cpu/x requests.pods/x
    """,
    Verdict.DECIDED: """
        count/widgets.example.com count/deployments.v1.apps count/httproutes.gateway.networking.k8s.io
        count/workloads.scheduling.k8s.io count/podgroups.scheduling.k8s.io
        count/podcertificaterequests.certificates.k8s.io
    """,
    Verdict.UNCOUNTED: """
        nvidia.com/gpu limits.nvidia.com/gpu amd.com/gpu example.com/GPU example.com/my_gpu
        requests.kubernetes.io/gpu requests.foo.kubernetes.io/x kubernetes.io/x foo.kubernetes.io/x x/gpu
        limits.example.com/gpu count/events count/pod count/service count/deployments count/deployment.apps
        count/deployments.app count/jobs count/cronjobs count/ingresses count/ingresses.extensions
        count/deployments.extensions count/events.events.k8s.io count/resourceslices.resource.k8s.io
        count/namespaces count/nodes count/persistentvolumes count/clusterroles.rbac.authorization.k8s.io
        count/storageclasses.storage.k8s.io count/localsubjectaccessreviews.authorization.k8s.io
        count/bindings count/Widgets.example.com count/PODS count/a_b count/ingressclasses.networking.k8s.io
        count/evictions.policy count/pods.v1 count/podmetrics.metrics.k8s.io count/widgets.networking.k8s.io
        count/ipaddresses.networking.k8s.io count/servicecidrs.networking.k8s.io
        count/devicetaintrules.resource.k8s.io gold.storageclass.storage.k8s.io/storage
        gold.storageclass.storage.k8s.io/limits.storage gold.storageclass.storage.k8s.io/pods
        storageclass.storage.k8s.io/requests.storage
        gold.storageclass.storage.k8s.io/requests.ephemeral-storage deviceclass.resource.k8s.io/devices
        gpu.deviceclass.resource.k8s.io/device gpu.deviceclass.resource.k8s.io/count
        deviceclass.resource.kubernetes.io/gpu gold.volumeattributesclass.storage.k8s.io/requests.storage
        pods/x x/pods
    """,
    Verdict.REFUSED: """
        limits.hugepages-2Mi hugepages- requests.hugepages- storage limits.storage limits.pods requests.pods
        requests.services limits.services endpoints nodes gpu nvidia.com PODS Pods CPU requests.CPU
        request.cpu limit.cpu Example.com/gpu requests.Example.com/gpu requests.example.com/-gpu
        requests.example.com/gpu- requests.example.com/ /gpu requests./gpu requests.example..com/gpu
        requests.-example.com/gpu requests.example-.com/gpu requests.example.com/a/b count/ count
        count/pods/status count/deployments.apps/scale count/deployments.apps. count/.apps count/-pods
        Gold.storageclass.storage.k8s.io/requests.storage
        my_class.storageclass.storage.k8s.io/requests.storage .storageclass.storage.k8s.io/requests.storage
        requests.éxample.com/gpu
    """,
}

#: Amounts of requests.cpu in a quota.
_CPU = {
    Verdict.TAKEN: """
        0 1 10 007 +5 -0 1.5 .5 5. 100m 1500m 1m 0.001 1000u 1000000n 1k 1M 1G 1T 1P 1Ki 1Mi 1Gi 1Ti 1Pi 1Ei
        7Ei 1.5Gi 0.5Mi 1e3 1E3 1e+3 1e-3 0.1Ki 0.3Ki 2e-3 1.50 0m 0Gi 00 1e03 1.e3 0.0
    """,
    Verdict.CHANGED: """
        . Gi m - + .e3 0.0001 1u 1n 1500u 1e-4 1.0005 1.0001Gi 1.5m 1e-9
    """,
    Verdict.REFUSED: """
        -1 1K 1ki 1MI 1mi 1e3Gi 1e 1e3k 12e 1Zi 1Y 1_000 1,000 0x10 many NaN Inf ١ 1Gi5 1.1.1 1GiB
    """,
}

#: Amounts of pods in a quota.
_PODS = {
    Verdict.TAKEN: """
        0 1 10 007 +5 -0 5. 1k 1M 1G 1T 1P 1Ki 1Mi 1Gi 1Ti 1Pi 1.5Gi 0.5Mi 1e3 1E3 1e+3 0m 0Gi 00 1e03 1.e3
        0.0
    """,
    Verdict.CHANGED: """
        . Gi m - + .e3
    """,
    Verdict.REFUSED: """
        -1 1.5 .5 100m 1500m 1m 0.001 0.0001 1u 1n 1000u 1000000n 1500u 1K 1ki 1MI 1mi 1Ei 7Ei 1e-3 1e-4
        1e3Gi 1e 1e3k 12e 1Zi 1Y 1_000 1,000 0x10 many NaN Inf ١ 1Gi5 1.1.1 0.1Ki 0.3Ki 1.0005 1.0001Gi 2e-3
        1.50 1GiB 1.5m 1e-9
    """,
}

#: Resources of a LimitRange's container defaults.
_LIMIT_KEYS = {
    Verdict.TAKEN: """
        cpu memory ephemeral-storage hugepages-2Mi hugepages-1Gi hugepages-x nvidia.com/gpu amd.com/gpu
        example.com/My_GPU example.com/gpu.shared limits.nvidia.com/gpu kubernetes.io/x foo.kubernetes.io/x
        count/pods gold.storageclass.storage.k8s.io/requests.storage x/gpu example.com/a_b
    """,
    Verdict.REFUSED: """
        hugepages- storage pods requests.cpu limits.cpu services gpu CPU Memory Example.com/gpu
        requests.nvidia.com/gpu example..com/gpu example.com/ /gpu example.com/-x configmaps
        persistentvolumeclaims requests.hugepages-2Mi a/b/c nvidia.com nodes requests.storage requests.x/gpu
    """,
}

#: Blocks of addresses that pods may reach.
_BLOCKS = {
    Verdict.TAKEN: """
        10.0.0.0/8 10.20.0.0/16 192.0.2.1/32 0.0.0.0/0 ::/0 2001:db8::/32 fd00::/8 2001:db8::1/128 fe80::/10
        2001:DB8::/32 2001:db8:0:0:0:0:0:0/32 2001:0db8::/32 1.2.3.4/31 1.2.3.4/30 169.254.169.254/32
        127.0.0.0/8 224.0.0.0/4 255.255.255.255/32 ::1/128 ::/128 1::/16 0::/0 0:0:0:0:0:0:0:0/0
        ::1.2.3.4/128 64:ff9b::/96
    """,
    Verdict.REFUSED: """
        10.0.0.1/8 10.0.0.0/08 10.0.0.0/33 10.0.0.0/-1 10.0.0.0 10.0.0.0/255.0.0.0 10.0.0.0/0.255.255.255
        010.0.0.0/8 10.00.0.0/16 10.0.0/8 256.0.0.0/8 ten ::ffff:10.0.0.0/104 ::ffff:1.2.3.4/128
        ::ffff:a00:0/104 fe80::%eth0/64 fe80::1%eth0/128 2001:db8::/129 2001:db8::1/32 1.2.3.5/30
        10.0.0.0/8/8 /8 10.0.0.0/ 10.0.0.0/8x 10.0.0.0/+8 :: ::1 1.2.3.4/032 12345::/16 ::ffff:0:0/96
        ::ffff:0.0.0.0/96 0/0 1.1/16 0x0a.0.0.0/8 ::FFFF:1.2.3.4/128 ::%1/0
    """,
}

#: Keys of a namespace's labels, and of labels that select namespaces.
_LABEL_KEYS = {
    Verdict.TAKEN: """
        team Team TEAM my_team my-team my.team t 1 a1 te am example.com/team sub.example.com/team
        example/team example.com/my_Team a.b-c.d/x 1.2.3/x com/x
    """,
    Verdict.REFUSED: """
        -team team- .team team. _team team_ Example.com/team example..com/team -example.com/team
        example-.com/team .example.com/team example.com./team example.com/ /team a/b/c ex_ample.com/team
        example.com/-x example.com/x- a.-b/x a-.b/x é/x exámple.com/x team! team:x team=x x@y
    """,
}

#: Keys of a namespace's annotations, of whose prefix the API server ignores the case.
_ANNOTATION_KEYS = {
    Verdict.TAKEN: """
        team Team my_team example.com/team Example.com/team
    """,
    Verdict.REFUSED: """
        team- example..com/team -example.com/team /team a/b/c ex_ample.com/team a.-b/x é/x team!
    """,
}

#: Values of labels that select namespaces.
_LABEL_VALUES = {
    Verdict.TAKEN: """
        payments Payments my_team my-team my.team 1 a..b a--b 0.1 1e3 true null
    """,
    Verdict.REFUSED: """
        -x x- .x x. _x x_ a/b a:b a@b é
    """,
}

#: Ports of rules.
_PORTS = {
    Verdict.TAKEN: """
        80 443/TCP 53/UDP 9/SCTP 1 65535
    """,
    Verdict.REFUSED: """
        0 65536 99999 -1 443/tcp 443/HTTP 80-90
    """,
}

#: Amounts of other resources: these are whole, those are measured.
_WHOLE = (
    "count/deployments.apps", "gold.storageclass.storage.k8s.io/persistentvolumeclaims", "services.nodeports",
    "persistentvolumeclaims", "gpu.deviceclass.resource.k8s.io/devices", "count/widgets.example.com",
)  # fmt: skip
_MEASURED = (
    "requests.memory", "requests.nvidia.com/gpu", "hugepages-2Mi", "requests.hugepages-1Gi", "requests.storage",
)  # fmt: skip

_NEGATIVE, _HALF = "nobody can have less than nothing", "no container can have half a device"
_LONE = "a maximum without a default becomes the default of every container"
#: A resource's default request, default and maximum (“-”: none), and why the portal is stricter.
_LIMITS = {
    Verdict.TAKEN: """
        cpu 100m 200m 1; cpu 1 1 1; cpu 100m - -; cpu - 100m -; cpu 0 0 0; cpu 0.5 500m 0.5; memory 1G 1Gi 1.5Gi;
        memory - 0.3Ki -; memory 0.5 - -; memory 1e3 1k 1Ki; nvidia.com/gpu 1 1 1; nvidia.com/gpu - 1 -;
        nvidia.com/gpu 1 - -; nvidia.com/gpu - 1 2; hugepages-2Mi 4Mi 4Mi 8Mi; hugepages-2Mi - 4Mi 8Mi;
        hugepages-2Mi 3Mi 3Mi -; ephemeral-storage 1Gi 2Gi -; ephemeral-storage 0.5 - -; example.com/x 1 1 -
    """,
    Verdict.CHANGED: "cpu 1u - -; cpu - 1500u -; memory 8Ei - -",
    Verdict.REFUSED: """
        cpu 2 1 -; cpu 2 - 1; cpu - 2 1; cpu many - -; cpu - 1K -; memory 1Gi 1024Mi 1G; memory 1Ki 1k -;
        nvidia.com/gpu 1 2 -; nvidia.com/gpu 1 - 2; nvidia.com/gpu 0 1 -; hugepages-2Mi 2Mi 4Mi -;
        hugepages-2Mi 2Mi - 4Mi; ephemeral-storage 2Gi 1Gi -; example.com/x 1 3 3
    """,
}
_STRICTER_LIMITS = {
    _NEGATIVE: "cpu -1 - -; cpu - -1 -; cpu - - -1",
    _HALF: "nvidia.com/gpu 0.5 - -; nvidia.com/gpu - 0.5 -",
    _LONE: "cpu - - 4; cpu 100m - 1; nvidia.com/gpu - - 2",
}
_LONG = ".".join(["a" * 63] * 3)  # 191 characters
_LONG_KEYS = {
    Verdict.TAKEN: ("a" * 63, f"example.com/{'a' * 63}", f"{'a' * 64}/x", f"{'a' * 253}/x", f"{_LONG}.{'b' * 61}/x"),
    Verdict.REFUSED: ("a" * 64, f"example.com/{'a' * 64}", f"{'a' * 254}/x", f"{_LONG}.{'b' * 62}/x", "te am", ""),
}
_LONG_QUOTA_KEYS = {
    Verdict.TAKEN: (
        f"requests.example.com/{'a' * 63}",
        f"requests.{'a' * 244}/gpu",
        f"requests.{_LONG}.{'b' * 52}/gpu",
    ),
    Verdict.UNCOUNTED: (f"{'a' * 63}.example.com/gpu",),
    Verdict.REFUSED: (
        f"requests.example.com/{'a' * 64}",
        f"requests.{'a' * 245}/gpu",
        f"requests.{_LONG}.{'b' * 53}/gpu",
        "requests.example.com/gpu x",
    ),
}
_LONG_LIMIT_KEYS = {
    Verdict.TAKEN: (f"example.com/{'a' * 63}", f"{'a' * 244}/gpu"),
    Verdict.REFUSED: (f"example.com/{'a' * 64}", f"{'a' * 245}/gpu"),
}
_LONG_LABEL_VALUES = {Verdict.TAKEN: ("a" * 63,), Verdict.REFUSED: ("a" * 64, "a b")}

#: Kind of value, its table, and those that are too long or too odd for it.
_TABLES = (
    ("quota key", _QUOTA_KEYS, _LONG_QUOTA_KEYS),
    ("amount requests.cpu", _CPU, {}),
    ("amount pods", _PODS, {}),
    ("limit key", _LIMIT_KEYS, _LONG_LIMIT_KEYS),
    ("block", _BLOCKS, {}),
    ("label key", _LABEL_KEYS, _LONG_KEYS),
    ("selector key", _LABEL_KEYS, _LONG_KEYS),
    ("annotation key", _ANNOTATION_KEYS, _LONG_KEYS),
    ("label value", _LABEL_VALUES, _LONG_LABEL_VALUES),
    ("port", _PORTS, {}),
)

#: What the portal makes of a block before it sends it.
NORMALISED = {
    "10.0.0.0": "10.0.0.0/32", "10.0.0.0/08": "10.0.0.0/8", "10.0.0.0/255.0.0.0": "10.0.0.0/8", "::": "::/128",
    "10.0.0.0/0.255.255.255": "10.0.0.0/8", "::1": "::1/128", "1.2.3.4/032": "1.2.3.4/32",
}  # fmt: skip


def _from_tables() -> Iterator[Value]:
    for kind, words, more in _TABLES:
        name, *fixed = kind.split(" ") if kind.startswith("amount") else (kind,)
        for verdict, text in words.items():
            yield from (Value(name, (*fixed, word), verdict) for word in text.split())
        for verdict, long in more.items():
            yield from (Value(name, (*fixed, word), verdict) for word in long)


def _amounts() -> Iterator[Value]:
    for key in (*_WHOLE, *_MEASURED):
        yield from (Value("amount", (key, amount), Verdict.TAKEN) for amount in ("4", "1Gi", "3Mi"))
        half = Verdict.REFUSED if key in _WHOLE else Verdict.TAKEN
        yield from (Value("amount", (key, amount), half) for amount in ("0.5", "1500m"))
        yield Value("amount", (key, "-1"), Verdict.REFUSED)


def _limits() -> Iterator[Value]:
    for verdict, text in _LIMITS.items():
        yield from (Value("limits", words, verdict) for words in _rows(text))
    for why, text in _STRICTER_LIMITS.items():
        yield from (Value("limits", words, Verdict.TAKEN, stricter=why) for words in _rows(text))


def _rows(text: str) -> Iterator[tuple[str, ...]]:
    return (tuple("" if word == "-" else word for word in row.split()) for row in text.split(";"))


VALUES = (
    *_from_tables(),
    *_amounts(),
    *_limits(),
    Value("label value", ("",), Verdict.TAKEN, stricter="an empty value is a forgotten one"),
)
