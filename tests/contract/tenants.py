"""Many issuers at one address, each with its own way of naming people: a real API server trusts them all at once."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jwt
import yaml

from tests.contract.issuer import _USE, CLIENT_ID, Issuer
from tests.detours import Authority, tls_front
from tests.portal.provider import FakeProvider, running


class Tenant(Issuer):
    """An issuer that puts all of `claims` into a token, and `defect` over them; a claim that is None is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.defect: dict[str, Any] = {}

    def _token(self, form: dict[str, list[str]], authorization: str) -> tuple[int, Any]:
        now = int(time.time())
        said = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 600} | self.claims | self.defect
        payload = {name: value for name, value in said.items() if value is not None}
        token = jwt.encode(payload, self._key, algorithm="ES256", headers={"kid": _USE["kid"]})
        return 200, {"access_token": "access", "token_type": "Bearer", "id_token": token}


class Tenants(FakeProvider):
    """Issuers by the first part of the path."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self.tenants = {name: Tenant() for name in names}

    def answer(self, method: str, path: str, form: dict[str, list[str]], authorization: str = "") -> tuple[int, Any]:
        name, _, rest = path.removeprefix("/").partition("/")
        tenant = self.tenants.get(name)
        return tenant.answer(method, f"/{rest}", form) if tenant else (404, {})


@contextmanager
def renting(authority: Authority, names: list[str]) -> Iterator[dict[str, Tenant]]:
    """The issuers at https://127.0.0.1:…/NAME, until the end of the block."""
    house = Tenants(names)
    with running(house):
        port = int(house.issuer.rpartition(":")[2])
        with tls_front(port, authority.context("127.0.0.1")) as front:
            for name, tenant in house.tenants.items():
                tenant.issuer = f"https://{front.address}/{name}"
            yield house.tenants


def configuration(tenants: dict[str, Tenant], mappings: dict[str, dict[str, Any]], authority: Authority) -> str:
    """The API server's side. Source: https://kubernetes.io/docs/reference/config-api/apiserver-config.v1/"""
    return yaml.safe_dump(
        {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "AuthenticationConfiguration",
            "jwt": [
                {
                    "issuer": {
                        "url": tenant.issuer,
                        "audiences": [CLIENT_ID],
                        "certificateAuthority": authority.pem,
                    }
                }
                | mappings[name]
                for name, tenant in tenants.items()
            ],
        }
    )
