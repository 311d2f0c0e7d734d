"""Run some of Django's own tests, with one thing of this library in the place of Django's.

    python example/tests/django_suite.py handler DJANGO/tests asgi async

`DJANGO` is the unpacked source of the Django that is installed. The first argument names what is replaced:
`handler`, `file-response`, `serve`, or `nothing`. The last lines say how many tests ran, and how often
the replacement was used.
"""

import atexit
import os
import runpy
import sys
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction


def count_uses(owner: type, method: str) -> None:
    """Print at exit how often a method of the replacement was called."""
    used, original = [], getattr(owner, method)

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        used.append(1)
        return original(self, *args, **kwargs)

    setattr(
        owner, method, markcoroutinefunction(counted) if iscoroutinefunction(original) else counted
    )
    atexit.register(lambda: print("Replacement used:", len(used), file=sys.stderr))


def replace_handler() -> None:
    """Replace Django's ASGI handler."""
    import django.core.asgi
    import django.core.handlers.asgi

    from fileresponse.handlers import AsyncFileASGIHandler

    count_uses(AsyncFileASGIHandler, "__call__")
    for module in (django.core.handlers.asgi, django.core.asgi):
        module.ASGIHandler = AsyncFileASGIHandler  # type: ignore[misc]


def replace_file_response() -> None:
    """Replace `django.http.FileResponse`."""
    import django.http

    from fileresponse.http import FileResponse

    count_uses(FileResponse, "__init__")
    for module in (django.http, django.http.response):
        module.FileResponse = FileResponse  # type: ignore[misc,attr-defined]


def replace_serve() -> None:
    """Replace `django.views.static.serve`."""
    import django.views.static

    from fileresponse.views import ServedResponse, serve

    count_uses(ServedResponse, "__init__")
    django.views.static.serve = serve  # type: ignore[assignment]


REPLACEMENTS: dict[str, Callable[[], None]] = {
    "handler": replace_handler,
    "file-response": replace_file_response,
    "serve": replace_serve,
    "nothing": lambda: None,
}


def main() -> None:
    """Run `runtests.py` as if it had been called by itself."""
    replaced, tests, *labels = sys.argv[1:]
    os.chdir(tests)
    sys.path.insert(0, tests)
    sys.argv = ["runtests.py", "--parallel", "1", "--noinput", "--verbosity", "2", *labels]
    REPLACEMENTS[replaced]()
    runpy.run_path("runtests.py", run_name="__main__")


if __name__ == "__main__":
    main()
