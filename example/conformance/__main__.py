"""Send every request to every server, judge the answers, and write results.json and a table."""

import argparse
import hashlib
import json
import os
import re
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from .answers import UNDATED, Known, Reply, Wrong, exchange
from .rows import EMPTY, FILE, FUTURE, ROWS, Row
from .servers import COLUMNS, Column, running

RESULTS = Path(__file__).with_name("results.json")
REPLACED = "replaced.mp3"
SIGNS = {"ok": "✓", "debatable-choice": "○", "server": "s", "wrong": "✗", "n/a": "-"}
ADDED_BY_SERVERS = {"connection", "date", "keep-alive", "server", "transfer-encoding", "via"}
MODIFIED = 1_714_910_400_123_456_789  # nanoseconds: a Sunday in May 2024, not at a second's start
MILLISECOND = 1_000_000
ATTEMPTS, PAUSE = 40, 0.03  # over more than a second: some servers renew Date once in a second


def content(name: str) -> bytes:
    """20,000 bytes that depend on the name."""
    return b"".join(hashlib.sha256(f"{name} {number}".encode()).digest() for number in range(625))


def write(path: Path, data: bytes, modified: int) -> None:
    """Put a file in its place at once, as a deployment does."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(data)
    os.utime(temporary, ns=(modified, modified))
    temporary.replace(path)


def write_files(media: Path) -> None:
    """The files that every server serves."""
    media.mkdir(parents=True)
    write(media / FILE, content(FILE), MODIFIED)
    write(media / EMPTY, b"", MODIFIED)
    write(media / FUTURE, content(FUTURE), time.time_ns() + 86_400 * 10**9)
    write(media / REPLACED, content("before"), MODIFIED)


def ask(port: int, path: str, row: Row, media: Path) -> tuple[Reply, Known] | None:
    """A row's request, its words filled in; None if the server does not say one of them."""
    plain = exchange(port, "GET", path, [], b"")
    file = media / path.rpartition("/")[2]
    known = Known(file.read_bytes() if file.exists() else b"", plain)
    if row.replaced:
        write(file, content("after"), MODIFIED + MILLISECOND)
    words = known.words()
    headers = []
    for line in row.headers.splitlines():
        name, _, value = line.partition(": ")
        try:
            headers.append((name, value.format_map(words)))
        except KeyError:
            return None
    reply = exchange(port, row.method, path, headers, row.body)
    return reply, replace(known, content=content("after")) if row.replaced else known


def judge(row: Row, reply: Reply, known: Known) -> tuple[str, str]:
    """Verdict and reason."""
    problems: list[tuple[bool, int, str]] = []
    for verdict, answers in (("ok", row.ok), ("debatable-choice", row.choices)):
        for answer in answers:
            try:
                return verdict, answer.accept(reply, known)
            except Wrong as wrong:
                fits = answer.status in (None, reply.status)
                problems.append((not fits, len(problems), str(wrong)))
    return "wrong", min(problems)[2]


def comparable(reply: Reply, row: Row) -> list[Any]:
    """What has to be the same on all servers: boundaries and clocks aside."""
    boundary = re.search(r'boundary="?([^";]+)', reply.get("content-type") or "")
    mark = boundary[1] if boundary else "no boundary"
    fields = [
        (name, value.replace(mark, "boundary"))
        for name, value in sorted(reply.headers)
        if name not in ADDED_BY_SERVERS and not (row.file == FUTURE and name == "last-modified")
    ]
    body = reply.body.replace(mark.encode(), b"boundary")
    return [reply.status, fields, hashlib.sha256(body).hexdigest()]


def run(column: Column, folder: Path) -> tuple[list[dict[str, Any]], list[Any]]:
    """Every row on one server: the results, and what is compared between our stacks."""
    results, compared = [], []
    media = folder / "data" / "media"
    with running(column, folder / "data", folder / column.name) as port:
        for row in ROWS:
            path = column.prefix + (REPLACED if row.replaced else row.file)
            verdict, status, reason = "n/a", None, "the server does not say what the request needs"
            for _ in range(ATTEMPTS if row.file == FUTURE else 1):
                if answered := ask(port, path, row, media):
                    verdict, reason = judge(row, *answered)
                    if column.ours and reason == UNDATED:
                        verdict = "server"  # the field is not an application's to send
                    status = answered[0].status
                if verdict == "wrong":
                    break
                time.sleep(PAUSE if row.file == FUTURE else 0)
            results.append({"verdict": verdict, "status": status, "reason": reason})
            compared.append(comparable(answered[0], row) if answered else None)
            write(media / REPLACED, content("before"), MODIFIED)
    return results, compared


