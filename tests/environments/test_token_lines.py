"""What people paste of their tokens is read, or refused without a trace, and compared line by line."""

import base64
import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import jwt
import pytest

from environments.lib import pasted_tokens, token_lines
from environments.lib.identity import Naming
from environments.lib.pasted_tokens import Claims, Whoami
from environments.lib.token_lines import BAD, OK, UNKNOWN, Expected

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
TOKEN = jwt.encode({"sub": "dana", "iss": "https://idp.example.com"}, "k" * 32, algorithm="HS256")


def review(username="oidc:dana@example.com", groups=("oidc:g", "system:authenticated"), **more) -> str:
    user = {"username": username, "groups": list(groups), "uid": "1", "extra": {"secret.example.com/x": ["private"]}}
    return json.dumps(
        {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"} | {"status": {"userInfo": user | more}}
    )


class TestReading:
    """Little is kept of what is pasted, and nothing of what is refused."""

    def test_of_whoami_the_name_and_the_groups_are_kept(self):
        assert pasted_tokens.read(review(), ()) == Whoami("oidc:dana@example.com", ("oidc:g", "system:authenticated"))

    def test_someone_in_no_group(self):
        assert pasted_tokens.read(review(groups=()), ()) == Whoami("oidc:dana@example.com", ())
        assert pasted_tokens.read(review().replace('"groups"', '"other"'), ()).groups == ()

    def test_of_claims_only_those_that_make_names_are_kept(self):
        said = {"iss": "i", "aud": ["a"], "exp": 2, "iat": 1, "email": "d", "email_verified": "true", "phone": "0123"}
        kept = pasted_tokens.read(json.dumps(said), ("email", "groups"))
        assert kept == Claims({name: value for name, value in said.items() if name != "phone"})
        assert kept.lifetime == 1

    def test_of_odd_claims_it_is_kept_that_they_were_odd(self):
        said = {"iss": "i", "groups": [{"name": "g"}, ["g"], "g"], "email": {"a": {"b": "c"}}}
        assert pasted_tokens.read(json.dumps(said), ("email", "groups")).values == {
            "iss": "i",
            "groups": [{}, {}, "g"],
            "email": {},
        }

    @pytest.mark.parametrize(
        "text",
        [
            TOKEN,
            f"  {TOKEN}\n",
            f'{{"iss": "x", "id_token": "{TOKEN}"}}',
            f'{{"kind": "ExecCredential", "status": {{"token": "{TOKEN}"}}}}',
            '{"kind":"ExecCredential","status":{"token":"opaque"}}',
            f"users:\n- user:\n    token: {TOKEN}\n",
            "users:\n- user:\n    token: opaque-bearer-token\n",
            '{"token": "opaque"}',
            '{"access_token": "opaque", "refresh_token": "more"}',
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
            "client-key-data: LS0tLS1C",
            review(username=TOKEN),
            review(groups=[TOKEN]),
        ],
    )
    def test_a_token_or_a_key_is_refused(self, text):
        with pytest.raises(ValueError, match="contains a token or a key") as refused:
            pasted_tokens.read(text, ("email",))
        assert "eyJ" not in str(refused.value)

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("ATTRIBUTE  VALUE\nUsername   dana", "This is not JSON"),
            ("kind: SelfSubjectReview", "This is not JSON"),
            ("{" * 50_000, "This is not JSON"),
            ("x" * (64 * 1024 + 1), "the limit is 65536"),
            ("[1]", "not what the command prints"),
            ('"dana"', "not what the command prints"),
            ('{"kind": "Pod"}', "another Kubernetes object"),
            ('{"kind": "SelfSubjectReview", "status": {"userInfo": "dana"}}', "another Kubernetes object"),
            (review(username=""), "no valid user name"),
            (review(username=["dana"]), "no valid user name"),
            (review(username="x" * 1025), "no valid user name"),
            (review(groups=["x"] * 2001), "The groups in this cannot be read"),
            (review(groups=[{"name": "g"}]), "The groups in this cannot be read"),
            ('{"sub": "dana"}', "no issuer and no audience"),
            ("{}", "no issuer and no audience"),
        ],
    )
    def test_anything_else_is_refused_with_what_to_do(self, text, sentence):
        with pytest.raises(ValueError, match=sentence) as refused:
            pasted_tokens.read(text, ("email",))
        assert len(str(refused.value)) < 200, "it does not quote what was pasted"

    @pytest.mark.parametrize(
        "times", [{}, {"iat": 1}, {"iat": 5, "exp": 5}, {"iat": "1", "exp": "2"}, {"iat": 0, "exp": 1e18}]
    )
    def test_a_lifetime_that_is_none(self, times):
        assert Claims(times).lifetime is None


