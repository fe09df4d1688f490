"""Allauth's adapter for second factors: how they are stored and shown. Importable only with allauth.mfa."""

from functools import cache
from io import BytesIO
from typing import Any, ClassVar
from urllib.parse import urlsplit

import qrcode  # type: ignore[import-untyped]
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from qrcode.image.svg import SvgPathFillImage  # type: ignore[import-untyped]

from environments.models.fields import SecretField


class MFAAdapter(DefaultMFAAdapter):
    """Encrypts secrets like all others, and names the portal by its settings, not by the Host header."""

    error_messages: ClassVar[dict[str, Any]] = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "This code is wrong or was already used. Enter the next one.",
    }

    def encrypt(self, text: str) -> str:
        """A secret as it is stored."""
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """A stored secret."""
        return _cipher().decrypt(encrypted_text.encode()).decode()

    def build_totp_svg(self, url: str) -> str:
        """The QR code on a white ground, so that cameras read it in the dark too."""
        drawn = BytesIO()
        qrcode.make(url, image_factory=SvgPathFillImage).save(drawn)
        return drawn.getvalue().decode()

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """The relying party of passkeys."""
        return {"id": urlsplit(settings.PORTAL_URL).hostname or "", "name": settings.PORTAL_NAME}

    def generate_authenticator_name(self, user: Any, type: Any) -> str:  # noqa: A002 (allauth's word)
        """The initial name of a passkey."""
        return "My passkey"


@cache
def _cipher() -> Fernet | MultiFernet:
    return SecretField().f  # type: ignore[attr-defined,no-any-return]
