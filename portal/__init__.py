"""The portal's wiring: settings, URLs, sign-in, queue. It contains no product logic."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]
