"""The ASGI application: the library's handler in place of Django's."""

import os

from fileresponse.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_asgi_application()
