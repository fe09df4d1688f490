"""The manifests of the portal's account say what they should, without a cluster. tests/contract asks clusters."""

import io

import pytest
import yaml
from django.core.management import call_command

from environments.kube import rbac
from environments.lib.phases import CLUSTER_ROLES

ROLES = {each["metadata"]["name"]: each for each in rbac.documents() if each["kind"] == "ClusterRole"}


def test_each_role_of_an_environment_ships():
    assert set(ROLES) == {*CLUSTER_ROLES.values(), "allotment-portal"}


@pytest.mark.parametrize("name", ROLES)
def test_no_rule_has_a_wildcard(name):
    values = [value for rule in ROLES[name]["rules"] for values in rule.values() for value in values]
    assert "*" not in values


@pytest.mark.parametrize("name", ROLES)
def test_no_role_takes_rules_from_others(name):
    assert "aggregationRule" not in ROLES[name]


def test_what_is_required_is_not_forbidden():
    assert set(rbac.REQUIRED) & set(rbac.FORBIDDEN) == set()


def test_the_command_prints_what_can_be_applied():
    output = io.StringIO()
    call_command("print_rbac", stdout=output)
    assert list(yaml.safe_load_all(output.getvalue())) == rbac.documents()


def test_the_command_moves_the_account_to_another_namespace():
    output = io.StringIO()
    call_command("print_rbac", "--account-namespace", "platform", stdout=output)
    found = {each["kind"]: each for each in yaml.safe_load_all(output.getvalue())}
    assert found["Namespace"]["metadata"]["name"] == "platform"
    assert found["ServiceAccount"]["metadata"]["namespace"] == "platform"
    assert found["ClusterRoleBinding"]["subjects"] == [
        {"kind": "ServiceAccount", "name": "portal", "namespace": "platform"}
    ]


def test_accounts_and_tokens_are_given_in_the_account_namespace_alone():
    output = io.StringIO()
    call_command("print_rbac", "--account-namespace", "platform", stdout=output)
    rules = {
        (each["kind"], each["metadata"].get("namespace", ""), resource): rule
        for each in yaml.safe_load_all(output.getvalue())
        for rule in each.get("rules", [])
        for resource in rule["resources"]
        if "token" in resource and each["metadata"]["name"] != "environment-admin"
    }
    assert set(rules) == {("Role", "platform", "serviceaccounts/token")}
    own = ROLES["allotment-portal"]["rules"]
    written = [rule for rule in own if "serviceaccounts" in rule["resources"] and rule["verbs"] != ["list"]]
    assert [(rule["resourceNames"], rule["verbs"]) for rule in written] == [(["default"], ["get", "patch"])]
