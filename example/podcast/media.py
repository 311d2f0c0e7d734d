"""The media folder: which files are in it, and where a requested name leads.

Everything here does blocking I/O; async views call it in a thread.
"""

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.http import Http404
from django.utils._os import safe_join
from fileresponse.http import guess_content_type


@dataclass(frozen=True)
class MediaFile:
    """What the page shows of a file."""

    name: str
    size: int  # bytes
    content_type: str

    @property
    def is_audio(self) -> bool:
        """Whether a browser can be expected to play it."""
        return self.content_type.startswith("audio/")


def media_root() -> Path:
    """The media folder's real path."""
    return Path(os.path.realpath(settings.MEDIA_ROOT))


def find_media(name: str) -> Path:
    """The real path of a regular file inside the media folder; the same 404 for all else."""
    root = media_root()
    try:
        path = Path(os.path.realpath(safe_join(root, name)))  # a link may lead outside
        found = path.is_relative_to(root) and path.is_file()
    except (SuspiciousFileOperation, OSError, ValueError):  # `..`, too long a name, a NUL
        found = False
    if not found:
        raise Http404("There is no such file.")
    return path


def list_media() -> list[MediaFile]:
    """The files directly in the media folder, by name; empty when there is no folder yet."""
    root = media_root()
    names = sorted(path.name for path in root.iterdir()) if root.is_dir() else []
    return [file for name in names if _is_listed(name) and (file := _describe(name))]


def _describe(name: str) -> MediaFile | None:
    """A file's description; None if it is no file, leads outside or has just gone."""
    try:
        size = find_media(name).stat().st_size
    except (Http404, OSError):
        return None
    return MediaFile(name, size, guess_content_type(name))


def _is_listed(name: str) -> bool:
    """Whether a name is not hidden and can be written into a link."""
    unlinkable = any(unicodedata.category(char) in {"Cc", "Cs"} for char in name)
    return not name.startswith(".") and not unlinkable
