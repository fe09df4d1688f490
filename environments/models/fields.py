"""A model field for secrets."""

from typing import TYPE_CHECKING, Any

from cryptography.fernet import InvalidToken

from environments.lib.stored_secrets import UnreadableSecret

if TYPE_CHECKING:
    from django.db.models import TextField

    EncryptedTextField = TextField[str, str]  # the library has no types of its own
else:
    from encrypted_fields.fields import EncryptedTextField


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
