"""The short form of `make faults`: what goes wrong on one server of each kind, and what the clients see."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from faults.__main__ import GROUPS, SURROUNDINGS
from faults.hostile import all_right
from faults.place import Answer, Fault, Place, run, started

pytestmark = pytest.mark.measures
FAULTS = [
    fault
    for group in GROUPS.values()
    for fault in group
    if fault.is_short and fault.options is None
]


@pytest.fixture(scope="module")
def surroundings() -> Iterator[dict[str, str]]:
    """What is around a server: a store that can fail, and a file system, where one can be mounted."""
    groups = [group for group in SURROUNDINGS if GROUPS[group]]
    with ExitStack() as stack:
        env: dict[str, str] = {}
        for surrounding in dict.fromkeys(SURROUNDINGS[group] for group in groups):
            env |= stack.enter_context(surrounding())
        yield env


@pytest.fixture(
    scope="module",
    params=["uvicorn, sendfile", pytest.param("gunicorn", marks=pytest.mark.thorough)],
)
def place(
    request: pytest.FixtureRequest,
    surroundings: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    """A server of each kind."""
    folder = tmp_path_factory.mktemp("faults")
    with started(request.param, folder, env=surroundings) as place:
        yield place


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_only_what_may_come_of_it(place: Place, fault: Fault) -> None:
    row = run(fault, place)
    assert row["problems"] == [], row


@pytest.mark.parametrize(
    ("body", "announced", "seen"),
    [
        (b"abcdef", 6, "whole"),
        (b"abc", 6, "cut"),
        (b"abc", None, "cut"),
        (b"abc", 3, "wrong"),  # it ends in order, but is not the file
        (b"abX", 6, "wrong"),
        (b"abcdefg", 6, "wrong"),
    ],
)
def test_the_judge_of_it_all(body: bytes, announced: int | None, seen: str) -> None:
    assert Answer(200, announced, body).saw(b"abcdef") == seen


ONE = b"Content-Range: bytes 1-2/10"
SEVERAL = b"Content-Type: multipart/byteranges; boundary=x"
PART, END = b"\r\n--x\r\nContent-Range: bytes 7-8/10\r\n\r\n", b"\r\n--x--\r\n"


@pytest.mark.parametrize(
    ("header", "body", "is_right"),
    [
        (ONE, b"12", True),
        (ONE, b"23", False),
        (ONE, b"1", False),
        (ONE.replace(b"/10", b"/11"), b"12", False),
        (b"", b"12", False),  # it does not say which
        (SEVERAL, PART + b"78" + PART + b"78" + END, True),
        (SEVERAL, PART + b"78" + PART + b"89" + END, False),
        (SEVERAL, PART + b"78" + END[:-2], False),
    ],
)
def test_the_judge_of_partial_bodies(header: bytes, body: bytes, is_right: bool) -> None:
    head = b"HTTP/1.1 206 Partial Content\r\n" + header
    assert all_right(Answer(206, len(body), body, head), b"0123456789") is is_right
