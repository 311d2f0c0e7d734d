"""A feed for each show, with the audio as enclosures."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.syndication.views import Feed
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.feedgenerator import Rss201rev2Feed
from fileresponse.links import has_valid_link, make_link

from .models import Episode, Show

SUBSCRIBED = timedelta(days=365)  # how long the links in a members' feed are good


class PodcastFeed(Rss201rev2Feed):
    """RSS with what podcast players look for besides."""

    def rss_attributes(self) -> dict[str, str]:
        """With the namespace of Apple's elements."""
        more = {"xmlns:itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd"}
        return {**super().rss_attributes(), **more}

    def add_item_elements(self, handler: Any, item: dict[str, Any]) -> None:
        """With the duration in seconds."""
        super().add_item_elements(handler, item)
        if item["seconds"] is not None:
            handler.addQuickElement("itunes:duration", str(round(item["seconds"])))


class ShowFeed(Feed):
    """The episodes of a show; for members also by a link, since a player does not log in."""

    feed_type = PodcastFeed

    def __call__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """As ever, but no shared cache keeps what only members may see."""
        response = super().__call__(request, *args, **kwargs)
        response["Cache-Control"] = "private"
        return response

    def get_object(self, request: HttpRequest, slug: str) -> Show:
        """The show, if it may be seen, and where on the web it is."""
        show = get_object_or_404(Show.objects.available(), slug=slug)
        if show.members_only and not (request.user.is_authenticated or has_valid_link(request)):
            raise PermissionDenied("This feed is for members.")
        show.root = request.build_absolute_uri("/").removesuffix("/")
        return show

    def title(self, show: Show) -> str:
        """The show's."""
        return show.title

    def link(self, show: Show) -> str:
        """The show's page."""
        return show.get_absolute_url()

    def description(self, show: Show) -> str:
        """The show's."""
        return show.description

    def items(self, show: Show) -> list[Episode]:
        """The newest first."""
        return list(show.episodes.all())

    def item_title(self, episode: Episode) -> str:
        """The episode's."""
        return episode.title

    def item_description(self, episode: Episode) -> str:
        """The episode's."""
        return episode.description

    def item_pubdate(self, episode: Episode) -> datetime:
        """When it was published."""
        return episode.published

    def item_enclosure_url(self, episode: Episode) -> str:
        """Its audio; a link with a permission of its own where one is needed."""
        show: Any = episode.show
        url = f"{show.root}{episode.audio_url}"
        return make_link(url, expires=SUBSCRIBED) if show.members_only else url

    def item_enclosure_length(self, episode: Episode) -> int:
        """Bytes; 0 if the storage does not say, as the RSS Advisory Board recommends."""
        return episode.size() or 0

    def item_enclosure_mime_type(self, episode: Episode) -> str:
        """The audio's type."""
        return episode.content_type

    def item_extra_kwargs(self, episode: Episode) -> dict[str, Any]:
        """For `PodcastFeed`."""
        return {"seconds": episode.duration}
