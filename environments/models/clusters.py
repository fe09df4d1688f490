"""Shared clusters that environments are created on."""

from collections.abc import Container
from datetime import timedelta

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator, URLValidator
from django.db import models
from django.utils import timezone

from environments.lib import hosts, looks
from environments.lib.identity import GroupsBy
from environments.lib.isolation import NOT_ISOLATING, WARNINGS, Isolation
from environments.lib.looks import KindLook
from environments.lib.phases import AdmissionState
from environments.models import validators
from environments.models.fields import SecretField


class Credential(models.TextChoices):
    """How the portal signs in to a cluster."""

    TOKEN = "token", "Service account token"
    KUBECONFIG = "kubeconfig", "Kubeconfig file"
    IN_CLUSTER = "in_cluster", "The portal's own service account (the portal runs in this cluster)"


class Access(models.TextChoices):
    """What a member's kubeconfig holds."""

    TOKEN = "token", "A short-lived token"
    OIDC = "oidc", "kubelogin (the cluster trusts the identity provider)"


class Trust(models.TextChoices):
    """What a member's kubeconfig trusts the API server's certificate by."""

    PORTAL = "portal", "The same as the portal"
    SYSTEM = "system", "The certificate authorities of their computers"
    OWN = "own", "The certificates below"


class ClusterQuerySet(models.QuerySet["Cluster"]):
    """Queries for clusters."""

    def unguarded(self) -> "ClusterQuerySet":
        """Clusters that had the admission policies, but not as installed at the last check."""
        had = self.filter(lost_at=None, admission_installed_at__isnull=False)
        return had.exclude(admission_state=AdmissionState.INSTALLED)

    def not_isolating(self) -> "ClusterQuerySet":
        """Clusters whose network does not enforce NetworkPolicies, or only in one direction, as the last test found."""
        return self.filter(lost_at=None, isolation__in=NOT_ISOLATING)

    def unread(self) -> "list[tuple[Cluster, list[KindLook]]]":
        """Clusters with the kinds of objects that the portal has been unable to read in full for long."""
        rows = self.filter(lost_at=None).only("name", "kind_looks")
        found = ((row, row.unread(row.kind_looks, least=looks.LONG)) for row in rows)
        return [(row, kinds) for row, kinds in found if kinds]