CLAIMS = {
    "iss": "https://idp.example.com",
    "aud": ["kubernetes"],
    "exp": 2,
    "iat": 1,
    "email": "dana@example.com",
    "groups": ["ä", "b"],
    "phone": "0123",
}


class TestTheLine:
    """It runs the plugin of the kubeconfig, and prints what is asked for and no more."""

    @pytest.fixture
    def path(self, tmp_path):
        """A kubectl that prints a kubeconfig, and a plugin that prints a token."""
        user = {"exec": {"command": "plugin", "args": ["get-token", "--with=a b"]}}
        token = jwt.encode(CLAIMS, "k" * 32, algorithm="HS256")
        answers = {"kubectl": {"users": [{"user": user}]}, "plugin": {"status": {"token": token}}}
        for name, answer in answers.items():
            file = tmp_path / name
            asked = f"open({str(tmp_path / name)!r} + '.asked', 'w').write(repr(sys.argv[1:]))"
            file.write_text(f"#!{sys.executable}\nimport sys\n{asked}\nprint({json.dumps(answer)!r})\n")
            file.chmod(0o755)
        return tmp_path

    @pytest.mark.parametrize("claims", [("email", "groups"), ("it's", "groups"), ("$(touch hacked)", "`id`")])
    def test_it_prints_the_named_claims_alone(self, path, claims):
        line = pasted_tokens.claims_line(claims)
        env = {"PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", "-c", line], env=env, cwd=path, capture_output=True, text=True, timeout=20, check=True
        )
        printed = json.loads(done.stdout)
        assert printed == {name: CLAIMS[name] for name in ("iss", "aud", "exp", "iat", *claims) if name in CLAIMS}
        assert (path / "plugin.asked").read_text() == "['get-token', '--with=a b']"
        assert not (path / "hacked").exists()
        assert isinstance(pasted_tokens.read(done.stdout, claims), Claims)

    def test_it_is_one_line_without_the_token(self):
        line = pasted_tokens.claims_line(("email", "groups"))
        assert "\n" not in line
        assert line.endswith(" iss aud exp iat email groups email_verified _claim_names hasgroups")

    @pytest.mark.parametrize("length", range(1, 9))
    def test_a_payload_of_any_length_is_decoded(self, length):
        payload = base64.urlsafe_b64encode(json.dumps({"a": "x" * length}).encode()).decode().rstrip("=")
        padded = payload + "=" * (-len(payload) % 4)
        assert json.loads(base64.urlsafe_b64decode(padded)) == {"a": "x" * length}


def expected(**changes) -> Expected:
    naming = changes.pop("naming", Naming("email", "oidc:", "oidc:"))
    facts = {
        "naming": naming,
        "issuer": "https://idp.example.com",
        "client_id": "kubernetes",
        "groups_claim": "groups",
        "username": "oidc:dana@example.com",
        "groups": ("oidc:shop-admin",),
    }
    return Expected(**facts | changes)


def tones(lines) -> dict[str, str]:
    return {line.label.partition(" (")[0]: line.tone for line in lines}


def notes(lines) -> str:
    return " ".join(line.note for line in lines)


class TestWhoami:
    def test_what_is_as_expected(self):
        lines = token_lines.of_whoami(expected(), Whoami("oidc:dana@example.com", ("oidc:shop-admin", "x")))
        assert tones(lines) == {"User name": OK, "Group": OK}
        assert token_lines.is_good(lines)

    @pytest.mark.parametrize(
        ("name", "note"),
        [
            ("oidc:Dana@Example.com", "Only the case differs"),
            ("dana@example.com", "The prefix differs"),
            ("https://idp.example.com#dana@example.com", "The prefix differs"),
            ("oidc:theo@example.com", "another claim, or this is another person's token"),
            ("system:serviceaccount:allotment:portal", "another claim, or this is another person's token"),
        ],
    )
    def test_another_name_says_in_what_it_differs(self, name, note):
        lines = token_lines.of_whoami(expected(), Whoami(name, ("oidc:shop-admin",)))
        assert tones(lines) == {"User name": BAD, "Group": OK}
        assert note in notes(lines)

    def test_a_name_that_was_not_known_proves_nothing(self):
        lines = token_lines.of_whoami(expected(username=""), Whoami("oidc:1", ("oidc:shop-admin",)))
        assert tones(lines) == {"User name": UNKNOWN, "Group": OK}
        assert not token_lines.is_good(lines)

    @pytest.mark.parametrize("near", ["shop-admin", "/shop-admin", "oidc:/shop-admin", "OIDC:Shop-Admin"])
    def test_a_group_by_another_name_is_pointed_out(self, near):
        line = token_lines.of_whoami(expected(by_name=True), Whoami("oidc:dana@example.com", (near,)))[1]
        assert (line.tone, line.actual) == (BAD, near)
        assert "the name differs from the cluster's settings" in line.note

    @pytest.mark.parametrize(("by_name", "tone"), [(False, BAD), (True, UNKNOWN)])
    def test_a_group_that_is_missing(self, by_name, tone):
        line = token_lines.of_whoami(expected(by_name=by_name), Whoami("oidc:dana@example.com", ("a", "b")))[1]
        assert (line.tone, line.actual) == (tone, "missing")
        assert ("Access works by name." in line.note) is by_name


