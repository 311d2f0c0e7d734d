"""Files through this library and through others, beside nginx and a bare `sendfile` loop.

`python -m benchmark.files` in the folder `example`: about twenty minutes; `--quick`: about two.
"""

import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from .files_report import goals, ratios, table
from .harness import (
    PROGRESS,
    chosen,
    missing,
    options,
    play,
    stay_in_time,
    turns,
    use_client_core,
    written,
)
from .load import HOST, SLOW_BUFFER, Item, Load, fetch, flood, hold, milliseconds, pings
from .report import Found
from .servers import Contestant, Server, gunicorn, machine, python, running, uvicorn, versions

RESULTS = Path(__file__).with_name("files.json")
UNPACED = Path(__file__).with_name("files_unpaced.json")
KIB, MIB, GIB, GB = 1 << 10, 1 << 20, 1 << 30, 10**9
PING = Item("/ping", 4)
PACKAGES = (
    "aiofiles aiohttp anycorn anyio Django granian gunicorn h11 httptools hypercorn servestatic "
    "starlette uvicorn uvicorn-worker uvloop"
)
FAST = "--loop uvloop --http httptools"
SENDFILE = "--loop uvloop --http fileresponse.servers:SendfileProtocol"
GRANIAN = f"--interface asgi --factory --loop uvloop --workers 1 --host {HOST} --port {{port}}"
BIND = f"--bind {HOST}:{{port}} --workers 1"


CONTESTANTS = [  # those that are compared stand together, so that the machine changes less between them
    Contestant("ours", "ours, uvicorn", uvicorn("files_apps:ours_asgi", FAST), slow_clients=200),
    Contestant("ours_collected", "ours, uvicorn, gc.freeze and a higher threshold", uvicorn("files_apps:ours_seldom_collected", FAST), has_objects=False),
    Contestant("ours_bytes", "Django HttpResponse of 4 KiB, our handler, uvicorn", uvicorn("files_apps:ours_bytes", FAST), has_objects=False),
    Contestant("django_bytes", "Django HttpResponse of 4 KiB, uvicorn", uvicorn("files_apps:django_bytes", FAST), has_objects=False),
    Contestant("starlette", "Starlette FileResponse, uvicorn", uvicorn("files_apps:starlette", FAST), slow_clients=200),
    Contestant("aiofiles", "2021: aiofiles, 4 KiB, uvicorn", uvicorn("files_apps:aiofiles_4k", FAST), slow_clients=200),
    Contestant("nginx", "nginx", python("benchmark.nginx", "{port}", "{folder}/files", "{folder}"), needs="nginx", slow_clients=200),
    Contestant("ours_granian_path", "ours, granian, by path (unchecked)", python("granian", *GRANIAN.split(), "--log-level", "warning", "benchmark.files_apps:ours_unchecked")),
    Contestant("ours_granian", "ours, granian", python("granian", *GRANIAN.split(), "--log-level", "warning", "benchmark.files_apps:ours_asgi"), slow_clients=200),
    Contestant("ours_sendfile", "ours, uvicorn + SendfileProtocol", uvicorn("files_apps:ours_asgi", SENDFILE), needs="fileresponse.servers", slow_clients=200),
    Contestant("ours_gthread", "ours, gunicorn gthread", gunicorn("files_apps:ours_wsgi"), slow_clients=8),
    Contestant("django_gthread", "Django FileResponse, gunicorn gthread", gunicorn("files_apps:django_wsgi"), slow_clients=8),
    Contestant("ours_plain", "ours, uvicorn (asyncio, h11)", uvicorn("files_apps:ours_asgi"), is_rival=True),
    Contestant("starlette_plain", "Starlette, uvicorn (asyncio, h11)", uvicorn("files_apps:starlette"), is_rival=True),
    Contestant("ours_hypercorn", "ours, hypercorn", python("hypercorn", *BIND.split(), "--worker-class", "uvloop", "benchmark.files_apps:ours_asgi()"), is_rival=True),
    Contestant("ours_anycorn", "ours, anycorn", python("anycorn", *BIND.split(), "benchmark.files_apps:ours_asgi()"), is_rival=True),
    Contestant("ours_worker", "ours, gunicorn + uvicorn worker", gunicorn("files_apps:ours_asgi", "--worker-class uvicorn_worker.UvicornWorker"), is_rival=True),
    Contestant("django_asgi", "Django FileResponse, uvicorn", uvicorn("files_apps:django_asgi", FAST), slow_clients=16, is_rival=True, copies=1),
    Contestant("anyio", "2025: anyio, 8 KiB, uvicorn", uvicorn("files_apps:anyio_8k", FAST), is_rival=True),
    Contestant("servestatic", "ServeStatic, uvicorn", uvicorn("files_apps:servestatic", FAST), is_rival=True),
    Contestant("aiohttp", "aiohttp FileResponse", python("aiohttp.web", "-H", HOST, "-P", "{port}", "benchmark.files_apps:aiohttp_app"), slow_clients=200, is_rival=True),
    Contestant("sendfile", "bare sendfile loop", python("benchmark.sendfile", "{port}", "{folder}/files"), slow_clients=200),
]  # fmt: skip
PINGED = ("ours", "ours_sendfile", "ours_granian", "aiofiles", "starlette", "aiohttp", "nginx")
OURS = "ours"
GROWING = (OURS, "ours_sendfile", "ours_gthread")


