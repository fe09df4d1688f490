"""Shared clusters that environments land on."""

from django.core.validators import MaxValueValidator, MinValueValidator, URLValidator
from django.db import models

from environments.lib.phases import AdmissionState
from environments.models.fields import SecretField


class Credential(models.TextChoices):
    """How the portal signs in to a cluster."""

    TOKEN = "token", "Service account token"
    KUBECONFIG = "kubeconfig", "Kubeconfig file"
    IN_CLUSTER = "in_cluster", "The portal's own service account (it runs in this cluster)"


class Access(models.TextChoices):
    """What a member's kubeconfig holds."""

    TOKEN = "token", "A short-lived token"
    OIDC = "oidc", "kubelogin: the cluster trusts the identity provider"


class ClusterQuerySet(models.QuerySet["Cluster"]):
    """Clusters, and which of them somebody has to look after."""

    def unguarded(self) -> "ClusterQuerySet":
        """Those that had the admission policies and, at the last look, no longer had them as installed."""
        had = self.filter(lost_at=None, admission_installed_at__isnull=False)
        return had.exclude(admission_state=AdmissionState.INSTALLED)


class Cluster(models.Model):
    """One Kubernetes API server, how to reach it, and how people are named there."""

    Access = Access
    AdmissionState = AdmissionState
    Credential = Credential

    slug = models.SlugField(unique=True, help_text="Used in the kubeconfig context and in file names.")
    name = models.CharField(max_length=80, unique=True)
    description = models.CharField(max_length=200, blank=True)
    credential_kind = models.CharField(max_length=16, choices=Credential, default=Credential.TOKEN)
    server = models.CharField(
        "API server",
        max_length=400,
        blank=True,
        validators=[URLValidator(schemes=["https", "http"])],
        help_text="For example https://api.cluster.example.com:6443",
    )
    certificate_authority = models.TextField(blank=True, help_text="PEM. Empty: the system's certificate authorities.")
    credential = SecretField(blank=True, default="")
    username_claim = models.CharField(
        max_length=20,
        choices=[("email", "E-mail address"), ("username", "User name")],
        default="email",
        help_text="What the API server takes as a person's name (--oidc-username-claim).",
    )
    username_prefix = models.CharField(max_length=60, blank=True, help_text="--oidc-username-prefix, such as oidc:")
    groups_prefix = models.CharField(max_length=60, blank=True, help_text="--oidc-groups-prefix, such as oidc:")
    bind_members = models.BooleanField(
        "name members in role bindings",
        default=True,
        help_text="Besides the group, so that access works before a member's next sign-in brings the new group.",
    )
    dns_namespace = models.CharField(max_length=63, default="kube-system")
    dns_port = models.PositiveIntegerField(default=53, validators=[MaxValueValidator(65535)])
    ingress_namespace = models.CharField(
        max_length=63, default="ingress-nginx", help_text="Where the ingress controller runs."
    )
    access = models.CharField(
        "kubeconfig",
        max_length=8,
        choices=Access,
        default=Access.TOKEN,
        help_text="How members sign in with kubectl.",
    )
    public_server = models.CharField(
        "API server for members",
        max_length=400,
        blank=True,
        validators=[URLValidator(schemes=["https", "http"])],
        help_text="Where it differs from the portal's own way.",
    )
    oidc_issuer = models.CharField(
        "OIDC issuer", max_length=400, blank=True, validators=[URLValidator(schemes=["https", "http"])]
    )
    oidc_client_id = models.CharField("OIDC client id", max_length=200, blank=True, help_text="A public client's.")
    oidc_scopes = models.CharField("OIDC scopes", max_length=200, default="openid email groups")
    max_token_hours = models.PositiveSmallIntegerField(
        default=12,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 30)],
        help_text="The longest life of a member's token.",
    )
    account_namespace = models.CharField(
        max_length=63, default="allotment", help_text="Where members' ServiceAccounts live: nobody runs pods there."
    )
    is_simulated = models.BooleanField(default=False, help_text="Pages say so while it is in use.")
    accepts_new = models.BooleanField("accepts new environments", default=True)
    lost_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When a platform admin said that it is gone for good."
    )
    checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    check_error = models.TextField(blank=True, editable=False)
    observed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="The last complete pass over its quotas."
    )
    observing_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="A pass is under way; after this, its worker is gone."
    )
    admission_state = models.CharField(
        max_length=10,
        choices=AdmissionState,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="What it had of the admission policies at the last look; empty: nobody looked yet.",
    )
    admission_names = models.JSONField(
        default=list, db_default=[], blank=True, editable=False, help_text="What is missing, or not as it should be."
    )
    admission_exempt = models.JSONField(
        default=list, db_default=[], blank=True, editable=False, help_text="Groups that the policies do not concern."
    )
    admission_command = models.TextField(
        default="", db_default="", blank=True, editable=False, help_text="What puts them right."
    )
    admission_looked_at = models.DateTimeField(
        "looked at", null=True, blank=True, editable=False, help_text="When the look began that found this."
    )
    admission_installed_at = models.DateTimeField(
        "last seen installed", null=True, blank=True, editable=False, help_text="When a look last found them installed."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ClusterQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def is_unguarded(self) -> bool:
        """Whether it had the admission policies and no longer has them as installed: `ClusterQuerySet.unguarded`."""
        had = self.admission_installed_at is not None and self.lost_at is None
        return had and self.admission_state != AdmissionState.INSTALLED
