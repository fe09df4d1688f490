"""Tags for the templates of emails."""

from django import template

from environments.lib import links

register = template.Library()


@register.simple_tag
def absolute_url(route: str, *args: str) -> str:
    """The full URL of a route, for example `{% absolute_url 'environment' environment.namespace %}`."""
    return links.absolute(route, *args)
