"""Throw text at everything that parses a header: `python .ci/fuzz.py [seconds]`, ten minutes by default.

No text may raise anything, and none may cost more than linear time.
"""

import sys
import time

from hypothesis import given, seed, settings
from hypothesis import strategies as st

from fileresponse.semantics.answer import Question, Stat, make_answer
from fileresponse.semantics.conditions import (
    check_conditions,
    if_range_holds,
    parse_date,
    parse_etags,
)
from fileresponse.semantics.headers import base_name, choose_coding, content_disposition
from fileresponse.semantics.ranges import Part, foresee_span, framed_size

SEEDS = [
    "bytes=0-",
    "bytes=0-1,",
    "-5,",
    '"a", ',
    'W/"',
    "*",
    "Tue, 24 Mar 2026 12:00:00 GMT",
    "gzip;q=0.5,",
    "\t ,",
    "9" * 30,
]
TEXT = st.text() | st.lists(st.sampled_from(SEEDS) | st.text(max_size=5), max_size=12).map("".join)


def parse_everything(text: str, size: int) -> None:
    """Give one text to every parser, and check what must hold for any."""
    question = Question("GET", {"Range": text})
    answer = make_answer(question, Stat(size), {"content-type": "text/plain"}, boundary="B" * 32)
    assert answer.status in (200, 206, 416)
    assert framed_size(list(answer.parts)) == int(answer.headers["Content-Length"] or 0) <= size
    if (span := foresee_span(text)) and (span[1] or span[0] + 1) <= size:
        assert answer.parts == (Part(b"", span[0], span[1] or size),)
    conditions = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")
    assert check_conditions(dict.fromkeys(conditions, text), '"a"', 100, 2e9) in (200, 304, 412)
    assert if_range_holds(text, '"a"', 100, 2e9) in (True, False)
    assert isinstance(parse_etags(text), list)
    assert isinstance(parse_date(text, 2e9), (int, type(None)))
    assert choose_coding(text, {"br", "gzip"}) in ("", "br", "gzip")
    assert "/" not in base_name(text)
    value = content_disposition(True, text) or ""
    assert value.isascii()
    assert not {"\r", "\n", "\0"} & set(value)


def fastest(text: str) -> float:
    """The best of five CPU times in seconds; the clock on the wall would count other programs."""
    times = []
    for _ in range(5):
        start = time.process_time()
        parse_everything(text, 1000)
        times.append(time.process_time() - start)
    return min(times)


def check_growth() -> None:
    """Eight times the text may cost about eight times as long, not sixty-four."""
    for text in SEEDS:
        short, long = fastest(text * 2000), fastest(text * 16000)
        assert long < 24 * short, (
            f"{text!r}: {long / short:.0f} times as long for eight times the text"
        )
        print(f"{text[:30]!r:34} 8 times the length,{long / short:4.1f} times the time")


def main(seconds: float) -> None:
    """Fuzz until the time is over, with progress on one line."""
    check_growth()
    start, rounds, examples = time.monotonic(), 0, 5000
    while (spent := time.monotonic() - start) < seconds:
        fuzz = settings(max_examples=examples, database=None, deadline=None)(
            given(TEXT, st.integers(0, 10**6))(parse_everything)
        )
        seed(time.time_ns())(fuzz)()
        rounds += 1
        print(f"\r{rounds * examples:,} texts, {spent:.0f} of {seconds:.0f} s", end="", flush=True)
    print(f"\n{rounds * examples:,} texts, no exception")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 600)
