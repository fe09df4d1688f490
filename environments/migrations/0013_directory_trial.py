"""A directory's row keeps its last test. The version before writes rows without it."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0012_activity'),
    ]

    operations = [
        migrations.AddField(
            model_name='directory',
            name='trial',
            field=models.JSONField(blank=True, editable=False, help_text='The last test with an account (environments/actions).', null=True),
        ),
    ]
