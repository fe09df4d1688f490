"""A person is provider, issuer and subject; members are linked to people; a team has groups at each provider.

An address stays unique among local accounts, and among accounts that are known to hold theirs. New columns have a
default in the database: the version before writes rows without them during a rollout.
"""


import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('environments', '0017_publish_checks'),
    ]

    operations = [
        migrations.CreateModel(
            name='TeamGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(max_length=32, verbose_name='identity provider')),
                ('group', models.CharField(help_text='This value in the groups claim makes people of this provider members.', max_length=255)),
                ('manager_group', models.CharField(blank=True, help_text='This value in the groups claim makes people of this provider managers.', max_length=255)),
            ],
            options={
                'verbose_name': 'group at a further identity provider',
                'verbose_name_plural': 'groups at further identity providers',
                'ordering': ('provider',),
            },
        ),
        migrations.CreateModel(
            name='UnlinkedIdentity',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(max_length=32, verbose_name='identity provider')),
                ('issuer', models.CharField(max_length=500)),
                ('subject', models.CharField(max_length=191)),
                ('email', models.CharField(blank=True, help_text='As the provider sent it.', max_length=254, verbose_name='email address')),
                ('email_trusted', models.BooleanField(default=False, verbose_name='address verified')),
                ('username', models.CharField(blank=True, max_length=255, verbose_name='user name')),
                ('name', models.CharField(blank=True, max_length=300)),
                ('first_seen_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='first sign-in')),
                ('last_seen_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='last sign-in')),
                ('outcome', models.CharField(blank=True, choices=[('linked', 'Linked to an account'), ('separate', 'Another person')], max_length=8)),
                ('decided_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name_plural': 'unlinked identities',
                'ordering': ('-last_seen_at',),
            },
        ),
        migrations.RemoveConstraint(
            model_name='member',
            name='one_member_per_email',
        ),
        migrations.AddField(
            model_name='member',
            name='account_name',
            field=models.CharField(blank=True, db_default='', default='', help_text='Its name. Empty: the one that follows from the address.', max_length=63),
        ),
        migrations.AddField(
            model_name='member',
            name='address_lost',
            field=models.BooleanField(db_default=False, default=False, help_text="The address has become another person's, so no role binding names it."),
        ),
        migrations.AddField(
            model_name='member',
            name='directory_email',
            field=models.CharField(blank=True, db_default='', default='', help_text='The address as the directory spells it.', max_length=254),
        ),
        migrations.AddField(
            model_name='member',
            name='person',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='memberships', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='user',
            name='claimed_email',
            field=models.CharField(blank=True, db_default='', default='', editable=False, help_text='The claim `email` as the provider spells it, which is how a cluster compares it.', max_length=254),
        ),
        migrations.AddField(
            model_name='user',
            name='claimed_username',
            field=models.CharField(blank=True, db_default='', default='', editable=False, help_text='The claim `preferred_username`, as sent.', max_length=255),
        ),
        migrations.AddField(
            model_name='user',
            name='email_trusted',
            field=models.BooleanField(db_default=False, default=True, editable=False, help_text='Whether the address is known to be theirs. What is shared with an address needs that.', verbose_name='address trusted'),
        ),
        migrations.AddField(
            model_name='user',
            name='groups_problem',
            field=models.CharField(blank=True, db_default='', default='', editable=False, help_text='Why the last sign-in brought no groups, or not all of them.', max_length=300),
        ),
        migrations.AddField(
            model_name='user',
            name='issuer',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=500),
        ),
        migrations.AddField(
            model_name='user',
            name='provider',
            field=models.CharField(blank=True, db_default='', default='', editable=False, help_text='Empty: a local account.', max_length=32, verbose_name='identity provider'),
        ),
        migrations.AddField(
            model_name='user',
            name='subject',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=191),
        ),
        migrations.AddField(
            model_name='user',
            name='token_claims',
            field=models.JSONField(blank=True, db_default={}, default=dict, editable=False, help_text='The claims that are text, as sent.'),
        ),
        migrations.AlterField(
            model_name='user',
            name='email',
            field=models.EmailField(max_length=254, verbose_name='email address'),
        ),
        migrations.AddConstraint(
            model_name='member',
            constraint=models.UniqueConstraint(condition=models.Q(('person', None)), fields=('environment', 'email'), name='one_member_per_address'),
        ),
        migrations.AddConstraint(
            model_name='member',
            constraint=models.UniqueConstraint(fields=('environment', 'person'), name='one_member_per_person'),
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.UniqueConstraint(condition=models.Q(('subject', ''), _negated=True), fields=('provider', 'issuer', 'subject'), name='one_account_per_key'),
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.UniqueConstraint(condition=models.Q(('provider', '')), fields=('email',), name='one_local_account_per_address'),
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.UniqueConstraint(django.db.models.functions.text.Lower('email'), condition=models.Q(('email_trusted', True)), name='one_holder_per_address'),
        ),
        migrations.AddField(
            model_name='teamgroup',
            name='team',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='further_groups', to='environments.team'),
        ),
        migrations.AddField(
            model_name='unlinkedidentity',
            name='account',
            field=models.ForeignKey(help_text='The account it may belong to.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='unlinkedidentity',
            name='decided_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='teamgroup',
            constraint=models.UniqueConstraint(fields=('provider', 'group'), name='one_team_per_provider_group'),
        ),
        migrations.AddConstraint(
            model_name='unlinkedidentity',
            constraint=models.UniqueConstraint(fields=('provider', 'issuer', 'subject'), name='one_unlinked_identity_per_key'),
        ),
    ]
