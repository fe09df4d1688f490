"""A model field for secrets, and what becomes of them when the keys that encrypt them change."""

from typing import TYPE_CHECKING, Any

from cryptography.fernet import InvalidToken

from environments.errors import PermanentError

if TYPE_CHECKING:
    from django.db.models import TextField

    EncryptedTextField = TextField[str, str]  # the library has no types of its own
else:
    from encrypted_fields.fields import EncryptedTextField


class UnreadableSecret(str):
    """What is stored where none of the keys decrypts it. It is kept as it is: the right key may come back."""

    __slots__ = ()


class SecretField(EncryptedTextField):
    """Text that is encrypted in the database. Empty is empty, not NULL as in its base class."""

    def from_db_value(self, value: str | None, expression: object, connection: object) -> str:
        """The secret; an UnreadableSecret where the keys have changed (the base class passes its ciphertext on)."""
        if not value:
            return ""
        try:
            return str(self.f.decrypt(value.encode()).decode())  # type: ignore[attr-defined]
        except InvalidToken:
            return UnreadableSecret(value)

    def get_prep_value(self, value: Any) -> str:
        """The value as it is stored."""
        if isinstance(value, UnreadableSecret):
            return str(value)
        return super().get_prep_value(value) or ""


def readable(secret: str) -> str:
    """A secret that may be sent. Raises PermanentError where none of the keys decrypts it."""
    if isinstance(secret, UnreadableSecret):
        raise PermanentError(
            "The stored credential cannot be decrypted: SECRET_KEY or SALT_KEY is not the one it was stored with. "
            "A platform admin has to bring the former key back (SECRET_KEY_FALLBACKS), or enter the credential again.",
            reason="UnreadableSecret",
        )
    return secret
