"""What is read off the rounds with S3: ratios, goals, a table."""

from collections.abc import Sequence
from typing import Any

from .report import Column, Found, Goal, goal_line, goal_lines, per_round, ratio_of, rows, stands_on
from .servers import Contestant


GOALS: list[Goal] = [
    ("first_byte", "first byte, to bare + Django's own request", "at most", 1.3),
    ("first_byte_strict", "  the same, the server's own part counted once", "", 0.0),
    ("large_to_bare", "one large object, MB/s to bare", "at least", 0.9),
    ("medium_to_bare", "10 MiB, several clients, MB/s to bare", "at least", 0.9),
    ("bare_large_to_read", "  bare, one large object, to reading without sending", "", 0.0),
    ("bare_medium_to_read", "  bare, 10 MiB, to reading without sending", "", 0.0),
    ("requests_to_per_request", "requests/s of 4 KiB, many clients, to a client per request", "at least", 20.0),
    ("requests_to_bare", "  the same, to bare", "", 0.0),
    ("requests_to_storages", "  the same, to django-storages under gunicorn", "", 0.0),
]  # fmt: skip

COLUMNS: list[Column] = [
    ("1st byte ms", "first_byte_ms", "{:.2f}"),
    ("p99", "first_byte_p99_ms", "{:.2f}"),
    ("req/s 1", "rps_1", "{:.0f}"),
    ("req/s {clients}", "rps_many", "{:.0f}"),
    ("large MB/s", "large_mb_s", "{:.0f}"),
    ("{mediums}x10 MiB", "medium_mb_s", "{:.0f}"),
    ("CPU s/GB", "large_cpu_s_per_gb", "{:.2f}"),
    ("CPU s/GB {mediums}x", "medium_cpu_s_per_gb", "{:.2f}"),
    ("MB/slow client", "mb_per_client", "{:.2f}"),
    ("slow clients", "clients", "{:.0f}"),
    ("answers then, ms", "answer_meanwhile_ms", "{:.0f}"),
]


def ratios(rounds: list[Found]) -> dict[str, Any]:
    """What the goals are about; each ratio is taken within a round."""

    def first_byte(r: Found) -> float:
        django = r["bare"]["first_byte_ms"] + r["django"]["first_byte_ms"]
        return float(r["ours"]["first_byte_ms"] / django)

    def strict_first_byte(r: Found) -> float:
        django = r["django"]["first_byte_ms"] - r["bare"]["memory_first_byte_ms"]
        return float(r["ours"]["first_byte_ms"] / (r["bare"]["first_byte_ms"] + django))

    return {
        "first_byte": per_round(rounds, {"ours", "bare", "django"}, first_byte),
        "first_byte_strict": per_round(rounds, {"ours", "bare", "django"}, strict_first_byte),
        "large_to_bare": ratio_of(rounds, "ours", "bare", "large_mb_s"),
        "medium_to_bare": ratio_of(rounds, "ours", "bare", "medium_mb_s"),
        "bare_large_to_read": ratio_of(rounds, "bare", "read", "large_mb_s"),
        "bare_medium_to_read": ratio_of(rounds, "bare", "read", "medium_mb_s"),
        "requests_to_per_request": ratio_of(rounds, "ours", "per_request", "rps_many"),
        "requests_to_bare": ratio_of(rounds, "ours", "bare", "rps_many"),
        "requests_to_storages": ratio_of(rounds, "ours", "storages", "rps_many"),
    }


def goals(results: dict[str, Any]) -> list[str]:
    """All goals, a line for each."""
    memory = results["memory"].get("ours", {}).get("mb_per_client")
    last = goal_line("memory per slow client, MB", memory, "at most", 0.5)
    return [*goal_lines(GOALS, results["ratios"]), last]


def table(results: dict[str, Any], contestants: Sequence[Contestant]) -> str:
    """The medians, the goals, and what they stand on."""
    titles = {c.name: c.title for c in contestants}
    titles |= {"curl": "the store by curl", "read": "bare read, not sent"}
    p = results["parameters"]
    columns = [(head.format_map(p), figure, form) for head, figure, form in COLUMNS]
    shown = {
        titles[name]: row | results["memory"].get(name, {})
        for name, row in results["medians"].items()
    }
    return "\n".join([*rows(columns, shown), "", *goals(results), "", *notes(results)])


def notes(results: dict[str, Any]) -> list[str]:
    """Hardware, servers, sizes: what the figures stand on."""
    p = results["parameters"]
    return [
        stands_on(results),
        "uvicorn: one worker, asyncio, h11. gunicorn: one worker, gthread, 8 threads.",
        "Django: no middleware. curl and bare read have no server between them and the store.",
        "django-storages under gunicorn also keeps each object in a file, not in the memory shown.",
        f"{p['rounds']} rounds ({p['rival_rounds']} of the rivals), medians; ratios within a round.",
        f"Large: {p['large'] // 2**20} MiB by one client; "
        f"{p['mediums']} x 10 MiB by {p['medium_clients']} at a time.",
    ]
