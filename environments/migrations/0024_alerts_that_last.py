"""What alerts remember: levels that have not lasted yet, and the emails of the last day.

The columns have a default in the database: the version before writes rows without them during a rollout.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0023_access_requests'),
    ]

    operations = [
        migrations.AddField(
            model_name='environment',
            name='alert_mailed',
            field=models.JSONField(blank=True, db_default={}, default=dict, editable=False, help_text='Resource -> level and time of the last alert by email, for a day.'),
        ),
        migrations.AddField(
            model_name='environment',
            name='alert_rising',
            field=models.JSONField(blank=True, db_default={}, default=dict, editable=False, help_text='Resource -> levels that it has reached without an alert so far, each with the time since when.'),
        ),
    ]
