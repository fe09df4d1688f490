"""Four identity providers as the tests see them: how to run each, and how it answers where they differ.

Canaille is the demo's. The others come from PyPI and npm (tests/packages.py), each with the demo's people, who sign in
with the demo's password. What a class says of its provider is what the tests expect of it, and what the table in
docs/identity-providers.md shows.
"""

import json
import os
import re
import secrets
import sqlite3
import subprocess
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import httpx
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey, RSAKey

from portal.demo.idp import GROUPS, PASSWORD, PEOPLE, IdentityProvider
from portal.demo.ports import free_port
from tests import packages
from tests.services import PATIENCE, PORTAL_URL

HERE = Path(__file__).resolve().parent
CALLBACK = f"{PORTAL_URL}/accounts/oidc/sso/login/callback/"
SIGNED_OUT = f"{PORTAL_URL}/accounts/signed-out/"

POST, BASIC, KEY = "client_secret_post", "client_secret_basic", "private_key_jwt"
AWKWARD = "a+b/c%2Fd e&f=:~"  # a secret with characters that are reserved in URLs and forms

#: What a provider that can say so says of the addresses: true, false, or nothing.
VERIFIED = {"dana": True, "theo": None, "max": True, "ada": True, "sam": False}


#: Sam is in so many groups that an ID token with them makes a URL that proxies refuse.
CROWD = [f"application-{number:03}-maintainers" for number in range(250)]


@dataclass(frozen=True)
class Client:
    """The portal as a provider knows it. The defaults of each provider hold for what is not here."""

    id: str
    secret: str
    more: dict[str, Any] = field(default_factory=dict)  # further metadata, for oidc-provider

    def as_json(self) -> dict[str, Any]:
        more = {"redirect_uri": CALLBACK, "post_logout_redirect_uri": SIGNED_OUT, "more": self.more}
        return {"id": self.id, "secret": self.secret} | more


class Provider:
    """A running identity provider. `issuer` and its clients are known before it runs."""

    name: ClassVar[str]
    requirement: ClassVar[str]  # where it is pinned, and its name there
    methods: ClassVar[tuple[str, ...]] = (POST, BASIC)  # how a client can authenticate at the token endpoint
    basic_is_encoded: ClassVar[bool] = True  # it decodes what client_secret_basic carries (RFC 6749 §2.3.1)
    wrong_secret: ClassVar[int] = 401  # the status of `invalid_client`
    unknown_scope: ClassVar[str] = ""  # the error for a scope that it does not know; empty: ignores it
    names_issuer: ClassVar[bool] = False  # in the authorization response (RFC 9207)
    claims_in_id_token: ClassVar[bool] = False  # beside userinfo
    lists_scopes: ClassVar[bool] = True  # in its discovery document
    answers_without_a_page: ClassVar[bool] = True  # the parameter prompt=none
    asks_before_sign_out: ClassVar[bool] = False
    back_channel: ClassVar[bool] = False
    verified: ClassVar[dict[str, bool | None]] = VERIFIED

    issuer: str
    client: Client

    @classmethod
    def version(cls) -> str:
        """The version that is pinned."""
        file, _, package = cls.requirement.partition(":")
        found = re.search(
            rf'\b{re.escape(package)}(?:\[[\w,]+\])?(?:==|": ")([\w.]+)', (packages.ROOT / file).read_text()
        )
        assert found, cls.requirement
        return found[1]

    def subject(self, name: str) -> str:
        """What it calls a person."""
        return name

    def start(self) -> None:
        """Run it, and wait until it answers. Raises UnavailableError if it cannot be had on this machine."""
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def reset(self) -> None:
        """Forget who agreed to what, and how the client is registered."""

    def registered(self, method: str, secret: str = "") -> Client:
        """The portal's client, as one that authenticates in this way (one of `methods`), with this secret (AWKWARD)."""
        raise NotImplementedError

    def change_keys(self) -> None:
        """Sign with a new key from now on. The old one is still published, if the provider can do that."""
        raise NotImplementedError

    @cached_property
    def client_key(self) -> RSAKey:
        """The portal's own key, for private_key_jwt."""
        return RSAKey.generate_key(2048, auto_kid=True)


