"""Settings of the podcast host; environment variables change where and how it runs.

EXAMPLE_DATA        folder for the database and the media files (default: `data` beside `manage.py`)
EXAMPLE_DEBUG       "1" (default) for development, "0" to run as in production
EXAMPLE_SECRET_KEY  required when EXAMPLE_DEBUG is not "1"
EXAMPLE_S3_…        each becomes the setting FILERESPONSE_S3_…; `run.py` sets those of its own store
EXAMPLE_OFFLOAD     "X-Accel-Redirect" or "X-Sendfile", if a server in front is to send the files
EXAMPLE_LINK_SECONDS  how long a shared link is good (default: 3600)
EXAMPLE_UPLOAD_MB   the largest file that may be uploaded (default: 50)
"""

import json
import os
from importlib.util import find_spec
from logging import LogRecord

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
    "podcast.middleware.content_security_policy",
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
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA_DIR / "db.sqlite3",
        # Many downloads end at the same time, and each is written down: readers do not wait for
        # writers, and writers wait for each other.
        "OPTIONS": {
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
        },
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MEDIA_ROOT = DATA_DIR / "media"

NUMBERS = ("_CONNECTIONS", "_EXPIRES", "_RETRIES", "_TIMEOUT")
for name, value in os.environ.items():
    if name.startswith("EXAMPLE_S3_"):
        setting = f"FILERESPONSE_{name.removeprefix('EXAMPLE_')}"
        globals()[setting] = json.loads(value) if name.endswith(NUMBERS) else value

# Where the audio of a show can be; "objects" only if there is a store and something to reach it by.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "members": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": DATA_DIR / "members"},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
if "EXAMPLE_S3_STORAGE_BUCKET_NAME" in os.environ and find_spec("storages") and find_spec("boto3"):
    STORAGES["objects"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": os.environ["EXAMPLE_S3_STORAGE_BUCKET_NAME"],
            "endpoint_url": os.environ.get("EXAMPLE_S3_ENDPOINT_URL"),
            "region_name": os.environ.get("EXAMPLE_S3_REGION"),
            "access_key": os.environ.get("EXAMPLE_S3_ACCESS_KEY_ID"),
            "secret_key": os.environ.get("EXAMPLE_S3_SECRET_ACCESS_KEY"),
            "querystring_auth": False,
        },
    }

if offload_header := os.environ.get("EXAMPLE_OFFLOAD"):
    FILERESPONSE_OFFLOAD = {"HEADER": offload_header, "ROOT": DATA_DIR}
    if offload_header == "X-Accel-Redirect":
        FILERESPONSE_OFFLOAD["URL"] = "/protected/"

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "podcast:home"
LINK_SECONDS = float(os.environ.get("EXAMPLE_LINK_SECONDS") or 3600)
UPLOAD_MB = int(os.environ.get("EXAMPLE_UPLOAD_MB") or 50)

STATIC_URL = "static/"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"


def shorten_refusals(record: LogRecord) -> bool:
    """A visitor who is refused is worth a line in the log, not a traceback."""
    if getattr(record, "status_code", 500) < 500:
        record.exc_info = None
    return True


# Warnings and errors reach the terminal in production mode, too.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"short": {"()": "django.utils.log.CallbackFilter", "callback": shorten_refusals}},
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["short"]}},
    "loggers": {"django": {"level": "INFO"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