@dataclass(frozen=True)
class Parameters:
    """How much is measured."""

    rounds: int = 5
    rival_rounds: int = 5
    seconds: float = 1.2  # for each figure
    small: int = 4 * KIB  # bytes
    small_clients: int = 64
    warm_up: int = 10  # requests of one client
    middle: int = 64 * KIB
    large: int = 10 * MIB
    large_clients: int = 8
    huge: int = GIB  # bytes of each of those that are read from the disk
    huge_clients: int = 8
    idle_seconds: float = 1.5  # of pings when nothing else is asked for
    cold_seconds: float = 4.0  # of pings while files are read from the disk
    ping_pause: float = 0.002  # seconds
    slow: int = 100 * 10**6
    only_ours: bool = False  # whether memory and growth are measured of nobody else
    growing_clients: tuple[int, ...] = (1, 8, 64, 512)
    growing_sizes: tuple[int, ...] = (4 * KIB, 64 * KIB, MIB, 10 * MIB, 100 * MIB, GIB, 10 * GIB)
    growing_bytes: int = GIB  # at least, of each size
    growing_requests: int = 400  # at most, of each size
    limit: float = 120.0  # seconds for any one step
    total_limit: int = 2400  # seconds


QUICK = Parameters(
    rounds=2,
    rival_rounds=0,
    seconds=0.3,
    huge=GIB // 4,
    idle_seconds=0.5,
    cold_seconds=1.0,
    only_ours=True,
    growing_clients=(1, 8, 64),
    growing_sizes=(4 * KIB, 10 * MIB, GIB),
    growing_bytes=GIB // 4,
    growing_requests=100,
    total_limit=600,
)


@dataclass(frozen=True)
class Bench:
    """What every measurement needs."""

    parameters: Parameters
    folder: Path  # of the folder of files, of logs
    small: Item
    middle: Item
    large: Item
    slow: Item
    huge: list[Item]
    growing: list[Item]

    @property
    def files(self) -> Path:
        """Where the files are."""
        return self.folder / "files"

    @contextmanager
    def running(self, contestant: Contestant) -> Iterator[Server]:
        """Run a contestant that serves the files."""
        environment = {"BENCHMARK_FILES": str(self.files)}
        with running(contestant, self.folder, environment) as server:
            yield server


def make_file(folder: Path, name: str, size: int) -> Item:
    """A file of noise that is on the disk; of one MiB of noise again and again if it is larger."""
    noise, digest = random.Random(name).randbytes(min(size, MIB)), sha256()  # noqa: S311
    with (folder / name).open("wb") as file:
        for start in range(0, size, MIB):
            digest.update(noise[: size - start])
            file.write(noise[: size - start])
        file.flush()
        os.fsync(file.fileno())
    return Item(f"/{name}", size, digest.hexdigest())


def make_sparse(folder: Path, size: int) -> Item:
    """A file that needs no room on the disk, but is read like any other."""
    with (folder / f"sparse-{size}").open("wb") as file:
        file.truncate(size)
    return Item(f"/{Path(file.name).name}", size)


