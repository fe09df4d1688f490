"""The reference design's two templates, transcribed as data, and what ours does otherwise on purpose.

101 is "Namespace as a Service", 102 the namespace with GPU sizes. `MENDED` lists the only differences that are allowed.
"""

from dataclasses import dataclass
from decimal import Decimal

from environments.lib import quantities

CPU = ("1000m", "2000m", "4000m")
MEMORY = ("1024Mi", "2048Mi", "4096Mi")

#: Answers to our own template of previews.
WEB_PREVIEW = {"image": "registry.example.com/shop:1", "host": "shop.example.com", "port": "8080", "replicas": "1"}

#: name: (values that may be chosen, default); None: any value.
PARAMETERS_101 = {"cpu": (CPU, "1000m"), "memory": (MEMORY, "1024Mi"), "network_policy": (("enabled",), "enabled")}

QUOTA_101 = {
    "configmaps": "10",
    "requests.cpu": "${cpu}",
    "requests.memory": "${memory}",
    "limits.cpu": "4000m",
    "limits.memory": "4096Mi",
    "persistentvolumeclaims": "2",
    "pods": "30",
    "replicationcontrollers": "5",
    "services": "10",
    "services.loadbalancers": "10",
    "services.nodeports": "10",
    "requests.storage": "1Gi",
}

DENY_ALL = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}

_TABLE_102 = """
| resource               | small  | medium | large  | small_with_gpu | medium_with_gpu | large_with_gpu |
| requests.cpu           | 500m   | 1000m  | 4000m  | 500m           | 1000m           | 4000m          |
| requests.memory        | 1024Mi | 2048Mi | 4096Mi | 1024Mi         | 2048Mi          | 4096Mi         |
| limits.cpu             | 1000m  | 2000m  | 8000m  | 1000m          | 2000m           | 8000m          |
| limits.memory          | 2048Mi | 4096Mi | 8192Mi | 2048Mi         | 4096Mi          | 8192Mi         |
| configmaps             | 5      | 10     | 15     | 5              | 10              | 15             |
| persistentvolumeclaims | 2      | 4      | 8      | 2              | 4               | 8              |
| services               | 5      | 10     | 20     | 5              | 10              | 20             |
| pods                   | 25     | 50     | 100    | 25             | 50              | 100            |
| replicationcontrollers | 1      | 2      | 4      | 1              | 2               | 4              |
| services.loadbalancers | 2      | 4      | 8      | 2              | 4               | 8              |
| services.nodeports     | 2      | 4      | 8      | 2              | 4               | 8              |
| requests.storage       | 50Gi   | 100Gi  | 200Gi  | 50Gi           | 100Gi           | 200Gi          |
| requests.nvidia.com/gpu |       |        |        | 4              | 8               | 16             |
"""


def _columns(table: str) -> dict[str, dict[str, str]]:
    """Each column of a table but the first, as a mapping from the first to it; empty cells are left out."""
    head, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines())
    columns = enumerate(head[1:], 1)
    return {name: {row[0]: row[index] for row in rows if row[index]} for index, name in columns}


SIZES_102 = _columns(_TABLE_102)
DEFAULT_SIZE_102 = "small"


@dataclass(frozen=True)
class Choice:
    """One way to fill in a template's form, and what the reference makes of it."""

    template: str  # our slug
    size: str = ""
    parameters: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return self.size or "-".join(value for _, value in self.parameters)

    @property
    def reference_quota(self) -> dict[str, str]:
        """The ResourceQuota's `hard` as the reference has it."""
        if self.size:
            return SIZES_102[self.size]
        return QUOTA_101 | {"requests.cpu": dict(self.parameters)["cpu"], "requests.memory": self._memory}

    @property
    def quota(self) -> dict[str, str]:
        """The same with our mended figures."""
        mended = {
            item.what: item.ours.replace("${cpu}", self._cpu).replace("${memory}", self._memory)
            for item in MENDED
            if item.template in (self.template, "both") and item.concerns(self.reference_quota)
        }
        return self.reference_quota | mended

    @property
    def _cpu(self) -> str:
        return dict(self.parameters).get("cpu", "")

    @property
    def _memory(self) -> str:
        return dict(self.parameters).get("memory", "")


