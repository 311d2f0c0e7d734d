"""From rounds to medians, ratios, goals and a table."""

from statistics import median
from typing import Any

from .servers import CONTESTANTS


def medians(rounds: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Over the rounds, per contestant and figure."""
    played: dict[str, list[dict[str, float]]] = {}
    for found in rounds:
        for name, figures in found.items():
            played.setdefault(name, []).append(figures)
    return {name: _medians_of(figures) for name, figures in played.items()}


def _medians_of(played: list[dict[str, float]]) -> dict[str, float]:
    """Of one contestant."""
    return {
        figure: median(figures[figure] for figures in played if figure in figures)
        for figure in played[0]
    }


def per_round(rounds: list[dict[str, Any]], needed: set[str], ratio: Any) -> dict[str, Any] | None:
    """A ratio's median over the rounds that have all it needs, and each of them."""
    values = [ratio(found) for found in rounds if needed <= found.keys()]
    return {"median": median(values), "rounds": values} if values else None


def ratios(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """What the goals are about; each ratio is taken within a round."""

    def throughput(size: str, name: str, base: str) -> dict[str, Any] | None:
        figure = f"{size}_mb_s"
        return per_round(rounds, {name, base}, lambda r: r[name][figure] / r[base][figure])

    def first_byte(r: dict[str, Any]) -> float:
        django = r["bare"]["first_byte_ms"] + r["django"]["first_byte_ms"]
        return float(r["ours"]["first_byte_ms"] / django)

    def strict_first_byte(r: dict[str, Any]) -> float:
        django = r["django"]["first_byte_ms"] - r["bare"]["memory_first_byte_ms"]
        return float(r["ours"]["first_byte_ms"] / (r["bare"]["first_byte_ms"] + django))

    def requests(name: str) -> dict[str, Any] | None:
        needed = {"ours", name}
        return per_round(rounds, needed, lambda r: r["ours"]["rps_many"] / r[name]["rps_many"])

    return {
        "first_byte": per_round(rounds, {"ours", "bare", "django"}, first_byte),
        "first_byte_strict": per_round(rounds, {"ours", "bare", "django"}, strict_first_byte),
        "large_to_bare": throughput("large", "ours", "bare"),
        "medium_to_bare": throughput("medium", "ours", "bare"),
        "bare_large_to_read": throughput("large", "bare", "read"),
        "bare_medium_to_read": throughput("medium", "bare", "read"),
        "requests_to_per_request": requests("per_request"),
        "requests_to_bare": requests("bare"),
        "requests_to_storages": requests("storages"),
    }


GOALS = [
    ("first_byte", "first byte, to bare + Django's own request", "at most", 1.3),
    ("first_byte_strict", "  the same, the server's own part counted once", "", 0.0),
    ("large_to_bare", "one large object, MB/s to bare", "at least", 0.9),
    ("medium_to_bare", "10 MiB, several clients, MB/s to bare", "at least", 0.9),
    ("bare_large_to_read", "  bare, one large object, to reading without sending", "", 0.0),
    ("bare_medium_to_read", "  bare, 10 MiB, to reading without sending", "", 0.0),
    ("requests_to_per_request", "requests/s of 4 KiB, many clients, to a client per request", "at least", 20.0),
    ("requests_to_bare", "  the same, to bare", "", 0.0),
    ("requests_to_storages", "  the same, to django-storages under gunicorn", "", 0.0),
    ("memory", "memory per slow client, MB", "at most", 0.5),
]  # fmt: skip


def goal_line(title: str, value: float | None, word: str, goal: float) -> str:
    """A result beside its goal."""
    shown = "-" if value is None else f"{value:.2f}"
    if not word or value is None:
        return f"{title:<62}{shown:>9}  {word} {goal if word else ''}".rstrip()
    reached = value <= goal if word == "at most" else value >= goal
    return f"{title:<62}{shown:>9}  {word} {goal}: {'reached' if reached else 'MISSED'}"


def goals(results: dict[str, Any]) -> list[str]:
    """All goals, a line for each."""
    found = {name: ratio["median"] for name, ratio in results["ratios"].items() if ratio}
    if "ours" in results["memory"]:
        found["memory"] = results["memory"]["ours"]["mb_per_client"]
    return [goal_line(title, found.get(name), word, goal) for name, title, word, goal in GOALS]


COLUMNS = [
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


def cell(row: dict[str, Any], figure: str, form: str) -> str:
    """A figure; "none" if no answer came, "-" if it was not measured."""
    if figure not in row:
        return "-"
    return "none" if row[figure] is None else form.format(row[figure])


def rounded(value: Any) -> Any:
    """The same with fewer digits."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return round(value, 4) if isinstance(value, float) else value


def table(results: dict[str, Any]) -> str:
    """The medians, the goals, and what they stand on."""
    titles = {c.name: c.title for c in CONTESTANTS}
    titles |= {"curl": "the store by curl", "read": "bare read, not sent"}
    heads = [head.format_map(results["parameters"]) for head, _, _ in COLUMNS]
    lines = [" " * 27 + "  ".join(heads)]
    for name, row in results["medians"].items():
        row = row | results["memory"].get(name, {})
        cells = [cell(row, figure, form) for _, figure, form in COLUMNS]
        widths = [len(head) for head in heads]
        body = "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        lines.append(f"{titles[name]:<27}{body}")
    return "\n".join([*lines, "", *goals(results), "", *notes(results)])


def notes(results: dict[str, Any]) -> list[str]:
    """Hardware, servers, sizes: what the figures stand on."""
    m, p = results["machine"], results["parameters"]
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    return [
        f"{m['cpu']}, {m['cores']} cores: {m['sharing']}. {versions}.",
        "uvicorn: one worker, asyncio, h11. gunicorn: one worker, gthread, 8 threads.",
        "Django: no middleware. curl and bare read have no server between them and the store.",
        "django-storages under gunicorn also keeps each object in a file, not in the memory shown.",
        f"{p['rounds']} rounds ({p['rival_rounds']} of the rivals), medians; ratios within a round.",
        f"Large: {p['large'] // 2**20} MiB by one client; "
        f"{p['mediums']} x 10 MiB by {p['medium_clients']} at a time.",
    ]
