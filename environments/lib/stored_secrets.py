"""What becomes of a stored secret when the keys that encrypt it change."""

from environments.lib.errors import PermanentError


class UnreadableSecret(str):
    """What is stored where none of the keys decrypts it. It is kept as it is: the right key may come back."""

    __slots__ = ()


def readable(secret: str) -> str:
    """A secret that may be sent. Raises PermanentError where none of the keys decrypts it."""
    if isinstance(secret, UnreadableSecret):
        raise PermanentError(
            "The stored credential cannot be decrypted: SECRET_KEY or SALT_KEY is not the one it was stored with. "
            "A platform admin has to bring the former key back (SECRET_KEY_FALLBACKS), or enter the credential again.",
            reason="UnreadableSecret",
        )
    return secret
