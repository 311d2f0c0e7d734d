"""Many clients at once, and mixed work for a long time: no byte may be wrong, nothing may grow."""

import asyncio
import io
import os
import random
import time
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from statistics import linear_regression, quantiles

from tests.servers import HOST

from .place import MIB, Answer, Fault, Place, noise
from .site import ROWS
from .stores import CONTENT as OBJECT
from .stores import PATH as OBJECT_PATH

SECONDS = int(os.environ.get("SECONDS", "60"))
WARM_UP = min(
    SECONDS, 60
)  # seconds in which caches become full, pools of threads and of memory grow
LONG = 240  # seconds from which on a slope says more of the server than of chance
FLAT = {"MB per minute": 3.0, "descriptors per minute": 1.0}
CONNECTIONS = 2000
SIZES = {f"load-{size}.bin": size for size in (0, 1, 4096, 65_537, MIB, 5 * MIB)}
CONTENTS = {name: noise(name, size) for name, size in SIZES.items()}
TABLE = "".join(f"{number},row {number}\r\n" for number in range(ROWS)).encode()
WORKERS, SAMPLES = 16, 4  # clients at a time, samples of memory in a second


@asynccontextmanager
async def asked(place: Place, path: str, *headers: str) -> AsyncIterator[asyncio.StreamReader]:
    """The bytes that come back; the connection is cut at the end of the block."""
    reader, writer = await asyncio.open_connection(HOST, place.server.port, limit=MIB)
    try:
        writer.write(
            "\r\n".join(
                [f"GET {path} HTTP/1.1", f"Host: {HOST}", "Connection: close", *headers, "", ""]
            ).encode()
        )
        yield reader
    finally:
        writer.transport.abort()


async def get(place: Place, path: str, *headers: str) -> Answer:
    """A whole answer; a body of unknown length is put together from its chunks (RFC 9112 §7.1)."""
    async with asked(place, path, *headers) as reader:
        try:
            answer = Answer.of(await reader.read())
        except ConnectionError:
            return Answer(None, None, b"")
    if b"chunked" in answer.head.lower():
        answer.body, rest, size = b"", answer.body, -1
        while size and b"\r\n" in rest:
            line, _, rest = rest.partition(b"\r\n")
            size = int(line, 16)
            answer.body, rest = answer.body + rest[:size], rest[size + 2 :]
        answer.announced = len(answer.body) if size == 0 else None
    elif answer.announced is None:
        answer.announced = len(answer.body)
    return answer


async def something(place: Place, chance: random.Random) -> str:
    """One thing that a client may do, and what it saw."""
    kind = chance.choice(
        ["file", "file", "range", "range", "table", "archive", "object", "hang up"]
    )
    name = chance.choice(list(CONTENTS))
    content = CONTENTS[name]
    if kind == "file":
        return (await get(place, f"/files/{name}")).saw(content)
    if kind == "range" and content:
        start = chance.randrange(len(content))
        stop = chance.randrange(start, len(content)) + 1
        return (await get(place, f"/files/{name}", f"Range: bytes={start}-{stop - 1}")).saw(
            content[start:stop]
        )
    if kind == "table":
        return (await get(place, "/table.csv")).saw(TABLE)
    if kind == "archive":
        answer = await get(place, "/archive.zip")
        return answer.saw(answer.body if members(answer.body) == CONTENTS else b"")
    if kind == "object":
        start = chance.randrange(len(OBJECT) - 2 * MIB)
        wanted = OBJECT[start : start + MIB]
        return (await get(place, OBJECT_PATH, f"Range: bytes={start}-{start + MIB - 1}")).saw(
            wanted
        )
    async with asked(place, f"/files/load-{5 * MIB}.bin") as reader:
        await reader.read(chance.randrange(1, 10_000))
    return "hung up"


def members(body: bytes) -> dict[str, bytes]:
    """What is in an archive; nothing if it is not one."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile:
        return {}


async def pinged(place: Place) -> float:
    """Milliseconds of a sign of life."""
    begun = time.monotonic()
    await get(place, "/ping")
    return (time.monotonic() - begun) * 1000


async def mix(place: Place, seconds: float) -> list[str]:
    """So many clients do something again and again; what they saw. Memory is looked at after a warm-up."""
    saw: list[str] = []
    samples: list[tuple[float, int, int]] = []
    pings: list[float] = []
    begun = time.monotonic() + WARM_UP

    async def work(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311
        while time.monotonic() < begun + seconds:
            saw.append(await something(place, chance))

    async def watch() -> None:
        await asyncio.sleep(WARM_UP)
        while (now := time.monotonic()) < begun + seconds:
            samples.append((now - begun, place.server.memory(), place.server.descriptors()))
            pings.append(await pinged(place))
            await asyncio.sleep(1 / SAMPLES)

    await asyncio.gather(watch(), *map(work, range(WORKERS)))
    times, memory, descriptors = zip(*samples, strict=True)
    slopes = {
        "MB per minute": linear_regression(times, memory).slope * 60 / 1e6,
        "descriptors per minute": linear_regression(times, descriptors).slope * 60,
    }
    if seconds >= LONG:
        place.problems += [f"more {name}" for name in slopes if slopes[name] > FLAT[name]]
    place.facts |= {name: round(slope, 2) for name, slope in slopes.items()}
    place.facts |= {
        "seconds": round(seconds),
        "peak MB": round(max(memory) / 1e6),
        "ping p99 ms": round(quantiles(pings, n=100)[98]),
    }
    return saw


def mixed(place: Place) -> Iterator[str]:
    """Files of many sizes, ranges, tables, archives, objects, and clients who hang up."""
    for name, content in CONTENTS.items():
        (place.folder / name).write_bytes(content)
    yield from asyncio.run(mix(place, SECONDS))


async def open_many(place: Place) -> list[str]:
    """All connect, then all ask, then all read."""
    content, waiting = CONTENTS["load-65537.bin"], asyncio.Semaphore(200)

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with waiting:
            return await asyncio.open_connection(HOST, place.server.port)

    links = await asyncio.gather(*(connect() for _ in range(CONNECTIONS)))
    place.facts["connected at once"] = len(links)
    for _, writer in links:
        writer.write(
            f"GET /files/load-65537.bin HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
        )

    async def finish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        try:
            return Answer.of(await reader.read()).saw(content)
        except ConnectionError:
            return "none"
        finally:
            writer.transport.abort()

    return list(await asyncio.gather(*(finish(*link) for link in links)))


def many(place: Place) -> Iterator[str]:
    """2,000 connections at once on one worker, each for a file."""
    (place.folder / "load-65537.bin").write_bytes(CONTENTS["load-65537.bin"])
    yield from asyncio.run(open_many(place))


LOAD = [
    Fault(
        "2,000 connections at once",
        many,
        frozenset({"whole"}),
        "",
        False,
        False,
        memory_mb=250,
        cpu_seconds=60,
    ),
    Fault(
        "mixed work",
        mixed,
        frozenset({"whole", "hung up"}),
        is_short=False,
        memory_mb=96,
        cpu_seconds=2 * (SECONDS + WARM_UP),
    ),
]
