"""Settings of the project in `lifecycles`."""

import os

PROJECT = "tests.lifecycles"
ALLOWED_HOSTS = ["*"]
CACHES = {
    "default": {"BACKEND": f"{PROJECT}.CountedCache"},
    "plain": {"BACKEND": f"{PROJECT}.PlainCache"},
}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"{os.environ['LIFECYCLES']}/db.sqlite3",
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 1000
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"]
LOGGING_CONFIG = None
MIDDLEWARE = [f"{PROJECT}.keeping", "fileresponse.middleware.FileResponseMiddleware"]
ROOT_URLCONF = PROJECT
SECRET_KEY = "only-for-tests"
