"""The home page."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from environments.web import pages
from environments.web.views.catalog import catalog
from environments.web.views.http import UserRequest

_TEMPLATES = 6  # on the home page; the catalog has all


@require_safe
def home(request: UserRequest) -> HttpResponse:
    """What needs the reader, their environments and the catalog; for a newcomer the catalog alone."""
    page = None if "q" in request.GET else pages.home_page(request.user)
    if page is None:  # `q`: an address of the catalog from when it was here
        return catalog(request)
    cards = pages.catalog(request.user)
    context = {"page": page, "cards": cards[:_TEMPLATES], "number": len(cards)}
    return render(request, "environments/home.html", context)
