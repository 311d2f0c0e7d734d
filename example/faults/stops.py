"""What can happen to a server, and in which ways it can be started."""

import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from tests.servers import wait_until

from .place import MIB, PATIENCE, RAISED, SERVERS, Client, Fault, Place, at_rest, with_patience

SMALL, LARGE = "ends-in-time.bin", "does-not-end.bin"
READING, STALLED = 95, 5
ORDERLY = (0, -signal.SIGTERM)  # uvicorn ends by the signal, when all is done
CANCELLED = "asyncio.exceptions.CancelledError"  # what becomes of the rest, as servers log it
SLOW_STEP = re.compile(r"^Executing <.* took (\d+\.\d+) seconds$", re.MULTILINE)  # debug mode
ENDS = frozenset({"whole", "cut", "none"})
UVICORN = ("uvicorn", "uvicorn, sendfile")
GRACE = {
    **dict.fromkeys(UVICORN, ("--timeout-graceful-shutdown", "3")),
    "granian": ("--workers-kill-timeout", "3"),
    **dict.fromkeys(("hypercorn", "gunicorn", "gunicorn, sendfile"), ("--graceful-timeout", "3")),
}
NO_LIFESPAN = {
    **dict.fromkeys(UVICORN, ("--lifespan", "off")),
    "granian": ("--interface", "asginl"),
}
RELOAD = {  # who starts new processes in place of the old ones on SIGHUP
    **dict.fromkeys(UVICORN, ("--workers", "2")),
    "granian": (),
    **dict.fromkeys(("gunicorn", "gunicorn, sendfile"), ("--graceful-timeout", "10")),
}
RESPAWN = {**dict.fromkeys(SERVERS, ()), "granian": ("--respawn-failed-workers",)}
ASYNCIO = {
    **dict.fromkeys(SERVERS, ()),
    **dict.fromkeys(UVICORN, ("--loop", "asyncio")),
    "granian": ("--loop", "asyncio"),
}


def finish_all(clients: list[tuple[Client, bytes]]) -> list[str]:
    """Let all of them read to the end, at the same time."""
    with ThreadPoolExecutor(len(clients)) as threads:
        answers = list(threads.map(lambda one: one[0].finish(), clients))
    return [answer.saw(content) for answer, (_, content) in zip(answers, clients, strict=True)]


def hundred(place: Place) -> tuple[list[tuple[Client, bytes]], list[tuple[Client, bytes]]]:
    """95 clients who read, and five that do not, with what they have to get."""
    small, large = place.file(SMALL, 2 * MIB), place.file(LARGE)
    stalled = [(place.begin(f"/files/{LARGE}"), large) for _ in range(STALLED)]
    return [(place.client(f"/files/{SMALL}").send(), small) for _ in range(READING)], stalled


def told_to_stop(place: Place) -> Iterator[str]:
    """SIGTERM during 100 downloads: who ends within the grace is served, the others are cut, the exit is orderly."""
    reading, stalled = hundred(place)
    at_rest(place.connections)
    place.server.process.send_signal(signal.SIGTERM)
    yield from finish_all(reading)
    try:
        place.facts["exit code"] = place.server.process.wait(10)
        yield from finish_all(stalled)
    except psutil.TimeoutExpired:  # its grace is over, and it waits all the same
        yield from finish_all(stalled)
        place.facts["exit code"] = place.server.process.wait(30)
        place.facts["waits"] = "for the last client"
    if place.facts["exit code"] not in ORDERLY:
        place.problems.append("does not end in order")
    if {error for error, _ in RAISED.findall(place.server.log)} - {CANCELLED}:
        place.problems.append("tracebacks of something else than the end")


def killed(place: Place) -> Iterator[str]:
    """SIGKILL for the process that answers: everybody is cut, nobody is deceived; a server of several processes comes back."""
    reading, stalled = hundred(place)
    worker = place.server.worker()
    worker.kill()
    yield from finish_all(reading + stalled)
    with_patience(lambda: place.ping() == 200, 10 if worker.pid != place.server.process.pid else 0)
    place.facts["comes back"] = place.ping() == 200


