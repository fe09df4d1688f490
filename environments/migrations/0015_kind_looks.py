"""When each kind of object on a cluster was last read in full, and the manifests that were last applied.

The columns have defaults in the database: the version before writes rows without them during a rollout.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0014_drift'),
    ]

    operations = [
        migrations.AddField(
            model_name='cluster',
            name='kind_looks',
            field=models.JSONField(blank=True, db_default={}, default=dict, editable=False, help_text='For each kind of object, when the portal last read all of them, and why it no longer can.'),
        ),
        migrations.AddField(
            model_name='environment',
            name='applied_digests',
            field=models.JSONField(blank=True, db_default={}, default=dict, editable=False),
        ),
    ]
