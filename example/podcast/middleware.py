"""What a page, and a file that somebody has uploaded, may do in a browser."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

# Types in which a browser runs scripts; from a stranger, they must not run in our name.
ACTIVE = {"text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/xml"}
SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page_policy() -> str:
    """Nothing but our own files; the player may be led to the S3 store."""
    store = urlsplit(getattr(settings, "FILERESPONSE_S3_ENDPOINT_URL", ""))
    places = f" {store.scheme}://{store.netloc}" if store.netloc else ""
    return (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        f"img-src 'self'; media-src 'self'{places}; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


def policy_for(response: HttpResponseBase) -> str:
    """The policy for a page of ours, or for a file."""
    content_type = response.headers.get("Content-Type", "").partition(";")[0]
    is_file = getattr(response, "is_async_fileresponse", False)
    return SANDBOX if is_file and content_type in ACTIVE else page_policy()


@sync_and_async_middleware
def content_security_policy(get_response: Callable[[HttpRequest], Any]) -> Callable[..., Any]:
    """Send a Content-Security-Policy with everything."""

    def protect(response: HttpResponseBase) -> HttpResponseBase:
        response.headers.setdefault("Content-Security-Policy", policy_for(response))
        return response

    if not iscoroutinefunction(get_response):
        return lambda request: protect(get_response(request))

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        return protect(await get_response(request))

    return middleware
