"""Template versions in the admin: drafts are edited in tables, everything else is read.

Django's own change form knows one model and its fields; a version's content is a document. So the pages here are
the portal's own, inside the admin's frame and behind its door.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST, require_safe

from environments.actions import publishing
from environments.admin import publish_page, version_pages
from environments.admin.base import ReadOnlyAdmin, actor, pill
from environments.admin.scale import FewFilter, LeanAdmin, count_of
from environments.admin.templates import history_page
from environments.catalog import templates as template_actions
from environments.catalog.forms import BLANK_ROWS, SpecForms, with_more_rows
from environments.models import Environment, TemplateVersion
from environments.models.templates import ImmutableVersionError
from environments.spec import InvalidSpecError

State = TemplateVersion.State
MORE_ROWS = 5


class ChangelogForm(forms.Form):
    """The changelog line of a draft."""

    changelog = forms.CharField(
        label="What is new in this version?",
        max_length=200,
        required=False,
        help_text="One line that helps owners decide whether to update. Required for publishing.",
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
    )
    based_on = forms.CharField(widget=forms.HiddenInput, required=False)


@admin.register(TemplateVersion)
class TemplateVersionAdmin(LeanAdmin, ReadOnlyAdmin):
    """Versions of all templates. They are made from a template's page, or from one another."""

    list_display = ("label", "state_pill", "changelog", "published_at", "published_by", "live_environments")
    list_filter = ("state", ("template", FewFilter))
    list_defer = ("spec", "template__readme")
    list_select_related = ("template", "published_by")
    search_fields = ("template__name", "template__slug", "changelog")
    ordering = ("template__name", "-number")
    actions = None

    def has_change_permission(self, request: HttpRequest, obj: TemplateVersion | None = None) -> bool:
        """Drafts only."""
        is_draft = obj is None or obj.state == State.DRAFT
        return is_draft and request.user.has_perm("environments.change_templateversion")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TemplateVersion]:
        """With the number of environments made from each."""
        rows: QuerySet[TemplateVersion] = (
            super().get_queryset(request).select_related("template", "published_by", "publish_check")
        )
        return rows.annotate(live_count=count_of(Environment.objects.live(), "version"))

    def get_urls(self) -> list[URLPattern]:
        """The verbs, each by POST, and the pages that show."""
        verbs: dict[str, tuple[Callable[..., Any], str]] = {
            "retire": (template_actions.retire, "{} was retired. It can no longer be requested."),
            "discard": (template_actions.discard, "{} was discarded."),
            "new-draft": (template_actions.new_draft, "New draft created from {}."),
        }
        views: dict[str, Callable[..., HttpResponse]] = {
            name: require_POST(partial(self.verb_view, verb=verb, done=done)) for name, (verb, done) in verbs.items()
        }
        views |= {"publish": require_POST(self.publish_view), "check": require_safe(self.check_view)}
        views |= {"check-again": require_POST(partial(self.go_on_view, verb=publishing.try_again))}
        views |= {"publish-without": require_POST(partial(self.go_on_view, verb=publishing.publish_without))}
        views |= {"differences": require_safe(self.differences_view), "preview": self.preview_view}
        wrap = self.admin_site.admin_view
        own = [
            path(f"<int:pk>/{name}/", wrap(view), name=f"environments_templateversion_{name.replace('-', '_')}")
            for name, view in views.items()
        ]
        return [*own, *super().get_urls()]

    # Columns

    @admin.display(description="Version", ordering="template__name")
    def label(self, row: TemplateVersion) -> str:
        """The template and the number."""
        return str(row)

    @admin.display(description="State", ordering="state")
    def state_pill(self, row: TemplateVersion) -> SafeString:
        """The state with its colour."""
        return pill(row.get_state_display(), row.tone)

    @admin.display(description="Environments", ordering="live_count")
    def live_environments(self, row: Any) -> int:
        """How many live ones were made from it."""
        return int(row.live_count)

    # Pages

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A draft to edit, or any other version to read."""
        version = self._version(request, object_id)
        if request.method == "POST" or self.has_change_permission(request, version):
            return self._edit(request, version)
        return self._page(request, version, "read", {"page": version_pages.read(version)})

    def _edit(self, request: HttpRequest, version: TemplateVersion) -> HttpResponse:
        if not request.user.has_perm("environments.change_templateversion"):
            raise PermissionDenied
        try:
            spec = version.parsed()
        except InvalidSpecError:  # written for another version of the portal
            spec = template_actions.STARTER
            messages.warning(
                request, "This version of the portal cannot read the draft. The page shows a default draft instead."
            )
        if request.method != "POST":
            tables = SpecForms(spec, blank=_rows(request.GET))
            if "check" in request.GET:
                tables.show_objections()
            tables.show(publishing.objections(version))
            initial = {"changelog": version.changelog, "based_on": template_actions.digest(version)}
            return self._editor(request, version, tables, ChangelogForm(initial=initial))
        data = with_more_rows(request.POST, MORE_ROWS) if "_rows" in request.POST else request.POST
        tables, line = SpecForms(spec, data), ChangelogForm(data)
        if tables.is_valid() and line.is_valid():
            try:
                return self._save(request, version, tables, line)
            except ValidationError as error:
                tables.errors.extend(error.messages)
        return self._editor(request, version, tables, line, status=422)

    def _save(
        self, request: HttpRequest, version: TemplateVersion, tables: SpecForms, line: ChangelogForm
    ) -> HttpResponse:
        """Store the page and go where its button leads. Raises ValidationError."""
        changelog, based_on = line.cleaned_data["changelog"], line.cleaned_data["based_on"]
        if "_asnew" in request.POST:
            version = template_actions.first_draft(version.template, actor(request), tables.spec, changelog)
            changed = True
        else:
            changed = template_actions.save_draft(version, tables.spec, changelog, actor(request), based_on=based_on)
        if changed:
            self.log_change(request, version, "Edited the draft.")
        if "_publish" in request.POST:
            return self.publish_view(request, version.pk)
        messages.success(request, f"{version} was saved." if changed else "There were no changes to save.")
        if "_preview" in request.POST:
            return redirect("admin:environments_templateversion_preview", version.pk)
        more = f"?rows={MORE_ROWS}" if "_rows" in request.POST else ""
        return redirect(self._url(version) + more)

    def _editor(
        self, request: HttpRequest, version: TemplateVersion, tables: SpecForms, line: ChangelogForm, status: int = 200
    ) -> HttpResponse:
        context = {
            "tables": tables,
            "line": line,
            "resources": version_pages.COMMON_RESOURCES,
            "can_edit": version.state == State.DRAFT,
        }
        return self._page(request, version, "edit", context, status)

    def verb_view(
        self, request: HttpRequest, pk: int, verb: Callable[..., Any] | None = None, done: str = ""
    ) -> HttpResponse:
        """Carry out one of the actions, show its result, and go to the page about it."""
        version = self._changeable(request, pk)
        if verb is None:
            raise PermissionDenied
        name, target = str(version), version
        try:
            made = verb(version, actor(request))
        except (ValidationError, ImmutableVersionError) as error:
            return self._objected(request, version, error)
        messages.success(request, done.format(name))
        self.log_change(request, version.template, done.format(name))
        if verb is template_actions.discard:
            return redirect("admin:environments_template_change", version.template_id)
        if isinstance(made, TemplateVersion):
            target = made
        return redirect(self._url(target))

    def publish_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Publish a draft, or begin its check on the clusters and show the page that follows it."""
        version = self._changeable(request, pk)
        try:
            check = publishing.publish(version, actor(request))
        except (ValidationError, ImmutableVersionError) as error:
            return self._objected(request, version, error)
        done = f"{version} is checked before it is published." if check else f"{version} was published."
        self.log_change(request, version.template, done)
        if check:
            return redirect("admin:environments_templateversion_check", version.pk)
        messages.success(request, done)
        return redirect(self._url(version))

    def check_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The last check on the clusters. While it runs, the page reloads itself."""
        version = self._version(request, str(pk))
        page = publish_page.load(version)
        if page is None:
            return redirect(self._url(version))
        return self._page(request, version, "check", {"page": page})

    def go_on_view(self, request: HttpRequest, pk: int, verb: Callable[..., Any] | None = None) -> HttpResponse:
        """Go on with a check that waits for a decision."""
        version = self._changeable(request, pk)
        if verb is None:
            raise PermissionDenied
        try:
            verb(version, actor(request), *_clusters(request, verb))
        except ValidationError as error:
            for sentence in error.messages:
                messages.error(request, sentence)
        return redirect("admin:environments_templateversion_check", version.pk)

    def differences_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The differences between two versions, as sentences and as YAML."""
        version = self._version(request, str(pk))
        others = list(version.template.versions.exclude(pk=version.pk).order_by("-number"))
        page = version_pages.differences(version, others, request.GET.get("with", ""))
        return self._page(request, version, "differences", {"page": page, "others": others})

    def preview_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The manifests of an environment, and the result of a dry run on a cluster."""
        version = self._version(request, str(pk))
        page = version_pages.preview(version, actor(request), request.POST if request.method == "POST" else None)
        return self._page(request, version, "preview", {"page": page})

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Who changed what in this version and when."""
        version = self._version(request, object_id)
        context = {"row": version, "row_url": self._url(version), "opts": self.opts}
        return history_page(request, version.events.all(), context)

    # Helpers

    def _objected(self, request: HttpRequest, version: TemplateVersion, error: Exception) -> HttpResponse:
        """What is wrong, on the page of the version."""
        for sentence in getattr(error, "messages", [str(error)]):
            messages.error(request, sentence)
        return redirect(f"{self._url(version)}?check=1")

    def _changeable(self, request: HttpRequest, pk: int) -> TemplateVersion:
        version = self._version(request, str(pk))
        if not request.user.has_perm(publishing.PERMISSION):
            raise PermissionDenied
        return version

    def _version(self, request: HttpRequest, pk: str) -> TemplateVersion:
        version = self.get_object(request, pk)
        if version is None:
            raise Http404
        if not self.has_view_permission(request, version):
            raise PermissionDenied
        found: TemplateVersion = version
        return found

    def _url(self, version: TemplateVersion) -> str:
        return reverse("admin:environments_templateversion_change", args=[version.pk])

    def _page(
        self, request: HttpRequest, version: TemplateVersion, name: str, context: dict[str, Any], status: int = 200
    ) -> HttpResponse:
        common = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "version": version,
            "published": version.template.versions.filter(state=State.PUBLISHED).first(),
            "title": str(version),
            "here": name,
        }
        template = f"admin/environments/templateversion/{name}.html"
        return TemplateResponse(request, template, common | context, status=status)


def _rows(query: QueryDict) -> int:
    text = query.get("rows", "")
    return min(int(text), 20) if text.isdecimal() else BLANK_ROWS


def _clusters(request: HttpRequest, verb: Callable[..., Any]) -> list[list[int]]:
    """The clusters that the form names, for the verb that wants them."""
    named = [int(text) for text in request.POST.getlist("cluster") if text.isdecimal() and len(text) < 10]
    return [named] if verb is publishing.publish_without else []
