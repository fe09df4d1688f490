"""What an environment's objects have otherwise than wanted, and a kind of activity for what a cluster changes.

The column has a default in the database: the version before writes rows without it during a rollout.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0013_directory_trial'),
    ]

    operations = [
        migrations.AddField(
            model_name='environment',
            name='drift',
            field=models.JSONField(blank=True, db_default=[], default=list, editable=False, help_text='What its objects on the cluster have otherwise than wanted, field by field.'),
        ),
        migrations.AlterField(
            model_name='event',
            name='kind',
            field=models.CharField(choices=[('Requested', 'Requested'), ('Reminded', 'Reminder sent'), ('Approved', 'Approved'), ('Rejected', 'Rejected'), ('Withdrawn', 'Withdrawn'), ('Ready', 'Ready'), ('Degraded', 'Degraded'), ('Failed', 'Failed'), ('Drift', 'Changed by hand'), ('Mutated', 'Changed by the cluster'), ('Repaired', 'Repaired'), ('Access', 'Access changed'), ('Kubeconfig', 'Kubeconfig downloaded'), ('Revoked', 'Tokens revoked'), ('Token', 'Token'), ('Handover', 'Owner changed'), ('Moved', 'Version changed'), ('Alerts', 'Alerts changed'), ('Retry', 'Check requested'), ('Quota', 'Quota nearly full'), ('Orphaned', 'Orphaned'), ('Owned', 'Owner returned'), ('Extended', 'Extended'), ('Ended', 'Expired'), ('Cluster lost', 'Cluster lost'), ('Delete', 'Deletion requested'), ('Deleted', 'Deleted'), ('Cleaned', 'Cleaned up')], db_column='verb', max_length=40),
        ),
    ]
