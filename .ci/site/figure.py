"""Write nbs/images/benchmark.svg from example/benchmark/files.json: `python .ci/site/figure.py`."""

import json
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MEASURED = ROOT / "example" / "benchmark" / "files.json"
FIGURE = ROOT / "nbs" / "images" / "benchmark.svg"
OURS = ("ours_sendfile", "ours", "ours_gthread")
OTHERS = ("nginx", "aiohttp", "django_gthread", "starlette", "django_asgi", "aiofiles")
WIDTH, LEFT, RIGHT, TOP, ROW, BAR = 760, 282, 190, 66, 27, 17  # in pixels
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600; font-size: 15px } .quiet { fill: #57606a }
.card { fill: #ffffff; stroke: #d0d7de } .ours { fill: #0b6b6b } .other { fill: #8c959f } .number { text-anchor: end }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .quiet { fill: #9da7b3 } .card { fill: #161b22; stroke: #30363d } .ours { fill: #63d2c6 } .other { fill: #6e7681 } }
"""


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """Words that begin at a point, or with the kind `number` end there."""
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}">{escape(words)}</text>'


def bar(place: int, title: str, found: dict[str, float], most: float, kind: str) -> list[str]:
    """One contestant: name, bar, speed, cost."""
    y = TOP + place * ROW
    speed = found["large_mb_s"]
    length = max((WIDTH - LEFT - RIGHT) * speed / most, 1)
    line = y + BAR - 4
    return [
        text(16, line, title),
        f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" class="{kind}"/>',
        text(WIDTH - 100, line, f"{speed:,.0f}", "number"),
        text(WIDTH - 16, line, f"{found['large_cpu_s_per_gb']:.2f}", "number"),
    ]


def figure(measured: dict[str, Any]) -> str:
    """How fast 10 MiB are sent, and at what cost, as SVG that is readable on light and on dark."""
    medians, titles = measured["medians"], measured["titles"]
    names = [name for name in (*OURS, *OTHERS) if "large_mb_s" in medians.get(name, {})]
    names.sort(key=lambda name: -medians[name]["large_mb_s"])
    most = medians[names[0]]["large_mb_s"]
    height = TOP + len(names) * ROW + 14
    bars = [
        part
        for place, name in enumerate(names)
        for part in bar(
            place, titles[name], medians[name], most, "ours" if name in OURS else "other"
        )
    ]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>10 MiB to 8 clients, measured on {measured['date']}</title>",
        f"<style>{STYLE}</style>",
        f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="6" class="card"/>',
        text(16, 28, "10 MiB from the page cache to 8 clients, server on one core", "title"),
        text(
            16,
            50,
            f"median of {measured['parameters']['rounds']} rounds, {measured['date']}",
            "quiet",
        ),
        text(WIDTH - 100, 50, "MB/s", "number quiet"),
        text(WIDTH - 16, 50, "CPU s/GB", "number quiet"),
        *bars,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FIGURE.parent.mkdir(exist_ok=True)
    found = json.loads(MEASURED.read_text(encoding="utf-8"))
    FIGURE.write_text(figure(found), encoding="utf-8")
