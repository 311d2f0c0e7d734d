"""Settings of the project in `frameworks`."""

ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "adrf"]
MIDDLEWARE = ["fileresponse.middleware.FileResponseMiddleware"]
REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": []}
ROOT_URLCONF = "tests.frameworks"
SECRET_KEY = "only-for-tests"
