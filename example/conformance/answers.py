"""What a server answered, and whether that is one of the answers that RFC 9110 allows."""

import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime
from itertools import pairwise
from typing import TypeVar

HOST = "127.0.0.1"
Truth = TypeVar("Truth")
LARGEST_GAP = 200  # bytes; §15.3.7.2 lets a server merge over a gap smaller than a part's overhead
CACHE_FIELDS = ("etag", "cache-control", "expires", "content-location", "vary")
REPRESENTATION_FIELDS = ("content-type", "content-encoding", "content-language", "last-modified")
UNDATED = "the server adds no Date"


class Wrong(Exception):
    """Why an answer is not the expected one."""


def need(condition: Truth | None, reason: str) -> Truth:
    """What was found to be there or to be true; `Wrong` if it is not."""
    if not condition:
        raise Wrong(reason)
    return condition


@dataclass(frozen=True)
class Reply:
    """What came over the socket."""

    method: str
    status: int  # 0: no HTTP answer
    headers: tuple[tuple[str, str], ...]  # names in lower case
    body: bytes  # everything after the head, without the chunks' framing

    def get(self, name: str) -> str | None:
        """A field's value; several lines of a field are joined as §5.3 says."""
        return ", ".join(value for key, value in self.headers if key == name) or None


def exchange(
    port: int, method: str, path: str, headers: list[tuple[str, str]], body: bytes
) -> Reply:
    """One request on a connection of its own, read to the connection's end."""
    fields = [("Host", f"{HOST}:{port}"), *headers, ("Connection", "close")]
    if method in ("POST", "PUT"):
        fields.append(("Content-Length", str(len(body))))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
    received = bytearray()
    try:
        with socket.create_connection((HOST, port), timeout=10) as connection:
            connection.sendall("\r\n".join(lines).encode("latin-1") + body)
            while block := connection.recv(1 << 16):
                received += block
    except OSError:  # what came until then is the answer
        pass
    return parse(method, bytes(received))


def parse(method: str, received: bytes) -> Reply:
    """An HTTP/1.1 message, taken apart."""
    head, _, body = received.partition(b"\r\n\r\n")
    start, *lines = head.decode("latin-1").split("\r\n")
    if not (match := re.match(r"HTTP/1\.[01] (\d{3})", start)):
        return Reply(method, 0, (), b"")
    pairs = [line.partition(":") for line in lines]
    headers = tuple((name.lower(), value.strip()) for name, _, value in pairs)
    if ("transfer-encoding", "chunked") in headers and body:
        body = dechunk(body)
    return Reply(method, int(match[1]), headers, body)


def dechunk(body: bytes) -> bytes:
    """A chunked body in one piece; cut where it breaks off."""
    whole = b""
    while match := re.match(rb"([0-9A-Fa-f]+)[^\r]*\r\n", body):
        size = int(match[1], 16)
        whole += body[match.end() : match.end() + size]
        body = body[match.end() + size + 2 :]
    return whole


@dataclass(frozen=True)
class Known:
    """A file, and what the server says about it when it is asked without conditions."""

    content: bytes
    plain: Reply

    def words(self) -> dict[str, str]:
        """What may stand in braces in a row's headers; a missing word makes the row n/a."""
        now = datetime.now(timezone.utc)
        past = datetime(now.year - 40, 1, 1, tzinfo=timezone.utc)  # its two digits: in 60 years
        words = {"size": str(len(self.content)), "last": str(len(self.content) - 1)}
        words["past850"] = past.strftime("%A, %d-%b-%y %H:%M:%S GMT")
        if etag := self.plain.get("etag"):
            opaque = etag.removeprefix("W/")
            words |= {"etag": etag, "weak": "W/" + opaque, "bare": opaque.strip('"')}
            words |= {"strong": etag} if etag == opaque else {}
        if modified := self.plain.get("last-modified"):
            date = parsedate_to_datetime(modified)
            for name, hours in (("earlier", -1), ("date", 0), ("later", 1)):
                moment = date + timedelta(hours=hours)
                words[name] = format_datetime(moment, usegmt=True)
                words[name + "850"] = moment.strftime("%A, %d-%b-%y %H:%M:%S GMT")
                words[name + "asc"] = time.asctime(moment.timetuple())
        return words


Need = Callable[[Reply, Known], str | None]  # raises Wrong, may return a detail for the reader


@dataclass(frozen=True)
class Answer:
    """One allowed answer: a status (None: any) and what must hold besides."""

    status: int | None
    label: str
    needs: tuple[Need, ...] = ()

    def accept(self, reply: Reply, known: Known) -> str:
        """What was answered, in a few words; `Wrong` if it is not this answer."""
        need(reply.status, "no HTTP answer")
        need(reply.status != 500, "500")
        need(self.status in (None, reply.status), f"{reply.status} instead of {self.status}")
        length = reply.get("content-length")
        if reply.method != "HEAD" and reply.status != 304 and length is not None:
            need(length == str(len(reply.body)), "body not as long as its Content-Length")
        details = [check(reply, known) for check in self.needs]
        return ", ".join(filter(None, [self.label, *details]))


def expect(status: int | None, label: str, *needs: Need) -> Answer:
    """An answer with further needs."""
    return Answer(status, label, needs)


def whole(label: str = "whole file") -> Answer:
    """200 with the whole file; to HEAD, with its length."""
    return expect(200, label, _whole)


def part(start: int, stop: int | None = None, label: str = "the range") -> Answer:
    """206 with one slice of the file, not in a multipart."""

    def check(reply: Reply, known: Known) -> None:
        need(_is_single(reply), "multipart for a single range")
        span = slice(start, stop).indices(len(known.content))[:2]
        need(_spans(reply, known) == [span], "206 with another range than asked for")

    return expect(206, label, check)


