"""What can happen to a file while it is sent."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.servers import wait_until

from .place import MIB, SIZE, Fault, Place, at_rest

NAME = "faulty.bin"
PATH, PLAIN = f"/files/{NAME}", f"/plain/{NAME}"

ENDS = frozenset({"whole", "cut", "none", "503"})  # anything but wrong


def truncated(place: Place) -> Iterator[str]:
    """To a third, after the headers have promised all."""
    content = place.file(NAME)
    whole, part = place.begin(PATH), place.begin(PATH, f"Range: bytes={MIB}-")
    several = place.begin(PATH, f"Range: bytes=0-{8 * MIB},{10 * MIB}-{SIZE - 1}")
    os.truncate(place.folder / NAME, SIZE // 3)
    yield whole.finish().saw(content)
    yield part.finish().saw(content[MIB:])
    answer = several.finish()
    yield "wrong" if answer.is_complete else "cut"


def replaced(place: Place) -> Iterator[str]:
    """By another that is renamed over it; who comes later gets that."""
    old, new = place.file(NAME), place.file("new.bin")
    client = place.begin(PATH)
    (place.folder / "new.bin").replace(place.folder / NAME)
    yield place.get(PATH).saw(new)
    yield client.finish().saw(old)


def replaced_and_resumed(place: Place) -> Iterator[str]:
    """What a client has of the old file is not continued with the new one (RFC 9110 §13.1.5)."""
    old, new = place.file(NAME), place.file("new.bin")
    client = place.begin(PATH)
    client.socket.close()
    etag = next(
        line
        for line in client.received.decode("latin-1").split("\r\n")
        if line.lower().startswith("etag:")
    )
    (place.folder / "new.bin").replace(place.folder / NAME)
    yield place.get(PATH, "Range: bytes=1000-", f"If-Range:{etag.partition(':')[2]}").saw(new)
    assert old != new  # noqa: S101


def deleted(place: Place) -> Iterator[str]:
    """Who has begun gets all of it, who comes later is told."""
    content = place.file(NAME)
    client = place.begin(PATH)
    (place.folder / NAME).unlink()
    yield place.get(PATH).saw()
    yield client.finish().saw(content)


def forbidden(place: Place) -> Iterator[str]:
    """Who has begun gets all of it, who comes later is refused, whoever asks again when it may be read gets it."""
    content, file = place.file(NAME), place.folder / NAME
    client = place.begin(PATH)
    file.chmod(0)
    yield place.get(PATH).saw(content)
    yield place.get(PATH, "Range: bytes=0-9").saw(content[:10])
    yield client.finish().saw(content)
    file.chmod(0o644)
    yield place.get(PATH).saw(content)


def growing(place: Place) -> Iterator[str]:
    """More is appended, as to a log: it is as long as it was announced to be."""
    content = place.file(NAME)
    client = place.begin(PATH)
    with (place.folder / NAME).open("ab") as file:
        file.write(b"more" * MIB)
    yield client.finish().saw(content)


def overwritten(place: Place) -> Iterator[str]:
    """Other bytes in the same file: nobody can promise which of them come, only that each is one of both."""
    old, new = place.file(NAME), bytes(SIZE)
    client = place.begin(PATH)
    with (place.folder / NAME).open("r+b") as file:
        file.write(new)
    answer = client.finish()
    seen = answer.saw(old, new, promised=False)
    is_either = all(came in (was, 0) for came, was in zip(answer.body, old, strict=True))
    yield "mixed" if seen == "wrong" and is_either else seen


def failing(place: Place) -> Iterator[str]:
    """The device reports an error in the middle (EIO)."""
    for at in (0, 1, SIZE // 3, SIZE - 1):
        yield place.get(f"/failing/{SIZE}/{at}").saw(bytes(SIZE))


def slow(place: Place) -> Iterator[str]:
    """A device that needs 40 ms for each read, four times at once."""
    clients = [place.begin(f"/slow/{2 * MIB}/40") for _ in range(4)]
    for client in clients:
        yield client.finish().saw(bytes(2 * MIB))


@contextmanager
def no_descriptors(place: Place) -> Iterator[None]:
    """Let the worker open nothing more."""
    worker = place.server.worker()
    limits = worker.rlimit(psutil.RLIMIT_NOFILE)
    worker.rlimit(psutil.RLIMIT_NOFILE, (at_rest(worker.num_fds), limits[1]))
    yield
    if worker.is_running():
        worker.rlimit(psutil.RLIMIT_NOFILE, limits)


def no_file_opens(place: Place) -> Iterator[str]:
    """Downloads that have begun go on, who asks now is refused, who asks later is served."""
    content = place.file(NAME)
    begun = [place.begin(PLAIN) for _ in range(3)]
    waiting = [place.client(PLAIN) for _ in range(3)]
    for client in waiting:
        client.socket.sendall(client.ask[:10])  # accepted, but nothing is opened for it yet
    with no_descriptors(place):
        for client in waiting:
            client.socket.sendall(client.ask[10:])
        refused = [client.finish().saw(content) for client in waiting]
    yield from refused
    for client in begun:
        yield client.finish().saw(content)
    yield place.get(PLAIN).saw(content)


def no_connection_opens(place: Place) -> Iterator[str]:
    """Nobody new can be let in; what becomes of the others is the server's decision."""
    content = place.file(NAME)
    begun = [place.begin(PLAIN) for _ in range(3)]
    with no_descriptors(place):
        new = place.client(PLAIN).send()
        at_rest(place.connections)
        ended = [client.finish().saw(content) for client in begun]
    yield from ended
    yield new.finish().saw(content)
    wait_until(lambda: place.get("/ping").status == 200, "the server answers", 60)


FILES = [
    Fault("truncated in mid-transfer", truncated, frozenset({"cut"}), NAME),
    Fault("replaced by another", replaced, frozenset({"whole"})),
    Fault("replaced, then resumed with If-Range", replaced_and_resumed, frozenset({"whole"})),
    Fault("deleted", deleted, frozenset({"whole", "404"})),
    Fault("permissions removed", forbidden, frozenset({"whole", "403"}), NAME),
    Fault("growing", growing, frozenset({"whole"})),
    Fault("overwritten in place", overwritten, frozenset({"whole", "mixed"})),
    Fault("the device fails at a byte", failing, frozenset({"cut", "none", "500"}), "troubled.bin"),
    Fault("the device is slow", slow, frozenset({"whole"})),
    Fault(
        "no descriptor for a file", no_file_opens, frozenset({"whole", "503", "cut"}), NAME, False
    ),
    Fault("no descriptor for a connection", no_connection_opens, ENDS, "", False, is_short=False),
]
