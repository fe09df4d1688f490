"""Sessions by what identity providers call them, so that a provider can end them."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0027_isolation'),
        ('sessions', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='UsedLogoutToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(max_length=32, verbose_name='identity provider')),
                ('digest', models.CharField(help_text="SHA-256 of the issuer and the token's ID.", max_length=64)),
                ('expires_at', models.DateTimeField(db_index=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('provider', 'digest'), name='one_use_per_logout_token')],
            },
        ),
        migrations.CreateModel(
            name='ProviderSession',
            fields=[
                ('session', models.OneToOneField(on_delete=django.db.models.deletion.DB_CASCADE, primary_key=True, related_name='+', serialize=False, to='sessions.session')),
                ('provider', models.CharField(max_length=32, verbose_name='identity provider')),
                ('issuer', models.CharField(max_length=500)),
                ('subject', models.CharField(max_length=191)),
                ('sid', models.CharField(blank=True, max_length=255, verbose_name='session ID at the provider')),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.DB_CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index(fields=['provider', 'subject'], name='provider_session_subject'), models.Index(fields=['provider', 'sid'], name='provider_session_sid')],
            },
        ),
    ]
