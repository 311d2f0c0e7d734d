"""A small HTTP client that sees what a library would hide: cut bodies, slow reading, raw heads."""

import asyncio
import hashlib
import http.client
import socket
from contextlib import closing
from dataclasses import dataclass, field

from .servers import HOST


@dataclass
class Answer:
    """What came over the socket."""

    status: int
    headers: dict[str, str]
    length: int  # bytes of the body
    sha256: str
    complete: bool  # whether the body was as long as it was announced to be
    body: bytes = field(default=b"", repr=False)  # empty for large answers


def fetch(port: int, path: str, method: str = "GET", **headers: str) -> Answer:
    """One request; header names are given with underscores."""
    with closing(http.client.HTTPConnection(HOST, port, timeout=60)) as connection:
        connection.request(
            method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
        response = connection.getresponse()
        digest, length, body, complete = hashlib.sha256(), 0, [], True
        try:
            while chunk := response.read(1 << 20):
                digest.update(chunk)
                length += len(chunk)
                if length < 1 << 22:
                    body.append(chunk)
        except (http.client.IncompleteRead, ConnectionResetError):
            complete = False
        announced = response.headers.get("Content-Length")
        if announced is not None and method != "HEAD":
            complete = complete and length == int(announced)
        pairs = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, pairs, length, digest.hexdigest(), complete, b"".join(body))


class SlowClient:
    """A client that has asked for a file and reads only when it is told to."""

    def __init__(
        self,
        port: int,
        path: str,
        first: int = 1000,
        window: int | None = None,  # bytes that the kernel may receive ahead; `None`: many
    ) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(60)
        if window is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.connect((HOST, port))
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
        )
        self.received = b""
        while len(self.received) < first and (part := self.socket.recv(first)):
            self.received += part

    def read_to_the_end(self) -> bytes:
        """The rest of what the server sends; ends where the connection does."""
        parts = [self.received]
        try:
            while part := self.socket.recv(1 << 20):
                parts.append(part)
        except ConnectionResetError:
            pass
        self.hang_up()
        return b"".join(parts).partition(b"\r\n\r\n")[2]

    def digest(self) -> tuple[int, str]:
        """Length and SHA-256 of the whole body; for more than fits in memory."""
        part = self.received.partition(b"\r\n\r\n")[2]
        digest, length = hashlib.sha256(part), len(part)
        while part := self.socket.recv(1 << 20):
            digest.update(part)
            length += len(part)
        self.hang_up()
        return length, digest.hexdigest()

    def hang_up(self) -> None:
        """Close the connection, whatever the server is doing."""
        self.socket.close()


async def download(port: int, path: str) -> tuple[int, str]:
    """Length and SHA-256 of a body; many of these may run at the same time."""
    reader, writer = await asyncio.open_connection(HOST, port, limit=1 << 20)
    with closing(writer):
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        digest, length = hashlib.sha256(), 0
        while chunk := await reader.read(1 << 20):
            digest.update(chunk)
            length += len(chunk)
    return length, digest.hexdigest()
