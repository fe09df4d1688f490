"""Real tokens on a real API server: what the portal says of a member's sign-in, and what the member really can do.

Each set-up is an issuer with its own names (the API server's `jwt` entry), what an admin entered in the portal, and
what the token says. The portal must never say yes where the token cannot do what the role promises.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from environments import actions
from environments.catalog.files import read as read_template
from environments.kube import kubeconfig
from environments.lib.phases import Phase
from environments.management.commands.import_templates import SEEDS
from environments.models import Cluster, Directory, LocalGroup, User
from portal.demo import controlplane
from tests.arranging import settle
from tests.contract import oidc_login
from tests.contract.arrange import ClusterEndpoint, Way, eventually
from tests.contract.issuer import CLIENT_ID
from tests.contract.tenants import configuration, renting
from tests.detours import Authority
from tests.pages.reading import one, read, words
from tests.templates import publish

pytestmark = [pytest.mark.django_db, pytest.mark.parametrize("kubectl", ["1.36"], indirect=True)]

VERIFIED = {"expression": "claims.?email_verified.orValue(true) == true", "message": "the address is not verified"}


def names(claim: str = "email", prefix: str = "", groups: str = "", **more: Any) -> dict[str, Any]:
    """An entry of the AuthenticationConfiguration that makes names of claims."""
    mappings = {"username": {"claim": claim, "prefix": prefix}, "groups": {"claim": "groups", "prefix": groups}}
    return {"claimMappings": mappings | more}


def lower_cased(prefix: str = "") -> dict[str, Any]:
    expression = f"'{prefix}' + claims.email.lowerAscii()"
    return names(username={"expression": expression}) | {"claimValidationRules": [VERIFIED]}


@dataclass(frozen=True)
class SetUp:
    """`group`: what the token holds of the environment's group. `works`: what the real token can do."""

    name: str
    api: dict[str, Any]
    works: bool
    settings: dict[str, Any] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)  # what signing in to the portal brought
    token: dict[str, Any] = field(default_factory=dict)
    defect: dict[str, Any] = field(default_factory=dict)  # of the token, beside an otherwise good one
    group: str = "{name}"


NAMES_ONLY, GROUPS_ONLY = {"bind_groups": False}, {"bind_members": False}
MIXED = "Dana.Developer@Example.com"
LONG = "https://idp.example.com/realms/" + "x" * 168 + "#"  # 200 characters
SLASH = {"group": "/{name}"}

