"""Clusters in the admin: their connection, and the checks of the portal's account in them."""

from typing import Any, ClassVar

import yaml
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from environments.actions import clusters as cluster_actions
from environments.admin import cluster_checks, cluster_sign_in
from environments.admin.base import pill
from environments.admin.cluster_form import ClusterForm
from environments.admin.isolation_page import IsolationPages
from environments.admin.scale import BriefDeletion, count_of
from environments.kube import rbac
from environments.lib import dates, naming
from environments.models import Cluster, Environment
from environments.routine import policy_looks
from environments.web.pages import freshness

_ONCE_STORED = ("Last check", "Admission policies", "Network isolation")


@admin.register(Cluster)
class ClusterAdmin(IsolationPages, BriefDeletion):
    """Clusters: added, checked, closed for new environments."""

    form = ClusterForm
    list_display = ("name", "answers", "policies", "network", "live_environments", "accepts_new", "address")
    list_filter = ("accepts_new", "credential_kind")
    search_fields = ("name", "slug", "server", "description")
    prepopulated_fields: ClassVar = {"slug": ("name",)}
    radio_fields: ClassVar = {"credential_kind": admin.VERTICAL}
    readonly_fields = (
        "answers",
        "checked_at",
        "check_error",
        "objects_read",
        "token_cap",
        "policies_found",
        "admission_looked_at",
        "admission_installed_at",
        "isolation_found",
    )
    actions = ("check_selected",)
    change_form_template = "admin/environments/cluster/change_form.html"
    change_list_template = "admin/environments/cluster/change_list.html"
    fieldsets = (
        (None, {"fields": ("name", "slug", "description", "accepts_new")}),
        ("Connection", {"fields": ("credential_kind", "server", "certificate_authority", "credential")}),
        (
            "User names in this cluster",
            {
                "fields": (
                    "username_claim",
                    "username_lowercase",
                    "username_prefix",
                    "groups_claim",
                    "groups_by",
                    "groups_prefix",
                    "bind_members",
                    "bind_groups",
                ),
                "description": "Use the values of the API server's AuthenticationConfiguration or OIDC flags. Role "
                "bindings name people and groups exactly so. To compare them with a real token, use the button above.",
            },
        ),
        (
            "Sign-in with kubectl",
            {
                "fields": (
                    "access",
                    "public_server",
                    "public_trust",
                    "public_certificate_authority",
                    "tls_server_name",
                    "proxy_url",
                    "oidc_issuer",
                    "oidc_client_id",
                    "oidc_scopes",
                    "id_token_minutes",
                    "oidc_certificate_authority",
                    "max_token_hours",
                    "account_namespace",
                ),
                "description": "Use kubelogin if the cluster trusts the identity provider, otherwise a token.",
            },
        ),
        (
            "Network",
            {
                "fields": ("dns_namespace", "dns_port", "ingress_namespace", "host_names"),
                "description": "What network policies allow: DNS lookups, and traffic from the ingress controller. "
                "Admission policies hold Ingresses and routes to the host names.",
            },
        ),
        (
            "Checks of templates",
            {
                "fields": ("workbench_namespace",),
                "description": "Before a template is published, the portal tries it on this cluster.",
            },
        ),
        ("Last check", {"fields": ("answers", "checked_at", "check_error", "objects_read", "token_cap")}),
        ("Admission policies", {"fields": ("policies_found", "admission_looked_at", "admission_installed_at")}),
        ("Network isolation", {"fields": ("isolation_found",)}),
        ("Demonstration", {"fields": ("is_simulated",), "classes": ("collapse",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Cluster]:
        """With the number of environments that are there."""
        rows: QuerySet[Cluster] = super().get_queryset(request)
        return rows.annotate(live_count=count_of(Environment.objects.live(), "cluster"))

    def save_model(self, request: HttpRequest, obj: Cluster, form: Any, change: bool) -> None:
        """Store it. Other host names are owed to its environments: the next pass would take them for edits by hand."""
        super().save_model(request, obj, form, change)
        if change and "host_names" in form.changed_data:
            cluster_actions.owe_all(obj)

    def get_fieldsets(self, request: HttpRequest, obj: Cluster | None = None) -> Any:
        """Without what is only known of a cluster that is stored."""
        return [item for item in self.fieldsets if obj is not None or item[0] not in _ONCE_STORED]

    def get_prepopulated_fields(self, request: HttpRequest, obj: Cluster | None = None) -> dict[str, Any]:
        """A stored slug stays: people's kubeconfig files have it."""
        return {} if obj else dict(self.prepopulated_fields)

    @method_decorator(sensitive_post_parameters("credential"))
    def changeform_view(self, *args: Any, **kwargs: Any) -> Any:
        """The form; an error report must not hold the credential."""
        return super().changeform_view(*args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        """The check and the manifests besides the usual pages."""
        wrap = self.admin_site.admin_view
        return [
            path("rbac/", wrap(require_safe(self.rbac_view)), name="environments_cluster_rbac"),
            path("<int:pk>/check/", wrap(require_POST(self.check_view)), name="environments_cluster_check"),
            path("<int:pk>/sign-in/", wrap(self.sign_in_view), name="environments_cluster_sign_in"),
            path("<int:pk>/give-up/", wrap(self.give_up_view), name="environments_cluster_give_up"),
            path("<int:pk>/take-back/", wrap(require_POST(self.take_back_view)), name="environments_cluster_take_back"),
            path(
                "<int:pk>/do-without/", wrap(require_POST(self.do_without_view)), name="environments_cluster_do_without"
            ),
            *self.isolation_urls(),
            *super().get_urls(),
        ]

    # Columns

    @admin.display(description="API server", ordering="server")
    def address(self, row: Cluster) -> str:
        """Where the API server is, as far as the portal shows it."""
        return row.server or f"({row.get_credential_kind_display()})"

    @admin.display(description="Reachable", ordering="checked_at")
    def answers(self, row: Cluster) -> SafeString:
        """Whether the cluster answered the last check."""
        if row.lost_at:
            return pill("lost", "bad")
        if row.checked_at is None:
            return pill("not checked yet")
        if not row.check_error:
            return pill("yes", "ok")
        return pill("no", "bad") if freshness.is_silent(row) else pill("in part", "warn")

    @admin.display(description="Objects read")
    def objects_read(self, row: Cluster) -> SafeString:
        """When each kind of object was last read in full, the oldest first."""
        looks = sorted(row.looks, key=lambda look: (look.at is not None, look.at, look.kind))
        return render_to_string("admin/environments/cluster/looks.html", {"looks": looks})

    @admin.display(description="Admission policies", ordering="admission_state")
    def policies(self, row: Cluster) -> SafeString:
        """The state of the admission policies at the last check."""
        if not row.admission_state:
            return pill("not checked yet")
        state = Cluster.AdmissionState(row.admission_state)
        if state is Cluster.AdmissionState.INSTALLED:
            return pill(state.label, "ok")
        return pill(state.label, "bad" if row.is_unguarded else "warn")

    @admin.display(description="Result")
    def policies_found(self, row: Cluster) -> SafeString:
        """The same in a sentence, with the command that puts them right."""
        context = {"row": row, "standing": policy_looks.kept(row)}
        return render_to_string("admin/environments/cluster/policies.html", context)

    @admin.display(description="Token lifetime")
    def token_cap(self, row: Cluster) -> str:
        """Whether the API server shortens members' tokens, as far as downloads have shown."""
        if row.token_cap_seconds is None:
            return "As requested"
        return f"Shortened by the API server to {dates.lifetime(row.token_cap_seconds)}"

    @admin.display(description="Environments", ordering="live_count")
    def live_environments(self, row: Any) -> int:
        """How many environments are there."""
        return int(row.live_count)

    # Verbs

    @admin.action(description="Check connection and permissions", permissions=["change"])
    def check_selected(self, request: HttpRequest, queryset: QuerySet[Cluster]) -> HttpResponse:
        """Ask every chosen cluster."""
        return self._checked(request, list(queryset))

    def check_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask one cluster. Outside of the form's own view, which holds a transaction open."""
        return self._checked(request, [self._changeable(request, pk)])

    def sign_in_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Compare a real token's names with the cluster's settings; the admin's own token."""
        return cluster_sign_in.page(request, self, self._changeable(request, pk))

    def give_up_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Mark a cluster as lost, after typing its slug."""
        row = self._changeable(request, pk)
        typed, error = request.POST.get("slug", "").strip(), ""
        if request.method == "POST":
            if typed == row.slug:
                ending = cluster_actions.give_up(row)
                self.log_change(request, row, f"Marked as lost. Environments deleted with it: {ending}.")
                messages.warning(request, f"{row} is marked as lost. Environments that are deleted with it: {ending}.")
                return self._to(row)
            error = f"The text does not match. Type {row.slug} to confirm."
        live = row.environments.live().count()
        context = {"title": "Mark as lost", "row": row, "live": live, "typed": typed, "error": error}
        context |= {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, "admin/environments/cluster/give_up.html", context)

    def take_back_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Use a lost cluster again."""
        row = self._changeable(request, pk)
        cluster_actions.take_back(row)
        self.log_change(request, row, "No longer marked as lost.")
        messages.success(
            request, f"{row} is in use again. Select “Accepts new environments” when it is ready for them."
        )
        return self._to(row)

    def do_without_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Mark a cluster as used without admission policies on purpose."""
        row = self._changeable(request, pk)
        cluster_actions.do_without_policies(row)
        self.log_change(request, row, "Marked as used without admission policies.")
        messages.warning(request, f"{row} is used without admission policies until a check finds them again.")
        return self._to(row)

    def _checked(self, request: HttpRequest, rows: list[Cluster]) -> HttpResponse:
        reports = cluster_checks.check_all(rows)
        for report in reports:
            self.log_change(request, report.row, f"Checked: {report.summary}")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Connection and permissions",
            "reports": reports,
            "required": len(rbac.required()),
            "forbidden": len(rbac.FORBIDDEN),
        }
        return TemplateResponse(request, "admin/environments/cluster/check.html", context)

    def rbac_view(self, request: HttpRequest) -> HttpResponse:
        """The manifests of the portal's account, to copy or to download."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        namespace = naming.slug(request.GET.get("namespace", ""))[: naming.MAX_LABEL] or rbac.ACCOUNT_NAMESPACE
        manifests = yaml.safe_dump_all(
            rbac.documents(namespace), explicit_start=True, sort_keys=False, width=120, allow_unicode=True
        )
        if "download" in request.GET:
            headers = {"Content-Disposition": 'attachment; filename="allotment-rbac.yaml"'}
            return HttpResponse(manifests, content_type="application/yaml", headers=headers)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Portal account in a cluster",
            "manifests": manifests,
            "namespace": namespace,
            "account": rbac.ACCOUNT,
        }
        return TemplateResponse(request, "admin/environments/cluster/rbac.html", context)

    def response_add(self, request: HttpRequest, obj: Cluster, post_url_continue: str | None = None) -> HttpResponse:
        """On to the cluster's page, where the check is the next thing to do."""
        if "_addanother" in request.POST or "_popup" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        messages.success(request, f"{obj} was added. Check its connection and permissions next.")
        return self._to(obj)