def parts(*wanted: tuple[int, int]) -> Answer:
    """206 with these half-open spans in this order; overlapping and near ones may be merged."""

    def check(reply: Reply, known: Known) -> str:
        got = _spans(reply, known)
        asked = {position for span in wanted for position in range(*span)}
        need(asked <= {position for span in got for position in range(*span)}, "bytes missing")
        for start, stop in got:
            inside = sorted({start, stop, *(asked & set(range(start, stop)))})
            gaps = [after - before for before, after in pairwise(inside)]
            need(start in asked and stop - 1 in asked, "bytes not asked for")
            need(max(gaps) <= LARGEST_GAP, "merged over a wide gap")
        kept = [span for span in got if span in wanted]
        need(kept == sorted(kept, key=wanted.index), "parts not in the order asked for")
        return "one range" if _is_single(reply) else f"{len(got)} parts"

    return expect(206, "multiple ranges", check)


def unsatisfiable() -> Answer:
    """416 with the current length."""

    def check(reply: Reply, known: Known) -> None:
        said = f"bytes */{len(known.content)}"
        need(reply.get("content-range") == said, "416 without the current length")

    return expect(416, "not satisfiable", check)


def not_modified(*needs: Need) -> Answer:
    """304, which ends with its head."""

    def check(reply: Reply, _: Known) -> None:
        need(not reply.body, "304 with a body")

    return expect(304, "not modified", check, *needs)


def small(reply: Reply, known: Known) -> str:
    """A 206 of correct parts whose body is not longer than the whole file."""
    spans = _spans(reply, known)
    need(len(reply.body) <= len(known.content), "body longer than the whole file")
    return "one range" if _is_single(reply) else f"{len(spans)} parts"


def dated(reply: Reply, _: Known) -> None:
    """One `Date`, in the preferred format."""
    dates = [value for name, value in reply.headers if name == "date"]
    need(dates, UNDATED)
    need(len(dates) == 1, f"{len(dates)} Date fields")
    need(re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", dates[0]), "malformed Date")


def not_from_the_future(reply: Reply, _: Known) -> None:
    """`Last-Modified` is not later than `Date`; than this machine's clock, if there is no `Date`."""
    now = datetime.now(timezone.utc)
    date = parsedate_to_datetime(reply.get("date") or format_datetime(now, usegmt=True))
    if modified := reply.get("last-modified"):
        need(parsedate_to_datetime(modified) <= date, "Last-Modified later than Date")


def same(*names: str) -> Need:
    """The fields that a 200 has, with the same values."""

    def check(reply: Reply, known: Known) -> None:
        for name in names:
            need(reply.get(name) == known.plain.get(name), f"{name} not as in a 200")

    return check


def has(name: str, value: str | None = None) -> Need:
    """A field is there, with this value if one is given."""

    def check(reply: Reply, _: Known) -> None:
        need(reply.get(name) is not None, f"no {name}")
        need(value in (None, reply.get(name)), f"{name} is not {value}")

    return check


def lacks(*names: str) -> Need:
    """None of the fields is there."""

    def check(reply: Reply, _: Known) -> None:
        there = [name for name in names if reply.get(name) is not None]
        need(not there, f"has {', '.join(there)}")

    return check


def not_status(*statuses: int) -> Need:
    """Any status but these."""

    def check(reply: Reply, _: Known) -> None:
        need(reply.status not in statuses, f"{reply.status} to {reply.method}")

    return check


def true_length(reply: Reply, known: Known) -> None:
    """A `Content-Length` without a body tells what a 200 to GET would have had."""
    length = reply.get("content-length")
    need(length in (None, str(len(known.content))), f"Content-Length: {length}")


def allow_with_405(reply: Reply, _: Known) -> None:
    """405 says which methods are allowed."""
    need(reply.status != 405 or reply.get("allow"), "405 without Allow")


def _whole(reply: Reply, known: Known) -> None:
    if reply.method == "HEAD":
        need(not reply.body, "body in the answer to HEAD")
        need(reply.get("content-length") == str(len(known.content)), "another length than GET's")
    else:
        need(reply.body == known.content, "not the file's bytes")


def _is_single(reply: Reply) -> bool:
    return not (reply.get("content-type") or "").lower().startswith("multipart/byteranges")


def _spans(reply: Reply, known: Known) -> list[tuple[int, int]]:
    """A 206's half-open spans, each with its fields and bytes checked."""
    if _is_single(reply):
        return [_span(dict(reply.headers), reply.body, known)]
    need(reply.get("content-range") is None, "Content-Range in the head of a multipart")
    boundary = re.search(r'boundary="?([^";]+)', reply.get("content-type") or "")
    delimiter = b"\r\n--" + need(boundary, "multipart without boundary")[1].encode()
    _, *sections, end = (b"\r\n" + reply.body).split(delimiter)
    need(sections and end.startswith(b"--"), "multipart not closed")
    spans = []
    for section in sections:
        head, _, data = section.lstrip(b" \t").removeprefix(b"\r\n").partition(b"\r\n\r\n")
        pairs = [line.partition(":") for line in head.decode("latin-1").split("\r\n")]
        fields = {name.lower(): value.strip() for name, _, value in pairs}
        part_type = fields.get("content-type")
        need(part_type == known.plain.get("content-type"), "part with another Content-Type")
        spans.append(_span(fields, data, known))
    return spans


def _span(fields: dict[str, str], data: bytes, known: Known) -> tuple[int, int]:
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", fields.get("content-range", ""))
    first, last, size = map(int, need(match, "no valid Content-Range").groups())
    need(size == len(known.content) and first <= last < size, "no valid Content-Range")
    need(data == known.content[first : last + 1], "not the range's bytes")
    return first, last + 1
