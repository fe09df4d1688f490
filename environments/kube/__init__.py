"""The door to Kubernetes, and the pure builders of what goes through it."""

from environments.kube.client import ClusterClient, connect

__all__ = ["ClusterClient", "connect"]
