"""The admin's page *Check sign-in*: each identity provider checked, and the claims of the admin's own last sign-in."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from environments.models import User
from portal import providers, sign_in_check
from portal.providers import IdentityProvider
from portal.sign_in_check import ClaimRow, Finding


@dataclass(frozen=True)
class Part:
    """What the page says of one provider. `findings` is None until it was checked."""

    provider: IdentityProvider
    findings: list[Finding] | None = None
    claims: list[ClaimRow] = field(default_factory=list)
    of_claims: list[Finding] = field(default_factory=list)


@require_http_methods(["GET", "HEAD", "POST"])
def check_sign_in(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """The page. POST asks every provider, because that takes seconds and is noted in their logs."""
    assert isinstance(request.user, User)  # noqa: S101 (the admin's site lets only platform admins in)
    parts = [_part(request.user, each, asks=request.method == "POST") for each in providers.configured()]
    context: dict[str, Any] = {**site.each_context(request), "title": "Check sign-in", "parts": parts}
    return TemplateResponse(request, "admin/check_sign_in.html", context)


def _part(user: User, provider: IdentityProvider, *, asks: bool) -> Part:
    claims, of_claims = sign_in_check.claims_of(user, provider)
    return Part(provider, sign_in_check.check(provider) if asks else None, claims, of_claims)
