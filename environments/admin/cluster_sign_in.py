"""Check with a real token, on a cluster's page: the admin's own one, and what members' tokens have shown."""

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.debug import sensitive_post_parameters

from environments.actions import sign_ins
from environments.admin.base import AnyAdmin, actor
from environments.lib.pasted_tokens import WHOAMI
from environments.models import Cluster, TokenCheck, User
from environments.web.forms import add_refusal
from environments.web.pasting import PasteForm

_MOST = 20  # people whose tokens are listed
_COMPARED = {TokenCheck.Kind.WHOAMI: "user name and groups", TokenCheck.Kind.CLAIMS: "claims"}

if TYPE_CHECKING:
    from environments.actions.sign_ins import SignIn


@sensitive_post_parameters("pasted")
def page(request: HttpRequest, admin: AnyAdmin, row: Cluster) -> HttpResponse:
    """The page with its form; after a paste that was kept, the page anew."""
    user = actor(request)
    form = PasteForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            check = sign_ins.keep(row, user, form.cleaned_data["pasted"])
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            admin.log_change(request, row, f"Compared a real token: {_COMPARED[TokenCheck.Kind(check.kind)]}.")
            messages.success(request, "Compared with the cluster’s settings. The result is below.")
            return redirect("admin:environments_cluster_sign_in", row.pk)
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "title": "Check with a real token",
        "row": row,
        "form": form,
        "sign_in": sign_ins.of_user(row, user, row.token_checks.filter(user=user)),
        "others": _others(row, user),
        "whoami_line": WHOAMI,
        "claims_line": sign_ins.claims_line(row),
    }
    status = 422 if form.errors else 200
    return TemplateResponse(request, "admin/environments/cluster/sign_in.html", context, status=status)


def _others(row: Cluster, user: User) -> "list[tuple[User, SignIn]]":
    """What other people's tokens have shown, the newest first."""
    by_person: dict[User, list[TokenCheck]] = {}
    for check in row.token_checks.exclude(user=user).select_related("user").order_by("-seen_at")[: 2 * _MOST]:
        by_person.setdefault(check.user, []).append(check)
    return [(person, sign_ins.of_user(row, person, checks)) for person, checks in list(by_person.items())[:_MOST]]
