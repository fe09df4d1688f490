"""Directories that keep groups of people: an identity provider, or the portal itself."""

from django.conf import settings
from django.core.validators import URLValidator
from django.db import models

from environments.models.fields import SecretField
from environments.models.people import User


class Kind(models.TextChoices):
    """The protocols the portal speaks (environments/directory/)."""

    SCIM = "scim", "SCIM 2.0"
    KEYCLOAK = "keycloak", "Keycloak"
    OKTA = "okta", "Okta"
    ENTRA = "entra", "Microsoft Entra ID"
    LOCAL = "local", "Local (the portal keeps the groups)"


class Strangers(models.TextChoices):
    """What happens to people whom others put into a group of an environment, in the directory."""

    SHOW = "show", "Show them on the environment's page"
    REMOVE = "remove", "Remove them from the group"


class Directory(models.Model):
    """One directory and how the portal signs in to it."""

    Kind = Kind
    Strangers = Strangers

    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.SCIM)
    url = models.CharField(
        "base URL",
        max_length=400,
        blank=True,
        validators=[URLValidator(schemes=["https", "http"])],
        help_text=(
            "Base URL of the API. SCIM: https://idp.example.com/scim/v2. "
            "Keycloak: https://kc.example.com/admin/realms/acme. Okta: https://acme.okta.com. "
            "Entra ID: https://graph.microsoft.com/v1.0."
        ),
    )
    token_url = models.CharField(
        "token endpoint",
        max_length=400,
        blank=True,
        validators=[URLValidator(schemes=["https", "http"])],
        help_text=(
            "Needed with a client ID: the portal gets its tokens here (client credentials). Entra ID: "
            "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token. "
            "Keycloak and Okta: leave empty to use the one at the base URL."
        ),
    )
    client_id = models.CharField("client ID", max_length=200, blank=True)
    secret = SecretField(blank=True, default="", help_text="The client secret, or a token.")
    strangers = models.CharField(
        "people added by others",
        max_length=6,
        choices=Strangers,
        default=Strangers.SHOW,
        db_default=Strangers.SHOW,
        help_text="People whom someone added to an environment's group in the directory, not in the portal.",
    )
    is_default = models.BooleanField("default", default=False, help_text="New environments use this directory.")
    trial = models.JSONField(
        null=True, blank=True, editable=False, help_text="The last test with an account (environments/actions)."
    )
    capabilities = models.JSONField(
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        blank=True,
        editable=False,
        help_text="What the portal found out about the server (environments/directory/capabilities.py).",
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)
        verbose_name_plural = "directories"
        constraints = (
            models.UniqueConstraint(
                fields=["is_default"],
                condition=models.Q(is_default=True),
                name="one_default_directory",
                violation_error_message="Another directory is the default already.",
            ),
        )

    def __str__(self) -> str:
        return self.name


class LocalGroup(models.Model):
    """A group of a local directory. `environment_id` is no foreign key: a directory knows nothing of environments."""

    directory = models.ForeignKey(Directory, on_delete=models.CASCADE, related_name="local_groups")
    name = models.CharField(max_length=120)
    environment_id = models.UUIDField()
    members: "models.ManyToManyField[User, models.Model]" = models.ManyToManyField(
        settings.AUTH_USER_MODEL, related_name="local_groups", blank=True
    )

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=["directory", "name"], name="one_local_group_per_name"),)

    def __str__(self) -> str:
        return self.name
