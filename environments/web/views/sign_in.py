"""Checking a real token: a member pastes what the cluster calls them, and sees it beside what was expected."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from environments.actions import access_tokens, guards, sign_ins
from environments.models import Environment, Member
from environments.web import pages
from environments.web.forms import add_refusal
from environments.web.pasting import PasteForm
from environments.web.permissions import visible_environment
from environments.web.views.http import UserRequest, sent


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("pasted")
@never_cache
def check(request: UserRequest, namespace: str) -> HttpResponse:
    """What was seen of the signed-in member's sign-in, and the form that takes what they paste."""
    row, member = _mine(request, namespace)
    form = PasteForm(sent(request))
    if request.method == "POST" and form.is_valid():
        try:
            sign_ins.keep(row.cluster, request.user, form.cleaned_data["pasted"])
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, "Compared with what was expected. The result is below.")
            return redirect(f"{reverse('kubeconfig', args=[namespace])}#sign-in")
    part = pages.sign_in_part(row, member, request.user)
    context = {"environment": row, "member": member, "part": part, "paste": form, "form": form}
    return render(request, "environments/sign_in.html", context, status=422 if form.errors else 200)


def _mine(request: UserRequest, namespace: str) -> tuple[Environment, Member]:
    """The environment and the signed-in person's membership. Raises Http404, PermissionDenied, EndedError."""
    row = visible_environment(request.user, namespace)
    if request.method == "POST" and not row.wanted:
        raise guards.EndedError(row)
    member = access_tokens.access_of(row, request.user)
    if member is None:
        raise PermissionDenied("Only members can check their sign-in. Ask the environment's owner for access.")
    if not sign_ins.authenticates_by_oidc(row.cluster):
        raise Http404("This cluster does not trust the identity provider.")
    return row, member
