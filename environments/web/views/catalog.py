"""The catalog, a template's page, and the request form."""

import yaml
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from environments import actions
from environments.actions import details, drafts
from environments.models import Environment
from environments.web import pages, previews, request_again
from environments.web.forms import RequestForm, add_refusal
from environments.web.permissions import published_version
from environments.web.views.http import UserRequest, render_part, sent


@require_safe
def catalog(request: UserRequest) -> HttpResponse:
    """The templates that can be requested, filtered by a search."""
    search = request.GET.get("q", "")
    context = {"cards": pages.catalog(request.user, search), "search": search}
    return render_part(request, "environments/catalog.html", "cards", context)


@require_safe
def template(request: UserRequest, slug: str) -> HttpResponse:
    """One template: its readme and what it includes."""
    version = published_version(request.user, slug)
    spec = version.parsed()
    context = {"version": version, "spec": spec, "quota": pages.quota_table(spec)}
    context["approval"] = pages.approval_words(spec)
    context["not_isolating"] = pages.not_isolating(version.template)
    return render(request, "environments/template.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def request_form(request: UserRequest, slug: str) -> HttpResponse:
    """The request form; with errors, it is shown again with the messages at the fields.

    `?again=NAMESPACE` copies the answers of an environment that is over.
    """
    earlier = request_again.find(request.user, slug, request.GET.get("again", ""))
    try:
        version = published_version(request.user, slug)
    except Http404:
        if earlier is None:
            raise
        return _not_offered(request, earlier)
    if earlier and request.method != "POST":
        form = request_again.filled_in(request.user, version, earlier)
    else:
        form = RequestForm(request.user, version, sent(request))
    asked = request.method == "POST" and "preview" not in request.POST
    if asked and form.is_valid():
        try:
            environment = actions.carry_out(form.checked)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, f"{environment.name} was requested.")
            return redirect("environment", namespace=environment.namespace)
    context = _form_context(form) | {"earlier": earlier}
    return render(request, "environments/request.html", context, status=422 if asked else 200)


def _not_offered(request: UserRequest, earlier: Environment) -> HttpResponse:
    """The catalog with the reason why the template cannot be requested again."""
    template = earlier.version.template
    sentence = f"{template} is no longer available to you. The answers of {earlier} are still on its page."
    messages.warning(request, sentence)
    return redirect("catalog")


@require_POST
def preview(request: UserRequest, slug: str) -> HttpResponse:
    """The request page's aside, for the form as it is filled in now. Changes nothing."""
    form = RequestForm(request.user, published_version(request.user, slug), request.POST)
    return render(request, "environments/request.html#preview", _form_context(form))


def _form_context(form: RequestForm) -> dict[str, object]:
    plan = previews.plan(form)
    manifests = yaml.safe_dump_all(plan.manifests, sort_keys=False, allow_unicode=True)
    namesake = details.namesake(form.user, drafts.one_line(form.draft().name))
    return {"form": form, "version": form.template_version, "plan": plan, "manifests": manifests, "namesake": namesake}
