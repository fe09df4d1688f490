"""The catalog: what there is, what a template gives, and the form that asks for one."""

import yaml
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from environments import actions, dashboards, previews
from environments.forms import RequestForm
from environments.permissions import published_version
from environments.views.http import UserRequest, render_part, sent


@require_GET
def catalog(request: UserRequest) -> HttpResponse:
    """All templates that can be requested, narrowed by a search."""
    search = request.GET.get("q", "")
    context = {"cards": dashboards.catalog(request.user, search), "search": search}
    return render_part(request, "environments/catalog.html", "cards", context)


@require_GET
def template(request: UserRequest, slug: str) -> HttpResponse:
    """One template: its readme and what it gives."""
    version = published_version(request.user, slug)
    spec = version.parsed()
    context = {"version": version, "spec": spec, "quota": dashboards.quota_table(spec)}
    context["approval"] = dashboards.approval_words(spec)
    return render(request, "environments/template.html", context)


@require_http_methods(["GET", "POST"])
def request_form(request: UserRequest, slug: str) -> HttpResponse:
    """The request form. Sent with errors it comes back filled in, with the words at the fields."""
    version = published_version(request.user, slug)
    form = RequestForm(request.user, version, sent(request))
    asked = request.method == "POST" and "preview" not in request.POST
    if asked and form.is_valid():
        try:
            environment = actions.request_environment(request.user, form.request())
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return redirect("environment", namespace=environment.namespace)
    return render(request, "environments/request.html", _form_context(form), status=422 if asked else 200)


@require_POST
def preview(request: UserRequest, slug: str) -> HttpResponse:
    """The request page's aside, for the form as it is filled in now. Changes nothing."""
    form = RequestForm(request.user, published_version(request.user, slug), request.POST)
    return render(request, "environments/request.html#preview", _form_context(form))


def _form_context(form: RequestForm) -> dict[str, object]:
    plan = previews.plan(form)
    manifests = yaml.safe_dump_all(plan.manifests, sort_keys=False, allow_unicode=True)
    return {"form": form, "version": form.template_version, "plan": plan, "manifests": manifests}
