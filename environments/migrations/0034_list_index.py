"""Indexes that pages read instead of the rows, which are wide: the list, in place of the newest, and leavers' ones."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('environments', "0031_strangers"),
    ]

    operations = [
        migrations.AddIndex(
            model_name='environment',
            index=models.Index(fields=['-created_at', 'id', 'phase', 'owner', 'team', 'cluster', 'version'], name='environment_list'),
        ),
        migrations.AddIndex(
            model_name='environment',
            index=models.Index(condition=models.Q(('orphaned_at__isnull', False)), fields=['orphaned_at'], name='environment_orphaned'),
        ),
        migrations.RemoveIndex(
            model_name='environment',
            name='environment_newest',
        ),
    ]
