"""A kind of activity for a person whose name at the identity provider changed."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0019_link_people'),
    ]

    operations = [
        migrations.AlterField(
            model_name='event',
            name='kind',
            field=models.CharField(choices=[('Requested', 'Requested'), ('Reminded', 'Reminder sent'), ('Approved', 'Approved'), ('Rejected', 'Rejected'), ('Withdrawn', 'Withdrawn'), ('Ready', 'Ready'), ('Degraded', 'Degraded'), ('Failed', 'Failed'), ('Drift', 'Changed by hand'), ('Mutated', 'Changed by the cluster'), ('Repaired', 'Repaired'), ('Access', 'Access changed'), ('Name', 'Name changed'), ('Kubeconfig', 'Kubeconfig downloaded'), ('Revoked', 'Tokens revoked'), ('Token', 'Token'), ('Handover', 'Owner changed'), ('Moved', 'Version changed'), ('Alerts', 'Alerts changed'), ('Retry', 'Check requested'), ('Quota', 'Quota nearly full'), ('Orphaned', 'Orphaned'), ('Owned', 'Owner returned'), ('Extended', 'Extended'), ('Ended', 'Expired'), ('Cluster lost', 'Cluster lost'), ('Delete', 'Deletion requested'), ('Deleted', 'Deleted'), ('Cleaned', 'Cleaned up')], db_column='verb', max_length=40),
        ),
    ]
