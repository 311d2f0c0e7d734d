"""The example, which says at its end how many connections to the store are still open."""

import asyncio
import os
from typing import Any

import psutil
from config.asgi import application as example


async def application(scope: Any, receive: Any, send: Any) -> None:
    """What the example does, with a look at this process when it says that it is done."""

    async def look_and_send(event: Any) -> None:
        if event["type"] == "lifespan.shutdown.complete":
            await asyncio.sleep(0.1)  # a closed transport closes its socket one step later
            print("connections after the end:", connections(), flush=True)
        await send(event)

    await example(scope, receive, look_and_send)


def connections() -> int:
    """How many connections to the store this process has."""
    port = int(os.environ["EXAMPLE_S3_ENDPOINT_URL"].rpartition(":")[2])
    links = psutil.Process().net_connections("tcp")
    return sum(bool(link.raddr) and link.raddr.port == port for link in links)
