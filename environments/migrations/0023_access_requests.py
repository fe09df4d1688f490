"""Requests for access, and kinds of activity for them, for members who leave and for edited details."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0022_kubeconfig'),
    ]

    operations = [
        migrations.AlterField(
            model_name='event',
            name='kind',
            field=models.CharField(choices=[('Requested', 'Requested'), ('Reminded', 'Reminder sent'), ('Approved', 'Approved'), ('Rejected', 'Rejected'), ('Withdrawn', 'Withdrawn'), ('Ready', 'Ready'), ('Degraded', 'Degraded'), ('Failed', 'Failed'), ('Drift', 'Changed by hand'), ('Mutated', 'Changed by the cluster'), ('Repaired', 'Repaired'), ('Access', 'Access changed'), ('Access requested', 'Access requested'), ('Access declined', 'Access declined'), ('Left', 'Member left'), ('Details', 'Details changed'), ('Kubeconfig', 'Kubeconfig downloaded'), ('Revoked', 'Tokens revoked'), ('Token', 'Token'), ('Handover', 'Owner changed'), ('Moved', 'Version changed'), ('Alerts', 'Alerts changed'), ('Retry', 'Check requested'), ('Quota', 'Quota nearly full'), ('Orphaned', 'Orphaned'), ('Owned', 'Owner returned'), ('Extended', 'Extended'), ('Ended', 'Expired'), ('Cluster lost', 'Cluster lost'), ('Delete', 'Deletion requested'), ('Deleted', 'Deleted'), ('Cleaned', 'Cleaned up')], db_column='verb', max_length=40),
        ),
        migrations.CreateModel(
            name='AccessRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('environment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='access_requests', to='environments.environment')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('asked_at', 'id'),
                'constraints': [models.UniqueConstraint(fields=('environment', 'person'), name='one_access_request_per_person')],
            },
        ),
    ]
