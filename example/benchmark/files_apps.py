"""What answers on the servers that are compared. `BENCHMARK_FILES` is the folder of the files."""

import gc
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from .apps import configure

FOLDER = os.environ.get("BENCHMARK_FILES", "")
TYPE = "application/octet-stream"


def path_of(name: str) -> str:
    """Where a file is; the client asks for no others."""
    return os.path.join(FOLDER, name)


def configure_files(view: Any, *middleware: str, is_async: bool = True, **more: Any) -> None:
    """A Django project with a view for files and a view for pings."""
    from django.http import HttpResponse

    def ping(request: Any) -> Any:
        return HttpResponse("ping", headers={"Content-Length": "4"})

    async def aping(request: Any) -> Any:
        return ping(request)

    routes = (("ping", aping if is_async else ping), ("<name>", view))
    configure(*routes, middleware=middleware, **more)


def ours_asgi(**more: Any) -> Any:
    """This library: its handler and its response."""
    from fileresponse.asgi import get_asgi_application

    async def view(request: Any, name: str) -> Any:
        from fileresponse.http import AiofileFileResponse

        return AiofileFileResponse(path_of(name))

    configure_files(view, **more)
    return get_asgi_application()


def ours_unchecked() -> Any:
    """The same, on a server that is trusted with paths."""
    return ours_asgi(FILERESPONSE_ZERO_COPY="unchecked")


def ours_seldom_collected() -> Any:
    """The same, looking for garbage less often, and never among what was there at the start."""
    application = ours_asgi()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    return application


def ours_wsgi() -> Any:
    """This library: its middleware under Django's WSGI handler."""
    from django.core.wsgi import get_wsgi_application

    def view(request: Any, name: str) -> Any:
        from fileresponse.http import AiofileFileResponse

        return AiofileFileResponse(path_of(name))

    configure_files(view, "fileresponse.middleware.FileResponseMiddleware", is_async=False)
    return get_wsgi_application()


def django_asgi() -> Any:
    """Django's own file response under ASGI; the view is asynchronous, which saves a thread's hop."""
    from django.core.asgi import get_asgi_application
    from django.http import FileResponse

    async def view(request: Any, name: str) -> Any:
        return FileResponse(open(path_of(name), "rb"))  # noqa: ASYNC230

    configure_files(view)
    return get_asgi_application()


def django_wsgi() -> Any:
    """Django's own file response under WSGI, with the server's `wsgi.file_wrapper`."""
    from django.core.wsgi import get_wsgi_application
    from django.http import FileResponse

    def view(request: Any, name: str) -> Any:
        return FileResponse(open(path_of(name), "rb"))

    configure_files(view, is_async=False)
    return get_wsgi_application()


def _configure_bytes() -> None:
    """The bytes of the small file, from memory."""
    from django.http import HttpResponse

    data = Path(path_of("small")).read_bytes()

    async def view(request: Any, name: str) -> Any:
        return HttpResponse(data, content_type=TYPE, headers={"Content-Length": str(len(data))})

    configure_files(view)


def django_bytes() -> Any:
    """The bytes of the small file from memory, under Django's own handler."""
    from django.core.asgi import get_asgi_application

    _configure_bytes()
    return get_asgi_application()


def ours_bytes() -> Any:
    """The same response under this library's handler."""
    from fileresponse.asgi import get_asgi_application

    _configure_bytes()
    return get_asgi_application()


async def _read_with_aiofiles(name: str) -> AsyncIterator[bytes]:
    """A body in reads of 4 KiB."""
    import aiofiles

    async with aiofiles.open(path_of(name), "rb") as file:
        while chunk := await file.read(4096):
            yield chunk


async def _read_with_anyio(name: str) -> AsyncIterator[bytes]:
    """A body in reads of 8 KiB."""
    import anyio

    async with await anyio.open_file(path_of(name), "rb") as file:
        while chunk := await file.read(8192):
            yield chunk


def _generated(body: Any) -> Any:
    """A generator in a streaming response, under Django's own handler."""
    from django.core.asgi import get_asgi_application
    from django.http import StreamingHttpResponse

    async def view(request: Any, name: str) -> Any:
        length = str(os.path.getsize(path_of(name)))  # noqa: ASYNC240
        headers = {"Content-Length": length}
        return StreamingHttpResponse(body(name), content_type=TYPE, headers=headers)

    configure_files(view)
    return get_asgi_application()


def aiofiles_4k() -> Any:
    """The approach of 2021: aiofiles, 4 KiB at a time."""
    return _generated(_read_with_aiofiles)


def anyio_8k() -> Any:
    """The approach of 2025: anyio, 8 KiB at a time."""
    return _generated(_read_with_anyio)


def starlette() -> Any:
    """Starlette and its file response."""
    from starlette.applications import Starlette
    from starlette.responses import FileResponse, PlainTextResponse
    from starlette.routing import Route

    async def ping(request: Any) -> Any:
        return PlainTextResponse("ping")

    async def view(request: Any) -> Any:
        return FileResponse(path_of(request.path_params["name"]))

    return Starlette(routes=[Route("/ping", ping), Route("/{name}", view)])


def servestatic() -> Any:
    """ServeStatic's ASGI application, which looks through the folder once, at its start."""
    from servestatic import ServeStaticASGI

    return ServeStaticASGI(None, root=FOLDER)


def aiohttp_app(_: Any) -> Any:
    """aiohttp and its file response, on its own server."""
    from aiohttp import web

    async def ping(request: Any) -> Any:
        return web.Response(text="ping")

    async def view(request: Any) -> Any:
        return web.FileResponse(path_of(request.match_info["name"]))

    app = web.Application()
    app.add_routes([web.get("/ping", ping), web.get("/{name}", view)])
    return app
