"""Kubeconfig files for members: pure, and never with a long-lived secret.

Source: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/,
https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
"""

import base64
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

Config = dict[str, Any]

#: The command of kubelogin as a plugin of kubectl. Under its own name, so that kubectl can say that it is missing:
#: `kubectl oidc-login` would only fail with “unknown command”. A kuberc allows or forbids this name.
PLUGIN = "kubectl-oidc_login"
INSTALL = "kubectl krew install oidc-login"


@dataclass(frozen=True)
class Target:
    """What a file points at. `cluster` is the cluster's slug; all names in the file are made of these two."""

    cluster: str
    server: str
    certificate_authority: str  # PEM; empty: the system's
    namespace: str
    tls_server_name: str = ""  # the name in the server's certificate; empty: that of its address
    proxy: str = ""

    @property
    def context(self) -> str:
        """The context's name: its own for each environment, so that files merge cleanly."""
        return f"{self.namespace}@{self.cluster}"

    @property
    def is_plain(self) -> bool:
        """Whether the address has no TLS: kubectl then sends no credential at all."""
        return is_plain(self.server)


@dataclass(frozen=True)
class Oidc:
    """How kubelogin signs in: a public client of the issuer that the cluster trusts."""

    issuer: str
    client_id: str
    scopes: str  # separated by spaces
    certificate_authority: str = ""  # the issuer's, as PEM; empty: the system's


def is_plain(server: str) -> bool:
    """Whether an API server's address has no TLS."""
    return server.lower().startswith("http:")


def with_oidc(target: Target, oidc: Oidc, *, device_code: bool = False) -> str:
    """A file that signs in with kubelogin, for every environment on the cluster alike.

    `device_code`: the person signs in with a code on another device, for a machine without a browser (RFC 8628).
    """
    arguments = ["get-token", f"--oidc-issuer-url={oidc.issuer}", f"--oidc-client-id={oidc.client_id}"]
    arguments += [f"--oidc-extra-scope={scope}" for scope in oidc.scopes.split() if scope != "openid"]
    if oidc.certificate_authority:
        arguments.append(f"--certificate-authority-data={_encoded(oidc.certificate_authority)}")
    if device_code:
        arguments += ["--grant-type=device-code", "--skip-open-browser"]
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": PLUGIN,
            "args": arguments,
            "interactiveMode": "IfAvailable",
            "installHint": f"This kubeconfig needs the kubelogin plugin. Install it: {INSTALL}",
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
        cluster["certificate-authority-data"] = _encoded(target.certificate_authority)
    if target.tls_server_name:
        cluster["tls-server-name"] = target.tls_server_name
    if target.proxy:
        cluster["proxy-url"] = target.proxy
    context = {"cluster": target.cluster, "user": user_name, "namespace": target.namespace}
    config: Config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": target.cluster, "cluster": cluster}],
        "users": [{"name": user_name, "user": user}],
        "contexts": [{"name": target.context, "context": context}],
        "current-context": target.context,
    }
    return yaml.dump(config, Dumper=_Dumper, sort_keys=False)


def _encoded(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()


class _Dumper(yaml.SafeDumper):
    """Quotes texts that kubectl reads as something else: PyYAML writes a cluster `y` or `1e3` without quotes."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^[yYnN]$"), list("yYnN"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", re.compile("^[0-9]+[eE][0-9]+$"), list("0123456789"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", re.compile("^0[oO][0-7]+$"), ["0"])