def forget(file: Path) -> None:
    """Drop a file's pages from the page cache, so that they have to come from the disk again."""
    descriptor = os.open(file, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def warm(file: Path) -> None:
    """Bring a file's pages into the page cache."""
    buffer = bytearray(MIB)
    with file.open("rb", buffering=0) as source:
        while source.readinto(buffer):
            pass


@contextmanager
def prepared(p: Parameters) -> Iterator[Bench]:
    """A folder with everything in it, deleted in the end."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder, needed = Path(name), p.huge_clients * p.huge + 2 * GIB
        if (free := shutil.disk_usage(folder).free) < needed:
            raise RuntimeError(
                f"{needed // MIB} MiB are needed in {folder}, {free // MIB} are free"
            )
        PROGRESS.step("making files")
        (files := folder / "files").mkdir()
        (files / "ping").write_text("ping")
        sizes = {"small": p.small, "middle": p.middle, "large": p.large, "slow": p.slow}
        made = {name: make_file(files, name, size) for name, size in sizes.items()}
        huge = [make_file(files, f"huge-{number}", p.huge) for number in range(p.huge_clients)]
        growing = [make_sparse(files, size) for size in p.growing_sizes]
        use_client_core()
        yield Bench(p, folder, huge=huge, growing=growing, **made)


def costs(server: Server, cpu: float, load: Load, prefix: str) -> dict[str, float]:
    """Throughput, and the server's CPU seconds per GB since it had used so many."""
    return {
        f"{prefix}_mb_s": load.mb_s,
        f"{prefix}_cpu_s_per_gb": (server.cpu() - cpu) * GB / load.size,
    }


def measure_small(bench: Bench, server: Server) -> dict[str, Any]:
    """4 KiB: how many in a second, and how soon the first byte comes to one client."""
    p = bench.parameters
    flood(server.port, bench.small, p.small_clients, p.seconds / 4)
    cpu = server.cpu()
    many = flood(server.port, bench.small, p.small_clients, p.seconds)
    cpu = server.cpu() - cpu
    fetch(server.port, [bench.small] * p.warm_up, 1, p.limit)
    alone = flood(server.port, bench.small, 1, p.seconds)
    return {
        "small_rps": many.rps,
        "small_cpu_ms": cpu * 1e3 / len(many.first_bytes),
        "small_rps_1": alone.rps,
        **milliseconds(alone.first_bytes, "small_first_byte"),
    }


def measure_larger(bench: Bench, server: Server, has_huge: bool) -> dict[str, Any]:
    """64 KiB and 10 MiB to several clients, 1 GiB to one; all of them in the page cache."""
    p, port = bench.parameters, server.port
    middle = flood(port, bench.middle, p.large_clients, p.seconds)
    flood(port, bench.large, p.large_clients, p.seconds / 4)
    cpu = server.cpu()
    large = flood(port, bench.large, p.large_clients, p.seconds)
    found = {
        "middle_rps": middle.rps,
        "middle_mb_s": middle.mb_s,
        **costs(server, cpu, large, "large"),
        **milliseconds(large.first_bytes, "large_first_byte"),
    }
    discarded = flood(port, bench.large, p.large_clients, p.seconds, discards=True)
    found["large_discarded_mb_s"] = discarded.mb_s
    if has_huge:
        warm(bench.files / bench.huge[0].path[1:])
        cpu = server.cpu()
        found |= costs(server, cpu, flood(port, bench.huge[0], 1, p.seconds), "huge")
    return found


def measure_pings(bench: Bench, server: Server) -> dict[str, Any]:
    """How long a ping takes, when idle and while clients read files that are not in the page cache."""
    p = bench.parameters
    idle = pings(server.port, PING, p.idle_seconds, p.ping_pause)
    for item in bench.huge:
        forget(bench.files / item.path[1:])
    # a process of its own, that gives way to the pings, and throws away what comes
    with ProcessPoolExecutor(1, get_context("fork"), os.nice, (10,)) as pool:
        reading = pool.submit(
            flood, server.port, bench.huge, p.huge_clients, p.cold_seconds + 0.5, True
        )
        time.sleep(0.2)
        loaded = pings(server.port, PING, p.cold_seconds, p.ping_pause)
        found = {**milliseconds(idle, "ping_idle", 2), **milliseconds(loaded, "ping_cold", 2)}
        return {**found, "cold_mb_s": reading.result().mb_s}


def measure(bench: Bench, contestant: Contestant) -> Found:
    """One round of a contestant, on a server of its own; first of all its bytes are compared."""
    with bench.running(contestant) as server:
        items = [bench.small, bench.middle, bench.large][: 3 if contestant.has_objects else 1]
        fetch(server.port, items, 2, bench.parameters.limit, hashed=True)
        found = measure_small(bench, server)
        if contestant.has_objects:
            found |= measure_larger(bench, server, has_huge=not contestant.copies)
        if contestant.name in PINGED:
            found |= measure_pings(bench, server)
    return {contestant.name: found}


def memory_with(
    bench: Bench, contestant: Contestant, kernel_buffer: int | None
) -> tuple[float, int]:
    """Resident MB for each of the clients that have stopped reading, and how many there are."""
    p, count = bench.parameters, contestant.slow_clients
    with bench.running(contestant) as server:
        flood(server.port, bench.small, min(count, 32), 0.5)
        before = server.settled_memory(3, 0.3)
        after = hold(
            server.port,
            bench.slow,
            count,
            p.limit,
            lambda: server.settled_memory(10, 0.5),
            kernel_buffer,
        )
    return (after - before) / 1e6 / count, count


def slow_clients(bench: Bench, contestant: Contestant) -> dict[str, Any]:
    """What a client costs that reads no further, with a small buffer in the kernel and with the usual one."""
    small, count = memory_with(bench, contestant, SLOW_BUFFER)
    usual, _ = memory_with(bench, contestant, None)
    return {"clients": count, "mb_per_client": small, "mb_per_client_usual_buffer": usual}


def watched(server: Server, before: int, work: Any) -> dict[str, float]:
    """Throughput, CPU seconds per GB, and memory at its peak above what it was before."""
    cpu = server.cpu()
    with server.watched_memory() as seen:
        size, seconds = work()
    return {
        "mb_s": size / 1e6 / seconds,
        "cpu_s_per_gb": (server.cpu() - cpu) * GB / size,
        "peak_above_idle_mb": (max(seen) - before) / 1e6,
    }


def growth(bench: Bench, contestant: Contestant) -> dict[str, list[dict[str, float]]]:
    """10 MiB to more and more clients, and larger and larger files to one."""
    p = bench.parameters
    by_clients, by_size = [], []

    def many(count: int) -> tuple[int, float]:
        load = flood(server.port, bench.large, count, p.seconds * 2)
        return load.size, load.seconds

    def one(item: Item) -> tuple[int, float]:
        count = max(1, min(p.growing_requests, p.growing_bytes // item.size))
        return count * item.size, fetch(server.port, [item] * count, 1, p.limit)

    with bench.running(contestant) as server:
        flood(server.port, bench.large, 1, p.seconds)
        idle = server.settled_memory(3, 0.3)
        for item in bench.growing:
            warm(bench.files / item.path[1:])
            by_size.append({"bytes": item.size, **watched(server, idle, lambda i=item: one(i))})
            forget(bench.files / item.path[1:])
    with bench.running(contestant) as server:
        flood(server.port, bench.large, 1, p.seconds)
        idle = server.settled_memory(3, 0.3)
        for count in p.growing_clients:
            found = watched(server, idle, lambda c=count: many(c))
            by_clients.append({"clients": count, **found})
    return {"clients": by_clients, "sizes": by_size}


def measured_slow(contestants: list[Contestant], p: Parameters) -> list[Contestant]:
    """Those whose memory is measured."""
    return [
        one for one in contestants if one.slow_clients and (one.name == OURS or not p.only_ours)
    ]


def measured_growing(contestants: list[Contestant], p: Parameters) -> list[Contestant]:
    """Those that are asked for more and more."""
    return [one for one in contestants if one.name in ((OURS,) if p.only_ours else GROWING)]


def run(bench: Bench, contestants: list[Contestant]) -> dict[str, Any]:
    """Measure in rounds, then memory, then growth."""
    p = bench.parameters
    rounds = play(contestants, p.rounds, p.rival_rounds, lambda one: measure(bench, one))
    memory, growing = {}, {}
    for contestant in measured_slow(contestants, p):
        PROGRESS.step(f"slow clients: {contestant.title}")
        memory[contestant.name] = slow_clients(bench, contestant)
    for contestant in measured_growing(contestants, p):
        PROGRESS.step(f"growth: {contestant.title}")
        growing[contestant.name] = growth(bench, contestant)
    return {"rounds": rounds, "memory": memory, "growth": growing}


def steps(contestants: list[Contestant], p: Parameters) -> int:
    """How many steps a whole run has."""
    slow, growing = measured_slow(contestants, p), measured_growing(contestants, p)
    return 1 + turns(contestants, p.rounds, p.rival_rounds) + len(slow) + len(growing)


def more_versions() -> dict[str, str]:
    """Of what is no Python package."""
    found = {"Linux": platform.release().partition("-")[0]}
    if shutil.which("nginx"):
        told = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True)  # noqa: S607
        found["nginx"] = told.stderr.strip().rpartition("/")[2]
    return found


def main() -> None:
    """Measure, write `files.json`, print the table."""
    asked = options(
        __doc__, "about two minutes, smaller files, fewer rounds, no rivals without a goal"
    )
    p, begun = QUICK if asked.quick else Parameters(), time.time()
    contestants, absent = chosen(CONTESTANTS, asked.only), missing(CONTESTANTS)
    for name, needs in absent.items():
        print(f"{name} cannot be measured: there is no {needs}", file=sys.stderr)
    busy = os.getloadavg()[0]  # what else the machine has to do
    stay_in_time(p.total_limit)
    PROGRESS.expect(steps(contestants, p))
    with prepared(p) as bench:
        measured = run(bench, contestants)
    PROGRESS.finish()
    facts = {
        "machine": {**machine(), "load": busy},
        "versions": versions(PACKAGES, **more_versions()),
    }
    titles = {"titles": {one.name: one.title for one in CONTESTANTS}, "missing": absent}
    print(
        table(
            written(
                UNPACED if asked.own_network else RESULTS,
                begun,
                facts | titles,
                p,
                measured,
                ratios,
                goals,
            )
        )
    )


if __name__ == "__main__":
    main()
