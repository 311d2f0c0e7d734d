"""What clients can do to a server, whose file or object they ask for."""

import http.client
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

from tests.servers import HOST

from .place import MIB, SIZE, Answer, Client, Fault, Place, at_rest

NAME = "asked.bin"
SEVERAL = f"Range: bytes=0-{8 * MIB},{10 * MIB}-{SIZE - 1}"
MANY = 20
GONE = frozenset({"hung up"})
REFUSED = frozenset({"whole", "none", "400", "413", "431"})  # a server may refuse a head by itself
Asked = Callable[[Place], tuple[str, bytes]]  # makes something there; its path and its content


def a_file(place: Place) -> tuple[str, bytes]:
    """A file, whichever of them a fault is about."""
    return f"/files/{NAME}", place.file(NAME)


def hang_up(client: Client, reset: bool) -> str:
    """Close the connection, with a reset or as one says goodbye."""
    if reset:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.socket.close()
    return "hung up"


def each_way(clients: Iterable[Client]) -> Iterator[str]:
    """Every other client resets its connection."""
    for number, client in enumerate(clients):
        yield hang_up(client, bool(number % 2))


def before_the_headers(place: Place, asked: Asked) -> Iterator[str]:
    """In the middle of the request, and directly after it."""
    path, _ = asked(place)
    clients = [place.client(path) for _ in range(MANY)]
    for number, client in enumerate(clients):
        client.socket.sendall(client.ask[: 20 if number % 4 < 2 else None])
    yield from each_way(clients)


def in_the_body(place: Place, asked: Asked) -> Iterator[str]:
    """When the server cannot send more for now."""
    path, _ = asked(place)
    yield from each_way([place.begin(path) for _ in range(4)])


def in_the_parts(place: Place, asked: Asked) -> Iterator[str]:
    """The same, in a body of several parts."""
    path, _ = asked(place)
    yield from each_way([place.begin(path, SEVERAL) for _ in range(4)])


def at_the_last_byte(place: Place, asked: Asked) -> Iterator[str]:
    """When all but one byte has been read."""
    path, content = asked(place)
    for number in range(4):
        client = place.begin(path)
        head = client.received.index(b"\r\n\r\n") + 4
        while (left := head + len(content) - 1 - len(client.received)) and client.receive(
            min(left, MIB)
        ):
            pass
        yield hang_up(client, bool(number % 2))


def never_reading(place: Place, asked: Asked) -> Iterator[str]:
    """Clients that ask and read nothing; a server of eight threads has room for six of them and somebody else."""
    path, _ = asked(place)
    clients = [place.client(path, window=1).send() for _ in range(6)]
    at_rest(place.server.memory)
    yield from each_way(clients)


def byte_by_byte(place: Place, asked: Asked) -> Iterator[str]:
    """A byte in a second, three times."""
    path, _ = asked(place)
    clients = [place.begin(path) for _ in range(4)]
    for _ in range(3):
        time.sleep(1)  # what this fault consists of
        for client in clients:
            client.receive(1)
    yield from each_way(clients)


def half_closed(place: Place, asked: Asked) -> Iterator[str]:
    """A client that says it will send no more, and reads on: some servers take that for a goodbye."""
    path, content = asked(place)
    for _ in range(4):
        client = place.client(path).send()
        client.socket.shutdown(socket.SHUT_WR)
        yield client.finish().saw(content)


def pipelined(place: Place, asked: Asked) -> Iterator[str]:
    """Three requests at once on one connection: three answers in this order."""
    path, content = asked(place)
    client = place.client(path)
    again = client.ask.replace(b"Connection: close\r\n", b"")
    client.ask = again + again.replace(b"\r\n\r\n", b"\r\nRange: bytes=1-10\r\n\r\n") + client.ask
    client.send()
    rest = client.finish_bytes()
    for wanted in (content, content[1:11], content):
        answer, rest = Answer.first_of(rest)
        yield answer.saw(wanted)


def http_1_0(place: Place, asked: Asked) -> Iterator[str]:
    """A request of 1996, without a host."""
    path, content = asked(place)
    client = place.client(path)
    client.ask = f"GET {path} HTTP/1.0\r\n\r\n".encode()
    yield client.send().finish().saw(content)


def many_ranges(place: Place, asked: Asked) -> Iterator[str]:
    """10,000 ranges in one header: the server's own limit, or the whole file (RFC 9110 §14.2)."""
    path, content = asked(place)
    for ranges in (["0-0"] * 10_000, [f"{number * 100}-" for number in range(5000)]):
        yield place.get(path, f"Range: bytes={','.join(ranges)}").saw(content)


def long_head(place: Place, asked: Asked) -> Iterator[str]:
    """Headers of 60 KB, in one and in many."""
    path, content = asked(place)
    yield place.get(path, f"X-Long: {'x' * 60_000}").saw(content)
    yield place.get(path, *[f"X-Number-{number}: {'x' * 100}" for number in range(500)]).saw(
        content
    )


def same_range(place: Place, asked: Asked, times: int) -> Iterator[str]:
    """The same range again and again, on a connection that is kept."""
    path, content = asked(place)
    with closing(http.client.HTTPConnection(HOST, place.server.port, timeout=20)) as connection:
        for _ in range(times):
            connection.request("GET", path, headers={"Range": "bytes=1000-1999"})
            response = connection.getresponse()
            length = int(response.headers["Content-Length"])
            yield Answer(response.status, length, response.read()).saw(content[1000:2000])


def clients(asked: Asked, of: str = "", times: int = 10_000, **options: Any) -> list[Fault]:
    """All that clients do, to a file or an object."""
    whole, ends, old = frozenset({"whole"}), frozenset({"whole", "cut", "none"}), {"whole", "400"}
    again = partial(same_range, times=times)
    faults = [
        Fault("hangs up before the headers", before_the_headers, GONE),
        Fault("hangs up in the body", in_the_body, GONE),
        Fault("hangs up in a multipart body", in_the_parts, GONE),
        Fault("hangs up before the last byte", at_the_last_byte, GONE),
        Fault("never reads", never_reading, GONE),
        Fault("reads a byte in a second", byte_by_byte, GONE, is_short=False),
        Fault("closes its half of the connection", half_closed, ends),
        Fault("pipelines", pipelined, whole),
        Fault("speaks HTTP/1.0", http_1_0, frozenset(old)),
        Fault("asks for 10,000 ranges at once", many_ranges, REFUSED),
        Fault("sends headers of 60 KB", long_head, REFUSED),
        Fault(f"asks for the same range {times:,} times", again, whole, is_short=False, cpu_seconds=60),
    ]  # fmt: skip
    return [
        replace(fault, name=fault.name + of, do=partial(fault.do, asked=asked), **options)
        for fault in faults
    ]


CLIENTS = clients(a_file)
