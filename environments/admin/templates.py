"""Templates in the admin: their catalog entry and their versions."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from environments.admin.base import actor, pill
from environments.admin.scale import BriefDeletion, count_of
from environments.admin.version_pages import coloured
from environments.catalog import templates as template_actions
from environments.models import Environment, Template, TemplateVersion
from environments.models.templates import TemplateEvent

State = TemplateVersion.State
HISTORY_PAGE = 50
CARD = ("name", "slug", "summary", "category", "icon", "readme")


@admin.register(Template)
class TemplateAdmin(BriefDeletion):
    """Templates: how they are called, who may have them, and their versions."""

    list_display = ("name", "category", "published", "draft_count", "live_environments")
    list_filter = ("category",)
    search_fields = ("name", "slug", "summary")
    prepopulated_fields: ClassVar = {"slug": ("name",)}
    actions = None  # a template with versions is retired, not deleted
    change_form_template = "admin/environments/template/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Template]:
        """With the numbers that the list shows."""
        rows: QuerySet[Template] = super().get_queryset(request)
        published = TemplateVersion.objects.filter(template=OuterRef("pk"), state=State.PUBLISHED)
        return rows.annotate(
            published_number=Subquery(published.values("number")[:1]),
            drafts=count_of(TemplateVersion.objects.filter(state=State.DRAFT), "template"),
            live_count=count_of(Environment.objects.live(), "version__template"),
        )

    def get_fieldsets(self, request: HttpRequest, obj: Template | None = None) -> Any:
        """What the catalog shows, and everything else there is: who may have it, and where it lands."""
        others = [name for name in self.get_fields(request, obj) if name not in CARD]
        return ((None, {"fields": CARD}), ("Availability", {"fields": others}))

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Several of a kind are ticked: Django's two boxes need scripts, and a list box a steady Control key."""
        if not db_field.many_to_many:
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        return db_field.formfield(widget=forms.CheckboxSelectMultiple(attrs={"class": "choose-many"}))

    def get_prepopulated_fields(self, request: HttpRequest, obj: Template | None = None) -> dict[str, Any]:
        """A stored slug stays: addresses and labels have it."""
        return {} if obj else dict(self.prepopulated_fields)

    def has_delete_permission(self, request: HttpRequest, obj: Template | None = None) -> bool:
        """Only what never had a version; environments were made from the others."""
        return obj is not None and not obj.versions.exists() and super().has_delete_permission(request, obj)

    def get_urls(self) -> list[URLPattern]:
        """New drafts besides the usual pages."""
        draft = self.admin_site.admin_view(require_POST(self.draft_view))
        return [path("<int:pk>/new-draft/", draft, name="environments_template_draft"), *super().get_urls()]

    # Columns

    @admin.display(description="Published", ordering="published_number")
    def published(self, row: Any) -> SafeString:
        """The version that can be requested."""
        return pill(f"v{row.published_number}", "ok") if row.published_number else pill("not published")

    @admin.display(description="Drafts", ordering="drafts")
    def draft_count(self, row: Any) -> int:
        """How many drafts there are."""
        return int(row.drafts)

    @admin.display(description="Environments", ordering="live_count")
    def live_environments(self, row: Any) -> int:
        """How many live ones were made from any of its versions."""
        return int(row.live_count)

    def view_on_site(self, row: Template) -> str | None:
        """Its page in the catalog; there is none before a version is published."""
        is_published = row.versions.filter(state=State.PUBLISHED).exists()
        return reverse("template", args=[row.slug]) if is_published else None

    # Pages

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The card, and below it all versions."""
        live = count_of(Environment.objects.live(), "version")
        template = self.get_object(request, object_id)
        versions = template.versions.all() if template else TemplateVersion.objects.none()
        rows = versions.select_related("published_by", "template").defer("spec", "template__readme")
        rows = rows.annotate(live_count=live).order_by("-number")
        return super().change_view(request, object_id, form_url, (extra_context or {}) | {"versions": rows})

    def draft_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A draft from the published version, from the newest one, or from nothing."""
        template = self.get_object(request, str(pk))
        if template is None:
            raise Http404
        if not self.has_change_permission(request, template):
            raise PermissionDenied
        rows = template.versions
        source = rows.filter(state=State.PUBLISHED).first() or rows.order_by("-number").first()
        if source:
            draft = template_actions.new_draft(source, actor(request))
        else:
            draft = template_actions.first_draft(template, actor(request))
        self.log_change(request, template, f"Created draft v{draft.number}.")
        return redirect("admin:environments_templateversion_change", draft.pk)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Who changed what and when: versions with their differences, and the card."""
        template = self.get_object(request, object_id)
        if template is None:
            raise Http404
        if not self.has_view_permission(request, template):
            raise PermissionDenied
        kind = ContentType.objects.get_for_model(Template)
        log = LogEntry.objects.filter(content_type=kind, object_id=str(template.pk)).select_related("user")
        context = {"log": log[:HISTORY_PAGE], "row": template, "row_url": self._url(template), "opts": self.opts}
        return history_page(request, template.events.all(), context)

    def response_add(self, request: HttpRequest, obj: Template, post_url_continue: str | None = None) -> HttpResponse:
        """On to the template's page, where the first draft is the next thing to make."""
        if "_addanother" in request.POST or "_popup" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        messages.success(request, f"{obj} was added. Create its first draft next.")
        return redirect(self._url(obj))

    def _url(self, row: Template) -> str:
        return reverse("admin:environments_template_change", args=[row.pk])


def history_page(request: HttpRequest, events: QuerySet[TemplateEvent], context: dict[str, Any]) -> HttpResponse:
    """The history of a template or of one version. `context` has row, row_url, opts, and log where there is one."""
    rows = events.select_related("actor", "version")
    page = Paginator(rows, HISTORY_PAGE).get_page(request.GET.get("page"))
    for event in page:
        event.coloured_diff = coloured(event.diff)  # type: ignore[attr-defined]
    common = {**admin.site.each_context(request), "title": "History", "page": page}
    return TemplateResponse(request, "admin/environments/template/history.html", common | context)
