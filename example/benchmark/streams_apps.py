"""What answers on the servers that are compared. `BENCHMARK_STREAMS` has the database and the files."""

import csv
import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from .apps import configure

SETUP: dict[str, str] = json.loads(os.environ.get("BENCHMARK_STREAMS", "{}"))
COLUMNS = ("id", "name", "amount", "made")


class Echo:
    """A file that hands back what is written to it, as in Django's documentation."""

    def write(self, text: str) -> str:
        """The text."""
        return text


def configure_streams(export: Any, archive: Any) -> None:
    """A Django project with two views, a database and no middleware but ours."""
    configure(
        ("rows/<int:count>", export),
        ("files/<int:count>", archive),
        middleware=("fileresponse.middleware.FileResponseMiddleware",),
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": SETUP["database"]}},
    )


def rows(count: int) -> Any:
    """The first rows of the table, a queryset."""
    from django.apps import apps
    from django.db import models

    if "row" not in apps.all_models["benchmark"]:
        meta = type("Meta", (), {"app_label": "benchmark", "db_table": "rows"})
        texts = {name: models.TextField() for name in ("name", "made")}
        fields = {"amount": models.IntegerField(), **texts}
        type("Row", (models.Model,), {"__module__": __name__, "Meta": meta, **fields})
    row = apps.all_models["benchmark"]["row"]
    return row._default_manager.order_by("id").values_list(*COLUMNS)[:count]


def members(count: int) -> list[tuple[str, Path]]:
    """The first files, with their names in the archive."""
    return [(file.name, file) for file in sorted(Path(SETUP["files"]).iterdir())[:count]]


async def our_export(request: Any, count: int) -> Any:
    """This library: a queryset as a CSV file."""
    from fileresponse.streams import CSVResponse

    return CSVResponse(rows(count))


async def our_archive(request: Any, count: int) -> Any:
    """This library: files as an archive."""
    from fileresponse.streams import ZipResponse

    return ZipResponse(members(count))


def django_export(request: Any, count: int) -> Any:
    """Django's documentation: a generator of lines."""
    from django.http import StreamingHttpResponse

    writer: Any = csv.writer(Echo())
    lines = (writer.writerow(row) for row in rows(count).iterator(chunk_size=2000))
    return StreamingHttpResponse(lines, content_type="text/csv")


def django_archive(request: Any, count: int) -> Any:
    """Django alone: the archive is made in a temporary file, and then sent."""
    from django.http import FileResponse

    file = tempfile.TemporaryFile(dir=SETUP["temporary"])  # noqa: SIM115  (closed by the response)
    with zipfile.ZipFile(file, "w") as archive:
        for name, source in members(count):
            archive.write(source, name)
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename="archive.zip")


def ours_asgi() -> Any:
    """This library, its handler."""
    from fileresponse.asgi import get_asgi_application

    configure_streams(our_export, our_archive)
    return get_asgi_application()


def ours_wsgi() -> Any:
    """This library, Django's WSGI handler."""
    from django.core.wsgi import get_wsgi_application

    configure_streams(our_export, our_archive)
    return get_wsgi_application()


def django_asgi() -> Any:
    """Django alone, ASGI."""
    from django.core.asgi import get_asgi_application

    configure_streams(django_export, django_archive)
    return get_asgi_application()


def django_wsgi() -> Any:
    """Django alone, WSGI."""
    from django.core.wsgi import get_wsgi_application

    configure_streams(django_export, django_archive)
    return get_wsgi_application()
