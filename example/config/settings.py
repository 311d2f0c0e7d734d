"""Settings of the podcast host; environment variables change where and how it runs.

EXAMPLE_DATA        folder for the database and the media files (default: `data` beside `manage.py`)
EXAMPLE_DEBUG       "1" (default) for development, "0" to run as in production
EXAMPLE_SECRET_KEY  required when EXAMPLE_DEBUG is not "1"
EXAMPLE_S3_…        each becomes the setting FILERESPONSE_S3_…; `run.py` sets those of its own store
"""

import json
import os

from django.core.exceptions import ImproperlyConfigured

from .paths import DATA_DIR

DATA_DIR.mkdir(parents=True, exist_ok=True)  # SQLite creates its file, but not the folder.

DEBUG = os.environ.get("EXAMPLE_DEBUG", "1") == "1"
SECRET_KEY = os.environ.get("EXAMPLE_SECRET_KEY") or ("insecure-for-development-only" * DEBUG)
if not SECRET_KEY:
    raise ImproperlyConfigured("Set EXAMPLE_SECRET_KEY, or EXAMPLE_DEBUG=1 for development.")

ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "fileresponse",
    "podcast",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "fileresponse.middleware.FileResponseMiddleware",  # last: next to the view
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA_DIR / "db.sqlite3"},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MEDIA_ROOT = DATA_DIR / "media"

NUMBERS = ("_CONNECTIONS", "_EXPIRES", "_RETRIES", "_TIMEOUT")
for name, value in os.environ.items():
    if name.startswith("EXAMPLE_S3_"):
        setting = f"FILERESPONSE_{name.removeprefix('EXAMPLE_')}"
        globals()[setting] = json.loads(value) if name.endswith(NUMBERS) else value

STATIC_URL = "static/"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"

# Warnings and errors reach the terminal in production mode, too.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"django": {"level": "INFO"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
