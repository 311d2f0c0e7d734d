"""What every benchmark does: options, a progress bar, rounds in turn, an end in time, a file of results."""

import argparse
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .report import Found, medians, rounded
from .servers import CLIENT_CORE, Contestant

BAR = 24  # characters
OPEN_FILES = 1 << 16  # at most, for clients and servers


class Progress:
    """A bar on standard error: one line that changes on a terminal, a line per step elsewhere."""

    def __init__(self) -> None:
        self._begun, self._count, self._total = time.monotonic(), 0, 0

    def expect(self, steps: int) -> None:
        """So many steps are to come."""
        self._total += steps

    def step(self, text: str) -> None:
        """What begins now."""
        share = self._count / max(self._total, 1)
        self._count += 1
        filled = "#" * round(BAR * share)
        line = f"[{filled:.<{BAR}}] {share:4.0%} {self._clock()} {text}"
        if sys.stderr.isatty():
            line = f"\r\x1b[K{line}"
        print(line, end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """All is done."""
        self.step("done")
        if sys.stderr.isatty():
            print(file=sys.stderr)

    def _clock(self) -> str:
        minutes, seconds = divmod(round(time.monotonic() - self._begun), 60)
        return f"{minutes}:{seconds:02}"


PROGRESS = Progress()


def chosen(contestants: Sequence[Contestant], names: Sequence[str] = ()) -> list[Contestant]:
    """The contestants that can run, and are wanted."""
    there = [contestant for contestant in contestants if not contestant.is_missing]
    return [contestant for contestant in there if not names or contestant.name in names]


def missing(contestants: Sequence[Contestant]) -> dict[str, str]:
    """What the contestants need that cannot run."""
    return {one.name: one.needs for one in contestants if one.is_missing}


def play(
    contestants: Sequence[Contestant],
    rounds: int,
    rival_rounds: int,
    measure: Callable[[Contestant], Found],
    after: Callable[[], Found] = dict,
) -> list[Found]:
    """All contestants, one at a time, in rounds; every other round backwards; the first rounds with rivals."""
    played = []
    for number in range(rounds):
        present = [c for c in contestants if not c.is_rival or number < rival_rounds]
        found: Found = {}
        for contestant in present[:: -1 if number % 2 else 1]:
            PROGRESS.step(f"round {number + 1}: {contestant.title}")
            found |= measure(contestant)
        played.append(found | after())
    return played


def turns(contestants: Iterable[Contestant], rounds: int, rival_rounds: int) -> int:
    """How many steps `play` has."""
    return sum(min(rounds, rival_rounds) if c.is_rival else rounds for c in contestants)


def options(text: str | None, quick: str) -> argparse.Namespace:
    """What was asked for: `quick`, and `only` some contestants."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--only", nargs="*", default=[], help="names of contestants")
    return parser.parse_args()


def stay_in_time(limit: int) -> None:
    """End in good order after that many seconds, or when told to; allow many open files."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGALRM, _interrupt)
    signal.alarm(limit)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def _interrupt(number: int, _: Any) -> None:
    """A signal's end: everything is stopped on the way out."""
    if number == signal.SIGALRM:
        raise TimeoutError("the benchmark took too long")
    sys.exit(128 + number)


def use_client_core() -> None:
    """From now on this process, the client, leaves the other core to the server."""
    os.sched_setaffinity(0, {CLIENT_CORE})


def written(
    file: Path,
    begun: float,
    facts: Mapping[str, Any],
    parameters: Any,
    measured: Mapping[str, Any],
    ratios: Callable[[list[Found]], dict[str, Any]],
    read_off: Callable[[dict[str, Any]], dict[str, Any]] = lambda results: {},
) -> dict[str, Any]:
    """The results, with what they stand on, medians, ratios and more; they are in the file now."""
    results = {
        "date": time.strftime("%Y-%m-%d", time.gmtime(begun)),
        "seconds": round(time.time() - begun),
        **facts,
        "parameters": asdict(parameters),
        **measured,
        "medians": medians(measured["rounds"]),
        "ratios": ratios(measured["rounds"]),
    }
    results |= read_off(results)
    file.write_text(json.dumps(rounded(results), indent=1) + "\n")
    return results
