"""How long a token outlives its account: an API server that found it good does not look again for ten seconds."""

import time

from tests.contract.arrange import Raw, Way, eventually

_WHO_AM_I = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_QUESTION = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


def _account(home):
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ci", "namespace": home}}


def test_a_token_in_use_ends_about_ten_seconds_after_its_account(cluster_endpoint, admin, home):
    admin.create(_account(home))
    way = cluster_endpoint.admin
    with_token = Raw(Way(way.server, admin.create_token("ci", home, seconds=600).text, way.certificate_authority))
    assert with_token("POST", _WHO_AM_I, _QUESTION)[0] == 201
    admin.delete("ServiceAccount", "ci", home)
    deleted = time.monotonic()
    assert with_token("POST", _WHO_AM_I, _QUESTION)[0] == 201
    eventually(lambda: with_token("POST", _WHO_AM_I, _QUESTION)[0] == 401, "the token is no longer taken")
    assert 5 < time.monotonic() - deleted < 30
    with_token.close()


def test_a_token_that_nobody_used_ends_with_its_account(cluster_endpoint, admin, home):
    admin.create(_account(home))
    way = cluster_endpoint.admin
    with_token = Raw(Way(way.server, admin.create_token("ci", home, seconds=600).text, way.certificate_authority))
    admin.delete("ServiceAccount", "ci", home)
    eventually(lambda: with_token("POST", _WHO_AM_I, _QUESTION)[0] == 401, "the token is not taken")
    with_token.close()
