"""After a restore: what the clusters hold and the database does not know, and the reverse."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from environments.management.commands.compare_clusters import differences
from environments.models import Cluster, Environment
from environments.reconcile.engine import reconcile


@pytest.mark.parametrize(
    ("found", "known", "lines"),
    [
        ({}, {}, []),
        ({"a": "1"}, {"a": ("1", True)}, []),
        ({"a": "1"}, {}, ["namespace a has no environment (label: 1)"]),
        ({"a": ""}, {}, ["namespace a has no environment (label: none)"]),
        ({"a": "2"}, {"a": ("1", True)}, ["namespace a belongs to environment 2, not 1"]),
        ({}, {"a": ("1", True)}, ["environment a has no namespace"]),
        ({}, {"a": ("1", False)}, []),
        ({"b": "2", "a": "1"}, {"c": ("3", True)}, [
            "namespace a has no environment (label: 1)",
            "namespace b has no environment (label: 2)",
            "environment c has no namespace",
        ]),
    ],
)  # fmt: skip
def test_each_difference_is_a_line(found, known, lines):
    assert differences(found, known) == lines


@pytest.fixture
def ready(ask):
    """An environment that was provisioned on the simulated cluster."""
    environment = ask()
    reconcile(environment.pk)
    environment.refresh_from_db()
    assert environment.ready_at
    return environment


def compare():
    out = StringIO()
    call_command("compare_clusters", stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_a_row_that_was_lost_shows(ready, admin):
    namespace, pk = ready.namespace, ready.pk
    assert namespace not in compare()  # the cluster holds other tests' namespaces too
    Environment.objects.filter(pk=pk).delete()
    assert f"namespace {namespace} has no environment (label: {pk})\n" in compare()


@pytest.mark.django_db
def test_a_namespace_that_is_gone_shows(ready, admin):
    admin.delete("Namespace", ready.namespace)
    assert f"environment {ready.namespace} has no namespace" in compare()


@pytest.mark.django_db
def test_a_cluster_that_does_not_answer_is_said_and_hides_no_other(ready, admin):
    Cluster.objects.create(slug="gone", name="A gone one", server="http://127.0.0.1:1", credential="token")
    out = StringIO()
    Environment.objects.filter(pk=ready.pk).delete()
    with pytest.raises(CommandError, match="Some clusters could not be compared: A gone one"):
        call_command("compare_clusters", stdout=out)
    assert "has no environment" in out.getvalue()


@pytest.mark.django_db
def test_the_workbench_of_a_cluster_is_no_namespace_without_an_environment(place, admin):
    name, labels = place.workbench_namespace, {"app.kubernetes.io/managed-by": "allotment"}
    bench = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    bench["metadata"]["labels"] = labels | {"allotment.internal/environment": "workbench"}
    admin.create(bench)
    assert compare() == ""
    Cluster.objects.update(workbench_namespace="another")
    assert compare() == f"Amsterdam: namespace {name} has no environment (label: workbench)\n"
