"""Names on a cluster: what an API server makes of the claims of a token, from what is known about a person."""

import pytest

from environments.lib.identity import GroupsBy, Naming, TokenFacts, lower_ascii, prefix, token_facts

DANA = TokenFacts(
    sub="auth0|5f7c8ec7c33c6c004bbafe82",
    email="Dana.Developer@Example.com",
    preferred_username="DanaD",
    groups=("platform", "Ops Team"),
    other={"username": "dana", "upn": "DANA@corp.example.com", "oid": "0d1b"},
)


@pytest.mark.parametrize(
    ("naming", "name"),
    [
        (Naming(), "Dana.Developer@Example.com"),
        (Naming("email", username_lowercase=True), "dana.developer@example.com"),
        (Naming("email", "oidc:"), "oidc:Dana.Developer@Example.com"),
        (Naming("email", "OIDC:", username_lowercase=True), "OIDC:dana.developer@example.com"),
        (Naming("email", "-"), "Dana.Developer@Example.com"),
        (Naming("sub"), "auth0|5f7c8ec7c33c6c004bbafe82"),
        (Naming("sub", "https://idp.example.com#"), "https://idp.example.com#auth0|5f7c8ec7c33c6c004bbafe82"),
        (Naming("preferred_username", "-"), "DanaD"),
        (Naming("preferred_username", "-", username_lowercase=True), "danad"),
        (Naming("username"), "dana"),
        (Naming("upn", username_lowercase=True), "dana@corp.example.com"),
        (Naming("oid", "x" * 200), "x" * 200 + "0d1b"),
        (Naming("employee_number"), ""),
        (Naming("employee_number", "oidc:"), ""),
    ],
)
def test_a_user_name_is_made_of_its_claim(naming, name):
    assert naming.user(DANA) == name


@pytest.mark.parametrize("claimed", ["system:admin", "system:"])
def test_no_name_that_kubernetes_reserves_is_given_to_anybody(claimed):
    assert Naming("preferred_username").user(TokenFacts(preferred_username=claimed)) == ""
    assert Naming("preferred_username", "oidc:").user(TokenFacts(preferred_username=claimed)) == f"oidc:{claimed}"
    assert Naming("sub", "system:").user(TokenFacts(sub="admin")) == ""


def test_lower_case_is_the_one_of_the_api_server():
    assert lower_ascii("JÖRG.Müller@Example.com") == "jÖrg.müller@example.com"


@pytest.mark.parametrize(
    ("naming", "name"),
    [
        (Naming(), "checkout-admin"),
        (Naming(groups_prefix="oidc:"), "oidc:checkout-admin"),
        (Naming(groups_prefix="-"), "checkout-admin"),
        (Naming(groups_by="path"), "/checkout-admin"),
        (Naming(groups_by=GroupsBy.PATH, groups_prefix="kc:"), "kc:/checkout-admin"),
        (Naming(groups_by="id"), "8f5c-11"),
        (Naming(groups_by="id", groups_prefix="aad:"), "aad:8f5c-11"),
        (Naming(username_lowercase=True, groups_prefix="G:"), "G:checkout-admin"),
    ],
)
def test_a_group_is_named_by_its_name_path_or_id(naming, name):
    assert naming.group("checkout-admin", "8f5c-11") == name


def test_a_group_whose_id_is_not_known_has_no_name():
    assert Naming(groups_by="id", groups_prefix="aad:").group("checkout-admin") == ""


def test_other_groups_are_those_that_the_provider_sent():
    assert Naming(groups_prefix="oidc:").groups(DANA) == ("oidc:Ops Team", "oidc:platform")
    assert Naming(groups_by="id").groups(TokenFacts(groups=("b", "a", "b", ""))) == ("a", "b")


@pytest.mark.parametrize(("text", "before"), [("", ""), ("-", ""), ("--", "--"), ("oidc:", "oidc:"), ("-x", "-x")])
def test_a_hyphen_alone_is_no_prefix(text, before):
    assert prefix(text) == before


SAID = {
    "iss": "https://idp.example.com/",
    "sub": "1",
    "email": "Dana@Example.com",
    "preferred_username": "DanaD",
    "upn": "dana@corp",
    "groups": ["a", 7, {"name": "b"}],
}


@pytest.mark.parametrize("issuer", ["", "https://idp.example.com/", "https://idp.example.com"])
def test_what_a_sign_in_to_the_portal_brought_is_known(issuer):
    facts = token_facts(SAID, issuer, "dana@example.com")
    assert (facts.sub, facts.email, facts.preferred_username) == ("1", "Dana@Example.com", "DanaD")
    assert (facts.groups, facts.claim("upn")) == (("a",), "dana@corp")


def test_of_another_issuers_tokens_only_the_address_is_known():
    facts = token_facts(SAID, "https://other.example.com", "dana@example.com")
    assert facts == TokenFacts(email="dana@example.com")
    assert Naming("sub").user(facts) == ""


def test_without_a_sign_in_only_the_address_is_known():
    assert token_facts({}, "https://idp.example.com", "dana@example.com") == TokenFacts(email="dana@example.com")
    assert token_facts({}) == TokenFacts()
