"""Checks that the cluster counts the quota, and reads what else limits the namespace.

The API server stores a quota at once, and its controller counts it a moment later. Until then it rejects every pod. A
resource that it does not know it never counts: then the quota does not limit it, and the page says so.
"""

from collections.abc import Iterator

from environments.kube import manifests, others
from environments.kube.client import Manifest
from environments.kube.others import OtherLimit
from environments.lib import quantities
from environments.reconcile.steps.base import Context, Outcome, Step

NOTED = "Noted"  # the reason of a condition whose message the page shows beside the quota
_LOOKS = 2  # at a quota that is not counted yet
_RETRY = 0.1  # seconds, then doubling
_LOOK_AGAIN = 3600  # seconds; a CustomResourceDefinition may be installed later


def ensure(context: Context) -> Outcome:
    """Look at the quota. Done when the cluster has counted it as it is now, which takes it a few milliseconds."""
    quotas = context.seen.get("ResourceQuota", [])
    ours = _ours(context, quotas)
    for _ in range(_LOOKS):
        if ours is None or not others.counted(ours):
            quotas = _read(context, "ResourceQuota")
            ours = _ours(context, quotas)
    if ours is None or not others.counted(ours):
        return Outcome(
            "Waiting for the cluster to count the quota. Until then it rejects pods.", "NotCounted", wait=_RETRY
        )
    hard, uncounted = ours["spec"]["hard"], others.uncounted(ours)
    missing = [key for key in uncounted if not _is_moot(key, hard[key])]
    more = list(_others(context, quotas))
    notes = [f"This cluster does not count {', '.join(missing)}, so the quota does not limit it."] if missing else []
    notes += [f"Also limited by {'; '.join(f'{each.kind} {each.name}' for each in more)}."] if more else []
    look_again = _LOOK_AGAIN if missing else None
    if notes:
        return Outcome(" ".join(notes), NOTED, look_again=look_again)
    return Outcome(f"The cluster counts all {len(hard) - len(uncounted)} resources")


def _is_moot(key: str, amount: str) -> bool:
    """Whether it does not matter that a resource is not counted: none is allowed, and the cluster does not have it.

    The cluster counts objects of every API that it serves, so there can be none of these. Devices it counts anyway.
    """
    return key.startswith("count/") and quantities.parse(amount) == 0


def _read(context: Context, kind: str) -> list[Manifest]:
    return list(context.cluster.list_objects(kind, context.desired.namespace))


def _ours(context: Context, quotas: list[Manifest]) -> Manifest | None:
    domain, key = context.desired.label_domain, context.desired.environment_id
    named = (each for each in quotas if each["metadata"]["name"] == manifests.QUOTA)
    return next((each for each in named if manifests.is_ours(each, domain, key)), None)


def _others(context: Context, quotas: list[Manifest]) -> Iterator[OtherLimit]:
    """What limits the namespace besides the template. A new one is not searched for it."""
    domain, key = context.desired.label_domain, context.desired.environment_id
    for kind in ("ResourceQuota",) if context.is_new else others.KINDS:
        found = quotas if kind == "ResourceQuota" else context.seen.get(kind) or _read(context, kind)
        yield from others.limits_of_others(found, kind, label_domain=domain, environment_id=key)


STEP = Step("Counting", "Quota counted", "", ensure, needs=("RoleBinding",))
