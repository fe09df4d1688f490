"""Kubeconfig files for members: pure, and never with a long-lived secret.

Source: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/,
https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

Config = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """What a file points at. `cluster` is the cluster's slug; all names in the file are made of these two."""

    cluster: str
    server: str
    certificate_authority: str  # PEM; empty: the system's
    namespace: str

    @property
    def context(self) -> str:
        """The context's name: its own for each environment, so that files merge cleanly."""
        return f"{self.namespace}@{self.cluster}"


@dataclass(frozen=True)
class Oidc:
    """How kubelogin signs in: a public client of the issuer that the cluster trusts."""

    issuer: str
    client_id: str
    scopes: str  # separated by spaces


def with_oidc(target: Target, oidc: Oidc) -> str:
    """A file that signs in with kubelogin (`kubectl oidc-login`), for every environment on the cluster alike."""
    arguments = ["oidc-login", "get-token", f"--oidc-issuer-url={oidc.issuer}", f"--oidc-client-id={oidc.client_id}"]
    arguments += [f"--oidc-extra-scope={scope}" for scope in oidc.scopes.split() if scope != "openid"]
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "kubectl",
            "args": arguments,
            "interactiveMode": "IfAvailable",
            "installHint": "Install kubelogin first: kubectl krew install oidc-login",
        }
    }
    return _file(target, f"oidc@{target.cluster}", user)


def with_token(target: Target, token: str, ends_at: datetime) -> str:
    """A file that holds a short-lived token, and says until when."""
    note = f"# The token in this file expires on {ends_at:%-d %B %Y at %H:%M} UTC.\n"
    return note + _file(target, target.context, {"token": token})


def _file(target: Target, user_name: str, user: Config) -> str:
    cluster: Config = {"server": target.server}
    if target.certificate_authority:
        encoded = base64.b64encode(target.certificate_authority.encode()).decode()
        cluster["certificate-authority-data"] = encoded
    context = {"cluster": target.cluster, "user": user_name, "namespace": target.namespace}
    config: Config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": target.cluster, "cluster": cluster}],
        "users": [{"name": user_name, "user": user}],
        "contexts": [{"name": target.context, "context": context}],
        "current-context": target.context,
    }
    return yaml.safe_dump(config, sort_keys=False)
