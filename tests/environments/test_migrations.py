"""Old and new code run side by side during an upgrade: a migration must leave the version before able to write."""

from importlib import import_module

import pytest
from allauth.socialaccount.models import SocialAccount
from django.apps import apps
from django.db import connection, models
from django.db.migrations import operations
from django.db.migrations.loader import MigrationLoader

from environments.lib.phases import Role
from environments.models import Member, User

APPS = ("environments", "portal")
FIRST = {("environments", "0001_initial")}

#: What the version before may still use. Take it away one release after the code stopped using it: add the migration
#: here with the release in which its last use went.
CONTRACTIONS: dict[tuple[str, str], str] = {}

#: Constraints on tables that the version before writes, and why none of its rows breaks them.
HARMLESS_CONSTRAINTS = {
    "one_member_per_address": "weaker than the one that it replaces",
    "one_member_per_person": "the version before writes no person, and NULLs differ",
    "one_account_per_key": "the version before writes no subject",
    "one_local_account_per_address": "weaker than the one that it replaces",
    "one_holder_per_address": "the version before trusts no address, and gives nobody one that another account has",
}

_TAKES_AWAY = (
    operations.RemoveField,
    operations.RenameField,
    operations.DeleteModel,
    operations.RenameModel,
    operations.AlterModelTable,
)


def migrations():
    loader = MigrationLoader(None)
    return [
        pytest.param(migration, id=".".join(key))
        for key, migration in sorted(loader.disk_migrations.items())
        if key[0] in APPS and key not in FIRST
    ]


def fills_itself(field):
    """Whether a row can be written without naming the column."""
    return field.null or field.has_db_default() or field.primary_key or field.many_to_many


def narrows(operation, before):
    """Whether a column takes less than it did, or has to be named since."""
    old, new = before.models["environments", operation.model_name_lower].fields[operation.name], operation.field
    lengths = [getattr(field, "max_length", None) or 0 for field in (old, new)]
    is_another = old.get_internal_type() != new.get_internal_type()
    return is_another or lengths[1] < lengths[0] or (fills_itself(old) and not fills_itself(new))


def unsafe(operation, new_models=(), before=None):
    """Why the version before could not go on working, or nothing. It knows nothing of new models.

    `before`: the state that the operation changes.
    """
    if isinstance(operation, _TAKES_AWAY):
        return f"{operation.describe()}: the version before still uses it"
    is_new = getattr(operation, "model_name_lower", "") in new_models
    if isinstance(operation, operations.AddField) and not fills_itself(operation.field) and not is_new:
        return f"{operation.describe()}: the version before writes rows without it (null=True, or a db_default)"
    if isinstance(operation, operations.AlterField) and narrows(operation, before):
        return f"{operation.describe()}: the version before may write what no longer fits"
    harmless = isinstance(operation, operations.AddConstraint) and operation.constraint.name in HARMLESS_CONSTRAINTS
    if isinstance(operation, operations.AddConstraint) and operation.model_name not in new_models and not harmless:
        return f"{operation.describe()}: rows that the version before writes may break it"
    return ""


@pytest.mark.parametrize("migration", migrations())
def test_the_version_before_can_go_on_writing(migration):
    key = (migration.app_label, migration.name)
    new_models = {made.name_lower for made in migration.operations if isinstance(made, operations.CreateModel)}
    before = MigrationLoader(None).project_state(key, at_end=False)
    found = [reason for operation in migration.operations if (reason := unsafe(operation, new_models, before))]
    assert not found or key in CONTRACTIONS, "\n".join(found)


