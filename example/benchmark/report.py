"""From rounds to medians, ratios, goals and a table."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

Found = dict[str, dict[str, Any]]  # contestant to figures, of one round
Column = tuple[str, str, str]  # head, figure, format
Goal = tuple[str, str, str, float]  # ratio, title, "at least", "at most" or "", number


def medians(rounds: Sequence[Found]) -> dict[str, dict[str, float]]:
    """Over the rounds, per contestant and figure."""
    played: dict[str, list[dict[str, float]]] = {}
    for found in rounds:
        for name, figures in found.items():
            played.setdefault(name, []).append(figures)
    return {name: _medians_of(figures) for name, figures in played.items()}


def _medians_of(played: list[dict[str, float]]) -> dict[str, float]:
    """Of one contestant, of the figures that every round has."""
    always = [figure for figure in played[0] if all(figure in figures for figures in played)]
    return {figure: median(figures[figure] for figures in played) for figure in always}


def per_round(
    rounds: Sequence[Found], needed: set[str], ratio: Callable[[Found], float]
) -> dict[str, Any] | None:
    """A ratio's median over the rounds that have all it needs, and each of them."""
    values = [ratio(found) for found in rounds if needed <= found.keys()]
    return {"median": median(values), "rounds": values} if values else None


def ratio_of(rounds: Sequence[Found], name: str, base: str, figure: str) -> dict[str, Any] | None:
    """A figure of one contestant to that of another, within each round."""
    return per_round(rounds, {name, base}, lambda r: r[name][figure] / r[base][figure])


def goal_line(title: str, value: float | None, word: str, goal: float) -> str:
    """A result beside its goal."""
    shown = "-" if value is None else f"{value:.2f}"
    line = f"{title:<68}{shown:>9}  "
    if not word:
        return line.rstrip()
    if value is None:
        return f"{line}{word} {goal}: not measured"
    reached = value <= goal if word == "at most" else value >= goal
    return f"{line}{word} {goal}: {'reached' if reached else 'MISSED'}"


def goal_lines(goals: Sequence[Goal], ratios: Mapping[str, Any]) -> list[str]:
    """All goals that are ratios, a line for each."""
    found = {name: ratio["median"] for name, ratio in ratios.items() if ratio}
    return [goal_line(title, found.get(name), word, goal) for name, title, word, goal in goals]


def cell(row: Mapping[str, Any], figure: str, form: str) -> str:
    """A figure; "none" if no answer came, "-" if it was not measured."""
    if figure not in row:
        return "-"
    return "none" if row[figure] is None else form.format(row[figure])


def rows(columns: Sequence[Column], table: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A table with a line of heads and a line for each title."""
    left = max(map(len, table), default=0) + 2
    widths = [max(len(head), 7) for head, _, _ in columns]
    cells = [[head for head, _, _ in columns]]
    cells += [[cell(row, figure, form) for _, figure, form in columns] for row in table.values()]
    bodies = ["  ".join(f"{c:>{w}}" for c, w in zip(line, widths, strict=True)) for line in cells]
    return [f"{title:<{left}}{body}" for title, body in zip(["", *table], bodies, strict=True)]


def stands_on(results: Mapping[str, Any]) -> str:
    """Hardware and versions, in a line."""
    m = results["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    return f"{m['cpu']}, {m['cores']} cores: {m['sharing']}. {versions}."


def rounded(value: Any) -> Any:
    """The same with fewer digits."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return round(value, 4) if isinstance(value, float) else value
