# The portal: web, worker and beat are the same image with another command.
FROM python:3.13-slim AS build
COPY requirements/base.txt /tmp/
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r /tmp/base.txt

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 STATIC_ROOT=/app/staticfiles
COPY --from=build /venv /venv
WORKDIR /app
COPY manage.py ./
COPY portal portal
COPY environments environments
COPY templates templates
COPY static static
COPY deploy deploy
RUN SECRET_KEY=build-time-only LOCAL_ACCOUNTS=true python manage.py collectstatic --no-input \
 && useradd --system --uid 10001 portal
USER 10001
EXPOSE 8000
CMD ["gunicorn", "portal.wsgi", "--bind=0.0.0.0:8000", "--workers=2", "--threads=4", "--worker-tmp-dir=/dev/shm"]
