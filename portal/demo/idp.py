"""The demo's identity provider: Canaille, a real OpenID Connect and SCIM 2.0 server, as a process beside the portal.

Its data folder holds a SQLite file, the signing key and the clients' secrets, so a second run continues with the same
data. It uses the address 127.0.0.1 and the portal uses localhost, because cookies belong to a host, not to a port.

Source: https://canaille.readthedocs.io/en/latest/references/configuration.html
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any

from joserfc.jwk import RSAKey

from portal.demo.ports import answers

HOST = "127.0.0.1"
PASSWORD = "allotment-demo"  # noqa: S105 (printed by `make demo`, for people who exist nowhere else)
STOP_SECONDS = 5

#: People who can sign in: user name, given name, family name, and what `make demo` prints about them.
PEOPLE = (
    ("dana", "Dana", "Developer", "developer in team checkout"),
    ("theo", "Theo", "Teammate", "developer in team checkout"),
    ("max", "Max", "Manager", "manager of teams checkout and search"),
    ("ada", "Ada", "Admin", "platform admin"),
    ("sam", "Sam", "Stranger", "developer in team search"),
)

GROUPS = {
    "team-checkout": ["dana", "theo", "max"],
    "team-search": ["sam"],
    "managers": ["max"],
    "team-checkout-managers": ["max"],
    "team-search-managers": ["max"],
    "platform-admins": ["ada"],
}


class IdentityProvider:
    """Canaille in a folder, on a port. The attributes are known before it runs.

    `issuer`, `token_url` and `scim_url` are where it answers; `oidc_client_id` and `oidc_client_secret` are for the
    portal's sign-in, `scim_client_id` and `scim_client_secret` for its directory.
    """

    def __init__(self, data: Path, port: int, portal_url: str) -> None:
        self.data = data
        self.port = port
        self.portal_url = portal_url.rstrip("/")
        self.issuer = f"http://{HOST}:{port}"
        self.token_url = f"{self.issuer}/oauth/token"
        self.scim_url = f"{self.issuer}/scim/v2"
        self._keys = _keys(data)
        self.oidc_client_id, self.oidc_client_secret = "portal", self._keys["oidc_client_secret"]
        self.scim_client_id, self.scim_client_secret = "portal-scim", self._keys["scim_client_secret"]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """The process's log file."""
        return self.data / "canaille.log"

    @property
    def database(self) -> Path:
        """The SQLite file with people, groups, clients and tokens."""
        return self.data / "canaille.sqlite"

    def start(self) -> None:
        """Start the process. Raises RuntimeError if another program uses the port."""
        if answers(self.port):
            raise RuntimeError(f"Port {self.port} is in use, so the identity provider cannot start there.")
        server = Path(__file__).with_name("idp_server.py")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 (our own file, by our own interpreter)
                [sys.executable, "-P", str(server)],
                cwd=self.data,
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _send(self._process.stdin, self._document())

    def wait_ready(self, deadline: float = 60) -> None:
        """Wait until it answers. Raises RuntimeError if it has ended, and TimeoutError after `deadline` seconds."""
        end = time.monotonic() + deadline
        while not _answers(f"{self.issuer}/.well-known/openid-configuration"):
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"The identity provider ended; see {self.log}")
            if time.monotonic() > end:
                raise TimeoutError(f"The identity provider did not answer in {deadline} s; see {self.log}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the process and its group, if it runs."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin:
            with contextlib.suppress(OSError):
                process.stdin.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _document(self) -> dict[str, Any]:
        return {
            "bind": f"{HOST}:{self.port}",
            "config": self._config(),
            "people": [_person(*person) for person in PEOPLE],
            "groups": GROUPS,
            "clients": [self._sign_in_client(), self._scim_client()],
        }

    def _config(self) -> dict[str, Any]:
        return {
            "SECRET_KEY": self._keys["secret_key"],
            "SERVER_NAME": f"{HOST}:{self.port}",
            "PREFERRED_URL_SCHEME": "http",
            "CANAILLE": {
                "NAME": "Example Corp",
                "LOGO": None,
                "HTMX": False,  # its pages run against Canaille's own content security policy
                "DATABASE": "sql",
                "SMTP": None,
                "ENABLE_PASSWORD_RECOVERY": False,
                "CAPTCHA_ENABLED": False,
                "ACL": _permissions(),
            },
            # A demo's passwords are printed on the screen: a slow hash would protect nothing.
            "CANAILLE_SQL": {
                "DATABASE_URI": f"sqlite:///{self.database}",
                "PASSWORD_HASH_PARAMS": {"pbkdf2_sha512__rounds": 1000},
            },
            "CANAILLE_OIDC": {
                "ACTIVE_JWKS": [self._keys["signing_key"]],
                "REQUIRE_NONCE": False,  # allauth sends none; PKCE binds the code to the browser's session
                "TRUSTED_DOMAINS": ["localhost", HOST],
            },
            "CANAILLE_SCIM": {"ENABLE_SERVER": True, "ENABLE_CLIENT": False},
        }

    def _sign_in_client(self) -> dict[str, Any]:
        return {
            "client_id": self.oidc_client_id,
            "client_secret": self.oidc_client_secret,
            "client_name": "Allotment",
            "client_uri": self.portal_url,  # a trusted domain: it asks for no consent
            "redirect_uris": [f"{self.portal_url}/accounts/oidc/sso/login/callback/"],
            "post_logout_redirect_uris": [f"{self.portal_url}/accounts/signed-out/"],
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "scope": ["openid", "profile", "email", "groups"],
            "token_endpoint_auth_method": "client_secret_post",
        }

    def _scim_client(self) -> dict[str, Any]:
        return {
            "client_id": self.scim_client_id,
            "client_secret": self.scim_client_secret,
            "client_name": "Allotment (groups)",
            "client_uri": self.portal_url,
            "redirect_uris": [],
            "grant_types": ["client_credentials"],
            "response_types": [],
            "scope": ["openid", "profile"],
            "token_endpoint_auth_method": "client_secret_basic",
        }


def _person(user_name: str, given_name: str, family_name: str, title: str) -> dict[str, Any]:
    return {
        "user_name": user_name,
        "given_name": given_name,
        "family_name": family_name,
        "formatted_name": f"{given_name} {family_name}",
        "display_name": user_name,  # Canaille's `preferred_username` claim
        "title": title.capitalize(),
        "emails": [f"{user_name}@example.com"],
        "password": PASSWORD,
        "preferred_language": "en",
    }


def _permissions() -> dict[str, Any]:
    """Return the permissions inside Canaille.

    Users cannot create groups: names are not unique in Canaille, so a second `platform-admins` group would count.
    """
    names = ["given_name", "family_name", "display_name", "preferred_language"]
    return {
        "DEFAULT": {
            "PERMISSIONS": ["edit_self", "use_oidc"],
            "READ": ["user_name", "groups", "emails"],
            "WRITE": names,
        },
        "ADMIN": {
            "PERMISSIONS": ["manage_users", "manage_all_groups", "manage_oidc"],
            "READ": ["user_name", "groups", "lock_date"],
            "WRITE": ["groups", "lock_date", "emails"],
            "FILTER": {"groups": "platform-admins"},
        },
    }


def _keys(data: Path) -> dict[str, Any]:
    """Return this folder's secrets, created at the first run. Only the file's owner can read it."""
    data.mkdir(parents=True, exist_ok=True)
    file = data / "keys.json"
    if not file.exists():
        keys = {
            "secret_key": secrets.token_urlsafe(40),
            "oidc_client_secret": secrets.token_urlsafe(32),
            "scim_client_secret": secrets.token_urlsafe(32),
            "signing_key": RSAKey.generate_key(2048, auto_kid=True).as_dict(private=True),
        }
        file.touch(mode=0o600)
        file.write_text(json.dumps(keys))
    keys = json.loads(file.read_text())
    return dict(keys)


def _environment() -> dict[str, str]:
    """Return a nearly empty environment, because Canaille reads settings from it and must not read the portal's."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


def _send(pipe: IO[bytes] | None, document: dict[str, Any]) -> None:
    if pipe is None:
        raise RuntimeError("The identity provider has no input.")
    pipe.write(json.dumps(document).encode() + b"\n")
    pipe.flush()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 (loopback)
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
