"""The simulated cluster as a process of its own, and under many hands."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import yaml

from environments.kube.client import ClusterClient
from portal.demo.simulated import SimulatedCluster
from tests.contract.arrange import Way, namespace, pod, quota


def test_it_serves_until_it_is_told_to_stop_and_keeps_its_state(tmp_path):
    file = tmp_path / "cluster.json"
    command = [sys.executable, "-m", "portal.demo.simulated", "--data", str(file), "--workloads"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = iter(process.stdout.readline, "")
        text = "".join(line for line in _until(lines, "name: portal", more=2))
        config = yaml.safe_load(text)
        admin = ClusterClient(Way(config["clusters"][0]["cluster"]["server"], config["users"][0]["user"]["token"]))
        admin.apply(namespace("home"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert '"home"' in file.read_text()


def _until(lines, mark, more):
    for line in lines:
        yield line
        if mark in line:
            yield from (next(lines) for _ in range(more))
            return


def test_many_threads_never_exceed_a_quota_together():
    with SimulatedCluster() as cluster:
        admin = ClusterClient(Way(cluster.url, cluster.admin_token))
        admin.apply(namespace("home"))
        admin.apply(quota("home", {"pods": "10"}))

        with ThreadPoolExecutor(8) as threads:
            futures = [threads.submit(admin.create, pod("home", f"pod-{number}")) for number in range(40)]
        refusals = [str(error) for error in (future.exception() for future in futures) if error]
        assert len(refusals) == 30
        assert all("exceeded quota: quota, requested: pods=1, used: pods=10" in refusal for refusal in refusals)
        assert admin.get("ResourceQuota", "quota", "home")["status"]["used"] == {"pods": "10"}


def test_an_official_kubeconfig_reaches_it():
    with SimulatedCluster() as cluster:
        kubeconfig = yaml.safe_dump(
            {
                "current-context": "here",
                "clusters": [{"name": "here", "cluster": {"server": cluster.url}}],
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": "admin"}}],
                "users": [{"name": "admin", "user": {"token": cluster.admin_token}}],
            }
        )
        assert ClusterClient(Way("", kubeconfig, credential_kind="kubeconfig")).version() == "v1.36.2"
