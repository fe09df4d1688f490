"""Patterns for host names of a cluster, and a reconcile for each environment.

The column has a default in the database: the version before writes rows without it during a rollout. From this version
on, environments have a quota of critical pods where a cluster has no policy for them. They are owed it, because the
next pass would take the quotas that are missing for deleted by hand.
"""

from django.db import migrations, models


def owe(apps, schema_editor):
    """One more reconcile for what is there."""
    environments = apps.get_model("environments", "Environment").objects.using(schema_editor.connection.alias)
    environments.filter(phase__in=("Ready", "Degraded")).update(generation=models.F("generation") + 1)


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0015_kind_looks'),
    ]

    operations = [
        migrations.AddField(
            model_name='cluster',
            name='host_names',
            field=models.CharField(blank=True, db_default='', default='', help_text='What Ingresses and routes of an environment can use, for example *.${namespace}.apps.example.com. Empty: any host name, also those of other environments.', max_length=1000),
        ),
        migrations.RunPython(owe, migrations.RunPython.noop),
    ]
