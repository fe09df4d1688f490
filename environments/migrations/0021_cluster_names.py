"""How a cluster names people and groups, what is seen of real sign-ins, and who lost a role.

The columns have defaults in the database: the version before writes rows without them during a rollout.
"""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0020_name_changed'),
    ]

    operations = [
        migrations.AddField(
            model_name='cluster',
            name='bind_groups',
            field=models.BooleanField(db_default=True, default=True, help_text='Without groups, members have access by name alone, and a removed member loses it at once, not when their token ends.', verbose_name='name groups in role bindings'),
        ),
        migrations.AddField(
            model_name='cluster',
            name='groups_by',
            field=models.CharField(choices=[('name', "The group's name"), ('path', "The group's full path, for example /name (Keycloak)"), ('id', "The directory's ID of the group (Entra ID)")], db_default='name', default='name', help_text='How the identity provider writes a group in that claim.', max_length=8, verbose_name='groups claim holds'),
        ),
        migrations.AddField(
            model_name='cluster',
            name='groups_claim',
            field=models.CharField(db_default='groups', default='groups', help_text="The claim that holds a person's groups (--oidc-groups-claim).", max_length=200, validators=[django.core.validators.RegexValidator('^[^\\s\\x00-\\x1f]+\\Z', 'Enter the name of one claim, for example groups.')]),
        ),
        migrations.AddField(
            model_name='cluster',
            name='id_token_minutes',
            field=models.PositiveIntegerField(blank=True, help_text="How long the identity provider's ID tokens are valid. Empty: the longest that the portal has seen.", null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(43200)], verbose_name='token lifetime (minutes)'),
        ),
        migrations.AddField(
            model_name='cluster',
            name='username_lowercase',
            field=models.BooleanField(db_default=False, default=False, help_text='The API server lower-cases the claim: claims.email.lowerAscii(). Otherwise names keep its spelling.', verbose_name='user names in lower case'),
        ),
        migrations.AlterField(
            model_name='cluster',
            name='groups_prefix',
            field=models.CharField(blank=True, help_text='What the API server puts before group names, for example oidc: (--oidc-groups-prefix). A hyphen means none; given to that flag, it would be a prefix.', max_length=200),
        ),
        migrations.AlterField(
            model_name='cluster',
            name='username_claim',
            field=models.CharField(default='email', help_text='The claim that the API server makes the user name of: email, sub, preferred_username or another (--oidc-username-claim).', max_length=200, validators=[django.core.validators.RegexValidator('^[^\\s\\x00-\\x1f]+\\Z', 'Enter the name of one claim, for example email.')]),
        ),
        migrations.AlterField(
            model_name='cluster',
            name='username_prefix',
            field=models.CharField(blank=True, help_text='What the API server puts before user names, for example oidc: (--oidc-username-prefix). A hyphen means none.', max_length=200),
        ),
        migrations.CreateModel(
            name='Departure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('email', models.EmailField(max_length=254)),
                ('role', models.CharField(choices=[('admin', 'Admin'), ('developer', 'Developer'), ('viewer', 'Viewer')], max_length=12)),
                ('left_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('out_at', models.DateTimeField(help_text="When the directory's group no longer had them: no newer token names it.", null=True)),
                ('environment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='departures', to='environments.environment')),
            ],
            options={
                'ordering': ('left_at', 'id'),
            },
        ),
        migrations.CreateModel(
            name='TokenCheck',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('whoami', 'What the API server calls them'), ('claims', 'What the token says')], max_length=8)),
                ('content', models.JSONField(help_text='User name and groups, or the claims that make them.')),
                ('lifetime_seconds', models.PositiveIntegerField(help_text='How long the token is valid, if it says so.', null=True)),
                ('seen_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('cluster', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='token_checks', to='environments.cluster')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='token_checks', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('cluster', 'user', 'kind'), name='one_token_check_per_kind')],
            },
        ),
    ]
