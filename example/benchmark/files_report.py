"""What is read off the rounds with files: ratios, goals, a table."""

from typing import Any

from .report import (
    Column,
    Found,
    Goal,
    goal_line,
    per_round,
    ratio_of,
    rows,
    stands_on,
)

COMPARED = {  # a ratio's name: who, to whom, by which figure
    "large_to_starlette": ("ours", "starlette", "large_mb_s"),
    "large_to_aiofiles": ("ours", "aiofiles", "large_mb_s"),
    "large_to_nginx": ("ours", "nginx", "large_mb_s"),
    "large_cpu_to_starlette": ("ours", "starlette", "large_cpu_s_per_gb"),
    "large_cpu_to_nginx": ("ours", "nginx", "large_cpu_s_per_gb"),
    "sendfile_cpu_to_nginx": ("ours_sendfile", "nginx", "large_cpu_s_per_gb"),
    "sendfile_cpu_to_gthread": ("ours_sendfile", "django_gthread", "large_cpu_s_per_gb"),
    "granian_to_nginx": ("ours_granian_path", "nginx", "large_mb_s"),
    "granian_read_to_nginx": ("ours_granian", "nginx", "large_mb_s"),
    "gthread_to_nginx": ("ours_gthread", "nginx", "large_mb_s"),
    "gthread_to_django": ("ours_gthread", "django_gthread", "large_mb_s"),
    "discarded_to_nginx": ("ours", "nginx", "large_discarded_mb_s"),
    "discarded_sendfile_to_nginx": ("ours_sendfile", "nginx", "large_discarded_mb_s"),
    "plain_to_starlette": ("ours_plain", "starlette_plain", "large_mb_s"),
    "small_to_django": ("ours", "django_bytes", "small_rps"),
    "small_to_starlette": ("ours", "starlette", "small_rps"),
    "small_collected": ("ours_collected", "ours", "small_rps"),
    "small_bytes_to_django": ("ours_bytes", "django_bytes", "small_rps"),
}
PINGED = {"ping": "ours", "ping_starlette": "starlette", "ping_aiofiles": "aiofiles", "ping_nginx": "nginx"}  # fmt: skip

GOALS: list[Goal] = [
    ("large_to_starlette", "10 MiB, 8 clients, MB/s, uvicorn: to Starlette", "at least", 2.0),
    ("large_to_aiofiles", "10 MiB, 8 clients, MB/s, uvicorn: to the approach of 2021", "at least", 15.0),
    ("large_to_nginx", "10 MiB, 8 clients, MB/s, uvicorn: to nginx", "at least", 0.9),
    ("large_cpu_to_starlette", "10 MiB, 8 clients, CPU s/GB, uvicorn: to Starlette", "at most", 0.4),
    ("sendfile_cpu_to_nginx", "10 MiB, 8 clients, CPU s/GB, SendfileProtocol: to nginx", "at most", 2.5),
    ("sendfile_cpu_to_gthread", "10 MiB, 8 clients, CPU s/GB, SendfileProtocol: to Django, gthread", "at most", 1.3),
    ("granian_to_nginx", "10 MiB, 8 clients, MB/s, granian by path: to nginx", "at least", 1.0),
    ("gthread_to_nginx", "10 MiB, 8 clients, MB/s, gthread: to nginx", "at least", 0.95),
    ("gthread_to_django", "10 MiB, 8 clients, MB/s, gthread: to Django's own FileResponse", "at least", 1.0),
    ("small_to_django", "4 KiB, requests/s, uvicorn: to Django's own handler and bytes", "at least", 3.0),
    ("small_to_starlette", "4 KiB, requests/s, uvicorn: to Starlette", "at least", 2.0),
    ("small_collected", "  4 KiB, requests/s, uvicorn: garbage looked for less often, to as usual", "", 0.0),
    ("small_bytes_to_django", "  4 KiB from memory, requests/s, uvicorn: our handler to Django's", "", 0.0),
    ("ping", "ping p99 during cold reads to idle, uvicorn", "at most", 3.0),
    ("ping_starlette", "  the same, Starlette", "", 0.0),
    ("ping_aiofiles", "  the same, the approach of 2021", "", 0.0),
    ("ping_nginx", "  the same, nginx", "", 0.0),
    ("large_cpu_to_nginx", "  10 MiB, 8 clients, CPU s/GB, uvicorn: to nginx", "", 0.0),
    ("granian_read_to_nginx", "  10 MiB, 8 clients, MB/s, granian as it comes: to nginx", "", 0.0),
    ("discarded_to_nginx", "  10 MiB, MB/s to a client that copies nothing, uvicorn: to nginx", "", 0.0),
    ("discarded_sendfile_to_nginx", "  the same, SendfileProtocol: to nginx", "", 0.0),
    ("plain_to_starlette", "  10 MiB, MB/s, uvicorn with asyncio and h11: to Starlette there", "", 0.0),
]  # fmt: skip
MEMORY_GOAL = 0.35  # MB for each slow client

