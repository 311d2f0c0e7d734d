"""The page of the podcast host, and the ways in which a file leaves it."""

import asyncio

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.exceptions import PermissionDenied, SuspiciousFileOperation
from django.core.files.storage import default_storage
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe
from fileresponse.http import (
    AiobotocoreFileResponse,
    AiofileFileResponse,
    create_async_file_response,
)

from .media import find_media, list_media, media_root
from .models import Show
from .samples import sample_names


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The shows, then every file of the media folder; sync, as it reads a folder."""
    files = list_media()
    context = {
        "cover": next((file for file in files if file.name == "cover.svg"), None),
        "shows": Show.objects.available().annotate(count=Count("episodes")),
        "files": files,
        "stored": stored_names(),
    }
    return render(request, "podcast/home.html", context)


def stored_names() -> tuple[str, ...]:
    """Which files get links from the S3 store: known without asking it, as it may be away."""
    return sample_names() if hasattr(settings, "FILERESPONSE_S3_ENDPOINT_URL") else ()


@require_safe
async def download(request: HttpRequest, name: str) -> HttpResponseBase:
    """A file to be saved, by its path."""
    path = await asyncio.to_thread(find_media, name)
    return AiofileFileResponse(path, as_attachment=True, request=request)


@require_safe
async def inline(request: HttpRequest, name: str) -> HttpResponseBase:
    """A file to be shown or played in the browser, by its path; compressed if it lies ready so."""
    path = await asyncio.to_thread(find_media, name)
    return AiofileFileResponse(path, precompressed=True, request=request)


@require_safe
async def via_storage(request: HttpRequest, name: str) -> HttpResponseBase:
    """The same bytes through Django's storage, as a `FileField` would hand them out."""
    path = await asyncio.to_thread(find_media, name)
    stored_name = str(path.relative_to(media_root()))
    try:
        file = await asyncio.to_thread(default_storage.open, stored_name)
    except FileNotFoundError as error:  # gone since it was found
        raise Http404 from error
    except PermissionError as error:
        raise PermissionDenied from error
    with file:
        return await create_async_file_response(file, request=request)


@require_safe
async def from_store(request: HttpRequest, key: str) -> HttpResponseBase:
    """An object from the S3 store, streamed through this application."""
    return AiobotocoreFileResponse(None, key, request=request)


@require_safe
async def link_to_store(request: HttpRequest, key: str) -> HttpResponseBase:
    """The same object, sent by the store itself, to whoever we have given a link."""
    return AiobotocoreFileResponse(None, key, request=request, redirect=True)


@require_safe
async def ping(request: HttpRequest) -> HttpResponse:
    """A sign of life, to be asked for while downloads run."""
    return HttpResponse("pong", content_type="text/plain")


@require_safe
def static_file(request: HttpRequest, name: str) -> HttpResponseBase:
    """A stylesheet or icon from an app's `static` folder, found as `collectstatic` finds it."""
    try:
        path = finders.find(name)
    except (SuspiciousFileOperation, ValueError):
        path = None
    if path is None:
        raise Http404("There is no such file.")
    return AiofileFileResponse(path, request=request)
