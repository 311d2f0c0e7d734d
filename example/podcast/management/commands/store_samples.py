"""`manage.py store_samples`: fill the S3 store."""

import asyncio
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management.base import BaseCommand, CommandError
from fileresponse.s3.client import close_clients, lend_client
from fileresponse.conf import NOT_INSTALLED, StoreConfig, get_config
from podcast.catalogue import SHOWS, list_show
from podcast.models import Show
from podcast.progress import Progress
from podcast.samples import sample_names
from podcast.store import ensure_bucket, is_stored, size_of, upload


class Command(BaseCommand):
    """Uploads what is missing or of another size; leaves other objects alone."""

    help = "Upload the sample files to the S3 store; what is there already is kept."

    def handle(self, **options: Any) -> None:
        """Upload; one plain line if the store does not let us."""
        try:
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError:
            raise CommandError(NOT_INSTALLED) from None
        try:
            config = get_config()
            if config.bucket_name is None:
                raise CommandError(
                    f"Set {config.where('bucket_name')}: it says where to upload to."
                )
            asyncio.run(self.store_all(config, config.bucket_name))
            self.store_shows()
        except (ImproperlyConfigured, BotoCoreError, ClientError) as error:
            raise CommandError(f"The store cannot be used: {error}") from error

    async def store_all(self, config: StoreConfig, bucket: str) -> None:
        """Upload each sample file that is not in the store as it is in the media folder."""
        paths = [Path(settings.MEDIA_ROOT) / name for name in sample_names()]
        found = [path for path in paths if path.is_file()]
        try:
            async with lend_client(config) as client:
                await ensure_bucket(client, bucket, config.region_name)
                new = [path for path in found if not await is_stored(client, bucket, path)]
                for path in new:
                    with Progress(
                        self.stdout, f"{bucket}/{path.name}", await size_of(path)
                    ) as progress:
                        await upload(client, bucket, path, progress.show)
        finally:
            await close_clients()
        place = f"{config.url or 'AWS'}/{bucket}"
        self.stdout.write(f"{place}: {len(new)} uploaded, {len(found) - len(new)} kept")

    def store_shows(self) -> None:
        """Upload the episodes of shows that are in the store, as any Django project would."""
        if Show.Place.OBJECTS not in settings.STORAGES:
            return  # without django-storages
        storage = storages[Show.Place.OBJECTS]
        for show in (show for show in SHOWS if show.place == Show.Place.OBJECTS):
            for sample in (episode.sample for episode in show.episodes):
                if not storage.exists(sample.name) or storage.size(sample.name) != sample.size:
                    content = b"".join(sample.chunks())
                    storage.save(sample.name, ContentFile(content, sample.name))
                    self.stdout.write(f"  {sample.name}  stored")
            list_show(show)
