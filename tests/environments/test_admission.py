"""The manifests of deploy/admission, without a cluster. tests/contract/test_admission.py asks a real one."""

import io
import json

import pytest
import yaml
from django.core.management import CommandError, call_command

from environments.kube import admission


def printed(*arguments: str) -> list[dict]:
    output = io.StringIO()
    call_command("print_admission", *arguments, stdout=output)
    return list(yaml.safe_load_all(output.getvalue()))


def test_the_files_are_what_the_command_prints():
    files = [document for document in yaml.safe_load_all(admission.POLICIES.read_text()) if document]
    assert printed() == files == admission.documents()


def test_the_command_takes_domain_account_and_groups():
    arguments = (
        "--label-domain=corp.example",
        "--account=oidc:portal",
        "--break-glass-group=a",
        "--break-glass-group=b",
    )
    text = json.dumps(printed(*arguments))
    assert "corp.example/environment" in text
    assert "allotment.internal" not in text
    assert text.count("'oidc:portal', 'system:apiserver'") == 3
    assert text.count("['a', 'b']") == 8
    assert admission.PORTAL not in text


@pytest.mark.parametrize(
    "argument",
    [
        "--label-domain=not a domain",
        "--label-domain=",
        "--account=x'] || true || '' in ['",
        "--account=back\\slash",
        "--account=",
        "--break-glass-group=it's",
        "--break-glass-group=line\nbreak",
    ],
)
def test_a_name_that_would_end_an_expression_is_refused_in_a_sentence(argument):
    with pytest.raises(CommandError, match=r"is not (a label domain|an account or group name)"):
        printed(argument)


@pytest.mark.parametrize(
    ("arguments", "account", "namespace"),
    [
        ((), admission.PORTAL, "allotment"),
        (
            ("--account=system:serviceaccount:platform:robot",),
            "system:serviceaccount:platform:robot",
            "platform",
        ),
        (("--account=oidc:portal",), "oidc:portal", "allotment"),
        (("--account=oidc:portal", "--account-namespace=accounts"), "oidc:portal", "accounts"),
    ],
)
def test_the_policy_about_the_portal_names_its_account_and_where_members_accounts_are(arguments, account, namespace):
    spec = next(each for each in printed(*arguments) if each["metadata"]["name"] == "allotment-portal")["spec"]
    assert [each["expression"] for each in spec["matchConditions"]] == [f"request.userInfo.username == '{account}'"]
    assert spec["variables"][0] == {"name": "accountNamespace", "expression": f"'{namespace}'"}
