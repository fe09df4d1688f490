"""The pods of a namespace that are not running and why, and recent warnings, read while the page waits."""

from environments.web.workloads.reading import Workloads, read

__all__ = ["Workloads", "read"]