@pytest.mark.parametrize(
    ("operation", "safe"),
    [
        (operations.AddField("environment", "x", models.TextField()), False),
        (operations.AddField("environment", "x", models.TextField(default="")), False),
        (operations.AddField("environment", "x", models.TextField(default="", db_default="")), True),
        (operations.AddField("environment", "x", models.TextField(null=True)), True),
        (operations.AlterField("environment", "name", models.CharField(max_length=80)), True),
        (operations.AlterField("environment", "name", models.CharField(max_length=59)), False),
        (operations.AlterField("environment", "name", models.IntegerField()), False),
        (operations.AlterField("environment", "ends_at", models.DateTimeField()), False),
        (operations.AlterField("environment", "ends_at", models.DateTimeField(null=True, db_index=True)), True),
        (operations.RemoveField("environment", "name"), False),
        (operations.RenameField("environment", "name", "title"), False),
        (operations.AddIndex("environment", models.Index(fields=["name"], name="x")), True),
    ],
)
def test_the_check_knows_what_is_safe(operation, safe):
    before = MigrationLoader(None).project_state(("environments", "0001_initial"))
    assert (unsafe(operation, before=before) == "") is safe


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "new_columns"),
    [
        ("Environment", ("alerts", "alert_warn", "alert_bad", "alert_state")),
        ("Cluster", ("admission_state", "admission_names", "admission_exempt", "admission_command")),
        ("Member", ("directory_email", "address_lost", "account_name")),
        ("User", ("provider", "issuer", "subject", "claimed_email", "token_claims", "email_trusted")),
    ],
)
def test_the_database_fills_new_columns_by_itself(name, new_columns):
    """What Django writes for the version before leaves these columns out."""
    model = apps.get_model("environments", name)
    with connection.cursor() as cursor:
        columns = {
            column.name: column
            for column in connection.introspection.get_table_description(cursor, model._meta.db_table)
        }
    for column in new_columns:
        assert columns[column].default is not None, column


class TestLinkingPeople:
    """What 0019 makes of rows that the version before wrote."""

    @pytest.fixture
    def migrate(self):
        module = import_module("environments.migrations.0019_link_people")

        def run():
            module.give_keys(apps, None)
            module.link_members(apps, None)

        return run

    def account(self, name, address, **claims):
        """A person as the version before left them."""
        user = User.objects.create(username=name, email=address, email_trusted=False)
        said = {"iss": "https://idp.example.com", "sub": f"s-{name}"} | claims
        SocialAccount.objects.create(user=user, provider="sso", uid=f"s-{name}", extra_data={"id_token": said})
        return user

    def test_gives_keys_and_names(self, db, migrate):
        sam = self.account("sam", "sam@example.com", email="Sam@Example.com", email_verified="true")
        root = User.objects.create(username="root", email="root@example.com", email_trusted=False)
        migrate()
        sam.refresh_from_db()
        root.refresh_from_db()
        assert (sam.provider, sam.issuer, sam.subject) == ("sso", "https://idp.example.com", "s-sam")
        assert (sam.claimed_email, sam.email_trusted) == ("Sam@Example.com", True)
        assert (root.provider, root.subject, root.email_trusted) == ("", "", True)

    @pytest.mark.parametrize(
        ("claims", "rule", "trusted"),
        [
            ({"email_verified": True}, "verified", True),
            ({}, "verified", False),
            ({}, "unless_unverified", True),
            ({"email_verified": False}, "unless_unverified", False),
            ({"email_verified": False}, "always", True),
        ],
    )
    def test_trusts_addresses_by_the_setting(self, make_environment, settings, migrate, claims, rule, trusted):
        settings.OIDC_EMAILS = rule
        sam = self.account("sam", "sam@example.com", **claims)
        member = Member.objects.create(environment=make_environment(), email="Sam@example.com", role=Role.VIEWER)
        migrate()
        sam.refresh_from_db()
        member.refresh_from_db()
        assert sam.email_trusted is trusted
        assert (member.person == sam) is trusted

    def test_links_owners_whatever_their_address_is_worth(self, make_environment, dana, migrate):
        SocialAccount.objects.create(user=dana, provider="sso", uid="d", extra_data={"id_token": {"sub": "d"}})
        environment = make_environment()
        environment.members.update(person=None)
        migrate()
        dana.refresh_from_db()
        assert environment.members.get(email=dana.email).person == dana
        assert (dana.subject, dana.email_trusted) == ("", False), "no issuer is known, and none is guessed"

    def test_gives_an_address_to_one_account_alone(self, db, migrate):
        User.objects.create(username="old", email="Sam@example.com", is_active=False, email_trusted=False)
        sam = self.account("sam", "sam@example.com", email_verified=True)
        migrate()
        assert list(User.objects.filter(email_trusted=True)) == [sam]
