"""What answers on the servers that are compared. `BENCHMARK_S3` has the store's settings."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from .apps import configure

STORE: dict[str, str] = json.loads(os.environ.get("BENCHMARK_S3", "{}"))
PIECE = 128 << 10  # bytes per read, of those without Django
SMALL = b"x" * 4096
POOL = 100  # connections


def bucket() -> str:
    """The bucket that all read from."""
    return STORE["FILERESPONSE_S3_STORAGE_BUCKET_NAME"]


def new_client(pool: int = POOL) -> Any:
    """An aiobotocore client, to be entered; with a session of its own."""
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session

    config = AioConfig(
        signature_version="s3v4",
        max_pool_connections=pool,
        response_checksum_validation="when_required",
        request_checksum_calculation="when_required",
    )
    return get_session().create_client(
        "s3",
        endpoint_url=STORE["FILERESPONSE_S3_ENDPOINT_URL"],
        region_name=STORE["FILERESPONSE_S3_REGION"],
        aws_access_key_id=STORE["FILERESPONSE_S3_ACCESS_KEY_ID"],
        aws_secret_access_key=STORE["FILERESPONSE_S3_SECRET_ACCESS_KEY"],
        config=config,
    )


def configure_objects(view: Any, **more: Any) -> None:
    """A Django project with one view, the store's settings and no middleware."""
    configure(("<path:key>", view), **STORE, **more)


def ours() -> Any:
    """This library: its handler and its response."""
    from fileresponse.asgi import get_asgi_application

    async def view(request: Any, key: str) -> Any:
        from fileresponse.http import AiobotocoreFileResponse

        return AiobotocoreFileResponse(bucket(), key)

    configure_objects(view)
    return get_asgi_application()


def django_only() -> Any:
    """4 KiB of Django's own, under this library's handler, without a store."""
    from django.http import HttpResponse

    from fileresponse.asgi import get_asgi_application

    async def view(request: Any, key: str) -> Any:
        return HttpResponse(SMALL, headers={"Content-Length": str(len(SMALL))})

    configure_objects(view)
    return get_asgi_application()


async def _read_4k(client: Any, answer: Any) -> AsyncIterator[bytes]:
    """A body in reads of 4 KiB; the client is closed in the end."""
    try:
        async with answer["Body"] as body:
            while chunk := await body.read(4096):
                yield chunk
    finally:
        await client.__aexit__(None, None, None)


def client_per_request() -> Any:
    """The approach of 2021: session and client are made for each request; Django's handler."""
    from django.core.asgi import get_asgi_application
    from django.http import StreamingHttpResponse

    async def view(request: Any, key: str) -> Any:
        client = await new_client(10).__aenter__()
        try:
            answer = await client.get_object(Bucket=bucket(), Key=key)
        except BaseException:
            await client.__aexit__(None, None, None)
            raise
        length = str(answer["ContentLength"])
        return StreamingHttpResponse(_read_4k(client, answer), headers={"Content-Length": length})

    configure_objects(view)
    return get_asgi_application()


def _configure_storages() -> None:
    """A view over django-storages, with its defaults and one storage for all requests."""
    from django.core.files.storage import default_storage
    from django.http import FileResponse

    def view(request: Any, key: str) -> Any:
        return FileResponse(default_storage.open(key))

    options = {
        "bucket_name": bucket(),
        "endpoint_url": STORE["FILERESPONSE_S3_ENDPOINT_URL"],
        "region_name": STORE["FILERESPONSE_S3_REGION"],
        "access_key": STORE["FILERESPONSE_S3_ACCESS_KEY_ID"],
        "secret_key": STORE["FILERESPONSE_S3_SECRET_ACCESS_KEY"],
        "signature_version": "s3v4",
    }
    backend = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    configure_objects(view, STORAGES={"default": backend})


def storages_wsgi() -> Any:
    """django-storages under Django's WSGI handler."""
    from django.core.wsgi import get_wsgi_application

    _configure_storages()
    return get_wsgi_application()


def storages_asgi() -> Any:
    """django-storages under Django's ASGI handler."""
    from django.core.asgi import get_asgi_application

    _configure_storages()
    return get_asgi_application()


class Bare:
    """An ASGI application without Django: one client, and what it reads is sent."""

    def __init__(self) -> None:
        self._client: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the server's start and stop, objects, and 4 KiB from memory."""
        if scope["type"] == "lifespan":
            return await self._lifespan(receive, send)
        if scope["path"] == "/memory":
            return await self._send_small(send)
        answer = await self._client.get_object(Bucket=bucket(), Key=scope["path"][1:])
        await self._start(send, answer["ContentLength"])
        async with answer["Body"] as body:
            while chunk := await body.read(PIECE):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})

    async def _lifespan(self, receive: Any, send: Any) -> None:
        """Make the client at the start, close it at the end."""
        await receive()
        async with new_client() as self._client:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _send_small(self, send: Any) -> None:
        """What a request costs without Django and without a store."""
        await self._start(send, len(SMALL))
        await send({"type": "http.response.body", "body": SMALL})

    async def _start(self, send: Any, length: int) -> None:
        headers = [
            (b"content-type", b"application/octet-stream"),
            (b"content-length", b"%d" % length),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


def bare() -> Bare:
    """The application without Django."""
    return Bare()


async def _read_away(client: Any, keys: list[str], at_once: int) -> dict[str, float]:
    """Read objects and throw them away: bytes, seconds, CPU seconds."""
    left, counts = iter(keys), []

    async def work() -> None:
        for key in left:
            answer = await client.get_object(Bucket=bucket(), Key=key)
            async with answer["Body"] as body:
                while chunk := await body.read(PIECE):
                    counts.append(len(chunk))

    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(at_once)))
    seconds = time.perf_counter() - started
    return {"bytes": sum(counts), "seconds": seconds, "cpu": time.process_time() - cpu}


async def bare_read(jobs: list[tuple[list[str], int]]) -> list[dict[str, float]]:
    """Several downloads, one after the other, none of them sent on."""
    async with new_client() as client:
        return [await _read_away(client, keys, at_once) for keys, at_once in jobs]


if __name__ == "__main__":  # jobs come and results go as JSON
    print(json.dumps(asyncio.run(bare_read(json.load(sys.stdin)))))
