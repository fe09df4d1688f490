"""The admin's site: who can enter it, which models it shows, and its front page."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.db.models.base import ModelBase
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, path

from environments.models import Cluster, User
from portal.sign_in_page import check_sign_in

#: Apps whose models are shown. Groups, addresses, providers and second factors of other apps are not for editing here:
#: roles follow the groups claim, the environment sets up single sign-on (portal/env.py), and some rows hold secrets.
_APPS = ("environments", "admin")
_GROUPS = {
    "Catalog": ("Template", "TemplateVersion"),
    "Infrastructure": ("Cluster", "Rate", "Directory"),
    "People": ("User", "Team", "Invitation", "StandIn"),
    "Records": ("Environment", "Condition", "Event", "LogEntry"),
}


class AdminSite(admin.AdminSite):
    """Django's admin site for platform admins, with only the portal's own models."""

    index_title = "Administration"

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether the user is a platform admin. Django's own check, `is_staff`, is not used."""
        user = request.user
        return isinstance(user, User) and user.is_active and user.is_platform_admin

    def register(
        self, model_or_iterable: type[Model] | Iterable[type[Model]], admin_class: Any = None, **options: Any
    ) -> None:
        """Register the portal's own models; those of other apps are left out."""
        models = [model_or_iterable] if isinstance(model_or_iterable, ModelBase) else model_or_iterable
        own = [model for model in models if model._meta.app_label in _APPS]
        super().register(own, admin_class, **options)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Every page's context, with what an admin should know of the clusters; queried where it is shown.

        `unguarded`: those that lost their admission policies; `unread`: those that the portal can't read in full;
        `not_isolating`: those whose network does not enforce network policies.
        """
        shown = Cluster.objects.unguarded().only("name", "admission_state", "admission_looked_at")
        not_isolating = Cluster.objects.not_isolating().only("name", "isolation", "isolation_tested_at")
        told = {"unguarded": shown, "unread": Cluster.objects.unread, "not_isolating": not_isolating}
        return super().each_context(request) | told

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """The check of sign-in besides the usual pages."""
        page = self.admin_view(partial(check_sign_in, site=self))
        return [path("sign-in/", page, name="check_sign_in"), *super().get_urls()]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The front page by topic instead of by app."""
        apps = super().get_app_list(request, app_label)
        if app_label:
            return apps
        models = {model["object_name"]: model | {"app": app} for app in apps for model in app["models"]}
        found = [(name, [models.pop(model) for model in names if model in models]) for name, names in _GROUPS.items()]
        found.append(("More", list(models.values())))
        return [rows[0]["app"] | {"name": name, "models": rows} for name, rows in found if rows]
