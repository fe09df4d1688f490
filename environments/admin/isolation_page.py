"""The test of a cluster's network in the admin: its button, the page that follows it, and its result."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST, require_safe

from environments.actions import isolation as isolation_actions
from environments.admin.base import AnyAdmin, actor, pill
from environments.kube import probe_pods
from environments.lib.isolation import SENTENCES, TONES, Isolation
from environments.models import Cluster, IsolationTest
from environments.reconcile.isolation import STAGES, Stage

if TYPE_CHECKING:
    Base = AnyAdmin
else:
    Base = object

_WORDS = {probe_pods.OPEN: "reached", probe_pods.CLOSED: "blocked"}


@dataclass(frozen=True)
class StageLine:
    """One stage as far as it is: what was to be reached, and what was."""

    title: str
    is_running: bool
    pods: str
    dns: str
    is_as_asked: bool


class IsolationPages(Base):
    """What the admin of clusters has for the test."""

    def isolation_urls(self) -> list[URLPattern]:
        """The button and the page that follows the test."""
        wrap = self.admin_site.admin_view
        test, follow = wrap(require_POST(self.test_isolation_view)), wrap(require_safe(self.isolation_view))
        return [
            path("<int:pk>/test-isolation/", test, name="environments_cluster_test_isolation"),
            path("<int:pk>/isolation/", follow, name="environments_cluster_isolation"),
        ]

    @admin.display(description="Network isolation", ordering="isolation")
    def network(self, row: Cluster) -> SafeString:
        """What the last test found, in a word."""
        if not row.isolation:
            return pill("not tested")
        return pill(row.get_isolation_display(), _tone(row.isolation))

    @admin.display(description="Last test")
    def isolation_found(self, row: Cluster) -> SafeString:
        """The same in a sentence, with its time, and a later test that had no result."""
        test = IsolationTest.objects.filter(cluster=row).first()
        context = {"row": row, "test": test, "says": _says(row, test), "tone": _tone(row.isolation)}
        return render_to_string("admin/environments/cluster/isolation.html", context)

    def test_isolation_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Begin a test, and follow it."""
        row = self._changeable(request, pk)
        try:
            test = isolation_actions.start(row, actor(request))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return self._to(row)
        if test.turn == 0:
            self.log_change(request, row, "Test of the network isolation requested.")
        return redirect(reverse("admin:environments_cluster_isolation", args=[row.pk]))

    def isolation_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How far the last test is, and what it found."""
        row = self._cluster(request, pk)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        test = IsolationTest.objects.select_related("asked_by").filter(cluster=row).first()
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Network isolation of {row}",
            "row": row,
            "test": test,
            "tone": _tone(test.result) if test else "",
            "lines": [_line(test, stage) for stage in STAGES] if test else [],
            "may_test": self.has_change_permission(request, row) and not (row.is_simulated or row.lost_at),
        }
        return TemplateResponse(request, "admin/environments/cluster/isolation_test.html", context)

    def _cluster(self, request: HttpRequest, pk: int) -> Cluster:
        row: Cluster | None = self.get_object(request, str(pk))
        if row is None:
            raise Http404
        return row

    def _changeable(self, request: HttpRequest, pk: int) -> Cluster:
        row = self._cluster(request, pk)
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        return row

    def _to(self, row: Cluster) -> HttpResponse:
        return redirect(reverse("admin:environments_cluster_change", args=[row.pk]))


def _tone(result: str) -> str:
    return TONES.get(Isolation(result), "") if result else ""


def _says(row: Cluster, test: IsolationTest | None) -> str:
    """The sentence of the result that counts."""
    if not row.isolation:
        return ""
    return SENTENCES.get(Isolation(row.isolation)) or (test.message if test else "")


def _line(test: IsolationTest, stage: Stage) -> StageLine:
    codes = test.found.get(stage.name)
    if codes is None:
        return StageLine(stage.title, test.is_running and test.step == stage.name, "", "", is_as_asked=True)
    asked = {"reach": stage.reach, "dns": stage.dns}
    as_asked = all((codes[probe] == probe_pods.OPEN) == is_open for probe, is_open in asked.items())
    pods, dns = (_WORDS.get(codes[probe], "unclear") for probe in probe_pods.PROBES)
    return StageLine(stage.title, False, pods, dns, as_asked)