def reloaded(place: Place) -> Iterator[str]:
    """New processes take the place of the old ones, which end what they have begun."""
    content, old = place.file(LARGE), place.server.worker()
    clients = [(place.begin(f"/files/{LARGE}"), content) for _ in range(STALLED)]
    place.server.process.send_signal(signal.SIGHUP)
    with_patience(lambda: place.server.worker() != old)
    yield from finish_all(clients)
    with_patience(lambda: not old.is_running() and place.ping() == 200, PATIENCE)
    if old.is_running() or place.ping() != 200:
        place.problems.append("is not renewed")
    yield place.get(f"/files/{LARGE}").saw(content)


def ordinary(place: Place) -> Iterator[str]:
    """A little of everything."""
    content, parts = place.file(SMALL, 8 * MIB), range(0, 8 * MIB, MIB)
    clients = [(place.client(f"/files/{SMALL}").send(), content) for _ in range(8)]
    clients += [
        (place.client(f"/files/{SMALL}", f"Range: bytes={at}-").send(), content[at:])
        for at in parts
    ]
    yield from finish_all(clients)
    place.get("/files/missing")
    place.get("/table.csv")
    place.get("/archive.zip")
    for _ in range(4):
        place.begin(f"/files/{SMALL}").socket.close()


def waited(place: Place) -> float:
    """For how many seconds the thread of the event loop could have gone on, but had no processor."""
    schedule = Path(f"/proc/{place.server.worker().pid}/schedstat")  # nanoseconds, by the kernel
    return int(schedule.read_text().split()[1]) / 1e9 if schedule.exists() else 0


def without_warnings(place: Place) -> Iterator[str]:
    """A little of everything, and then something careless, which shows that the log would tell."""

    def warnings() -> list[int]:
        return [place.server.log.count(text) for text in ("Executing <", "ResourceWarning")]

    place.get("/strict")
    idle = waited(place)
    yield from ordinary(place)
    wait_until(lambda: not place.connections(), "all clients have gone")
    idle, found = waited(place) - idle, warnings()
    slow = [float(seconds) for seconds in SLOW_STEP.findall(place.server.log)]
    place.get("/careless")
    with_patience(lambda: all(map(int.__lt__, found, warnings())))
    on_purpose = [now - before for now, before in zip(warnings(), found, strict=True)]
    place.server.process.send_signal(signal.SIGTERM)
    place.server.process.wait(30)
    found = [now - extra for now, extra in zip(warnings(), on_purpose, strict=True)]
    place.facts |= {"slow steps": found[0], "resource warnings": found[1]}
    place.facts |= {"on purpose": on_purpose, "ms without a processor": round(idle * 1000)}
    if sum(slow) > idle:  # else it was ready to go on, and others had the processors
        place.problems.append(f"slow steps: {slow} s")
    if found[1] or on_purpose != [1, 1]:
        place.problems.append("something was left open, or would not have been found")


STOPS = [
    Fault("SIGTERM during 100 downloads", told_to_stop, ENDS, keeps_serving=False, options=GRACE, ends=True, memory_mb=128),
    Fault("its worker is killed", killed, ENDS, keeps_serving=False, options=RESPAWN, ends=True, is_short=False, memory_mb=128),
    Fault("SIGHUP during downloads", reloaded, ENDS, keeps_serving=False, options=RELOAD, ends=True, is_short=False),
    Fault("no lifespan", ordinary, frozenset({"whole"}), options=NO_LIFESPAN, is_short=False),
    Fault("development mode", without_warnings, frozenset({"whole"}), options=ASYNCIO, ends=True, keeps_serving=False, is_short=False,
          env={"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error"}),
]  # fmt: skip
