"""`manage.py make_samples`: fill the media folder."""

import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import filesizeformat
from podcast.samples import MEGABYTE, Sample, make_samples


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
        with tempfile.TemporaryDirectory(prefix="samples-", dir=media.parent) as staging:
            path = Path(staging) / "part"
            with path.open("wb") as target:
                for chunk in sample.chunks():
                    target.write(chunk)
                    self.show_progress(sample, target.tell())
            path.replace(media / sample.name)
        self.stdout.write(f"{title(sample)}  done")

    def show_progress(self, sample: Sample, written: int) -> None:
        """Count on a terminal, in place; name every quarter elsewhere."""
        if sample.size < 8 * MEGABYTE or written == sample.size:
            return
        text = f"{title(sample)}  {100 * written // sample.size} %"
        if self.stdout.isatty():
            self.stdout.write(text, ending="\r")
        elif written % (sample.size // 4) < MEGABYTE:
            self.stdout.write(text)
        self.stdout.flush()


def title(sample: Sample) -> str:
    """A sample's name and size."""
    return f"  {sample.name}  {filesizeformat(sample.size)}"


def is_made(sample: Sample, media: Path) -> bool:
    """Whether the file is there in full size."""
    path = media / sample.name
    return path.is_file() and path.stat().st_size == sample.size
