"""Encrypt every stored secret with the newest key, so that you can remove the old one."""

from typing import Any

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import Model

from environments.lib.stored_secrets import UnreadableSecret
from environments.models.fields import SecretField

#: The parts of allauth's second factors that are encrypted.
_FACTOR_SECRETS = ("secret", "seed")


class Command(BaseCommand):
    help = "Encrypts stored credentials and second factors with SECRET_KEY, reading them with SECRET_KEY_FALLBACKS too."

    def handle(self, *args: Any, **options: Any) -> None:
        unreadable: list[str] = []
        count = 0
        for model in apps.get_models():
            names = [field.name for field in model._meta.get_fields() if isinstance(field, SecretField)]
            count += _rotate_model(model, names, unreadable) if names else 0
        if settings.LOCAL_ACCOUNTS:
            count += _rotate_factors(unreadable)
        self.stdout.write(f"Secrets encrypted with the newest key: {count}")
        if unreadable:
            raise CommandError("None of the keys decrypts these, and they were left alone: " + "; ".join(unreadable))


def _rotate_model(model: type[Model], names: list[str], unreadable: list[str]) -> int:
    """Store a model's secrets again, row by row. The rows' other columns and their times of change stay."""
    count = 0
    for pk in model._default_manager.values_list("pk", flat=True):
        with transaction.atomic():
            row = model._default_manager.select_for_update().get(pk=pk)
            secrets = {name: getattr(row, name) for name in names if getattr(row, name)}
            lost = [name for name, secret in secrets.items() if isinstance(secret, UnreadableSecret)]
            unreadable += [f"{model._meta.verbose_name} {row}: {name}" for name in lost]
            changes = {name: secret for name, secret in secrets.items() if name not in lost}
            model._default_manager.filter(pk=pk).update(**changes)
            count += len(changes)
    return count


def _rotate_factors(unreadable: list[str]) -> int:
    """The same for authenticator apps and recovery codes, which allauth keeps in a JSON column."""
    # Only importable where there are local accounts.
    from allauth.mfa.models import Authenticator

    from portal.local.second_factors import MFAAdapter

    adapter, count = MFAAdapter(), 0
    for factor in Authenticator.objects.select_related("user"):
        found = {name: factor.data[name] for name in _FACTOR_SECRETS if factor.data.get(name)}
        try:
            factor.data |= {name: adapter.encrypt(adapter.decrypt(text)) for name, text in found.items()}
        except InvalidToken:
            unreadable.append(f"second factor of user {factor.user_id}")
            continue
        factor.save(update_fields=["data"])
        count += len(found)
    return count
