"""`manage.py make_samples`: fill the media folder and the members' folder, and list the shows."""

import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.storage import storages
from django.core.management.base import BaseCommand, CommandError
from podcast.catalogue import SHOWS, list_show
from podcast.models import Show
from podcast.progress import Progress
from podcast.samples import Sample, make_samples


class Command(BaseCommand):
    """Writes what is missing or of another size; leaves other files alone."""

    help = "Write the sample files; what is there already is kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare `--large-mb`."""
        parser.add_argument(
            "--large-mb", type=int, default=64, metavar="N", help="size of large.bin (default: 64)"
        )

    def handle(self, *, large_mb: int, **options: Any) -> None:
        """Write each sample that is not up to date."""
        if large_mb < 0:
            raise CommandError("--large-mb must be 0 or more.")
        media = Path(settings.MEDIA_ROOT)
        self.write_all(make_samples(large_mb), media)
        for show in SHOWS:
            if show.place == Show.Place.MEMBERS:
                samples = [episode.sample for episode in show.episodes]
                self.write_all(samples, Path(storages[show.place].path("")))
            if show.place != Show.Place.OBJECTS:
                list_show(show)

    def write_all(self, samples: list[Sample], folder: Path) -> None:
        """Write what is missing into a folder, and say how much that was."""
        folder.mkdir(parents=True, exist_ok=True)
        missing = [sample for sample in samples if not is_made(sample, folder)]
        for sample in missing:
            self.write(sample, folder)
        kept = len(samples) - len(missing)
        self.stdout.write(f"{folder}: {len(missing)} written, {kept} kept")

    def write(self, sample: Sample, folder: Path) -> None:
        """Write beside the folder, then rename: nobody sees half a file."""
        with (
            Progress(self.stdout, sample.name, sample.size) as progress,
            tempfile.TemporaryDirectory(prefix="samples-", dir=folder.parent) as staging,
        ):
            path = Path(staging) / "part"
            with path.open("wb") as target:
                for chunk in sample.chunks():
                    target.write(chunk)
                    progress.show(target.tell())
            path.replace(folder / sample.name)


def is_made(sample: Sample, folder: Path) -> bool:
    """Whether the file is there in full size."""
    path = folder / sample.name
    return path.is_file() and path.stat().st_size == sample.size
