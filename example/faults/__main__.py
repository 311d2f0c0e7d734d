"""Let every fault happen on every server, and write faults.json and a table."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import product
from pathlib import Path
from typing import Any

from benchmark.servers import machine, versions

from .clients import CLIENTS
from .disks import DISKS, disks
from .files import FILES
from .hostile import HOSTILE
from .load import LOAD
from .place import SERVERS, Fault, run, started
from .stops import STOPS
from .stores import STORES, faulty_store

RESULTS = Path(__file__).with_name("faults.json")
PACKAGES = (
    "django-fileresponse Django uvicorn uvloop httptools granian hypercorn gunicorn uvicorn-worker"
)
GROUPS: dict[str, list[Fault]] = {
    "files": FILES,
    "file systems": DISKS,
    "clients": CLIENTS,
    "servers": STOPS,
    "stores": STORES,
    "load": LOAD,
    "hostile input": HOSTILE,
}
SURROUNDINGS: dict[str, Callable[[], AbstractContextManager[dict[str, str]]]] = {
    "file systems": disks,
    "stores": faulty_store,
    "load": faulty_store,
}


def rows(group: str, servers: Iterable[str]) -> list[dict[str, Any]]:
    """Every fault of a group on every server, with a server of its own for those that need one."""
    if not GROUPS[group]:
        print(f"{group}: cannot happen here", file=sys.stderr)
        return []
    found: list[dict[str, Any]] = []
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
    costs = f"{row['seconds']:5.1f} s {row['cpu_seconds']:5.1f} s CPU {row['peak_mb']:5.1f} MB"
    verdict = "; ".join(row["problems"]) or "ok"
    return f"{row['server']:<20}{row['fault']:<54}{saw:<36}{log:<24}leaked {row['leaked']}  {costs}  {verdict}  {facts}"


def sums(rows: list[dict[str, Any]]) -> dict[str, int]:
    """What all rows come to."""
    counted = ("transfers", "bytes", "wrong_bytes", "leaked")
    totals = {name: sum(row[name] for row in rows) for name in counted}
    return {
        "faults": len(rows),
        **totals,
        "problems": sum(bool(row["problems"]) for row in rows),
        "seconds": round(sum(row["seconds"] for row in rows)),
    }


def write(found: list[dict[str, Any]]) -> None:
    """Put the rows in the place of what was known of their groups."""
    before = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"rows": []}
    renewed = {row["group"] for row in found}
    known = [row for row in before["rows"] if row["group"] not in renewed] + found
    kept = sorted(known, key=lambda row: list(GROUPS).index(row["group"]))
    facts = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine("servers and clients on all"),
        "versions": versions(PACKAGES),
    }
    results = {**facts, "totals": sums(kept), "rows": kept}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    """Run what was asked for; the exit code says whether anything was not as it may be."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="groups, whose rows are then renewed")
    parser.add_argument("--on", nargs="*", default=[], help="servers; faults.json is left alone")
    asked = parser.parse_args()
    groups = [name for name in GROUPS if name in asked.only or not asked.only]
    found = []
    for group in groups:
        found += (
            these := rows(group, [name for name in SERVERS if name in asked.on or not asked.on])
        )
        if not asked.on:
            write(these)
    totals = sums(found)
    print(", ".join(f"{name}: {value:,}" for name, value in totals.items()), file=sys.stderr)
    return bool(totals["problems"] or totals["wrong_bytes"])


if __name__ == "__main__":
    sys.exit(main())
