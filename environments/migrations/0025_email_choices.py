"""When people want to get which emails, the emails that wait for their moment, and a kind of activity.

The column has a default in the database: the version before writes rows without it during a rollout.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0024_alerts_that_last'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='email_choices',
            field=models.JSONField(blank=True, db_default={}, default=dict, editable=False, help_text='Email topic -> when they want to get it (lib/emails.py). Topics that are missing: at once.'),
        ),
        migrations.AlterField(
            model_name='event',
            name='kind',
            field=models.CharField(choices=[('Requested', 'Requested'), ('Reminded', 'Reminder sent'), ('Approved', 'Approved'), ('Rejected', 'Rejected'), ('Withdrawn', 'Withdrawn'), ('Ready', 'Ready'), ('Degraded', 'Degraded'), ('Failed', 'Failed'), ('Drift', 'Changed by hand'), ('Mutated', 'Changed by the cluster'), ('Repaired', 'Repaired'), ('Access', 'Access changed'), ('Name', 'Name changed'), ('Access requested', 'Access requested'), ('Access declined', 'Access declined'), ('Left', 'Member left'), ('Details', 'Details changed'), ('Kubeconfig', 'Kubeconfig downloaded'), ('Revoked', 'Tokens revoked'), ('Token', 'Token'), ('Handover', 'Owner changed'), ('Moved', 'Version changed'), ('Alerts', 'Alerts changed'), ('Retry', 'Check requested'), ('Quota', 'Quota nearly full'), ('Orphaned', 'Orphaned'), ('Owned', 'Owner returned'), ('Extended', 'Extended'), ('Ends soon', 'Expires soon'), ('Ended', 'Expired'), ('Cluster lost', 'Cluster lost'), ('Delete', 'Deletion requested'), ('Deleted', 'Deleted'), ('Cleaned', 'Cleaned up')], db_column='verb', max_length=40),
        ),
        migrations.CreateModel(
            name='Letter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address', models.EmailField(max_length=254)),
                ('due_at', models.DateTimeField()),
                ('tried_at', models.DateTimeField(help_text='When a worker last tried to send it.', null=True)),
                ('sent_at', models.DateTimeField(help_text='When it was sent, or found to be out of date.', null=True)),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='letters', to='environments.event')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('sent_at', None)), fields=['due_at'], name='letter_due')],
                'constraints': [models.UniqueConstraint(fields=('address', 'event'), name='one_letter_per_event')],
            },
        ),
    ]
