"""Questions and stand-ins, the escalation of a request, and how much storage and how many GPUs a quota grants.

All new columns may be NULL: the version before writes rows without them during a rollout. What a NULL reserves counts
as nothing.
"""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from environments.actions import placement
from environments.spec import parse_stored, render_quota


def fill(apps, schema_editor):
    """Work out what the environments that there are reserve."""
    environments = apps.get_model("environments", "Environment").objects.exclude(
        phase__in=("Deleted", "Rejected", "Withdrawn")
    )
    batch = []
    for row in environments.only("spec", "size", "parameters").iterator(chunk_size=500):
        try:
            hard = render_quota(parse_stored(row.spec), row.size, row.parameters)
            found = placement.columns(hard)
        except ValueError:  # what this version of the portal cannot read, it cannot add up either
            continue
        row.reserved_storage, row.reserved_gpus = found["reserved_storage"], found["reserved_gpus"]
        batch.append(row)
        if len(batch) == 500:
            environments.bulk_update(batch, ["reserved_storage", "reserved_gpus"])
            batch = []
    environments.bulk_update(batch, ["reserved_storage", "reserved_gpus"])


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0025_email_choices'),
    ]

    operations = [
        migrations.AddField(
            model_name='environment',
            name='decided_for',
            field=models.ForeignKey(blank=True, help_text='The absent manager for whom a stand-in decided.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='environment',
            name='escalated_at',
            field=models.DateTimeField(blank=True, editable=False, help_text='When platform admins were asked, too.', null=True),
        ),
        migrations.AddField(
            model_name='environment',
            name='reserved_gpus',
            field=models.BigIntegerField(editable=False, help_text='GPUs that the quota grants.', null=True),
        ),
        migrations.AddField(
            model_name='environment',
            name='reserved_storage',
            field=models.BigIntegerField(editable=False, help_text='Bytes that the quota grants.', null=True),
        ),
        migrations.AddField(
            model_name='user',
            name='stands_in_until',
            field=models.DateField(blank=True, editable=False, help_text='The last day on which they decide for an absent manager.', null=True),
        ),
        migrations.AlterField(
            model_name='event',
            name='kind',
            field=models.CharField(choices=[('Requested', 'Requested'), ('Reminded', 'Reminder sent'), ('Escalated', 'Escalated to platform admins'), ('Question', 'Question asked'), ('Answer', 'Question answered'), ('Approved', 'Approved'), ('Rejected', 'Rejected'), ('Withdrawn', 'Withdrawn'), ('Ready', 'Ready'), ('Degraded', 'Degraded'), ('Failed', 'Failed'), ('Drift', 'Changed by hand'), ('Mutated', 'Changed by the cluster'), ('Repaired', 'Repaired'), ('Access', 'Access changed'), ('Name', 'Name changed'), ('Access requested', 'Access requested'), ('Access declined', 'Access declined'), ('Left', 'Member left'), ('Details', 'Details changed'), ('Kubeconfig', 'Kubeconfig downloaded'), ('Revoked', 'Tokens revoked'), ('Token', 'Token'), ('Handover', 'Owner changed'), ('Moved', 'Version changed'), ('Alerts', 'Alerts changed'), ('Retry', 'Check requested'), ('Quota', 'Quota nearly full'), ('Orphaned', 'Orphaned'), ('Owned', 'Owner returned'), ('Extended', 'Extended'), ('Ends soon', 'Expires soon'), ('Ended', 'Expired'), ('Cluster lost', 'Cluster lost'), ('Delete', 'Deletion requested'), ('Deleted', 'Deleted'), ('Cleaned', 'Cleaned up')], db_column='verb', max_length=40),
        ),
        migrations.CreateModel(
            name='Question',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('text', models.CharField(max_length=500)),
                ('answer', models.CharField(blank=True, default='', max_length=500)),
                ('answered_at', models.DateTimeField(null=True)),
                ('asked_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('environment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='questions', to='environments.environment')),
            ],
            options={
                'ordering': ('asked_at', 'id'),
                'constraints': [models.UniqueConstraint(condition=models.Q(('answered_at', None)), fields=('environment',), name='one_open_question_per_request')],
            },
        ),
        migrations.CreateModel(
            name='StandIn',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('last_day', models.DateField(help_text='They decide until the end of this day (UTC).')),
                ('named_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('told_at', models.DateTimeField(help_text='When the stand-in got the email about it.', null=True)),
                ('ended_at', models.DateTimeField(help_text='When it was ended early, or replaced.', null=True)),
                ('absent', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='stand_ins', to=settings.AUTH_USER_MODEL)),
                ('ended_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('named_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='stood_in', to=settings.AUTH_USER_MODEL, verbose_name='stand-in')),
            ],
            options={
                'verbose_name': 'stand-in',
                'ordering': ('-named_at', '-id'),
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('absent',), name='one_stand_in_per_manager')],
            },
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
