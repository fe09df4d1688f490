"""Steps that tests of local accounts share: signing in, and the codes that a phone would show."""

import time
from hashlib import sha256
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from bs4 import BeautifulSoup
from cryptography.hazmat.primitives.asymmetric import ec
from django.http import HttpResponse
from django.test import Client
from fido2.cose import ES256
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorAttestationResponse,
    AuthenticatorData,
    CollectedClientData,
    RegistrationResponse,
)

from environments.models import User

PASSWORD = "a long walk in the rain"
OTHER = "another walk, in the sun"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def local(user: User, password: str = PASSWORD) -> User:
    """The account with a password of the portal's own."""
    user.set_password(password)
    user.save()
    return user


def with_app(user: User) -> User:
    """The account with a password, an authenticator app and recovery codes."""
    TOTP.activate(local(user), SECRET)
    RecoveryCodes.activate(user)
    return user


def with_passkey(user: User, name: str = "Laptop") -> User:
    """The account with a passkey, as a browser would have registered it."""
    key = ES256.from_cryptography_key(ec.generate_private_key(ec.SECP256R1()).public_key())
    credential = AttestedCredentialData.create(Aaguid.NONE, b"0123456789abcdef", key)
    flags = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV | AuthenticatorData.FLAG.AT
    shown = AuthenticatorData.create(sha256(b"testserver").digest(), flags, 0, credential)
    response = AuthenticatorAttestationResponse(
        client_data=CollectedClientData.create("webauthn.create", b"challenge", "http://testserver"),
        attestation_object=AttestationObject.create("none", shown, {}),
    )
    registered = dict(RegistrationResponse(raw_id=b"0123456789abcdef", response=response))
    data: dict[str, Any] = {"name": name, "credential": registered}
    Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data=data)
    return user


def code(secret: str = SECRET) -> str:
    """What the app shows now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def recovery_codes(user: User) -> list[str]:
    codes: list[str] = Authenticator.objects.get(user=user, type="recovery_codes").wrap().get_unused_codes()
    return codes


def sign_in(client: Client, user: User, password: str = PASSWORD, **more: Any) -> HttpResponse:
    """The first step of signing in."""
    return client.post("/accounts/login/", {"login": user.email, "password": password}, **more)


def signed_in(client: Client) -> int | None:
    value = client.session.get("_auth_user_id")
    return int(value) if value else None


def main(response: Any) -> Any:
    """The page without its frame."""
    return BeautifulSoup(response.content, "html.parser").select_one("main")
