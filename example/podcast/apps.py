"""The app's entry in `INSTALLED_APPS`."""

from django.apps import AppConfig


class PodcastConfig(AppConfig):
    """A small podcast host."""

    name = "podcast"

    def ready(self) -> None:
        """Listen for downloads."""
        from . import receivers  # noqa: F401