class CanailleProvider(Provider):
    """The demo's provider. Here it does not trust the portal, so that it asks for consent like the others."""

    name = "Canaille"
    requirement = "requirements/demo.in:canaille"
    methods = (POST, BASIC, KEY)
    names_issuer = True
    claims_in_id_token = True
    verified: ClassVar[dict[str, bool | None]] = dict.fromkeys(VERIFIED, True)

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self._idp = IdentityProvider(folder, self._port, PORTAL_URL)
        self.issuer = self._idp.issuer
        self.client = Client(self._idp.oidc_client_id, self._idp.oidc_client_secret)

    def start(self) -> None:
        self._idp.start()
        self._idp.wait_ready(PATIENCE)
        self.reset()
        group = 'INSERT OR IGNORE INTO "group" (id, display_name) VALUES (?, ?)'
        member = "INSERT OR IGNORE INTO membership_association_table (user_id, group_id) SELECT id, ? FROM user "
        with closing(sqlite3.connect(self._idp.database, timeout=10)) as database, database:
            database.executemany(group, [(name, name) for name in CROWD])
            database.executemany(f"{member} WHERE user_name = 'sam'", [(name,) for name in CROWD])

    def stop(self) -> None:
        self._idp.stop()

    def reset(self) -> None:
        """In its database: no interface of it offers this."""
        sql(self._idp.database, "DELETE FROM consent")
        sql(self._idp.database, "UPDATE client SET client_uri = ?", "https://portal.example.com")
        self.registered(POST)

    def registered(self, method: str, secret: str = "") -> Client:
        keys = json.dumps({"keys": [self.client_key.as_dict(private=False)]})
        client = Client(self.client.id, secret or self.client.secret)
        change = "UPDATE client SET token_endpoint_auth_method = ?, jwks = ?, client_secret = ? WHERE client_id = ?"
        sql(self._idp.database, change, method, keys, client.secret, client.id)
        return client

    def change_keys(self) -> None:
        self.stop()
        file, new = self._folder / "keys.json", RSAKey.generate_key(2048, auto_kid=True).as_dict(private=True)
        file.write_text(json.dumps(json.loads(file.read_text()) | {"signing_key": new}))
        self._idp = IdentityProvider(self._folder, self._port, PORTAL_URL)
        self.start()


class Peer(Provider):
    """A provider of the tests' own, as a process that is told on its standard input what to be."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self._process: subprocess.Popen[str] | None = None
        self._secret_key = secrets.token_urlsafe(40)
        self.issuer = f"http://127.0.0.1:{self._port}{self.path}"
        self.client = Client("portal", secrets.token_urlsafe(32))
        self.awkward = Client("awkward", AWKWARD)
        self._keys = [rsa.generate_private_key(65537, 2048)]

    path: ClassVar[str] = ""

    def registered(self, method: str, secret: str = "") -> Client:
        return self.awkward if secret else self.client

    def command(self) -> list[str]:
        raise NotImplementedError

    @property
    def clients(self) -> Iterable[Client]:
        return self.client, self.awkward

    def document(self) -> dict[str, Any]:
        """What it reads."""
        pems = [key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) for key in self._keys]
        return {
            "port": self._port,
            "issuer": self.issuer,
            "database": str(self._folder / "site.sqlite"),
            "secret_key": self._secret_key,
            "password": PASSWORD,
            "people": [person(name, given, family) for name, given, family, _ in PEOPLE],
            "clients": [client.as_json() for client in self.clients],
            "keys": [pem.decode() for pem in pems],
            "scopes": ["openid", "profile", "email", "groups"],
            "claims_in_id_token": self.claims_in_id_token,
        }

    def start(self) -> None:
        command = self.command()
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log, text=True
            )
        assert self._process.stdin
        self._process.stdin.write(json.dumps(self.document()) + "\n")
        self._process.stdin.flush()
        end = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, f"{self.name} ended: {self.log.read_text()[-2000:]}"
            assert time.monotonic() < end, f"{self.name} does not answer: {self.log.read_text()[-2000:]}"
            time.sleep(0.05)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process and process.stdin:
            process.stdin.close()
            process.wait(10)

    def change_keys(self) -> None:
        self.stop()
        self._keys.insert(0, rsa.generate_private_key(65537, 2048))
        self.start()

    @property
    def log(self) -> Path:
        return self._folder / "provider.log"

    def _answers(self) -> bool:
        try:
            url = f"{self.issuer.removesuffix('/')}/.well-known/openid-configuration"
            return httpx.get(url, timeout=5).status_code == 200
        except httpx.HTTPError:
            return False


class DjangoPeer(Peer):
    """A provider made with Django, whose subjects are the numbers of the people's rows."""

    packages: ClassVar[packages.PythonPackages]
    site: ClassVar[str]

    def command(self) -> list[str]:
        return [str(self.packages.installed()), str(HERE / self.site)]

    def subject(self, name: str) -> str:
        return str(sql(self._folder / "site.sqlite", "SELECT id FROM auth_user WHERE username = ?", name)[0][0])


