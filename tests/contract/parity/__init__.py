"""The parity table: what is asked of both clusters, whose answers must agree. tests/contract/test_parity.py asks."""

from tests.contract.parity import limits, machinery, metadata, networks, pods, quotas, security, workloads
from tests.contract.parity.points import Point

POINTS: tuple[Point, ...] = (
    *metadata.POINTS,
    *machinery.POINTS,
    *quotas.POINTS,
    *limits.POINTS,
    *pods.POINTS,
    *security.POINTS,
    *networks.POINTS,
    *workloads.POINTS,
)
