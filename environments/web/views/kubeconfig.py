"""Kubeconfig files of the signed-in member: the page and the downloads."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from environments.actions import access_tokens, guards
from environments.kube import kubeconfig as files
from environments.lib.errors import ReconcileError
from environments.models import Cluster, Environment, Member
from environments.web import pages
from environments.web.forms import SignInForm, TokenForm, add_refusal
from environments.web.pasting import PasteForm
from environments.web.permissions import visible_environment
from environments.web.views.http import UserRequest


@require_safe
@never_cache
def kubeconfig(request: UserRequest, namespace: str) -> HttpResponse:
    """How to work with the namespace, and the file to download."""
    row, member = _mine(request, namespace)
    return _page(request, row, member, TokenForm(row.cluster))


@require_safe
@never_cache
def download_oidc(request: UserRequest, namespace: str) -> HttpResponse:
    """The file that signs in with kubelogin. It holds no secret."""
    row, member = _mine(request, namespace)
    if row.cluster.access != Cluster.Access.OIDC:
        raise Http404("This cluster does not trust the identity provider.")
    form = SignInForm(request.GET)
    device_code = form.is_valid() and form.cleaned_data["device_code"]
    try:
        text = files.with_oidc(access_tokens.target(row), access_tokens.oidc(row.cluster), device_code=device_code)
    except ReconcileError as error:
        return _refused(request, row, member, error.message)
    return _file(row, text)


@require_POST
@never_cache
def download_token(request: UserRequest, namespace: str) -> HttpResponse:
    """The file with a token, shown once."""
    row, member = _mine(request, namespace)
    form = TokenForm(row.cluster, request.POST)
    if not form.is_valid():
        return _page(request, row, member, form)
    try:
        text = access_tokens.issue(row, request.user, hours=form.cleaned_data["hours"])
    except ValidationError as refusal:
        add_refusal(form, refusal)
        return _page(request, row, member, form)
    except ReconcileError as error:
        return _refused(request, row, member, error.message)
    return _file(row, text)


@require_POST
def revoke(request: UserRequest, namespace: str) -> HttpResponse:
    """Revoke the signed-in member's tokens."""
    row, _ = _mine(request, namespace)
    try:
        access_tokens.revoke(row, request.user)
    except ReconcileError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "Your tokens for this environment have been revoked.")
    return redirect("kubeconfig", namespace=namespace)


def _mine(request: UserRequest, namespace: str) -> tuple[Environment, Member]:
    """The environment and the signed-in person's membership. Raises PermissionDenied for others, EndedError."""
    row = visible_environment(request.user, namespace)
    member = access_tokens.access_of(row, request.user)
    if member is None:
        raise PermissionDenied("Only members can download the kubeconfig of an environment. Ask its owner for access.")
    if not row.wanted:
        raise guards.EndedError(row)
    return row, member


def _refused(request: UserRequest, row: Environment, member: Member, sentence: str) -> HttpResponse:
    form = TokenForm(row.cluster, request.POST or {"hours": "1"})
    form.add_error(None, sentence)
    return _page(request, row, member, form)


def _page(request: UserRequest, row: Environment, member: Member, form: TokenForm) -> HttpResponse:
    context = {
        "environment": row,
        "member": member,
        "form": form,
        "part": pages.sign_in_part(row, member, request.user),
        "paste": PasteForm(),
        "uses_oidc": row.cluster.access == Cluster.Access.OIDC,
        "sign_in_form": SignInForm(),
        "target": _target(row),
        "plugin": files.PLUGIN,
        "install": files.INSTALL,
    }
    status = 422 if form.errors else 200
    return render(request, "environments/kubeconfig.html", context, status=status)


def _target(row: Environment) -> files.Target | None:
    """What the file points at. None if the cluster's credential cannot be read; the download says so."""
    try:
        return access_tokens.target(row)
    except ReconcileError:
        return None


def _file(row: Environment, text: str) -> HttpResponse:
    response = HttpResponse(text, content_type="application/yaml")
    response["Content-Disposition"] = f'attachment; filename="{row.namespace}.kubeconfig"'
    return response
