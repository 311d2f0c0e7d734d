"""What has been downloaded: figures, a chart, and all of it as a table."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Avg, Count, Sum
from django.db.models.functions import TruncHour
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from fileresponse.streams import CSVResponse

from .models import Download

HOURS = 24
LATEST = 25
COLUMNS = (
    "when",
    "episode__title",
    "path",
    "method",
    "status",
    "way",
    "outcome",
    "bytes",
    "duration",
)
HEADER = ("When", "Episode", "Path", "Method", "Status", "Way", "Outcome", "Bytes", "Seconds")
HEIGHT, STEP, WIDTH = 120, 20, 14  # of the chart and its bars, in units of its view box


@dataclass(frozen=True)
class Bar:
    """A part of a bar: the downloads of an hour that ended in one way."""

    outcome: str
    x: int
    y: float
    height: float
    width: int = WIDTH


def count_by_hour(since: Any) -> list[dict[str, int]]:
    """For each hour, how many downloads ended how."""
    hours: list[dict[str, int]] = [{} for _ in range(HOURS)]
    rows = Download.objects.filter(when__gte=since).annotate(hour=TruncHour("when"))
    for row in rows.values("hour", "outcome").annotate(count=Count("pk")).order_by():
        hours[int((row["hour"] - since) / timedelta(hours=1))][row["outcome"]] = row["count"]
    return hours


def make_bars(hours: list[dict[str, int]]) -> tuple[list[Bar], int]:
    """The bars of the chart, and the number that the highest stands for."""
    highest = max((sum(hour.values()) for hour in hours), default=0)
    bars = []
    for number, hour in enumerate(hours):
        top = float(HEIGHT)
        for outcome in Download.Outcome.values:
            height = round(HEIGHT * hour.get(outcome, 0) / max(1, highest), 2)
            top -= height
            if height:
                bars.append(Bar(outcome, number * STEP + 3, round(top, 2), height))
    return bars, highest


@login_required
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """How many downloads, how many bytes, how they ended, and the latest of them."""
    since = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    totals = Download.objects.aggregate(
        count=Count("pk"), bytes=Sum("bytes"), seconds=Avg("duration")
    )
    by_outcome = dict(Download.objects.values_list("outcome").annotate(Count("pk")).order_by())
    hours = count_by_hour(since)
    bars, highest = make_bars(hours)
    context = {
        "totals": totals,
        "outcomes": [(label, by_outcome.get(label, 0)) for label in Download.Outcome.values],
        "ways": Download.objects.values("way")
        .annotate(count=Count("pk"), bytes=Sum("bytes"))
        .order_by("-count"),
        "bars": bars,
        "highest": highest,
        "hours": [
            (since + timedelta(hours=number), hour) for number, hour in enumerate(hours) if hour
        ],
        "size": (HOURS * STEP, HEIGHT),
        "latest": Download.objects.select_related("episode")[:LATEST],
    }
    return render(request, "podcast/dashboard.html", context)


@login_required
@require_safe
def export(request: HttpRequest) -> HttpResponseBase:
    """All downloads, row by row from the database to the client."""
    rows = Download.objects.order_by("pk").values_list(*COLUMNS)
    return CSVResponse(
        rows, HEADER, filename="downloads.csv", escape_formulas=True, request=request
    )
