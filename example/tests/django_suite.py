"""Run some of Django's own tests, with this library's handler in the place of Django's.

    python example/tests/django_suite.py ours DJANGO/tests asgi async

`DJANGO` is the unpacked source of the Django that is installed; `stock` leaves Django's handler in
its place. The last lines say how many tests have run, and how many requests our handler has served.
"""

import atexit
import os
import runpy
import sys
from typing import Any


def put_ours_in_place() -> None:
    """From here on, whoever imports Django's handler gets ours."""
    import django.core.asgi
    import django.core.handlers.asgi

    from fileresponse.handlers import AsyncFileASGIHandler

    served, call = [], AsyncFileASGIHandler.__call__

    async def counted(self: Any, scope: Any, receive: Any, send: Any) -> None:
        served.append(scope["type"])
        await call(self, scope, receive, send)

    AsyncFileASGIHandler.__call__ = counted  # type: ignore[method-assign]
    atexit.register(lambda: print("Requests served:", len(served), file=sys.stderr))
    for module in (django.core.handlers.asgi, django.core.asgi):
        module.ASGIHandler = AsyncFileASGIHandler  # type: ignore[misc]


def main() -> None:
    """Run `runtests.py` as if it had been called by itself."""
    handler, tests, *labels = sys.argv[1:]
    os.chdir(tests)
    sys.path.insert(0, tests)
    sys.argv = ["runtests.py", "--parallel", "1", "--noinput", "--verbosity", "2", *labels]
    if handler == "ours":
        put_ours_in_place()
    runpy.run_path("runtests.py", run_name="__main__")


if __name__ == "__main__":
    main()