SPEED: list[Column] = [
    ("4K req/s", "small_rps", "{:,.0f}"),
    ("CPU ms", "small_cpu_ms", "{:.3f}"),
    ("1st ms", "small_first_byte_ms", "{:.2f}"),
    ("p99", "small_first_byte_p99_ms", "{:.2f}"),
    ("64K MB/s", "middle_mb_s", "{:,.0f}"),
    ("10M MB/s", "large_mb_s", "{:,.0f}"),
    ("CPU s/GB", "large_cpu_s_per_gb", "{:.2f}"),
    ("1st ms", "large_first_byte_ms", "{:.1f}"),
    ("p99", "large_first_byte_p99_ms", "{:.1f}"),
    ("discarded", "large_discarded_mb_s", "{:,.0f}"),
    ("1G MB/s", "huge_mb_s", "{:,.0f}"),
    ("CPU s/GB", "huge_cpu_s_per_gb", "{:.2f}"),
]
WAITING: list[Column] = [
    ("MB/slow client", "mb_per_client", "{:.2f}"),
    ("usual buffer", "mb_per_client_usual_buffer", "{:.2f}"),
    ("slow clients", "clients", "{:.0f}"),
    ("idle ping ms", "ping_idle_ms", "{:.2f}"),
    ("p99", "ping_idle_p99_ms", "{:.2f}"),
    ("cold ping ms", "ping_cold_ms", "{:.2f}"),
    ("p99", "ping_cold_p99_ms", "{:.2f}"),
    ("cold MB/s", "cold_mb_s", "{:,.0f}"),
]
GROWTH: list[Column] = [
    ("MB/s", "mb_s", "{:,.0f}"),
    ("CPU s/GB", "cpu_s_per_gb", "{:.2f}"),
    ("peak MB above idle", "peak_above_idle_mb", "{:.1f}"),
]


def ratios(rounds: list[Found]) -> dict[str, Any]:
    """What the goals are about; each ratio is taken within a round."""

    def disturbed(name: str) -> dict[str, Any] | None:
        cold, idle = "ping_cold_p99_ms", "ping_idle_p99_ms"
        there = [found for found in rounds if {cold, idle} <= found.get(name, {}).keys()]
        return per_round(there, {name}, lambda r: r[name][cold] / r[name][idle])

    compared = {name: ratio_of(rounds, *what) for name, what in COMPARED.items()}
    return compared | {name: disturbed(contestant) for name, contestant in PINGED.items()}


def goals(results: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """What was to be reached, beside what was found; no `sense`: for comparison only; no `value`: not measured."""
    memory = results["memory"].get("ours", {})
    title = f"MB of memory for each of {memory.get('clients', 0)} slow clients, uvicorn"
    once = {"median": memory.get("mb_per_client"), "rounds": []}
    named = results["ratios"] | {"memory": once}
    return {
        "goals": [
            {
                "title": title,
                "value": (named[name] or {}).get("median"),
                "rounds": (named[name] or {}).get("rounds", []),
                "sense": sense,
                "goal": number,
            }
            for name, title, sense, number in [("memory", title, "at most", MEMORY_GOAL), *GOALS]
        ]
    }


def readable(size: float) -> str:
    """A number of bytes."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.0f} GiB"


def growth(results: dict[str, Any]) -> list[str]:
    """Throughput, cost and memory, as clients and sizes grow."""
    grown: dict[str, dict[str, Any]] = {}
    for name, found in results["growth"].items():
        title = results["titles"][name]
        grown |= {f"{title}, 10 MiB, {row['clients']} clients": row for row in found["clients"]}
        grown |= {f"{title}, {readable(row['bytes'])}, one client": row for row in found["sizes"]}
    return rows(GROWTH, grown)


def table(results: dict[str, Any]) -> str:
    """The medians, the goals, and what they stand on."""
    titles, medians = results["titles"], results["medians"]
    shown = {titles[name]: row | results["memory"].get(name, {}) for name, row in medians.items()}
    waiting = {title: row for title, row in shown.items() if {"clients", "cold_mb_s"} & row.keys()}
    absent = [f"MISSING: {titles[name]}: no {needs}" for name, needs in results["missing"].items()]
    parts = [rows(SPEED, shown), rows(WAITING, waiting), growth(results)]
    parts.append(
        [goal_line(g["title"], g["value"], g["sense"], g["goal"]) for g in results["goals"]]
    )
    return "\n".join(line for part in parts for line in [*part, ""]) + "\n".join(
        [*absent, *notes(results)]
    )


def notes(results: dict[str, Any]) -> list[str]:
    """Hardware, servers, sizes: what the figures stand on."""
    p, limit = results["parameters"], results["medians"].get("sendfile", {}).get("large_mb_s")
    ceiling = [f"The client takes {limit:,.0f} MB/s at most, from the bare sendfile loop; without copying, see discarded."] if limit else []  # fmt: skip
    return [
        stands_on(results),
        f"Before the start {results['machine']['load']:.1f} processes on average wanted to run; on a quiet machine it is near 0.",
        "uvicorn: one worker, uvloop and httptools, where nothing else is said. hypercorn: uvloop. aiohttp and anycorn: asyncio.",
        "gunicorn: one worker; gthread: 8 threads, so that it has no more than 8 slow clients. Django: no middleware but ours.",
        f"{p['rounds']} rounds ({p['rival_rounds']} of the rivals) of {p['seconds']} s for each figure, medians; ratios within a round.",
        f"4 KiB: {p['small_clients']} keep-alive clients, first byte: one. 64 KiB and 10 MiB: {p['large_clients']} clients. 1 GiB: one. All in the page cache.",
        f"Cold: {p['huge_clients']} clients read {readable(p['huge'])} each from the disk.",
        *ceiling,
    ]
