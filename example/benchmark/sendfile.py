"""The limit: a loop around `sendfile(2)` that understands just enough HTTP for the client beside it.

`python -m benchmark.sendfile PORT FOLDER`: no headers are read, no errors answered, no descriptors closed.
"""

import os
import select
import socket
import sys
from contextlib import suppress

from .load import HOST

HEAD = "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n"


class Peer:
    """A connection, and what is still to be sent on it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.file, self.offset, self.left = connection, -1, 0, 0


class Loop:
    """One thread for all connections."""

    def __init__(self, port: int, folder: str) -> None:
        self.folder, self.epoll = folder, select.epoll()
        self.peers: dict[int, Peer] = {}
        self.files: dict[str, tuple[int, int]] = {}
        self.listener = socket.create_server((HOST, port), backlog=1024)
        self.listener.setblocking(False)
        self.epoll.register(self.listener, select.EPOLLIN)

    def run(self) -> None:
        """Until somebody ends the process."""
        while True:
            for descriptor, events in self.epoll.poll():
                if descriptor == self.listener.fileno():
                    self.accept()
                    continue
                peer = self.peers[descriptor]
                with suppress(BlockingIOError, ConnectionError):
                    self.send(peer) if events & select.EPOLLOUT else self.answer(peer)

    def accept(self) -> None:
        """A new client."""
        connection, _ = self.listener.accept()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.peers[connection.fileno()] = Peer(connection)
        self.epoll.register(connection, select.EPOLLIN)

    def answer(self, peer: Peer) -> None:
        """Read a request, and begin its answer; or the client has gone."""
        request = peer.connection.recv(4096)
        if not request:
            del self.peers[peer.connection.fileno()]
            peer.connection.close()
            return
        file, size = self.opened(request.split(b" ", 2)[1].decode())
        peer.connection.send(HEAD.format(size).encode(), socket.MSG_MORE)
        peer.file, peer.offset, peer.left = file, 0, size
        self.send(peer)

    def opened(self, path: str) -> tuple[int, int]:
        """A file's descriptor and its size."""
        if path not in self.files:
            file = os.open(self.folder + path, os.O_RDONLY)
            self.files[path] = file, os.fstat(file).st_size
        return self.files[path]

    def send(self, peer: Peer) -> None:
        """As much as the socket takes; then wait for it, or for the next request."""
        descriptor = peer.connection.fileno()
        try:
            while peer.left:
                sent = os.sendfile(descriptor, peer.file, peer.offset, peer.left)
                peer.offset, peer.left = peer.offset + sent, peer.left - sent
        except BlockingIOError:
            self.epoll.modify(descriptor, select.EPOLLOUT)
        except ConnectionError:
            self.epoll.modify(descriptor, select.EPOLLIN)  # the next read finds the end
        else:
            self.epoll.modify(descriptor, select.EPOLLIN)


if __name__ == "__main__":
    Loop(int(sys.argv[1]), sys.argv[2]).run()
