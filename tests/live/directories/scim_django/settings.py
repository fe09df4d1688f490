"""Settings as the documentation of django-scim2 asks for them, with a database in memory."""

import os

SECRET_KEY = TOKEN = os.environ["SCIM_TOKEN"]
PORT = int(os.environ["SCIM_PORT"])
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django_scim", "scim_django"]
MIDDLEWARE = ["scim_django.urls.bearer", "django_scim.middleware.SCIMAuthCheckMiddleware"]
ROOT_URLCONF = "scim_django.urls"
AUTH_USER_MODEL = "scim_django.User"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
SCIM_SERVICE_PROVIDER = {
    "SCHEME": "http",
    "NETLOC": f"127.0.0.1:{PORT}",
    "AUTHENTICATION_SCHEMES": [{"type": "oauthbearertoken", "name": "token", "description": "A bearer token."}],
    "GROUP_MODEL": "scim_django.models.Group",
}
