"""What does not run in a namespace and why, and its recent warnings, read from the cluster while somebody waits."""

from environments.web.workloads.pods import Trouble
from environments.web.workloads.reading import Workloads, read
from environments.web.workloads.warnings import Warned

__all__ = ["Trouble", "Warned", "Workloads", "read"]
