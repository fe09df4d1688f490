"""Clusters in the admin: their connection, and the checks of the portal's account in them."""

from typing import Any, ClassVar
from urllib.parse import urlsplit

import yaml
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from environments.actions import clusters as cluster_actions
from environments.admin import cluster_checks, kubeconfigs
from environments.admin.base import pill
from environments.admin.isolation_page import IsolationPages
from environments.admin.scale import BriefDeletion, count_of
from environments.admin.writeonly import SecretForm, WriteOnlyField, check_address
from environments.kube import rbac
from environments.lib import dates, hosts, naming
from environments.models import Cluster, Environment
from environments.routine import policy_looks
from environments.web.pages import freshness

_PEM = forms.Textarea(attrs={"rows": 4, "class": "secret"})
_ONCE_STORED = ("Last check", "Admission policies", "Network isolation")
_KIND_WORDS = {Cluster.Credential.TOKEN: "token", Cluster.Credential.KUBECONFIG: "kubeconfig"}


class ClusterForm(SecretForm):
    """A cluster, with a credential that is never shown again."""

    secret_field = "credential"  # noqa: S105
    address_fields = ("server",)

    credential = WriteOnlyField(
        help_text="The token of the portal's service account, or a kubeconfig file, as chosen above."
    )

    class Meta:
        model = Cluster
        exclude = ()
        widgets: ClassVar = {
            "certificate_authority": _PEM,
            "public_certificate_authority": _PEM,
            "oidc_certificate_authority": _PEM,
            "host_names": forms.TextInput(attrs={"class": "code", "size": 60, "spellcheck": "false"}),
        }

    def clean_certificate_authority(self) -> str:
        """Certificates in PEM, or nothing."""
        return self._authority("certificate_authority")

    def clean_public_server(self) -> str:
        """An address with TLS, or nothing."""
        server = str(self.cleaned_data["public_server"])
        if server and urlsplit(server).scheme != "https":
            raise ValidationError("Enter an address that begins with https. kubectl never signs in over http.")
        return server

    def clean_public_certificate_authority(self) -> str:
        """Certificates in PEM exactly where members' files shall have their own."""
        pem = self._authority("public_certificate_authority")
        is_wanted = self.cleaned_data.get("public_trust") == Cluster.Trust.OWN
        if is_wanted and not pem:
            raise ValidationError("Paste the certificates here, or choose differently at “Members trust”.")
        if pem and not is_wanted:
            raise ValidationError(
                f"To use these, choose “{Cluster.Trust.OWN.label}” at “Members trust”. Otherwise, remove them."
            )
        return pem

    def clean_oidc_certificate_authority(self) -> str:
        """Certificates in PEM, or nothing."""
        return self._authority("oidc_certificate_authority")

    def _authority(self, field: str) -> str:
        pem = str(self.cleaned_data[field]).strip()
        if pem:
            _sentence(kubeconfigs.check_authority, pem)
        return pem

    def clean_host_names(self) -> str:
        """Patterns with the namespace in them, or nothing."""
        patterns = hosts.split(str(self.cleaned_data["host_names"]))
        if len(patterns) > hosts.MOST:
            raise ValidationError(f"Use at most {hosts.MOST} patterns; you entered {len(patterns)}.")
        problems = (hosts.problem(each, needs_namespace=True) for each in patterns)
        if sentences := list(filter(None, problems)):
            raise ValidationError(sentences)
        return ", ".join(patterns)

    def clean_server(self) -> str:
        """An address that the portal may connect to."""
        server = str(self.cleaned_data["server"])
        check_address(server)
        return server

    def clean_workbench_namespace(self) -> str:
        """A namespace of its own: in the account namespace the portal manages members' accounts."""
        name = str(self.cleaned_data["workbench_namespace"])
        if name == self.data.get("account_namespace", self.instance.account_namespace):
            raise ValidationError("Members' ServiceAccounts are in this namespace. Use another name.")
        return name

    def has_moved(self) -> bool:
        """A kubeconfig holds its own address."""
        return self.cleaned_data.get("credential_kind") == Cluster.Credential.TOKEN and super().has_moved()

    def clean(self) -> dict[str, Any]:
        """What the kind of credential needs, each message at its field; at last a client is made of it all."""
        kind = self.cleaned_data.get("credential_kind", "")
        if "credential_kind" in self.changed_data:
            self.stored = ""  # a kubeconfig is no token
        cleaned = super().clean()
        if kind == Cluster.Credential.IN_CLUSTER:
            cleaned["credential"] = ""
            self._try("credential_kind", kubeconfigs.check_client, kubeconfigs.Draft(kind))
        elif kind:
            self._clean_credential(kind, cleaned)
        return cleaned

    def _clean_credential(self, kind: str, cleaned: dict[str, Any]) -> None:
        credential, server = str(cleaned.get("credential") or ""), str(cleaned.get("server") or "")
        if not credential and "credential" not in self.errors:
            self.add_error("credential", f"Paste the {_KIND_WORDS[Cluster.Credential(kind)]} here.")
        if kind == Cluster.Credential.TOKEN and not server and "server" not in self.errors:
            self.add_error("server", "Enter the API server's address, for example https://api.cluster.example.com:6443")
        if credential:
            is_token = kind == Cluster.Credential.TOKEN
            check = kubeconfigs.check_token if is_token else kubeconfigs.check_kubeconfig
            self._try("credential", check, credential)
        if not self.errors:
            authority = str(cleaned.get("certificate_authority") or "")
            self._try("credential", kubeconfigs.check_client, kubeconfigs.Draft(kind, server, authority, credential))

    def _try(self, field: str, check: Any, value: Any) -> None:
        try:
            check(value)
        except ValueError as error:
            self.add_error(field, str(error))


def _sentence(check: Any, value: str) -> None:
    try:
        check(value)
    except ValueError as error:
        raise ValidationError(str(error)) from None


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
                "fields": ("username_claim", "username_prefix", "groups_prefix", "bind_members"),
                "description": "Use the values of the API server's OIDC flags. Role bindings must use the same names.",
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

    def _changeable(self, request: HttpRequest, pk: int) -> Cluster:
        row: Cluster | None = self.get_object(request, str(pk))
        if row is None:
            raise Http404
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        return row

    def _to(self, row: Cluster) -> HttpResponse:
        return redirect(reverse("admin:environments_cluster_change", args=[row.pk]))

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