def differences(compared: dict[str, list[Any]]) -> list[dict[str, str]]:
    """Where our stacks do not agree with the first of them."""
    found = []
    for name, answers in compared.items():
        first = next(iter(compared.values()))
        for row, one, other in zip(ROWS, first, answers, strict=True):
            if one != other:
                found.append({"row": row.name, "server": name, "difference": differ(one, other)})
    return found


def differ(one: Any, other: Any) -> str:
    """The first difference between two comparable answers."""
    if one is None or other is None:
        return "validators"
    if one[0] != other[0]:
        return f"status {one[0]}, {other[0]}"
    fields = sorted({name for name, _ in {*one[1]} ^ {*other[1]}})
    return f"fields {', '.join(fields)}" if fields else "body"


def gather(columns: list[Column]) -> dict[str, Any]:
    """Run all, and put the results row by row."""
    answers, compared = {}, {}
    with tempfile.TemporaryDirectory(prefix="conformance-") as name:
        folder = Path(name)
        write_files(folder / "data" / "media")
        for column in columns:
            print(f"{column.title} …", file=sys.stderr)
            answers[column.name], mine = run(column, folder)
            if column.ours:
                compared[column.name] = mine
    return {
        "columns": [
            {"name": c.name, "title": c.title, "ours": c.ours, "versions": c.versions()}
            for c in columns
        ],
        "rows": [
            {
                "name": row.name,
                "section": row.section,
                "link": row.link,
                "level": row.level,
                "method": row.method,
                "headers": [shorten(line) for line in row.headers.splitlines()],
                "answers": {name: results[number] for name, results in answers.items()},
            }
            for number, row in enumerate(ROWS)
        ],
        "differences_between_ours": differences(compared),
    }


def shorten(line: str) -> str:
    """A header, with the middle of a very long one left out."""
    return line if len(line) < 100 else f"{line[:40]}…{line[-20:]}"


def table(results: dict[str, Any]) -> str:
    """The results in Markdown."""
    columns = results["columns"]
    lines = ["| request | RFC 9110 | " + " | ".join(c["title"] for c in columns) + " |"]
    lines.append("|---" * (2 + len(columns)) + "|")
    for row in results["rows"]:
        cells = [cell(row["answers"][c["name"]]) for c in columns]
        section = f"[§{row['section']}]({row['link']}) {row['level']}"
        lines.append(f"| {' | '.join([row['name'], section, *cells])} |")
    for verdict, sign in SIGNS.items():
        counts = [str(count(results, c["name"], verdict)) for c in columns]
        lines.append(f"| **{sign} {verdict}** | | {' | '.join(counts)} |")
    lines += ["", *(f"- {c['title']}: {c['versions']}" for c in columns)]
    return "\n".join(lines)


def cell(answer: dict[str, Any]) -> str:
    """A verdict and the status."""
    return f"{SIGNS[answer['verdict']]} {answer['status'] or ''}".strip()


def count(results: dict[str, Any], column: str, verdict: str) -> int:
    """How often a column has a verdict."""
    return sum(row["answers"][column]["verdict"] == verdict for row in results["rows"])


def report(results: dict[str, Any]) -> int:
    """Print what is wrong with ours; the exit code."""
    ours = [c["name"] for c in results["columns"] if c["ours"]]
    wrong = [
        f"{name}: {row['name']}: {row['answers'][name]['reason']}"
        for row in results["rows"]
        for name in ours
        if row["answers"][name]["verdict"] == "wrong"
    ]
    wrong += [
        f"{d['server']} unlike {ours[0]}: {d['row']}: {d['difference']}"
        for d in results["differences_between_ours"]
    ]
    print("\n".join(wrong) or "Nothing wrong in our columns.", file=sys.stderr)
    return bool(wrong)


def main() -> int:
    """Run, or print the table of the last run."""
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument("columns", nargs="*", help="only these; results.json is left alone then")
    parser.add_argument(
        "--table", action="store_true", help="print the last run's table, run nothing"
    )
    options = parser.parse_args()
    if options.table:
        print(table(json.loads(RESULTS.read_text(encoding="utf-8"))))
        return 0
    chosen = [c for c in COLUMNS if not options.columns or c.name in options.columns]
    absent = [c for c in chosen if c.versions() is None]
    for column in absent:
        print(f"{column.title}: not installed, left out", file=sys.stderr)
    results = gather([c for c in chosen if c not in absent])
    if not options.columns and not absent:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(table(results))
    return report(results)


if __name__ == "__main__":
    sys.exit(main())
