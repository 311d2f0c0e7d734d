"""`manage.py make_samples`: fill the media folder."""

import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from podcast.progress import Progress
from podcast.samples import Sample, make_samples


class Command(BaseCommand):
    """Writes what is missing or of another size; leaves other files alone."""

    help = "Write the sample files into the media folder; what is there already is kept."

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
        media.mkdir(parents=True, exist_ok=True)
        samples = make_samples(large_mb)
        missing = [sample for sample in samples if not is_made(sample, media)]
        for sample in missing:
            self.write(sample, media)
        kept = len(samples) - len(missing)
        self.stdout.write(f"{media}: {len(missing)} written, {kept} kept")

    def write(self, sample: Sample, media: Path) -> None:
        """Write beside the media folder, then rename: nobody sees half a file."""
        with (
            Progress(self.stdout, sample.name, sample.size) as progress,
            tempfile.TemporaryDirectory(prefix="samples-", dir=media.parent) as staging,
        ):
            path = Path(staging) / "part"
            with path.open("wb") as target:
                for chunk in sample.chunks():
                    target.write(chunk)
                    progress.show(target.tell())
            path.replace(media / sample.name)


def is_made(sample: Sample, media: Path) -> bool:
    """Whether the file is there in full size."""
    path = media / sample.name
    return path.is_file() and path.stat().st_size == sample.size
