"""How a cluster's credential becomes the client's configuration. Nothing is called here."""

from typing import Protocol

import urllib3
import yaml
from kubernetes import client
from kubernetes.config import ConfigException, kube_config
from kubernetes.config.incluster_config import InClusterConfigLoader

from environments.lib import destinations
from environments.lib.errors import PermanentError
from environments.lib.stored_secrets import readable

POOL = 16  # connections kept to one API server
MAX_KUBECONFIG = 256 * 1024  # characters


class Connection(Protocol):
    """What is needed to reach a cluster: a `Cluster` row, or anything with these attributes."""

    credential_kind: str
    server: str
    certificate_authority: str
    credential: str


def configuration(connection: Connection) -> client.Configuration:
    """What the client needs to reach a cluster. Raises PermanentError (BadCredential, DeniedAddress)."""
    found = client.Configuration()
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
                if connection.certificate_authority:
                    found.ca_cert_data = connection.certificate_authority
        _refuse_unsendable(found)
    except (ConfigException, yaml.YAMLError, TypeError, ValueError, KeyError, AttributeError):
        raise PermanentError(
            "The portal cannot read the cluster's credential. A platform admin must enter it again.",
            reason="BadCredential",
        ) from None  # a parser's error quotes what it read
    destinations.check_url(found.host)
    # Retrying is the reconcile's business; a redirect is an answer, and never gets the credential.
    found.retries = urllib3.Retry(0, redirect=False)
    found.connection_pool_maxsize = POOL
    return found


def _refuse_unsendable(found: client.Configuration) -> None:
    """What cannot be a header is quoted by the error about it: it never gets that far."""
    if not all(key.isascii() and key.isprintable() for key in found.api_key.values()):
        raise ValueError


_FILE_KEYS = ("tokenFile", "client-certificate", "client-key", "certificate-authority")


def _load_kubeconfig(text: str, found: client.Configuration) -> None:
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
    kube_config.load_kube_config_from_dict(config, client_configuration=found, persist_config=False)
