"""Write down what has been downloaded, when it is over."""

from typing import Any

from django.db import close_old_connections
from django.dispatch import receiver
from django.http import HttpRequest
from fileresponse.signals import download_finished

from .models import Download


def way_of(request: HttpRequest, response: Any) -> str:
    """In which way a response has left: what the view calls it, or the name of its URL."""
    if {"X-Accel-Redirect", "X-Sendfile"} & set(response.headers):
        return "offload"
    match = request.resolver_match
    return getattr(response, "way", None) or (match.url_name if match else "") or ""


@receiver(download_finished)
def write_down(
    sender: type,
    request: HttpRequest | None,
    response: Any,
    bytes_sent: int | None,
    outcome: str,
    duration: float,
    **more: Any,
) -> None:
    """One row for each file, but not for the style of a page."""
    if request is None or (way := way_of(request, response)) == "static":
        return
    Download.objects.create(
        episode_id=getattr(response, "episode_id", None),
        path=request.path[:500],
        method=request.method or "",
        status=response.status_code,
        way=way,
        outcome=outcome,
        bytes=bytes_sent,
        duration=duration,
    )
    close_old_connections()  # a transfer may end later than the request
