"""Checks of drafts on clusters before they are published, and the namespace on each cluster that they use.

New columns have defaults in the database: the version before writes rows without them during a rollout.
"""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0016_host_names'),
    ]

    operations = [
        migrations.AddField(
            model_name='cluster',
            name='workbench_lease',
            field=models.UUIDField(blank=True, editable=False, help_text='The check that uses the workbench namespace now.', null=True),
        ),
        migrations.AddField(
            model_name='cluster',
            name='workbench_namespace',
            field=models.CharField(db_default='allotment-workbench', default='allotment-workbench', help_text='The portal creates this namespace, and checks templates in it before they are published.', max_length=63, validators=[django.core.validators.RegexValidator('\\A[a-z0-9]([a-z0-9-]*[a-z0-9])?\\Z', 'Use for example allotment-workbench.')]),
        ),
        migrations.AddField(
            model_name='cluster',
            name='workbench_until',
            field=models.DateTimeField(blank=True, editable=False, help_text='After this time, another check can use it.', null=True),
        ),
        migrations.AlterField(
            model_name='templateevent',
            name='kind',
            field=models.CharField(choices=[('Draft', 'Draft created'), ('Edit', 'Draft edited'), ('Discard', 'Draft discarded'), ('Check', 'Checked on clusters'), ('Publish', 'Published'), ('Retire', 'Retired'), ('Card', 'Card changed')], db_column='verb', max_length=40),
        ),
        migrations.CreateModel(
            name='PublishCheck',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(help_text='The content that it is about.', max_length=32)),
                ('state', models.CharField(choices=[('running', 'Running'), ('refused', 'Rejected'), ('stopped', 'Waiting for a decision'), ('published', 'Published')], default='running', max_length=12)),
                ('message', models.CharField(blank=True, help_text='Why it ended as it did.', max_length=500)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('asked_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('version', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='publish_check', to='environments.templateversion')),
            ],
        ),
        migrations.CreateModel(
            name='ClusterVerdict',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('run', models.UUIDField(default=uuid.uuid4)),
                ('turn', models.PositiveIntegerField(default=0)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('checking', 'Checking'), ('checked', 'Checked'), ('refused', 'Rejected'), ('unreachable', 'Not checked')], default='waiting', max_length=12)),
                ('position', models.PositiveIntegerField(default=0, help_text='How many samples were tried.')),
                ('tries', models.PositiveIntegerField(default=0, help_text='How often the next one was tried.')),
                ('patience', models.FloatField(default=0, help_text='Seconds left to wait for a cluster that does not answer.')),
                ('results', models.JSONField(default=list, help_text='What the cluster said of each sample.')),
                ('message', models.CharField(blank=True, help_text='Why it could not be checked.', max_length=500)),
                ('is_waived', models.BooleanField(default=False, help_text='To be published without this check.')),
                ('at', models.DateTimeField(default=django.utils.timezone.now, help_text='Its last progress.')),
                ('cluster', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='environments.cluster')),
                ('check_of', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='verdicts', to='environments.publishcheck')),
            ],
            options={
                'ordering': ('cluster__name',),
                'constraints': [models.UniqueConstraint(fields=('check_of', 'cluster'), name='one_verdict_per_cluster')],
            },
        ),
    ]
