"""Back-channel logout: a provider ends the sessions that it opened here, without the person's browser.

Source: OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.8.
"""

import logging

from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from environments.models import ProviderSession, UsedLogoutToken, User
from portal import providers
from portal.claims import exact
from portal.logout_tokens import LogoutRefused, LogoutToken, verify
from portal.setting import FIRST_PROVIDER
from portal.sign_in_log import address_of
from portal.sso import Login, ProviderAdapter

logger = logging.getLogger(__name__)

MOST_REFUSED, REFUSED_SECONDS = 60, 60  # refused tokens from one address; valid ones are not counted


def remember(request: HttpRequest, user: User, login: Login) -> None:
    """Note what the provider calls the session that it has just opened."""
    if request.session.session_key is None:
        request.session.save()
    token = login.account.extra_data["id_token"]
    said = {
        "user": user,
        "provider": login.account.provider,
        "issuer": exact(token, "iss"),
        "subject": exact(token, "sub"),
        "sid": exact(token, "sid")[:255],
    }
    ProviderSession.objects.update_or_create(session_id=request.session.session_key, defaults=said)


@csrf_exempt  # it comes from the provider's server, and its signature says so
@login_not_required
@cache_control(no_store=True)
@sensitive_post_parameters("logout_token")
@require_POST
def backchannel_logout(request: HttpRequest, provider: str = FIRST_PROVIDER) -> HttpResponse:
    """End the sessions that a logout token names: 200, or 400 with the reason. Each provider has its own address."""
    if providers.find(provider) is None:
        raise Http404
    address = address_of(request)
    if cache.get(_refused(address), 0) >= MOST_REFUSED:
        return _refusal("Too many refused tokens. Try again in a minute.", status=429)
    try:
        token = verify(request.POST.get("logout_token", ""), ProviderAdapter(request, provider))
        users = _end(provider, token)
    except LogoutRefused as refusal:
        _count(address)
        fields = {"provider": provider, "address": address}
        logger.warning("A logout token of %s was refused: %s", provider, refusal, extra={"fields": fields})
        return _refusal(str(refusal))
    fields = {"provider": provider, "address": address}
    logger.info("Sessions ended by %s: %s", provider, len(users), extra={"fields": fields | {"users": users}})
    return HttpResponse()


@transaction.atomic
def _end(provider: str, token: LogoutToken) -> list[int]:
    """End the sessions, once for each token; the user's ID for each session. Raises LogoutRefused."""
    if not UsedLogoutToken.objects.use(provider, token.digest, token.expires_at):
        raise LogoutRefused("The token was used before.")
    sessions = ProviderSession.objects.named(provider, token.issuer, token.subject, token.sid)
    users = list(sessions.values_list("user_id", flat=True))
    sessions.end()
    return users


def _refusal(sentence: str, *, status: int = 400) -> HttpResponse:
    return JsonResponse({"error": "invalid_request", "error_description": sentence}, status=status)


def _refused(address: str) -> str:
    return f"logout-tokens-refused:{address}"


def _count(address: str) -> None:
    if not cache.add(_refused(address), 1, REFUSED_SECONDS):
        try:
            cache.incr(_refused(address))
        except ValueError:  # it has just expired
            cache.add(_refused(address), 1, REFUSED_SECONDS)
