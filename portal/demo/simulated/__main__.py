"""`python -m portal.demo.simulated --port 8001 --data cluster.json`: a simulated cluster as its own process."""

import argparse
import base64
import contextlib
import signal
import sys
import threading
from pathlib import Path

import yaml

from portal.demo.simulated import Controllers, SimulatedCluster, Workloads
from portal.demo.simulated.workloads import SELECTOR


def main(arguments: list[str] | None = None) -> None:
    """Serve until Ctrl-C or SIGTERM. Says how to reach the cluster: a kubeconfig of its administrator."""
    options = _parser().parse_args(arguments)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: over.set())
    signal.signal(signal.SIGINT, lambda number, frame: over.set())
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(
            SimulatedCluster(
                options.port, options.data, admin_token=options.admin_token, certificates_folder=options.certificates
            )
        )
        stack.enter_context(Controllers(cluster))
        if options.workloads:
            stack.enter_context(Workloads(cluster, selector=options.selector))
        sys.stdout.write(_kubeconfig(cluster))
        sys.stdout.flush()
        over.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m portal.demo.simulated", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--data", type=Path, help="file that keeps the state")
    parser.add_argument("--certificates", type=Path, help="folder that keeps certificates: serves https")
    parser.add_argument("--admin-token", default="", help="token of the administrator (default: a random one)")
    parser.add_argument("--workloads", action="store_true", help="let pods, services and events come and go")
    parser.add_argument("--selector", default=SELECTOR, help="namespaces with workloads (default: %(default)s)")
    return parser


def _kubeconfig(cluster: SimulatedCluster) -> str:
    server = {"server": cluster.url}
    if cluster.certificate_authority:
        server["certificate-authority-data"] = base64.b64encode(cluster.certificate_authority.encode()).decode()
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "simulated",
            "clusters": [{"name": "simulated", "cluster": server}],
            "contexts": [{"name": "simulated", "context": {"cluster": "simulated", "user": "admin"}}],
            "users": [
                {"name": "admin", "user": {"token": cluster.admin_token}},
                {"name": "portal", "user": {"token": cluster.portal_token}},
            ],
        },
        sort_keys=False,
    )


if __name__ == "__main__":
    main()
