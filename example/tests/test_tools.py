"""The tools of the other tests do what they say: count, collect, give up privileges, and break connections."""

import logging
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.client import IncompleteRead
from threading import Thread
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from .tools import FaultyProxy, descriptors, free_port, logged, ordinary_user

SIZE = 1_000_000
BODY = b"0123456789"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n" + BODY


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The URL of a server that treats every connection alike."""

    def serve() -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def received(url: str) -> tuple[int, str]:
    """How many bytes arrive, and how the connection ends."""
    parts, count = urlsplit(url), 0
    try:
        with closing(
            socket.create_connection((parts.hostname, parts.port), timeout=5)
        ) as connection:
            while data := connection.recv(1 << 16):
                count += len(data)
    except OSError as error:
        return count, type(error).__name__
    return count, "end"


@pytest.mark.measures
def test_an_open_file_is_counted_until_it_is_closed() -> None:
    before = descriptors()
    with tempfile.TemporaryFile():
        assert descriptors() == before + 1
    assert descriptors() == before


def test_messages_are_collected_inside_the_block_only() -> None:
    with logged("example") as lines:
        logging.getLogger("example").error("number %d", 1)
    logging.getLogger("example").debug("too late")
    assert lines == ["number 1"]


def test_privileges_are_given_up_and_taken_back() -> None:
    before = os.geteuid()
    with ordinary_user():
        assert os.geteuid() != 0
    assert os.geteuid() == before


def test_nobody_listens_on_a_free_port() -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", free_port()), timeout=5)


def test_a_proxy_cuts_refuses_and_recovers() -> None:
    """A cut is a reset, so no client mistakes it for the end of the answer."""
    with answering(lambda connection: connection.sendall(bytes(SIZE))) as url, FaultyProxy(url) as proxy:  # fmt: skip
        assert received(proxy.url) == (SIZE, "end")
        proxy.reset_after(1000)
        assert received(proxy.url) == (1000, "ConnectionResetError")
        proxy.refuse()
        assert received(proxy.url) == (0, "ConnectionResetError")
        proxy.heal()
        assert received(proxy.url) == (SIZE, "end")
        assert proxy.connections == 4


def test_a_proxy_lies_about_lengths() -> None:
    """A length that is too large is noticed; one that is too small is not."""

    def answer(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(ANSWER)

    with answering(answer) as url, FaultyProxy(url) as proxy:
        assert urlopen(proxy.url, timeout=5).read() == BODY
        proxy.lie(5)
        with pytest.raises(IncompleteRead) as caught:
            urlopen(proxy.url, timeout=5).read()
        assert caught.value.expected == 5
        proxy.lie(-4)
        assert urlopen(proxy.url, timeout=5).read() == BODY[:-4]
