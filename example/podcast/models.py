"""Shows, their episodes, and what has been downloaded."""

from django.conf import settings
from django.core.files.storage import storages
from django.db import models
from django.db.models.fields.files import FieldFile
from django.urls import reverse
from fileresponse.http import guess_content_type
from fileresponse.s3.storages import storage_source


class ShowQuerySet(models.QuerySet["Show"]):
    """Shows, as they are asked for."""

    def available(self) -> "ShowQuerySet":
        """Those whose storage there is: without a store, its shows are not listed."""
        return self.filter(place__in=settings.STORAGES)


class Show(models.Model):
    """A podcast: episodes under one title."""

    class Place(models.TextChoices):
        """The storages in which audio can be."""

        MEDIA = "default", "a folder"
        MEMBERS = "members", "a folder for members"
        OBJECTS = "objects", "an S3 store"

    title = models.CharField(max_length=100)
    slug = models.SlugField(unique=True)
    description = models.TextField()
    members_only = models.BooleanField(default=False)
    place = models.CharField(max_length=20, choices=Place.choices, default=Place.MEDIA)

    objects = ShowQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("podcast:show", args=[self.slug])


class PlacedFieldFile(FieldFile):
    """A file in the storage of its show."""

    def __init__(self, instance: "Episode", field: models.FileField, name: str | None) -> None:
        super().__init__(instance, field, name)
        if instance.show_id is not None:  # a form may not know yet
            self.storage = storages[instance.show.place]


class PlacedFileField(models.FileField):
    """A file field whose storage is decided by the show."""

    attr_class = PlacedFieldFile


def upload_path(episode: "Episode", filename: str) -> str:
    """Where an uploaded file goes: into a folder of the show."""
    return f"{episode.show.slug}/{filename}"


class Episode(models.Model):
    """Something to listen to."""

    show = models.ForeignKey(Show, models.CASCADE, related_name="episodes")
    title = models.CharField(max_length=100)
    slug = models.SlugField(max_length=110)
    audio = PlacedFileField(upload_to=upload_path, max_length=255)
    notes = PlacedFileField(upload_to=upload_path, max_length=255, blank=True)
    published = models.DateTimeField()
    duration = models.FloatField(null=True, blank=True, help_text="seconds; empty: unknown")
    description = models.TextField(blank=True)

    class Meta:
        ordering = ("-published",)
        constraints = (models.UniqueConstraint(fields=("show", "slug"), name="one_slug_per_show"),)

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("podcast:episode", args=[self.show.slug, self.slug])

    @property
    def audio_url(self) -> str:
        """Where its audio is served."""
        return reverse("podcast:audio", args=[self.show.slug, self.slug])

    @property
    def minutes(self) -> str:
        """How long it plays, as a player shows it."""
        minutes, seconds = divmod(round(self.duration or 0), 60)
        return f"{minutes}:{seconds:02}"

    @property
    def content_type(self) -> str:
        """The audio's media type, by its name."""
        return guess_content_type(self.audio.name)

    def size(self) -> int | None:
        """Bytes of audio, as the storage says; `None` while it says nothing."""
        try:
            return storage_source(self.audio).stat().size
        except OSError:
            return None

    async def asize(self) -> int | None:
        """`size`, without blocking the event loop."""
        try:
            return (await storage_source(self.audio).astat()).size
        except OSError:
            return None


class Download(models.Model):
    """A file response that is over, as the signal told it."""

    class Outcome(models.TextChoices):
        """How it ended."""

        COMPLETED = "completed"
        ABORTED = "aborted"
        ERROR = "error"

    when = models.DateTimeField(auto_now_add=True, db_index=True)
    episode = models.ForeignKey(Episode, models.SET_NULL, null=True, blank=True)
    path = models.CharField(max_length=500)
    method = models.CharField(max_length=10)
    status = models.PositiveSmallIntegerField()
    way = models.CharField(max_length=20)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    bytes = models.BigIntegerField(null=True, help_text="empty: only the server in front knows")
    duration = models.FloatField(help_text="seconds")

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.method} {self.path}: {self.status}, {self.outcome}"
