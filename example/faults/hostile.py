"""Requests that nobody sends by accident: nothing may come from outside of the folder, and nothing may break."""

import os
import random
import time
from collections.abc import Iterator

from .place import MIB, TOTALS, Answer, Fault, Place

SECONDS = int(os.environ.get("FUZZ_SECONDS", "6"))
SECRET = b"a secret that lies beside the folder"
NAME = "known.bin"
PIECES = [
    *("..", ".", "/", "//", "\\", "%2e", "%2e%2e", "%2f", "%5c", "%00", "%", "%zz", "%c0%ae", "%ff", "%252e", "~", "|", ";"),
    *("secret.txt", NAME, "media", "etc/passwd", "proc/self/environ", "C:", "\\\\host\\share", "con", "é", "?", "#", "*", "x" * 300),
]  # fmt: skip
VALUES = [
    *("bytes=0-", "bytes=-1", "bytes=5-2", "bytes=", "bytes=0-0,", "bytes", "lines=0-1", "=", "-", ",", '"', 'W/"x"', "*"),
    *("9" * 40, "+1", "1_0", "٣", "\t", "\x01", "\xff", "Tue, 24 Mar 2026 12:00:00 GMT", "gzip;q=2", "identity;q=0", "br,", "x" * 2000),
]  # fmt: skip
FIELDS = [
    *("Range", "Range", "Range", "Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"),
    *("Accept-Encoding", "Accept", "Host", "Content-Length", "Transfer-Encoding", "Expect", "Upgrade", "X-Forwarded-For", ""),
]  # fmt: skip
METHODS = ("GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "get", "")
ANSWERS = "200 206 301 304 400 403 404 405 408 411 412 413 414 416 417 426 431 501 505 none"


def request(chance: random.Random) -> bytes:
    """A request that may be fine, strange, or none at all."""
    path = "/files/" + "".join(chance.choices(PIECES, k=chance.randrange(6)))
    path = chance.choice([f"/files/{NAME}", path, path, path[6:]])
    method = chance.choice(METHODS)
    lines = [
        f"{method} {path} HTTP/1.{chance.choice('1110')}",
        "Host: 127.0.0.1",
        "Connection: close",
    ]
    for field in chance.choices(FIELDS, k=chance.randrange(4)):
        lines.append(
            f"{field}: {''.join(chance.choices(VALUES, k=chance.choice((1, 1, 1, 2, 3))))}"
        )
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def fuzz(place: Place) -> Iterator[str]:
    """As many as can be sent in some seconds, the same in every run."""
    content = place.file(NAME, 10_000)
    (place.folder.parent / "secret.txt").write_bytes(SECRET)
    chance, end = random.Random(9110), time.monotonic() + SECONDS  # noqa: S311
    while time.monotonic() < end:
        client = place.client("/", window=MIB)
        client.socket.settimeout(1)  # for a server that waits for a body
        client.ask = request(chance)
        answer = client.send().finish()
        TOTALS.add(transfers=1, bytes=len(answer.body))
        yield judged(answer, content, place)


def judged(answer: Answer, content: bytes, place: Place) -> str:
    """The status, unless something has come that should not have."""
    whole = answer.head + answer.body
    if SECRET in whole or b"root:" in whole or str(place.folder).encode() in whole:
        return "a secret"
    if b"Traceback" in whole:
        return "a traceback"
    if answer.status == 200 and answer.body and answer.body not in (content, b"pong"):
        return "other bytes"
    return str(answer.status or "none")


HOSTILE = [Fault("hostile requests", fuzz, frozenset(ANSWERS.split()))]
