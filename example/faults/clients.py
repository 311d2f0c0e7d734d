"""What clients can do to a server."""

import http.client
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import closing

from tests.servers import HOST

from .place import MIB, SIZE, Answer, Client, Fault, Place, at_rest

NAME = "asked.bin"
PATH = f"/files/{NAME}"
SEVERAL = f"Range: bytes=0-{8 * MIB},{10 * MIB}-{SIZE - 1}"
MANY = 20
GONE = frozenset({"hung up"})
REFUSED = frozenset({"whole", "none", "400", "413", "431"})  # a server may refuse a head by itself


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


def before_the_headers(place: Place) -> Iterator[str]:
    """In the middle of the request, and directly after it."""
    place.file(NAME)
    clients = [place.client(PATH) for _ in range(MANY)]
    for number, client in enumerate(clients):
        client.socket.sendall(client.ask[: 20 if number % 4 < 2 else None])
    yield from each_way(clients)


def in_the_body(place: Place) -> Iterator[str]:
    """When the server cannot send more for now."""
    place.file(NAME)
    yield from each_way([place.begin(PATH) for _ in range(4)])


def in_the_parts(place: Place) -> Iterator[str]:
    """The same, in a body of several parts."""
    place.file(NAME)
    yield from each_way([place.begin(PATH, SEVERAL) for _ in range(4)])


def at_the_last_byte(place: Place) -> Iterator[str]:
    """When all but one byte has been read."""
    size = len(place.file(NAME, 4 * MIB))
    for number in range(4):
        client = place.begin(PATH)
        head = client.received.index(b"\r\n\r\n") + 4
        while (left := head + size - 1 - len(client.received)) and client.receive(min(left, MIB)):
            pass
        yield hang_up(client, bool(number % 2))


def never_reading(place: Place) -> Iterator[str]:
    """Clients that ask and read nothing; a server of eight threads has room for six of them and somebody else."""
    place.file(NAME)
    clients = [place.client(PATH, window=1).send() for _ in range(6)]
    at_rest(place.server.memory)
    yield from each_way(clients)


def byte_by_byte(place: Place) -> Iterator[str]:
    """A byte in a second, three times."""
    place.file(NAME)
    clients = [place.begin(PATH) for _ in range(4)]
    for _ in range(3):
        time.sleep(1)  # what this fault consists of
        for client in clients:
            client.receive(1)
    yield from each_way(clients)


def half_closed(place: Place) -> Iterator[str]:
    """A client that says it will send no more, and reads on: some servers take that for a goodbye."""
    content = place.file(NAME)
    for _ in range(4):
        client = place.client(PATH).send()
        client.socket.shutdown(socket.SHUT_WR)
        yield client.finish().saw(content)


def pipelined(place: Place) -> Iterator[str]:
    """Three requests at once on one connection: three answers in this order."""
    content = place.file(NAME, 3 * MIB)
    client = place.client(PATH)
    again = client.ask.replace(b"Connection: close\r\n", b"")
    client.ask = again + again.replace(b"\r\n\r\n", b"\r\nRange: bytes=1-10\r\n\r\n") + client.ask
    client.send()
    rest = client.finish_bytes()
    for wanted in (content, content[1:11], content):
        answer, rest = Answer.first_of(rest)
        yield answer.saw(wanted)


def http_1_0(place: Place) -> Iterator[str]:
    """A request of 1996, without a host."""
    content = place.file(NAME, 3 * MIB)
    client = place.client(PATH)
    client.ask = f"GET {PATH} HTTP/1.0\r\n\r\n".encode()
    yield client.send().finish().saw(content)


def many_ranges(place: Place) -> Iterator[str]:
    """10,000 ranges in one header: the server's own limit, or the whole file (RFC 9110 §14.2)."""
    content = place.file(NAME, 3 * MIB)
    for ranges in (["0-0"] * 10_000, [f"{number * 100}-" for number in range(5000)]):
        yield place.get(PATH, f"Range: bytes={','.join(ranges)}").saw(content)


def long_head(place: Place) -> Iterator[str]:
    """Headers of 60 KB, in one and in many."""
    content = place.file(NAME, 3 * MIB)
    yield place.get(PATH, f"X-Long: {'x' * 60_000}").saw(content)
    yield place.get(PATH, *[f"X-Number-{number}: {'x' * 100}" for number in range(500)]).saw(
        content
    )


def same_range(place: Place) -> Iterator[str]:
    """The same range 2,000 times, on connections that are kept."""
    content = place.file(NAME, 3 * MIB)
    with closing(http.client.HTTPConnection(HOST, place.server.port, timeout=20)) as connection:
        for _ in range(2000):
            connection.request("GET", PATH, headers={"Range": "bytes=1000-1999"})
            response = connection.getresponse()
            length = int(response.headers["Content-Length"])
            yield Answer(response.status, length, response.read()).saw(content[1000:2000])


CLIENTS = [
    Fault("hangs up before the headers", before_the_headers, GONE),
    Fault("hangs up in the body", in_the_body, GONE),
    Fault("hangs up in a multipart body", in_the_parts, GONE),
    Fault("hangs up before the last byte", at_the_last_byte, GONE),
    Fault("never reads", never_reading, GONE),
    Fault("reads a byte in a second", byte_by_byte, GONE, is_short=False),
    Fault("closes its half of the connection", half_closed, frozenset({"whole", "cut", "none"})),
    Fault("pipelines", pipelined, frozenset({"whole"})),
    Fault("speaks HTTP/1.0", http_1_0, frozenset({"whole", "400"})),
    Fault("asks for 10,000 ranges at once", many_ranges, REFUSED),
    Fault("sends headers of 60 KB", long_head, REFUSED),
    Fault("asks for the same range 2,000 times", same_range, frozenset({"whole"}), is_short=False),
]