class Cluster(models.Model):
    """One Kubernetes API server, how to reach it, and the user names in it."""

    Access = Access
    AdmissionState = AdmissionState
    Credential = Credential
    GroupsBy = GroupsBy
    Trust = Trust

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
    certificate_authority = models.TextField(
        blank=True, help_text="PEM. Leave empty to use the system's certificate authorities."
    )
    credential = SecretField(blank=True, default="")
    username_claim = models.CharField(
        max_length=200,
        default="email",
        validators=[RegexValidator(r"^[^\s\x00-\x1f]+\Z", "Enter the name of one claim, for example email.")],
        help_text="The claim that the API server makes the user name of: email, sub, preferred_username or another "
        "(--oidc-username-claim).",
    )
    username_lowercase = models.BooleanField(
        "user names in lower case",
        default=False,
        db_default=False,
        help_text="The API server lower-cases the claim: claims.email.lowerAscii(). Otherwise names keep its spelling.",
    )
    username_prefix = models.CharField(
        max_length=200,
        blank=True,
        help_text="What the API server puts before user names, for example oidc: (--oidc-username-prefix). "
        "A hyphen means none.",
    )
    groups_claim = models.CharField(
        max_length=200,
        default="groups",
        db_default="groups",
        validators=[RegexValidator(r"^[^\s\x00-\x1f]+\Z", "Enter the name of one claim, for example groups.")],
        help_text="The claim that holds a person's groups (--oidc-groups-claim).",
    )
    groups_by = models.CharField(
        "groups claim holds",
        max_length=8,
        choices=GroupsBy,
        default=GroupsBy.NAME,
        db_default=GroupsBy.NAME,
        help_text="How the identity provider writes a group in that claim.",
    )
    groups_prefix = models.CharField(
        max_length=200,
        blank=True,
        help_text="What the API server puts before group names, for example oidc: (--oidc-groups-prefix). "
        "A hyphen means none; given to that flag, it would be a prefix.",
    )
    bind_members = models.BooleanField(
        "name members in role bindings",
        default=True,
        help_text="In addition to the group. Members then have access before their next sign-in adds the new group.",
    )
    bind_groups = models.BooleanField(
        "name groups in role bindings",
        default=True,
        db_default=True,
        help_text="Without groups, members have access by name alone, and a removed member loses it at once, not when "
        "their token ends.",
    )
    id_token_minutes = models.PositiveIntegerField(
        "token lifetime (minutes)",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(60 * 24 * 30)],
        help_text="How long the identity provider's ID tokens are valid. Empty: the longest that the portal has seen.",
    )
    dns_namespace = models.CharField("DNS namespace", max_length=63, default="kube-system")
    dns_port = models.PositiveIntegerField("DNS port", default=53, validators=[MaxValueValidator(65535)])
    ingress_namespace = models.CharField(
        max_length=63, default="ingress-nginx", help_text="The namespace of the ingress controller."
    )
    host_names = models.CharField(
        max_length=1000,
        blank=True,
        default="",
        db_default="",
        help_text="What Ingresses and routes of an environment can use, for example *.${namespace}.apps.example.com. "
        "Empty: any host name, also those of other environments.",
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
        help_text="If members use another address.",
    )
    public_trust = models.CharField(
        "members trust",
        max_length=8,
        choices=Trust,
        default=Trust.PORTAL,
        db_default=Trust.PORTAL,
        help_text="How kubectl checks the API server's certificate at the address for members.",
    )
    public_certificate_authority = models.TextField(
        "certificate authority for members",
        blank=True,
        default="",
        db_default="",
        help_text="PEM. Use it if a different certificate authority signed the certificate at this address.",
    )
    tls_server_name = models.CharField(
        "TLS server name",
        max_length=253,
        blank=True,
        default="",
        db_default="",
        validators=[validators.server_name],
        help_text="If the certificate has another name than the address for members.",
    )
    proxy_url = models.CharField(
        "proxy for members",
        max_length=400,
        blank=True,
        default="",
        db_default="",
        validators=[validators.proxy_url],
        help_text="If kubectl reaches the API server through a proxy, for example http://proxy.example.com:3128",
    )
    oidc_issuer = models.CharField(
        "OIDC issuer", max_length=400, blank=True, validators=[URLValidator(schemes=["https", "http"])]
    )
    oidc_client_id = models.CharField(
        "OIDC client ID", max_length=200, blank=True, help_text="Client ID of a public client."
    )
    oidc_scopes = models.CharField("OIDC scopes", max_length=200, default="openid email groups")
    oidc_certificate_authority = models.TextField(
        "OIDC issuer's certificate authority",
        blank=True,
        default="",
        db_default="",
        help_text="PEM. Leave empty if members' computers trust the issuer's certificate.",
    )
    max_token_hours = models.PositiveSmallIntegerField(
        "maximum token lifetime (hours)",
        default=12,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 30)],
        help_text="Members' tokens expire after at most this time.",
    )
    token_cap_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        editable=False,
        help_text="The lifetime to which the cluster last shortened a token. Empty: it shortens none.",
    )
    account_namespace = models.CharField(
        max_length=63,
        default="allotment",
        help_text="The namespace of members' ServiceAccounts. No pods run in it.",
    )
    workbench_namespace = models.CharField(
        max_length=63,
        default="allotment-workbench",
        db_default="allotment-workbench",
        validators=[RegexValidator(r"\A[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z", "Use for example allotment-workbench.")],
        help_text="The portal creates this namespace, and checks templates in it before they are published.",
    )
    workbench_lease = models.UUIDField(
        null=True, blank=True, editable=False, help_text="The check that uses the workbench namespace now."
    )
    workbench_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="After this time, another check can use it."
    )
    is_simulated = models.BooleanField(default=False, help_text="Pages show that the cluster is simulated.")
    accepts_new = models.BooleanField("accepts new environments", default=True)
    lost_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When a platform admin marked it as lost."
    )
    checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    check_error = models.TextField(blank=True, editable=False)
    observed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When the portal last read all its quotas."
    )
    kind_looks = models.JSONField(
        default=dict,
        db_default={},
        blank=True,
        editable=False,
        help_text="For each kind of object, when the portal last read all of them, and why it no longer can.",
    )
    observing_until = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="A worker is reading its quotas. After this time, another worker can start.",
    )
    admission_state = models.CharField(
        max_length=10,
        choices=AdmissionState,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="The admission policies at the last check. Empty: not checked yet.",
    )
    admission_names = models.JSONField(
        default=list, db_default=[], blank=True, editable=False, help_text="Policies that are missing or different."
    )
    admission_exempt = models.JSONField(
        default=list, db_default=[], blank=True, editable=False, help_text="Groups that are exempt from the policies."
    )
    admission_command = models.TextField(
        default="", db_default="", blank=True, editable=False, help_text="The command that repairs them."
    )
    admission_looked_at = models.DateTimeField(
        "checked at", null=True, blank=True, editable=False, help_text="Start of that check."
    )
    admission_installed_at = models.DateTimeField(
        "last seen installed",
        null=True,
        blank=True,
        editable=False,
        help_text="Start of the last check that found them installed.",
    )
    isolation = models.CharField(
        max_length=10,
        choices=Isolation,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="What its network does with NetworkPolicies, by the last test with a result. Empty: not tested.",
    )
    isolation_tested_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When that test ended.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ClusterQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def host_patterns(self) -> tuple[str, ...]:
        """The patterns for host names of its environments; none where any are allowed."""
        return hosts.split(self.host_names)

    @property
    def guards_pods(self) -> bool:
        """Whether the policy allotment-pods was in place at the last check."""
        is_older = self.admission_state == AdmissionState.OLDER
        intact = is_older and not any(str(name).endswith(" allotment-pods") for name in self.admission_names)
        return intact or self.admission_state == AdmissionState.INSTALLED

    @property
    def is_unguarded(self) -> bool:
        """Whether it lost or changed its admission policies, as `ClusterQuerySet.unguarded` selects."""
        had = self.admission_installed_at is not None and self.lost_at is None
        return had and self.admission_state != AdmissionState.INSTALLED

    @property
    def isolation_warning(self) -> str:
        """What people with an environment here should know of its network; empty if no test found anything."""
        sentence = WARNINGS.get(Isolation(self.isolation)) if self.isolation else None
        return sentence.format(cluster=self.name) if sentence else ""

    @property
    def looks(self) -> list[KindLook]:
        """When each kind of object on it was last read in full."""
        return list(looks.read(self.kind_looks).values())

    def unread(self, kinds: Container[str], *, least: timedelta = timedelta(0)) -> list[KindLook]:
        """Those of some kinds of which nothing has been known for too long, and for at least so long; oldest first."""
        interval, now = timedelta(seconds=settings.OBSERVE_SECONDS), timezone.now()
        found = looks.overdue((look for look in self.looks if look.kind in kinds), now, interval)
        return [look for look in found if now - (look.known_at or now) >= least]
