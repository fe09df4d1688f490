"""Directories in the admin: how they are reached, and whether they answer."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from environments import directory
from environments.admin.base import AnyAdmin
from environments.admin.writeonly import SecretForm, WriteOnlyField
from environments.errors import ReconcileError
from environments.models import Directory


class DirectoryForm(SecretForm):
    """A directory, with a secret that is never shown again."""

    secret_field = "secret"  # noqa: S105
    address_fields = ("url", "token_url")

    secret = WriteOnlyField(help_text="The client secret, or without a client a bearer token.")

    class Meta:
        model = Directory
        exclude = ()

    def clean(self) -> dict[str, Any]:
        """What the kind of directory needs, each message at its field."""
        if self.cleaned_data.get("kind") == Directory.Kind.LOCAL:
            self.stored = ""
            return super().clean() | {"url": "", "token_url": "", "client_id": "", "secret": ""}
        cleaned = super().clean()
        self._require("url", cleaned, "Say where SCIM begins, for example https://idp.example.com/scim/v2")
        self._require("secret", cleaned, "Paste the client secret, or a bearer token.")
        if cleaned.get("token_url"):
            self._require("client_id", cleaned, "Tokens are fetched for a client: say which.")
        if cleaned.get("client_id"):
            self._require("token_url", cleaned, "Say where the client gets its tokens.")
        return cleaned

    def _require(self, field: str, cleaned: dict[str, Any], sentence: str) -> None:
        if not cleaned.get(field) and field not in self.errors:
            self.add_error(field, sentence)


@admin.register(Directory)
class DirectoryAdmin(AnyAdmin):
    """Directories: added, tested, made the default."""

    form = DirectoryForm
    list_display = ("name", "kind", "url", "is_default")
    list_filter = ("kind",)
    search_fields = ("name", "url")
    radio_fields: ClassVar = {"kind": admin.VERTICAL}
    actions = None  # one at a time; deleting is on the page of each
    change_form_template = "admin/environments/directory/change_form.html"
    fieldsets = (
        (None, {"fields": ("name", "kind", "is_default")}),
        (
            "Connection",
            {
                "fields": ("url", "token_url", "client_id", "secret"),
                "description": "A local directory needs none of these.",
            },
        ),
    )

    @method_decorator(sensitive_post_parameters("secret"))
    def changeform_view(self, *args: Any, **kwargs: Any) -> Any:
        """The form; an error report must not hold the secret."""
        return super().changeform_view(*args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        """The test besides the usual pages."""
        test = self.admin_site.admin_view(require_POST(self.test_view))
        return [path("<int:pk>/test/", test, name="environments_directory_test"), *super().get_urls()]

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask the directory who it is, and say what it answers."""
        row = self.get_object(request, str(pk))
        if row is None:
            raise Http404
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        try:
            level, sentence = messages.SUCCESS, directory.connect(row).check()
        except ReconcileError as error:
            level, sentence = messages.ERROR, error.message
        self.log_change(request, row, f"Tested: {sentence}")
        messages.add_message(request, level, sentence)
        return redirect(reverse("admin:environments_directory_change", args=[pk]))
