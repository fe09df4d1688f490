"""Checks pasted tokens, certificates and kubeconfig files. Makes no calls."""

from dataclasses import dataclass
from typing import Any

import yaml

from environments.kube.client import ClusterClient
from environments.kube.configuration import MAX_KUBECONFIG
from environments.lib.errors import PermanentError

_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_FLATTEN = "Create one that contains everything: kubectl config view --minify --flatten"


@dataclass
class Draft:
    """A connection that is not stored yet, as `ClusterClient` takes it."""

    credential_kind: str
    server: str = ""
    certificate_authority: str = ""
    credential: str = ""


def check_token(token: str) -> None:
    """Raises ValueError, with a sentence, for what cannot be a bearer token. RFC 6750 §2.1."""
    if token.startswith(("apiVersion:", "{", "---")):
        raise ValueError("This is a file, not a token. To use a kubeconfig, choose “Kubeconfig file” above.")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("This is not a token. Paste one line of letters, digits and dots, without spaces.")


def check_kubeconfig(text: str) -> None:
    """Raises ValueError, with a sentence, for a kubeconfig that the portal cannot or must not use."""
    config = _mapping(text)
    context = _entry(config, "contexts", _text(config, "current-context"), "context", "current-context")
    cluster = _entry(config, "clusters", _text(context, "cluster"), "cluster", "The context's cluster")
    user = _entry(config, "users", _text(context, "user"), "user", "The context's user")
    if cluster.get("insecure-skip-tls-verify"):
        raise ValueError(
            "This kubeconfig turns off certificate checks (insecure-skip-tls-verify), so any server could get the "
            "credential. Add the cluster's certificate-authority-data instead."
        )
    if not cluster.get("server"):
        raise ValueError("The kubeconfig's cluster has no server address.")
    _refuse_programs(config)
    files = [key for key in _FILES if key in cluster or key in user]
    if files:
        raise ValueError(f"This kubeconfig refers to files on another machine ({', '.join(files)}). {_FLATTEN}")
    if not user.keys() & {"token", "client-certificate-data", "username"}:
        raise ValueError(f"The kubeconfig's user has no token and no client certificate. {_FLATTEN}")


def check_client(draft: Draft) -> None:
    """Raises ValueError, with a sentence, where no client can be made of it."""
    try:
        ClusterClient(draft)
    except PermanentError as error:
        if draft.credential_kind == "in_cluster":
            raise ValueError("The portal does not run in a cluster: no service account is mounted here.") from None
        raise ValueError(error.message) from None


def _text(mapping: dict[str, Any], key: str) -> str:
    """A name; empty for anything else, which in YAML may unfold to gigabytes when it is written out."""
    value = mapping.get(key)
    return value if isinstance(value, str) else ""


def _mapping(text: str) -> dict[str, Any]:
    if len(text) > MAX_KUBECONFIG:
        raise ValueError(f"This has {len(text)} characters; the limit is {MAX_KUBECONFIG}. {_FLATTEN}")
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        raise ValueError(f"This is not YAML{line}.") from None
    if not isinstance(config, dict) or "clusters" not in config:
        raise ValueError("This is not a kubeconfig. It needs clusters, users, contexts and current-context.")
    return config


def _entry(config: dict[str, Any], section: str, name: str, key: str, what: str) -> dict[str, Any]:
    entries = config.get(section)
    entries = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    found = next((entry.get(key) for entry in entries if entry.get("name") == name), None)
    if not isinstance(found, dict):
        names = (entry.get("name") for entry in entries[:20])
        known = ", ".join(each[:80] for each in names if isinstance(each, str)) or "none"
        raise ValueError(f"{what} is “{name[:80]}”, but the {section} of this kubeconfig are: {known}.")
    return found


def _refuse_programs(config: dict[str, Any]) -> None:
    # They would run a program of the kubeconfig's choosing inside the portal.
    users = [entry.get("user") for entry in config.get("users") or [] if isinstance(entry, dict)]
    for key in ("exec", "auth-provider"):
        if any(isinstance(user, dict) and key in user for user in users):
            raise ValueError(
                f"This kubeconfig signs in with a program ({key}), which the portal never runs. "
                "Use a service account token instead."
            )
