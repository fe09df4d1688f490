"""Directories in the admin: their connection, and how to test it."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html_join
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from environments import directory
from environments.actions import directories as directory_actions
from environments.admin.base import actor
from environments.admin.scale import BriefDeletion
from environments.admin.writeonly import SecretForm, WriteOnlyField, check_address
from environments.lib.errors import ReconcileError
from environments.models import Directory

#: What each kind needs, and how to ask for it.
_NEEDS: dict[str, dict[str, str]] = {
    Directory.Kind.SCIM: {
        "url": "Enter the SCIM base URL, for example https://idp.example.com/scim/v2",
        "secret": "Paste the client secret, or a bearer token.",
    },
    Directory.Kind.KEYCLOAK: {
        "url": "Enter the realm's admin URL, for example https://kc.example.com/admin/realms/acme",
        "client_id": "Enter the client ID of the portal in the realm.",
        "secret": "Paste the client's secret.",
    },
    Directory.Kind.OKTA: {
        "url": "Enter the organisation's URL, for example https://acme.okta.com",
        "secret": "Paste an API token. With a client ID, paste the service app's private key.",
    },
    Directory.Kind.ENTRA: {
        "url": "Enter the URL of Microsoft Graph: https://graph.microsoft.com/v1.0",
        "token_url": "Enter the tenant's token endpoint: https://login.microsoftonline.com/TENANT/oauth2/v2.0/token",
        "client_id": "Enter the client ID of the portal's application in the tenant.",
        "secret": "Paste the application's client secret.",
    },
}
_HINTS = (
    "SCIM: base URL and a token; or a token endpoint, a client ID and its secret. "
    "Keycloak: base URL, client ID and secret; the client needs the roles manage-users, view-users and query-groups. "
    "Okta: base URL and an API token; or a client ID and the private key of a service app. "
    "Entra ID: all four; the application needs User.Read.All and Group.ReadWrite.All. "
    "A local directory needs none of these. See docs/directories.md."
)
_FINDINGS = "The portal learns this from the server's answers. Select Test with account to check again."


class DirectoryForm(SecretForm):
    """A directory, with a secret that is never shown again."""

    secret_field = "secret"  # noqa: S105
    address_fields = ("url", "token_url")

    secret = WriteOnlyField(help_text="The client secret (Okta: the private key). Without a client ID: a token.")

    class Meta:
        model = Directory
        exclude = ()

    def clean_url(self) -> str:
        """An address that the portal may connect to."""
        url = str(self.cleaned_data["url"])
        check_address(url)
        return url

    def clean_token_url(self) -> str:
        """An address that the portal may connect to."""
        url = str(self.cleaned_data["token_url"])
        check_address(url)
        return url

    def clean(self) -> dict[str, Any]:
        """What the kind of directory needs, each message at its field."""
        kind = self.cleaned_data.get("kind", "")
        if kind == Directory.Kind.LOCAL:
            self.stored = ""
            return super().clean() | {"url": "", "token_url": "", "client_id": "", "secret": ""}
        if "kind" in self.changed_data:
            self.stored = ""  # one product's secret is not for another
        cleaned = super().clean()
        for field, sentence in _NEEDS.get(kind, {}).items():
            self._require(field, cleaned, sentence)
        if cleaned.get("token_url"):
            self._require("client_id", cleaned, "Enter the client ID for the token endpoint.")
        if cleaned.get("client_id") and kind == Directory.Kind.SCIM:
            self._require("token_url", cleaned, "Enter the token endpoint of this client.")
        if kind == Directory.Kind.KEYCLOAK and cleaned.get("url"):
            self._check_realm(cleaned["url"])
        return cleaned

    def _check_realm(self, url: str) -> None:
        try:
            directory.check_realm(url)
        except ReconcileError:
            self.add_error("url", _NEEDS[Directory.Kind.KEYCLOAK]["url"])

    def _require(self, field: str, cleaned: dict[str, Any], sentence: str) -> None:
        if not cleaned.get(field) and field not in self.errors:
            self.add_error(field, sentence)


@admin.register(Directory)
class DirectoryAdmin(BriefDeletion):
    """Directories: added, tested, made the default."""

    form = DirectoryForm
    list_display = ("name", "kind", "url", "is_default")
    list_filter = ("kind",)
    search_fields = ("name", "url")
    radio_fields: ClassVar = {"kind": admin.VERTICAL}
    readonly_fields = ("findings",)
    actions = None  # one at a time; deleting is on the page of each
    change_form_template = "admin/environments/directory/change_form.html"
    fieldsets = (
        (None, {"fields": ("name", "kind", "is_default", "strangers")}),
        (
            "Connection",
            {
                "fields": ("url", "token_url", "client_id", "secret"),
                "description": _HINTS,
            },
        ),
    )

    @method_decorator(sensitive_post_parameters("secret"))
    def changeform_view(self, *args: Any, **kwargs: Any) -> Any:
        """The form; an error report must not hold the secret."""
        return super().changeform_view(*args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Directory, form: Any, change: bool) -> None:
        """Save what the form shows. A worker may be writing the test, and what it learned, at the same time.

        What was learned about a server is not for another one.
        """
        kept = {"trial", "capabilities"}
        if form and {"kind", "url"} & set(form.changed_data):
            obj.capabilities = {}
            kept -= {"capabilities"}
        fields = [each.name for each in obj._meta.concrete_fields if not each.primary_key and each.name not in kept]
        obj.save(update_fields=fields if change else None)

    def has_delete_permission(self, request: HttpRequest, obj: Directory | None = None) -> bool:
        """No while a test is going on: its group could no longer be deleted."""
        trial = directory_actions.Trial.stored(obj) if obj else None
        return super().has_delete_permission(request, obj) and (trial is None or trial.is_over)

    @admin.display(description="What the server can do")
    def findings(self, obj: Directory) -> str:
        """What the portal found out about the server, a line for each sentence."""
        sentences = directory.in_words(obj.capabilities)
        return format_html_join("", "<p>{}</p>", ((each,) for each in sentences)) or "Nothing is known yet."

    def get_fieldsets(self, request: HttpRequest, obj: Directory | None = None) -> Any:
        """Servers differ in what they can do only where they share a standard."""
        shown = super().get_fieldsets(request, obj)
        if obj is None or obj.kind != Directory.Kind.SCIM:
            return shown
        return (*shown, ("Capabilities", {"fields": ("findings",), "description": _FINDINGS}))

    def get_urls(self) -> list[URLPattern]:
        """The test besides the usual pages."""
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/test/", wrap(require_POST(self.test_view)), name="environments_directory_test"),
            path("<int:pk>/try-out/", wrap(require_POST(self.try_out_view)), name="environments_directory_try_out"),
            path("<int:pk>/trial/", wrap(require_safe(self.trial_view)), name="environments_directory_trial"),
            *super().get_urls(),
        ]

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask the directory who it is, and say what it answers."""
        row = self._row(request, pk)
        try:
            level, sentence = messages.SUCCESS, directory.connect(row).check()
        except ReconcileError as error:
            level, sentence = messages.ERROR, error.message
        self.log_change(request, row, f"Connection checked: {sentence}")
        messages.add_message(request, level, sentence)
        return redirect(reverse("admin:environments_directory_change", args=[pk]))

    def try_out_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Have a worker create, fill, read, empty and delete a group, and show its page."""
        row = self._row(request, pk)
        email = request.POST.get("email", "").strip()[:254]
        if not email:
            messages.error(request, "Enter the email address of the account to test with.")
            return redirect(reverse("admin:environments_directory_change", args=[pk]))
        try:
            directory_actions.start(row, email, actor(request))
        except ReconcileError as error:
            messages.error(request, error.message)
        return redirect(reverse("admin:environments_directory_trial", args=[pk]))

    def trial_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The last test with an account. While it runs, the page reloads itself."""
        row = self._row(request, pk)
        trial = directory_actions.Trial.stored(row)
        row_url = reverse("admin:environments_directory_change", args=[pk])
        if trial is None:
            return redirect(row_url)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Directory test",
            "row": row,
            "row_url": row_url,
            "trial": trial,
        }
        return TemplateResponse(request, "admin/environments/directory/tried.html", context)

    def _row(self, request: HttpRequest, pk: int) -> Directory:
        row: Directory | None = self.get_object(request, str(pk))
        if row is None:
            raise Http404
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        return row
