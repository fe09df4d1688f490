"""A SCIM server of django-scim2: `python -m scim_django.serve` in the environment of requirements/scim-django.txt."""

from wsgiref.simple_server import make_server

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

if __name__ == "__main__":
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    make_server("127.0.0.1", settings.PORT, get_wsgi_application()).serve_forever()
