"""A model field for secrets."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.models import TextField

    EncryptedTextField = TextField[str, str]  # the library has no types of its own
else:
    from encrypted_fields.fields import EncryptedTextField


class SecretField(EncryptedTextField):
    """Text that is encrypted in the database. Empty is empty, not NULL as in its base class."""

    def get_prep_value(self, value: Any) -> str:
        """The value as it is stored."""
        return super().get_prep_value(value) or ""
