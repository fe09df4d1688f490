"""Gives every account its key (provider, issuer, subject), and links members to the accounts that they are.

What the identity provider sent at the last sign-in is in allauth's rows. An address counts as theirs by the setting
OIDC_EMAILS, as at a sign-in. Rows that the version before writes from now on are linked at the next sign-in.
"""

from django.conf import settings
from django.db import migrations

_BATCH = 1000


def _said(account):
    extra = account.extra_data if isinstance(account.extra_data, dict) else {}
    token, more = (extra.get(part) if isinstance(extra.get(part), dict) else {} for part in ("id_token", "userinfo"))
    return token, {**token, **more}


def _is_trusted(verified):
    claim = {"true": True, "false": False}.get(str(verified).casefold())
    rule = getattr(settings, "OIDC_EMAILS", "verified")
    return claim is True or rule == "always" or (rule == "unless_unverified" and claim is None)


def _text(claims, name, length):
    value = claims.get(name)
    return value.strip()[:length] if isinstance(value, str) else ""


def give_keys(apps, schema_editor):
    """Write each account's key and names, and whether its address is known to be theirs."""
    User = apps.get_model("environments", "User")
    accounts = apps.get_model("socialaccount", "SocialAccount").objects.order_by("user_id", "-last_login")
    signed_in = {}
    for account in accounts.iterator(_BATCH):
        signed_in.setdefault(account.user_id, account)
    holders, batch = set(), []
    fields = ["provider", "issuer", "subject", "claimed_email", "claimed_username", "email_trusted"]
    for user in User.objects.order_by("-is_active", "pk").iterator(_BATCH):
        trusted = True
        if account := signed_in.get(user.pk):
            token, claims = _said(account)
            if issuer := _text(token, "iss", 500):
                user.provider, user.issuer, user.subject = account.provider[:32], issuer, account.uid[:191]
            if str(claims.get("email_verified")).casefold() != "false":
                user.claimed_email = _text({**claims, **token}, "email", 254)
            user.claimed_username = _text({**claims, **token}, "preferred_username", 255)
            trusted = _is_trusted(claims.get("email_verified"))
        address = user.email.lower()
        user.email_trusted = trusted and address not in holders
        if user.email_trusted:
            holders.add(address)
        batch.append(user)
        if len(batch) == _BATCH:
            User.objects.bulk_update(batch, fields)
            batch = []
    User.objects.bulk_update(batch, fields)


def link_members(apps, schema_editor):
    """Link the owner's own membership to the owner, and others to the account that is known to hold their address."""
    User, Member = (apps.get_model("environments", name) for name in ("User", "Member"))
    people = User.objects.filter(email_trusted=True, is_active=True)
    holders = {email.lower(): pk for pk, email in people.values_list("pk", "email")}
    seen, batch = set(), []
    rows = Member.objects.filter(person=None).select_related("environment__owner").order_by("environment_id", "pk")
    rows = rows.only("email", "person", "environment__owner__email")
    for member in rows.iterator(_BATCH):
        owner, address = member.environment.owner, member.email.lower()
        person = owner.pk if address == owner.email.lower() else holders.get(address)
        if person is None or (member.environment_id, person) in seen:
            continue
        seen.add((member.environment_id, person))
        member.person_id = person
        batch.append(member)
        if len(batch) == _BATCH:
            Member.objects.bulk_update(batch, ["person"])
            batch = []
    Member.objects.bulk_update(batch, ["person"])


class Migration(migrations.Migration):
    dependencies = [
        ("environments", "0018_people_by_key"),
        ("socialaccount", "0006_alter_socialaccount_extra_data"),
    ]

    operations = [
        migrations.RunPython(give_keys, migrations.RunPython.noop),
        migrations.RunPython(link_members, migrations.RunPython.noop),
    ]
