"""Kinds of activity get a name in Python. Columns and values stay as they are: no SQL runs.

So the version before reads and writes the same rows during a rollout.
"""

from django.db import migrations, models

_ACTIVITIES = [
    ('Requested', 'Requested'),
    ('Reminded', 'Reminder sent'),
    ('Approved', 'Approved'),
    ('Rejected', 'Rejected'),
    ('Withdrawn', 'Withdrawn'),
    ('Ready', 'Ready'),
    ('Degraded', 'Degraded'),
    ('Failed', 'Failed'),
    ('Drift', 'Changed by hand'),
    ('Repaired', 'Repaired'),
    ('Access', 'Access changed'),
    ('Kubeconfig', 'Kubeconfig downloaded'),
    ('Revoked', 'Tokens revoked'),
    ('Token', 'Token'),
    ('Handover', 'Owner changed'),
    ('Moved', 'Version changed'),
    ('Alerts', 'Alerts changed'),
    ('Retry', 'Check requested'),
    ('Quota', 'Quota nearly full'),
    ('Orphaned', 'Orphaned'),
    ('Owned', 'Owner returned'),
    ('Extended', 'Extended'),
    ('Ended', 'Expired'),
    ('Cluster lost', 'Cluster lost'),
    ('Delete', 'Deletion requested'),
    ('Deleted', 'Deleted'),
    ('Cleaned', 'Cleaned up'),
]
_TEMPLATE_ACTIVITIES = [
    ('Draft', 'Draft created'),
    ('Edit', 'Draft edited'),
    ('Discard', 'Draft discarded'),
    ('Publish', 'Published'),
    ('Retire', 'Retired'),
    ('Card', 'Card changed'),
]


def _rename(model, choices):
    """The field `kind`, on the column that was the field `verb`."""
    field = models.CharField(choices=choices, db_column='verb', max_length=40)
    return [migrations.AlterField(model, 'verb', field), migrations.RenameField(model, 'verb', 'kind')]


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0011_words'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[*_rename('event', _ACTIVITIES), *_rename('templateevent', _TEMPLATE_ACTIVITIES)],
        ),
    ]
