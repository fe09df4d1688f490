"""How a cluster's credential becomes the client's configuration. Nothing is called here."""

import base64
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import yaml
from kubernetes import client
from kubernetes.config import ConfigException, kube_config
from kubernetes.config.incluster_config import InClusterConfigLoader

from environments.lib import destinations, proxies, tls
from environments.lib.errors import PermanentError
from environments.lib.stored_secrets import readable

MAX_KUBECONFIG = 256 * 1024  # characters


class Connection(Protocol):
    """What is needed to reach a cluster: a `Cluster` row, or anything with these attributes."""

    credential_kind: str
    server: str
    certificate_authority: str
    credential: str


class Configuration(client.Configuration):
    """The client's own, with what it would keep in files. `ca_cert_data` is PEM, empty for the system's authorities."""

    client_certificate = ""  # with its key, as PEM

    def context(self) -> ssl.SSLContext:
        """How the server is checked, and what the portal shows. Raises ValueError."""
        return tls.context(str(self.ca_cert_data or ""), self.client_certificate)


def configuration(connection: Connection) -> Configuration:
    """What the client needs to reach a cluster. Raises PermanentError (BadCredential, DeniedAddress)."""
    found = Configuration()
    credential = readable(connection.credential)
    try:
        match connection.credential_kind:
            case "in_cluster":
                InClusterConfigLoader(
                    token_filename="/var/run/secrets/kubernetes.io/serviceaccount/token",  # noqa: S106
                    cert_filename="/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
                    try_refresh_token=True,
                ).load_and_set(found)
            case "kubeconfig":
                _load_kubeconfig(credential, found)
            case _:
                found.host = connection.server.rstrip("/")
                found.api_key = {"BearerToken": f"Bearer {credential}"}
                found.ca_cert_data = connection.certificate_authority
        _use_memory(found)
        _refuse_unsendable(found)
    except (ConfigException, yaml.YAMLError, TypeError, ValueError, KeyError, AttributeError):
        raise PermanentError(
            "The portal cannot read the cluster's credential. A platform admin must enter it again.",
            reason="BadCredential",
        ) from None  # a parser's error quotes what it read
    destinations.check_url(found.host)
    if found.proxy is None:
        found.proxy = proxies.proxy_for(found.host)
    return found


def _use_memory(found: Configuration) -> None:
    """Read a mounted authority, so that nothing needs its file later; refuse what cannot be used. Raises ValueError."""
    if found.ssl_ca_cert:
        found.ca_cert_data = Path(found.ssl_ca_cert).read_text(encoding="ascii")
    if found.proxy is not None and urlsplit(found.proxy).scheme not in ("http", "https"):
        raise ConfigException("only http and https proxies are supported")
    found.ca_cert_data = tls.certificates(str(found.ca_cert_data)) if found.ca_cert_data else ""
    found.context()


def _refuse_unsendable(found: client.Configuration) -> None:
    """What cannot be a header is quoted by the error about it: it never gets that far."""
    if not all(key.isascii() and key.isprintable() for key in found.api_key.values()):
        raise ValueError


_FILE_KEYS = ("tokenFile", "client-certificate", "client-key", "certificate-authority")


def _load_kubeconfig(text: str, found: Configuration) -> None:
    if len(text) > MAX_KUBECONFIG:
        raise ConfigException("too long")
    config = yaml.safe_load(text)
    users = [user.get("user") or {} for user in config.get("users") or []]
    clusters = [cluster.get("cluster") or {} for cluster in config.get("clusters") or []]
    # An exec or auth-provider entry would run a program of the kubeconfig's choosing inside the portal.
    if any("exec" in user or "auth-provider" in user for user in users):
        raise ConfigException("exec and auth-provider entries are not supported")
    # A path would be read from the portal's own disk, and what is there sent to a server of the kubeconfig's choosing.
    if any(key in entry for entry in (*users, *clusters) for key in _FILE_KEYS):
        raise ConfigException("files are not supported")
    # The credential would go to any server that answers.
    if any(cluster.get("insecure-skip-tls-verify") for cluster in clusters):
        raise ConfigException("the server's certificate must be checked")
    _take_certificates(config, found)
    kube_config.load_kube_config_from_dict(config, client_configuration=found, persist_config=False)


def _take_certificates(config: dict[str, Any], found: Configuration) -> None:
    """Take the certificates out of a kubeconfig: the loader would write them to files that a cleaner may remove."""
    context = _named(config.get("contexts"), config.get("current-context"), "context")
    cluster = _named(config.get("clusters"), context.get("cluster"), "cluster")
    user = _named(config.get("users"), context.get("user"), "user")
    found.ca_cert_data = _decoded(cluster.pop("certificate-authority-data", None))
    parts = [_decoded(user.pop(f"client-{part}-data", None)) for part in ("certificate", "key")]
    found.client_certificate = "\n".join(filter(None, parts))


def _named(entries: Iterable[dict[str, Any]] | None, name: Any, key: str) -> dict[str, Any]:
    found = next((entry.get(key) for entry in entries or [] if entry.get("name") == name), None)
    return found if isinstance(found, dict) else {}


def _decoded(data: str | None) -> str:
    return base64.b64decode(data).decode() if data else ""