SET_UPS = [
    SetUp("email", names(), True),
    SetUp("prefixes", names(prefix="oidc:", groups="g:"), True, {"username_prefix": "oidc:", "groups_prefix": "g:"}),
    SetUp("prefix-of-200", names(prefix=LONG), True, NAMES_ONLY | {"username_prefix": LONG}),
    SetUp("hyphen", names(), True, {"username_prefix": "-", "groups_prefix": "-"}),
    SetUp("prefix-not-entered", names(prefix="oidc:"), False, NAMES_ONLY),
    SetUp("mixed-case-known", names(), True, NAMES_ONLY, {"claimed_email": MIXED}, {"email": MIXED}),
    SetUp("mixed-case-not-known", names(), False, NAMES_ONLY, {}, {"email": "Dana@example.com"}),
    SetUp(
        "lower-cased-by-cel",
        lower_cased("oidc:"),
        True,
        NAMES_ONLY | {"username_lowercase": True, "username_prefix": "oidc:"},
        {"claimed_email": MIXED},
        {"email": MIXED},
    ),
    SetUp("lower-cased-not-entered", lower_cased(), False, NAMES_ONLY, {"claimed_email": MIXED}, {"email": MIXED}),
    SetUp(
        "sub-with-issuer",
        names("sub", "https://idp.example.com#"),
        True,
        NAMES_ONLY | {"username_claim": "sub", "username_prefix": "https://idp.example.com#"},
        {"subject": "auth0|17"},
        {"sub": "auth0|17"},
    ),
    SetUp(
        "sub-prefix-not-entered",
        names("sub", "https://idp.example.com#"),
        False,
        NAMES_ONLY | {"username_claim": "sub", "username_prefix": "-"},
        {"subject": "auth0|17"},
        {"sub": "auth0|17"},
    ),
    SetUp(
        "sub-of-another-client",  # pairwise: each client gets its own
        names("sub"),
        False,
        NAMES_ONLY | {"username_claim": "sub", "username_prefix": "-"},
        {"subject": "for-the-portal"},
        {"sub": "for-kubectl"},
    ),
    SetUp(
        "preferred-username",
        names("preferred_username"),
        True,
        NAMES_ONLY | {"username_claim": "preferred_username", "username_prefix": "-"},
        {"claimed_username": "DanaD"},
        {"preferred_username": "DanaD"},
    ),
    SetUp(
        "preferred-username-of-the-directory",
        names("preferred_username"),
        False,
        NAMES_ONLY | {"username_claim": "preferred_username", "username_prefix": "-"},
        {},
        {"preferred_username": "Dana"},
    ),
    SetUp(
        "another-claim",
        names("upn"),
        True,
        NAMES_ONLY | {"username_claim": "upn", "username_prefix": "-"},
        {"token_claims": {"upn": "DANA@corp"}},
        {"upn": "DANA@corp"},
    ),
    SetUp("group-by-name", names(groups="oidc:"), True, GROUPS_ONLY | {"groups_prefix": "oidc:"}),
    SetUp("group-by-path", names(), True, GROUPS_ONLY | {"groups_by": "path"}, **SLASH),
    SetUp("group-by-path-not-entered", names(), False, GROUPS_ONLY, **SLASH),
    SetUp(
        "group-by-id",
        names(groups="aad:"),
        True,
        GROUPS_ONLY | {"groups_by": "id", "groups_prefix": "aad:"},
        group="{id}",
    ),
    SetUp("group-by-id-not-entered", names(), False, GROUPS_ONLY, group="{id}"),
    SetUp("group-prefix-not-entered", names(groups="oidc:"), False, GROUPS_ONLY),
    SetUp("group-prefix-of-a-hyphen", names(groups="-"), False, GROUPS_ONLY | {"groups_prefix": "-"}),
    SetUp("group-in-other-case", names(), False, GROUPS_ONLY, group="{NAME}"),
    SetUp("groups-as-one-string", names(), True, GROUPS_ONLY, defect={"groups": "{name}"}),
    SetUp("groups-as-objects", names(), False, defect={"groups": [{"name": "{name}"}]}),
    SetUp("groups-left-out", names(), False, GROUPS_ONLY, defect={"groups": None, "_claim_names": {"groups": "src1"}}),
    SetUp("group-missing-bound-by-name", names(), True, defect={"groups": []}),
    SetUp("wrong-audience", names(), False, defect={"aud": "portal"}),
    SetUp("wrong-issuer", names(), False, defect={"iss": "https://idp.example.com"}),
    SetUp("unverified-address", names(), False, defect={"email_verified": False}),
    SetUp("address-verified-in-words", names(), False, defect={"email_verified": "true"}),
    SetUp("no-such-claim", names(), False, defect={"email": None}),
    SetUp("expired", names(), False, defect={"iat": 1_700_000_000, "exp": 1_700_003_600}),
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def tenants(authority):
    with renting(authority, [each.name for each in SET_UPS]) as running:
        yield running


@pytest.fixture(scope="module", params=[pytest.param("real", marks=pytest.mark.real_cluster)])
def plane(tenants, authority) -> ClusterEndpoint:
    """An API server that trusts all of them."""
    if reason := controlplane.available():
        pytest.skip(f"no real control plane: {reason}")
    file = authority.folder / "authentication.yaml"
    file.write_text(configuration(tenants, {each.name: each.api for each in SET_UPS}, authority))
    with controlplane.ControlPlane(flags=[f"--authentication-config={file}"]) as running:
        running.apply_rbac()
        tokens = (running.portal_token(), running.admin_token)
        yield ClusterEndpoint("real", *(Way(running.url, token, running.ca_pem) for token in tokens))


@pytest.fixture
def dana(set_up, tenants):
    key = {"provider": "sso", "issuer": tenants[set_up.name].issuer, "subject": "dana"}
    return User.objects.create(username="dana", email="dana@example.com", **key | set_up.known)


@pytest.fixture
def environment(set_up, plane, tenants, authority, dana):
    """Dana's environment on a cluster with the settings that an admin entered."""
    row = Cluster.objects.create(
        slug="c",
        name="C",
        server=plane.portal.server,
        credential=plane.portal.credential,
        certificate_authority=plane.portal.certificate_authority,
        access=Cluster.Access.OIDC,
        oidc_issuer=tenants[set_up.name].issuer,
        oidc_client_id=CLIENT_ID,
        oidc_certificate_authority=authority.pem,
        **set_up.settings,
    )
    Directory.objects.create(name="Local", kind=Directory.Kind.LOCAL, is_default=True)
    version = publish(read_template(SEEDS / "namespace.yaml"))
    parameters = {"cpu": "2000m", "memory": "2048Mi"}
    made = actions.request_environment(
        dana, actions.Draft(version=version, name="n", cluster=row, parameters=parameters)
    )
    made.members.update(person=dana)
    assert settle(made).phase == Phase.READY
    yield made
    plane.admin_client().delete("Namespace", made.namespace)


@pytest.fixture
def computer(kubectl):
    """A kubectl with the stand-in for kubelogin in its PATH."""
    plugin = kubectl.path[0] / kubeconfig.PLUGIN
    plugin.write_text(f"#!{sys.executable}\n{Path(oidc_login.__file__).read_text()}")
    plugin.chmod(0o755)
    return kubectl


def filled(claims: dict[str, Any], environment) -> dict[str, Any]:
    """Claims with the environment's group in them."""
    name = environment.groups.get().name
    words = {"name": name, "NAME": name.upper(), "id": str(LocalGroup.objects.get(name=name).pk)}

    def fill(value: Any) -> Any:
        if isinstance(value, list):
            return [fill(item) for item in value]
        return {key: fill(item) for key, item in value.items()} if isinstance(value, dict) else _text(value, words)

    return fill(claims)


def _text(value: Any, words: dict[str, str]) -> Any:
    return value.format(**words) if isinstance(value, str) else value


def state(client, environment) -> str:
    page = read(client.get(f"/environments/{environment.namespace}/kubeconfig/"))
    return words(one(page, "#sign-in-state, #sign-in .notice.bad"))


def pasted(client, environment, text: str):
    answer = client.post(f"/environments/{environment.namespace}/kubeconfig/check/", {"pasted": text}, follow=True)
    return read(answer)


@pytest.mark.parametrize("set_up", SET_UPS, ids=lambda each: each.name)
def test_the_portal_says_yes_exactly_where_the_token_works(set_up, environment, tenants, dana, client, computer, said):
    tenant = tenants[set_up.name]
    client.force_login(dana)
    file = computer.home / "kubeconfig"
    file.write_bytes(client.get(f"/environments/{environment.namespace}/kubeconfig/oidc/").content)
    before = state(client, environment)
    good = {"sub": "dana", "email": "dana@example.com", "email_verified": True, "groups": [set_up.group]}
    tenant.claims = filled(good | set_up.token, environment)
    whoami = ("auth", "whoami", "--output=json")
    eventually(lambda: computer(*whoami, file=file).stdout, "the API server knows the issuer's keys")
    tenant.defect = filled(set_up.defect, environment)

    done = computer("auth", "can-i", "create", "deployments", file=file)
    real = done.stdout.strip() == "yes"
    seen = computer(*whoami, file=file)
    if seen.returncode:  # refused: the other line of the page decodes the token
        page = read(client.get(f"/environments/{environment.namespace}/kubeconfig/"))
        computer.variables["KUBECONFIG"] = str(file)
        seen = computer.shell(one(page, "#claims-line").get_text())
        assert seen.returncode == 0, seen.stderr
    page = pasted(client, environment, seen.stdout)
    after = state(client, environment)
    yes = "sign-in seen" in after
    said.append((set_up.name, after, real))

    assert "sign-in not yet seen" in before, "nothing but a real token shows it"
    assert real is set_up.works, (done.stdout, done.stderr, seen.stdout)
    assert not (yes and not real), f"a false yes: {words(page.select_one('#sign-in'))}"
    assert yes is real, words(page.select_one("#sign-in"))
    assert yes or page.select("#sign-in .no"), "the line that differs is pointed out"


@pytest.fixture(scope="module")
def said(request):
    """What the portal said and what was so, a line for each set-up, for the summary of `pytest -s`."""
    found: list[tuple[str, str, bool]] = []
    yield found
    lines = [f"{name:36} token {'works' if real else 'fails'}  portal: {text}" for name, text, real in sorted(found)]
    false = sum(1 for _, text, real in found if "sign-in seen" in text and not real)
    sys.stdout.write("\n".join(["", *lines, f"{len(found)} set-ups, {false} false yes", ""]))
