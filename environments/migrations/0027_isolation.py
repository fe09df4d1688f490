"""What the network of each cluster does with NetworkPolicies, and the test that finds it out.

New columns have defaults in the database: the version before writes rows without them during a rollout.
"""

import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0026_approvals_to_decide_on'),
    ]

    operations = [
        migrations.AddField(
            model_name='cluster',
            name='isolation',
            field=models.CharField(blank=True, choices=[('enforced', 'enforced'), ('none', 'not enforced'), ('ingress', 'enforced for incoming traffic only'), ('egress', 'enforced for outgoing traffic only'), ('no_dns', 'enforced, but DNS is blocked'), ('dns_open', 'enforced, except for DNS'), ('unclear', 'inconclusive')], db_default='', default='', editable=False, help_text='What its network does with NetworkPolicies, by the last test with a result. Empty: not tested.', max_length=10),
        ),
        migrations.AddField(
            model_name='cluster',
            name='isolation_tested_at',
            field=models.DateTimeField(blank=True, editable=False, help_text='When that test ended.', null=True),
        ),
        migrations.CreateModel(
            name='IsolationTest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('run', models.UUIDField(default=uuid.uuid4)),
                ('turn', models.PositiveIntegerField(default=0)),
                ('state', models.CharField(choices=[('running', 'Running'), ('removing', 'Removing its pods'), ('over', 'Over')], default='running', max_length=10)),
                ('step', models.CharField(default='arrange', max_length=20)),
                ('since', models.DateTimeField(default=django.utils.timezone.now, help_text='When this step began.')),
                ('image', models.TextField()),
                ('address', models.CharField(blank=True, help_text='Of the pod that listens.', max_length=64)),
                ('listener', models.CharField(blank=True, help_text='The uid of the pod that listens.', max_length=64)),
                ('found', models.JSONField(default=dict, help_text="For each stage, the exit codes of the client's containers.")),
                ('losses', models.PositiveSmallIntegerField(default=0, help_text='How often its worker or its workbench was lost.')),
                ('patience', models.FloatField(default=0, help_text='Seconds left to wait for a cluster that does not answer.')),
                ('result', models.CharField(blank=True, choices=[('enforced', 'enforced'), ('none', 'not enforced'), ('ingress', 'enforced for incoming traffic only'), ('egress', 'enforced for outgoing traffic only'), ('no_dns', 'enforced, but DNS is blocked'), ('dns_open', 'enforced, except for DNS'), ('unclear', 'inconclusive')], max_length=10)),
                ('message', models.CharField(blank=True, help_text='The result as a sentence.', max_length=900)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('ended_at', models.DateTimeField(help_text='When it had its result.', null=True)),
                ('at', models.DateTimeField(default=django.utils.timezone.now, help_text='Its last progress.')),
                ('asked_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('cluster', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='isolation_test', to='environments.cluster')),
            ],
        ),
    ]
