"""Requests that nobody sends by accident: nothing may come from outside of the folder, and nothing may break."""

import os
import random
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.servers import EXAMPLE

from .place import CPU, MIB, TOTALS, Answer, Fault, Place

SECONDS = int(os.environ.get("FUZZ_SECONDS", "6"))
SECRET = b"a secret that lies beside the folder"
NAME, SIZE = "known.bin", 10_000
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
ANSWERS = frozenset(
    "200 206 301 304 400 403 404 405 408 411 412 413 414 416 417 426 431 501 505 none".split()
)
BOUNDARY = re.compile(
    rb"^content-type: *multipart/byteranges; *boundary=([\w-]+)", re.IGNORECASE | re.MULTILINE
)
CONTENT_RANGE = re.compile(
    rb"^content-range: *bytes (\d+)-(\d+)/(\d+)\r?$", re.IGNORECASE | re.MULTILINE
)


def ranges(chance: random.Random) -> str:
    """Ranges of which most can be had: one, several, in any order, over each other."""
    starts = [chance.randrange(SIZE) for _ in range(chance.choice((1, 1, 2, 3, 5)))]
    spans = [f"{start}-{start + chance.randrange(SIZE // 4)}" for start in starts]
    more = chance.choices(("", f"-{starts[0]}", f"{SIZE - 9}-"), k=chance.randrange(2))
    return f"Range: bytes={', '.join([*spans, *more])}"


def request(chance: random.Random, root: str) -> bytes:
    """A request that may be fine, strange, or none at all."""
    path = root + "".join(chance.choices(PIECES, k=chance.randrange(6)))
    path = chance.choice([root + NAME, root + NAME, path, path, path[len(root) - 1 :]])
    lines = [
        f"{chance.choice(METHODS)} {path} HTTP/1.{chance.choice('1110')}",
        "Host: 127.0.0.1",
        "Connection: close",
        *[ranges(chance)] * (chance.random() < 0.3),
    ]
    for field in chance.choices(FIELDS, k=chance.randrange(4)):
        value = "".join(chance.choices(VALUES, k=chance.choice((1, 1, 1, 2, 3))))
        lines.append(f"{field}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def fuzz(place: Place, root: str = "/files/") -> Iterator[str]:
    """As many as can be sent in some seconds, the same in every run."""
    content = place.file(NAME, SIZE)
    (place.folder.parent / "secret.txt").write_bytes(SECRET)
    chance, end = random.Random(9110), time.monotonic() + SECONDS  # noqa: S311
    place.facts["bodies of 206"] = 0
    while time.monotonic() < end:
        client = place.client("/", window=MIB)
        client.socket.settimeout(1)  # for a server that waits for a body
        client.ask = request(chance, root)
        answer = client.send().finish()
        TOTALS.add(transfers=1, bytes=len(answer.body))
        seen = judged(answer, content, place)
        place.facts["bodies of 206"] += answer.status == 206 and bool(answer.body)
        if seen not in ANSWERS:
            place.facts.setdefault("after", repr(client.ask[:500]))
        yield seen
    if not place.facts["bodies of 206"]:
        place.problems.append("no body of a 206 was looked at")


def judged(answer: Answer, content: bytes, place: Place) -> str:
    """The status, unless something has come that should not have."""
    whole = answer.head + answer.body
    hidden = [
        bytes(path) for path in (place.folder, EXAMPLE, Path(sys.prefix), Path(os.__file__).parent)
    ]
    if any(secret in whole for secret in (SECRET, b"root:", *hidden)):
        return "a secret"
    if b"Traceback" in whole:
        return "a traceback"
    if answer.status == 200 and answer.body and answer.body not in (content, b"pong"):
        return "other bytes"
    if answer.status == 206 and answer.body and not all_right(answer, content):
        return "other bytes"
    return str(answer.status or "none")


def all_right(answer: Answer, content: bytes) -> bool:
    """Whether a 206 has the bytes that it says it has (RFC 9110 §14.4), in one part or in several (§14.6)."""
    boundary, parts = BOUNDARY.search(answer.head), [(answer.head, answer.body)]
    if boundary:
        before, *inner, after = answer.body.split(b"\r\n--" + boundary[1])
        parts = [(head, body) for head, _, body in (part.partition(b"\r\n\r\n") for part in inner)]
        if before or after != b"--\r\n":
            return False
    said = [(CONTENT_RANGE.search(head), body) for head, body in parts]
    return all(
        found
        and (size := int(found[3])) == len(content)
        and 0 <= int(found[1]) <= int(found[2]) < size
        and body == content[int(found[1]) : int(found[2]) + 1]
        for found, body in said
    )


HOSTILE = [Fault("hostile requests", fuzz, ANSWERS, cpu_seconds=2 * SECONDS + CPU)]