CHOICES_101 = [Choice("namespace", "", (("cpu", cpu), ("memory", memory))) for cpu in CPU for memory in MEMORY]
CHOICES_102 = [Choice("gpu-namespace", size) for size in SIZES_102]
CHOICES = CHOICES_101 + CHOICES_102


@dataclass(frozen=True)
class Mended:
    """One difference on purpose."""

    template: str  # our slug, or both
    what: str  # a resource of the quota, an object as Kind/name, or words
    reference: str
    ours: str
    why: str

    def concerns(self, quota: dict[str, str]) -> bool:
        """Whether a quota of the reference has the figure, or leaves open what we do not."""
        return (self.what in quota) != (self.reference == "open")


#: What fills a cluster's database if nobody counts it.
COUNTED = {
    "secrets": "50",
    "count/pods": "400",
    "count/deployments.apps": "50",
    "count/replicasets.apps": "550",
    "count/statefulsets.apps": "20",
    "count/daemonsets.apps": "10",
    "count/jobs.batch": "100",
    "count/cronjobs.batch": "20",
    "count/serviceaccounts": "20",
    "count/horizontalpodautoscalers.autoscaling": "50",
    "count/poddisruptionbudgets.policy": "50",
    "count/ingresses.networking.k8s.io": "20",
    "count/resourceclaims.resource.k8s.io": "0",
    "count/resourceclaimtemplates.resource.k8s.io": "0",
}

MENDED = (
    *(Mended("both", what, "open", most, "what nobody counts fills etcd") for what, most in COUNTED.items()),
    Mended("both", "requests.ephemeral-storage", "open", "20Gi", "one environment fills no node's disk"),
    Mended("both", "limits.ephemeral-storage", "open", "100Gi", "one environment fills no node's disk"),
    Mended("both", "requests.amd.com/gpu", "open", "0", "a template without GPUs has none, not any number"),
    Mended("namespace", "requests.nvidia.com/gpu", "open", "0", "a template without GPUs has none, not any number"),
    Mended("namespace", "limits.cpu", "4000m", "${cpu}", "limits follow the choice"),
    Mended("namespace", "limits.memory", "4096Mi", "${memory}", "limits follow the choice"),
    Mended("namespace", "requests.storage", "1Gi", "10Gi", "room for the two claims that are allowed"),
    Mended("gpu-namespace", "requests.nvidia.com/gpu", "open", "0", "a size without GPUs has none, not any number"),
    Mended("both", "LimitRange/environment-limits", "none", "100m and 128Mi", "pods without resources start"),
    Mended("both", "NetworkPolicy/allow-dns", "none", "DNS of the cluster alone", "names resolve beside deny-all"),
    Mended("gpu-namespace", "NetworkPolicy/deny-all", "none", "as in 101", "isolation is for everybody"),
    Mended("gpu-namespace", "drift", "not watched", "put back", "a quota that can be edited away is none"),
    Mended("gpu-namespace", "claims in the code", "the memory figure", "the table's figure", "a copied line"),
    Mended("both", "Pod Security", "no labels", "baseline enforced, restricted warned", "nobody asks, all need it"),
    Mended("both", "lifetime", "none", "90 and 14 days, extendable", "what nobody needs ends"),
    Mended("both", "name", "e-mail's local part, number", "owner, name, suffix; always valid", "names never fail"),
    Mended("both", "group", "<namespace>-group", "<namespace>-<role>", "one group for each role"),
    Mended("both", "role", "NAMESPACE_ADMIN", "environment-admin", "isolation and quota cannot be undone"),
    Mended("both", "collaborators", "one, always admin", "several, with a role", "least privilege"),
    Mended("both", "network_policy", "a parameter with one value", "fixed, or none at all", "nothing to choose"),
    Mended("both", "access", "after the next sign-in", "before Ready, proven for each member", "Ready means ready"),
)


def values(hard: dict[str, str]) -> dict[str, Decimal]:
    """A quota's figures by value: `1000m` is `1`."""
    return {resource: quantities.parse(amount) for resource, amount in hard.items()}