class OAuthToolkit(DjangoPeer):
    name = "django-oauth-toolkit"
    requirement = "requirements/django-oauth-toolkit.in:django-oauth-toolkit"
    packages = packages.OAUTH_TOOLKIT
    site = "oauth_toolkit_site.py"
    path = "/o"
    unknown_scope = "invalid_scope"
    answers_without_a_page = False  # 500, unless the site's validator has `validate_silent_login`
    asks_before_sign_out = True
    claims_in_id_token = True


class OAuthToolkitWithoutGroups(OAuthToolkit):
    """It refuses the scope `groups`."""

    def document(self) -> dict[str, Any]:
        return super().document() | {"scopes": ["openid", "profile", "email"]}


class DjangoOIDCProvider(DjangoPeer):
    name = "django-oidc-provider"
    requirement = "requirements/django-oidc-provider.in:django-oidc-provider"
    packages = packages.DJANGO_OIDC_PROVIDER
    site = "oidc_provider_site.py"
    path = "/openid"
    wrong_secret = 400
    basic_is_encoded = False
    lists_scopes = False


class DjangoOIDCProviderWithClaims(DjangoOIDCProvider):
    """Its ID tokens have all claims."""

    claims_in_id_token = True


class NodeOIDCProvider(Peer):
    """oidc-provider, with an issuer that ends with a slash."""

    name = "oidc-provider"
    requirement = "tests/live/providers/oidc-provider/package.json:oidc-provider"
    path = "/"
    asks_before_sign_out = True
    methods = (POST, BASIC, KEY)
    names_issuer = True
    back_channel = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        keys = {"keys": [self.client_key.as_dict(private=False)]}
        self.signed = Client("signed", "", {"token_endpoint_auth_method": KEY, "jwks": keys})
        self.elliptic = Client("elliptic", secrets.token_urlsafe(32), {"id_token_signed_response_alg": "ES256"})
        self.logout_port = free_port()  # where logout tokens go
        self.told = [self._told("told-subjects", session=False), self._told("told-sessions", session=True)]
        self._elliptic_key = ec.generate_private_key(ec.SECP256R1())

    def registered(self, method: str, secret: str = "") -> Client:
        return self.signed if method == KEY else super().registered(method, secret)

    def command(self) -> list[str]:
        return ["node", str(HERE / "oidc-provider" / "server.mjs"), str(packages.NODE_OIDC_PROVIDER.installed())]

    @property
    def clients(self) -> Iterable[Client]:
        return *super().clients, self.signed, self.elliptic, *self.told

    def _told(self, name: str, *, session: bool) -> Client:
        """A client whose logout tokens name the session at the provider, or only the person."""
        uri = f"http://127.0.0.1:{self.logout_port}/"
        more = {"backchannel_logout_uri": uri, "backchannel_logout_session_required": session}
        return Client(name, secrets.token_urlsafe(32), more)

    def document(self) -> dict[str, Any]:
        document = super().document()
        signing = [RSAKey.import_key(pem, {"use": "sig"}) for pem in document["keys"]]
        pem = self._elliptic_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        keys = [*signing, ECKey.import_key(pem, {"use": "sig"})]
        return document | {"jwks": [key.as_dict(private=True) for key in keys]}


ALL: tuple[type[Provider], ...] = (CanailleProvider, NodeOIDCProvider, OAuthToolkit, DjangoOIDCProvider)


def sql(file: Path, statement: str, *values: str) -> list[Any]:
    """One statement in a provider's database."""
    with closing(sqlite3.connect(file, timeout=10)) as database, database:
        return database.execute(statement, values).fetchall()


def person(name: str, given_name: str, family_name: str) -> dict[str, Any]:
    """One of the demo's people as the peers read them."""
    return {
        "name": name,
        "given_name": given_name,
        "family_name": family_name,
        "email": f"{name}@example.com",
        "verified": VERIFIED[name],
        "groups": sorted(group for group, members in GROUPS.items() if name in members) + CROWD * (name == "sam"),
    }
