"""A simulated cluster: the part of the Kubernetes API that the portal uses, over a real socket, in one process.

`make demo` and tests use it. The contract tests (tests/contract) compare it with a real API server.
`Controllers` turn Deployments and StatefulSets into pods, `Workloads` let teams live in it.
docs/simulator.md says what it leaves out.
"""

from portal.demo.simulated.cluster import SimulatedCluster
from portal.demo.simulated.controllers import Controllers
from portal.demo.simulated.rbac import User
from portal.demo.simulated.workloads import Workloads

__all__ = ["Controllers", "SimulatedCluster", "User", "Workloads"]
