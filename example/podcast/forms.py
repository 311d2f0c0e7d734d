"""What may be uploaded."""

import wave
from pathlib import PurePath
from typing import Any

from django import forms
from django.conf import settings
from django.core.files import File
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.text import slugify

from .models import Episode, Show

# How a file of each kind begins; a name alone proves nothing.
BEGINNINGS = {
    ".wav": lambda head: head[:4] == b"RIFF" and head[8:12] == b"WAVE",
    ".mp3": lambda head: head[:3] == b"ID3" or (head[:1] == b"\xff" and head[1:2] >= b"\xe0"),
    ".ogg": lambda head: head[:4] == b"OggS",
    ".opus": lambda head: head[:4] == b"OggS",
    ".flac": lambda head: head[:4] == b"fLaC",
    ".m4a": lambda head: head[4:8] == b"ftyp",
}
NOTES = (".txt", ".html", ".svg", ".pdf")


def checked_size(file: File, megabytes: int) -> None:
    """A `ValidationError` for what is too large."""
    limit = megabytes * 1024**2
    if file.size > limit:
        text = f"This file has {filesizeformat(file.size)}; more than {filesizeformat(limit)} is not taken."
        raise forms.ValidationError(text)


def seconds_of(file: File) -> float | None:
    """How long a WAV file plays; `None` for all else."""
    try:
        with wave.open(file.file, "rb") as sound:
            return sound.getnframes() / sound.getframerate()
    except (wave.Error, EOFError, ZeroDivisionError):
        return None
    finally:
        file.seek(0)


class UploadForm(forms.ModelForm):
    """An episode, with its audio and perhaps notes."""

    class Meta:
        model = Episode
        fields = ("show", "title", "audio", "notes")
        widgets = {  # noqa: RUF012
            "audio": forms.FileInput(attrs={"accept": ",".join(BEGINNINGS)}),
            "notes": forms.FileInput(attrs={"accept": ",".join(NOTES)}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["show"].queryset = Show.objects.available()
        self.fields["show"].empty_label = None
        self.fields[
            "audio"
        ].help_text = (
            f"{', '.join(BEGINNINGS)}; at most {filesizeformat(settings.UPLOAD_MB * 1024**2)}"
        )
        self.fields["notes"].help_text = f"{', '.join(NOTES)}; may be left out"
        self.fields["audio"].widget.attrs["data-limit"] = settings.UPLOAD_MB * 1024**2

    def clean_title(self) -> str:
        """A title that an address can be made of."""
        title: str = self.cleaned_data["title"]
        if not slugify(title):
            raise forms.ValidationError("The title needs at least one letter or digit.")
        return title

    def clean_audio(self) -> File:
        """Audio, by its name and by its first bytes."""
        file = self.cleaned_data["audio"]
        checked_size(file, settings.UPLOAD_MB)
        begins = BEGINNINGS.get(PurePath(file.name).suffix.lower())
        head = file.read(12)
        file.seek(0)
        if begins is None or not begins(head):
            raise forms.ValidationError(
                f"This is not audio of a known kind: {', '.join(BEGINNINGS)}."
            )
        return file

    def clean_notes(self) -> File | None:
        """Notes, by their name; what is in them is served so that it can do no harm."""
        file = self.cleaned_data["notes"]
        if file:
            checked_size(file, 1)
            if PurePath(file.name).suffix.lower() not in NOTES:
                raise forms.ValidationError(f"Notes may be: {', '.join(NOTES)}.")
        return file

    def clean(self) -> dict[str, Any]:
        """A slug that is free in the show."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("title") and (show := data.get("show")):
            self.instance.slug = slugify(data["title"])
            if show.episodes.filter(slug=self.instance.slug).exists():
                self.add_error("title", "The show has an episode of this title.")
        return data

    def save(self, commit: bool = True) -> Episode:
        """The episode, published now."""
        self.instance.published = timezone.now()
        self.instance.duration = seconds_of(self.cleaned_data["audio"])
        episode: Episode = super().save(commit)
        return episode
