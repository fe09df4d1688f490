"""One index that the list of environments reads instead of the rows, which are wide. It replaces that of the newest."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0027_isolation'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='environment',
            index=models.Index(fields=['-created_at', 'id', 'phase', 'owner', 'team', 'cluster', 'version'], name='environment_list'),
        ),
        migrations.RemoveIndex(
            model_name='environment',
            name='environment_newest',
        ),
    ]
