"""The portal's doors and wiring: settings, URLs, sign-in, queue. No product knowledge."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]
