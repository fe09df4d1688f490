"""What the API server warns of is kept with the step and shown, on both clusters."""

import pytest

from environments import spec as template_spec
from environments.directory.local import LocalClient
from environments.kube import manifests
from environments.reconcile import runner
from environments.reconcile.runner import Attempt, Task
from environments.reconcile.steps import objects
from environments.reconcile.steps.base import Context, Naming
from tests.contract.arrange import desired, eventually, wait_until_furnished

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: main
          image: registry.example.com/web:1
          resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 10m, memory: 16Mi}}
"""
WARNS = (
    'The cluster warns about deployments/web: would violate PodSecurity "restricted:latest": allowPrivilegeEscalation '
    '!= false (container "main" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities '
    '(container "main" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container '
)


@pytest.fixture
def attempt(portal, admin, home):
    """Try the step until the cluster lets the portal in; its last attempt."""

    def run(level: str) -> Attempt:
        data = {"quota": {"pods": "5"}, "manifests": DEPLOYMENT, "pod_security": {"enforce": level}}
        wanted = desired(home, spec=template_spec.parse(data))
        portal.apply(manifests.namespace(wanted))
        wait_until_furnished(admin, home)
        keys = ("Deployment/web",)
        context = Context(desired=wanted, cluster=portal, directory=LocalClient(0), naming=Naming(), applied=keys)
        task = Task(objects.STEP, objects.ensure, frozenset())
        return eventually(
            lambda: tried if (tried := runner.attempt(task, context)).status == "Done" else None, "the step is done"
        )

    return run


def test_a_deployment_whose_pods_are_rejected_is_not_in_place(attempt):
    found = attempt("restricted")
    assert found.reason == objects.PODS_REJECTED
    assert found.message.startswith(f"1 applied; Pod Security rejects the pods of Deployment web. {WARNS}")
    assert found.look_again is not None


def test_a_deployment_that_is_only_warned_of_is_in_place_with_the_warning(attempt):
    found = attempt("baseline")
    assert found.reason == "Warned"
    assert found.message.startswith(f"1 in place. {WARNS}")
