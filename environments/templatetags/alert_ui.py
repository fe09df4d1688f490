"""What the pages say about alerts."""

from django import template

from environments.lib import quantities
from environments.models import Environment
from environments.routine import alerts
from environments.routine.holding import BAD, WARN

register = template.Library()


@register.filter
def alert_choice(environment: Environment) -> str:
    """The owner's choice: `at 80 % and 95 %, in the portal and by e-mail`; `off`."""
    return str(alerts.Choice.of(environment))


@register.filter
def told(environment: Environment) -> list[tuple[str, str, int]]:
    """The resources that passed a threshold, the worse ones first: name, level, the threshold in percent."""
    threshold = {WARN: environment.alert_warn, BAD: environment.alert_bad}
    lines = [(quantities.name(name), level, threshold[level]) for name, level in environment.alert_state.items()]
    return sorted(lines, key=lambda line: (line[1] != BAD, line[0]))