GOOD = {
    "iss": "https://idp.example.com",
    "aud": "kubernetes",
    "exp": NOW.timestamp() + 60,
    "email": "dana@example.com",
    "groups": ["shop-admin"],
}


class TestClaims:
    @pytest.mark.parametrize(
        "more",
        [
            {},
            {"aud": ["portal", "kubernetes"]},
            {"email_verified": True},
            {"groups": "shop-admin"},
            {"groups": ["a", "shop-admin"]},
        ],
    )
    def test_a_token_that_an_api_server_takes(self, more):
        assert token_lines.is_good(token_lines.of_claims(expected(), Claims(GOOD | more), NOW))

    @pytest.mark.parametrize(
        ("more", "label", "note"),
        [
            ({"iss": "https://idp.example.com/"}, "Issuer", "Only the slash at the end differs"),
            ({"iss": "https://other.example.com"}, "Issuer", "Another issuer"),
            ({"iss": None}, "Issuer", "Another issuer"),
            ({"aud": "portal"}, "Audience", "made for another client"),
            ({"aud": []}, "Audience", "made for another client"),
            ({"aud": {}}, "Audience", "made for another client"),
            ({"exp": NOW.timestamp() - 1}, "Expiry", "has expired"),
            ({"exp": "soon"}, "Expiry", "does not say when it expires"),
            ({"exp": 1e300}, "Expiry", "does not say when it expires"),
            ({"email_verified": False}, "Address verified", "has not verified"),
            ({"email_verified": "true"}, "Address verified", "takes only true without quotes"),
            ({"email_verified": None}, "Address verified", "has not verified"),
            ({"email": "Dana@example.com"}, "User name", "Only the case differs"),
            ({"email": None}, "User name", "No such claim"),
            ({"email": {}}, "User name", "No such claim"),
            ({"groups": [{}]}, "Groups", "cannot read this claim"),
            ({"groups": 7}, "Groups", "cannot read this claim"),
            ({"groups": ["/shop-admin"]}, "Group", "the name differs from the cluster's settings"),
            ({"groups": ["other"]}, "Group", "does not name this group"),
            ({"groups": None}, "Group", "The token has no claim groups"),
            ({"groups": None, "_claim_names": {}}, "Group", "more groups than fit into a token"),
            ({"groups": None, "hasgroups": True}, "Group", "more groups than fit into a token"),
        ],
        ids=str,
    )
    def test_what_an_api_server_refuses_or_names_otherwise(self, more, label, note):
        lines = token_lines.of_claims(expected(), Claims(GOOD | more), NOW)
        assert [name for name, tone in tones(lines).items() if tone != OK] == [label]
        assert note in notes(lines)
        assert token_lines.is_bad(lines)

    def test_an_address_needs_no_verification_where_names_are_made_of_another_claim(self):
        wanted = expected(naming=Naming("sub", "-", "oidc:"), username="17")
        lines = token_lines.of_claims(wanted, Claims(GOOD | {"sub": "17", "email_verified": "true"}), NOW)
        assert token_lines.is_good(lines)
        assert "Address verified" not in tones(lines)

    def test_a_name_that_kubernetes_reserves(self):
        wanted = expected(naming=Naming("preferred_username", "-"), username="dana")
        lines = token_lines.of_claims(wanted, Claims(GOOD | {"preferred_username": "system:admin"}), NOW)
        assert "Reserved for Kubernetes." in notes(lines)
