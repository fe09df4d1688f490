"""Who gets the email about an event, and when they want it."""

from collections import defaultdict

from django.db.models import QuerySet

from environments.actions import deciders
from environments.lib.activity import Audience, Mail
from environments.lib.emails import Timing
from environments.lib.phases import Role
from environments.models import Change, Environment, Event, Member, User


def mail_of(event: Event) -> Mail:
    """The email of an event's kind; about a kind without one, which another version of the portal may have written."""
    mail = event.activity.mail if event.activity else None
    return mail or Mail(Audience.OWNER, "{name}: " + event.get_kind_display())


def of(event: Event) -> list[str]:
    """The addresses that the email about an event concerns, as things are now. The owner comes first."""
    environment: Environment = event.environment
    match mail_of(event).to:
        case Audience.APPROVERS | Audience.ASKER | Audience.ADMINS:
            return _deciding_on_change(event) if "change" in event.data else _deciding(event)
        case Audience.ASKED:
            return _asked(event)
        case Audience.MANAGERS:
            return _managers(environment)
        case Audience.NAMESPACE_ADMINS:
            # Developers and viewers can do little about it.
            return [*environment.owner.mail_addresses, *_others(environment, role=Role.ADMIN)]
        case Audience.MEMBERS:
            return [*environment.owner.mail_addresses, *_others(environment)]
        case Audience.OTHER_MEMBERS:  # of an environment that expires soon, unless it was extended
            return list(_others(environment)) if environment.wanted and environment.noticed_days is not None else []
        case Audience.CONCERNED:
            return _concerned(event)
        case Audience.PERSON:
            return [event.data["person"]]
        case Audience.OWNER:
            return environment.owner.mail_addresses


def by_timing(event: Event) -> dict[Timing, list[str]]:
    """The same addresses by when each person wants such an email. People without an account get it at once."""
    topic, addresses = mail_of(event).topic, of(event)
    people = User.objects.filter(email_trusted=True, email__in=[address.lower() for address in addresses])
    choices: dict[str, dict[str, str]] = dict(people.values_list("email", "email_choices"))
    owner = event.environment.owner
    choices.setdefault(owner.email.lower(), owner.email_choices)
    found: dict[Timing, list[str]] = defaultdict(list)
    for address in addresses:
        found[topic.timing(choices.get(address.lower(), {}))].append(address)
    return found


def _deciding(event: Event) -> list[str]:
    """Whom an event of a request asks to decide. An answer goes to whoever asked, or to all if they have left."""
    to = mail_of(event).to
    if not event.environment.awaits_approval:
        return []
    if to == Audience.ADMINS:
        return [each.email for each in deciders.admins(event.environment.owner)]
    asker = User.objects.filter(email=event.data["person"], is_active=True) if to == Audience.ASKER else None
    return [each.email for each in asker or ()] or deciders.of(event.environment).addresses


def _deciding_on_change(event: Event) -> list[str]:
    """Whom an event of a change asks to decide; nobody once it is decided."""
    change = Change.objects.waiting().select_related("asked_by").filter(pk=event.data["change"]).first()
    if change is None:
        return []
    change.environment = event.environment
    if mail_of(event).to == Audience.ADMINS:
        return [each.email for each in deciders.admins(change.asked_by)]
    return deciders.of_change(change).addresses


def _asked(event: Event) -> list[str]:
    """The owner and whoever asked for a change; not the person who decided on it."""
    people = [*event.environment.owner.mail_addresses, *event.data.get("asked", ())]
    actor = event.actor.email.lower() if event.actor else ""
    return list({each.lower(): each for each in people if each.lower() != actor}.values())


def _managers(environment: Environment) -> list[str]:
    managers = User.objects.filter(is_active=True, managed_teams=environment.team) if environment.team else []
    admins = User.objects.platform_admins().filter(is_active=True)
    return sorted({user.email for user in (*managers, *admins)})


def _others(environment: Environment, **which: Role) -> QuerySet[Member, str]:
    """The addresses of the members with access, without the owner's."""
    owner = environment.members.of(environment.owner)
    members = environment.members.filter(wanted=True, in_group=True, address_lost=False, **which).exclude(pk__in=owner)
    return members.values_list("email", flat=True)


def _concerned(event: Event) -> list[str]:
    """The people whose access an event is about and still is as it says; never the one who changed it.

    Before an environment is ready there is no access to speak of: new members get the email that it is ready.
    """
    data, environment = event.data, event.environment
    named = [data[name] for name in ("from", "to") if name in data]
    if environment.ready_at and environment.wanted:
        members = {email.lower() for email in environment.members.filter(wanted=True).values_list("email", flat=True)}
        named += [address for address in data.get("given", ()) if address.lower() in members]
        named += [address for address in data.get("taken", ()) if address.lower() not in members]
    actor = event.actor.email if event.actor else ""
    return [address for address in dict.fromkeys(named) if address.lower() != actor.lower()]
