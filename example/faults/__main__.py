"""Let every fault happen on every server, and write faults.json and a table."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

from benchmark.servers import machine, versions

from .clients import CLIENTS
from .files import FILES
from .place import SERVERS, TOTALS, Fault, run, started
from .stops import STOPS
from .stores import STORES, faulty_store

RESULTS = Path(__file__).with_name("faults.json")
PACKAGES = (
    "django-fileresponse Django uvicorn uvloop httptools granian hypercorn gunicorn uvicorn-worker"
)
GROUPS: dict[str, list[Fault]] = {
    "files": FILES,
    "clients": CLIENTS,
    "servers": STOPS,
    "stores": STORES,
}
SURROUNDINGS: dict[str, Callable[[], AbstractContextManager[dict[str, str]]]] = {
    "stores": faulty_store
}


def rows(groups: Iterable[str], servers: Iterable[str]) -> list[dict[str, Any]]:
    """Every fault on every server, with a server of its own for each group."""
    found = []
    for group in groups:
        shared = [fault for fault in GROUPS[group] if fault.options is None]
        lonely = [[fault] for fault in GROUPS[group] if fault.options is not None]
        with SURROUNDINGS.get(group, nullcontext)() as env:
            for title, faults in product(servers, [shared] * bool(shared) + lonely):
                found += on_server(title, group, faults, env or {})
    return found


def on_server(
    title: str, group: str, faults: list[Fault], env: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Some faults on one server, if it has what they need."""
    options = faults[0].options
    if options is not None and title not in options:
        return
    arguments = (options or {}).get(title, ())
    with (
        tempfile.TemporaryDirectory(prefix="faults-") as name,
        started(title, Path(name), *arguments, env={**env, **faults[0].env}) as place,
    ):
        for fault in faults:
            row = {"group": group, **run(fault, place)}
            print(line(row), file=sys.stderr, flush=True)
            yield row


def line(row: dict[str, Any]) -> str:
    """A row as text."""
    saw = " ".join(f"{count} {what}" for what, count in row["saw"].items())
    log = f"named {row['named']}, {row['tracebacks']} tracebacks"
    facts = " ".join(f"{name}: {value}" for name, value in row["facts"].items())
    verdict = "; ".join(row["problems"]) or "ok"
    return f"{row['server']:<20}{row['fault']:<40}{saw:<28}{log:<24}leaked {row['leaked']}  {row['seconds']:5.1f} s  {verdict}  {facts}"


def main() -> int:
    """Run what was asked for; the exit code says whether anything was not as it may be."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument(
        "--only",
        nargs="*",
        default=[],
        help="names of groups or servers; faults.json is left alone then",
    )
    options = parser.parse_args()
    asked = options.only
    groups = [name for name in GROUPS if name in asked] or list(GROUPS)
    servers = [name for name in SERVERS if name in asked] or list(SERVERS)
    begun = time.monotonic()
    found = rows(groups, servers)
    totals = {
        "faults": len(found),
        **asdict(TOTALS),
        "leaked": sum(row["leaked"] for row in found),
        "problems": sum(bool(row["problems"]) for row in found),
    }
    totals["seconds"] = round(time.monotonic() - begun)
    print(
        ", ".join(f"{name.replace('_', ' ')}: {value:,}" for name, value in totals.items()),
        file=sys.stderr,
    )
    if not asked:
        facts = {
            "date": time.strftime("%Y-%m-%d"),
            "machine": machine("servers and clients on all"),
            "versions": versions(PACKAGES),
        }
        RESULTS.write_text(
            json.dumps({**facts, "totals": totals, "rows": found}, indent=1) + "\n",
            encoding="utf-8",
        )
    return bool(totals["problems"] or totals["wrong_bytes"])


if __name__ == "__main__":
    sys.exit(main())
