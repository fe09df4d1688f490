# The portal. Web, worker, beat and the migration use this image with different commands.
FROM python:3.13-slim AS build
COPY requirements/base.txt /tmp/
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r /tmp/base.txt

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp STATIC_ROOT=/app/staticfiles
COPY --from=build /venv /venv
WORKDIR /app
COPY manage.py ./
COPY portal portal
COPY environments environments
COPY templates templates
COPY static static
COPY deploy deploy
RUN SECRET_KEY=build-time-only LOCAL_ACCOUNTS=true python manage.py collectstatic --no-input \
 && useradd --system --no-create-home --uid 10001 portal
# The portal writes only to /tmp and /dev/shm: run it with a read-only root file system.
USER 10001:10001
# One folder for each container, because files in it are named by process number.
ENV PROMETHEUS_MULTIPROC_DIR=/tmp/metrics
EXPOSE 8000
# For web. Compose and deploy/ override it for worker, beat and migration.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8000/healthz', timeout=4)"]
CMD ["gunicorn", "portal.wsgi", "--config=python:portal.gunicorn", "--bind=0.0.0.0:8000", "--workers=2", "--threads=4", "--worker-tmp-dir=/dev/shm", "--no-control-socket", "--max-requests=20000", "--max-requests-jitter=2000"]
