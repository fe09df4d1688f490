"""Old and new code run side by side during an upgrade: a migration must leave the version before able to write."""

import pytest
from django.apps import apps
from django.db import connection, models
from django.db.migrations import operations
from django.db.migrations.loader import MigrationLoader

APPS = ("environments", "portal")
FIRST = {("environments", "0001_initial")}

#: What the version before may still use. Take it away one release after the code stopped using it: add the migration
#: here with the release in which its last use went.
CONTRACTIONS: dict[tuple[str, str], str] = {}

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


def unsafe(operation, new_models=()):
    """Why the version before could not go on working, or nothing. It knows nothing of new models."""
    if isinstance(operation, _TAKES_AWAY):
        return f"{operation.describe()}: the version before still uses it"
    if isinstance(operation, operations.AddField | operations.AlterField):
        field = operation.field
        fills_itself = field.null or field.has_db_default() or field.primary_key or field.many_to_many
        if not fills_itself:
            return f"{operation.describe()}: the version before writes rows without it (null=True, or a db_default)"
    if isinstance(operation, operations.AddConstraint) and operation.model_name not in new_models:
        return f"{operation.describe()}: rows that the version before writes may break it"
    return ""


@pytest.mark.parametrize("migration", migrations())
def test_the_version_before_can_go_on_writing(migration):
    key = (migration.app_label, migration.name)
    new_models = {made.name_lower for made in migration.operations if isinstance(made, operations.CreateModel)}
    found = [reason for operation in migration.operations if (reason := unsafe(operation, new_models))]
    assert not found or key in CONTRACTIONS, "\n".join(found)


@pytest.mark.parametrize(
    ("operation", "safe"),
    [
        (operations.AddField("environment", "x", models.TextField()), False),
        (operations.AddField("environment", "x", models.TextField(default="")), False),
        (operations.AddField("environment", "x", models.TextField(default="", db_default="")), True),
        (operations.AddField("environment", "x", models.TextField(null=True)), True),
        (operations.RemoveField("environment", "name"), False),
        (operations.RenameField("environment", "name", "title"), False),
        (operations.AddIndex("environment", models.Index(fields=["name"], name="x")), True),
    ],
)
def test_the_check_knows_what_is_safe(operation, safe):
    assert (unsafe(operation) == "") is safe


@pytest.mark.django_db
def test_the_database_fills_new_columns_by_itself():
    """What Django writes for the version before leaves these columns out."""
    model = apps.get_model("environments", "Environment")
    with connection.cursor() as cursor:
        columns = {
            column.name: column
            for column in connection.introspection.get_table_description(cursor, model._meta.db_table)
        }
    for name in ("alerts", "alert_warn", "alert_bad", "alert_state"):
        assert columns[name].default is not None, name
