"""The pages of shows and episodes, and the files that belong to them."""

import asyncio
from typing import Any

from django.conf import settings
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django.views.generic import CreateView
from fileresponse.links import ahas_valid_link, make_link
from fileresponse.media import MediaView
from fileresponse.http import AsyncResponse
from fileresponse.streams import ZipResponse
from fileresponse.views import ObjectDownloadView

from .feeds import SUBSCRIBED
from .forms import UploadForm
from .models import Episode, Show
from .ways import offers, respond, shown_headers

LISTENER = {"Cache-Control": "private"}  # no shared cache keeps what only some may hear


async def may_listen(request: HttpRequest, show: Show) -> bool:
    """Everybody, or members, or whoever has a good link to this address."""
    if not show.members_only or (await request.auser()).is_authenticated:
        return True
    return "signature" in request.GET and await ahas_valid_link(request)


async def find_show(slug: str) -> Show:
    """A show, or a 404."""
    try:
        return await Show.objects.available().aget(slug=slug)
    except Show.DoesNotExist:
        raise Http404("There is no such show.") from None


async def find_episode(show: str, slug: str) -> Episode:
    """An episode with its show, or a 404."""
    found = Episode.objects.select_related("show").filter(show__place__in=settings.STORAGES)
    try:
        return await found.aget(show__slug=show, slug=slug)
    except Episode.DoesNotExist:
        raise Http404("There is no such episode.") from None


@require_safe
async def show_page(request: HttpRequest, slug: str) -> HttpResponse:
    """A show, with a player for each episode of those that the visitor may hear."""
    show = await find_show(slug)
    episodes = [episode async for episode in show.episodes.all()]
    sizes = await asyncio.gather(*(episode.asize() for episode in episodes))
    context = {
        "show": show,
        "episodes": list(zip(episodes, sizes, strict=True)),
        "may_listen": await may_listen(request, show),
        "feed": feed_address(show),
        "user": await request.auser(),
    }
    return render(request, "podcast/show.html", context)


def feed_address(show: Show) -> str:
    """Where a player finds the feed; one for members has its permission in the address."""
    url = reverse("podcast:feed", args=[show.slug])
    return make_link(url, expires=SUBSCRIBED) if show.members_only else url


async def episode_context(request: HttpRequest, episode: Episode) -> dict[str, Any]:
    """What the page of an episode shows to somebody who may hear it."""
    ways = offers(episode, request)
    chosen = next(offer.way for offer in ways if offer.is_chosen)
    return {
        "offers": ways,
        "chosen": chosen,
        "headers": await shown_headers(episode, request, chosen.key),
        "size": await episode.asize(),
    }


@require_safe
async def episode_page(request: HttpRequest, show: str, slug: str) -> HttpResponse:
    """An episode, in any of the ways in which it can be sent."""
    return await render_episode(request, await find_episode(show, slug))


async def render_episode(request: HttpRequest, episode: Episode, **more: Any) -> HttpResponse:
    """The page of an episode."""
    may = await may_listen(request, episode.show)
    context = {"episode": episode, "show": episode.show, "may_listen": may, **more}
    context["link_lasts"] = in_words(settings.LINK_SECONDS)
    context |= {
        "user": await request.auser(),
        **(await episode_context(request, episode) if may else {}),
    }
    return render(request, "podcast/episode.html", context)


@require_POST
async def share(request: HttpRequest, show: str, slug: str) -> HttpResponse:
    """The page of an episode, with a link to its audio that works for a while, for everybody."""
    episode = await find_episode(show, slug)
    if not (await request.auser()).is_authenticated:
        raise PermissionDenied("Only members share.")
    link = make_link(request.build_absolute_uri(episode.audio_url), expires=settings.LINK_SECONDS)
    return await render_episode(request, episode, link=link)


def in_words(seconds: float) -> str:
    """Seconds in words."""
    if seconds == 3600:
        return "one hour"
    return f"{seconds:g} seconds" if seconds < 3600 else f"{seconds / 3600:g} hours"


class EpisodeFileMixin:
    """Find the episode of the URL, and refuse it to those who may not hear it."""

    raise_exception = True
    request: HttpRequest
    kwargs: dict[str, Any]

    async def has_permission(self, request: HttpRequest) -> bool:
        """Whether the visitor may listen."""
        self.episode = await find_episode(**self.kwargs)
        return await may_listen(request, self.episode.show)

    def get_headers(self) -> dict[str, str]:
        """Further headers."""
        return LISTENER if self.episode.show.members_only else {}


class AudioView(EpisodeFileMixin, ObjectDownloadView):
    """An episode's audio, in the way that the query asks for."""

    async def get_object(self) -> Episode:
        """The episode."""
        return self.episode

    async def get_response(self, **kwargs: Any) -> AsyncResponse:
        """The response of the chosen way."""
        way, response = respond(self.episode, self.request)
        for name, value in self.get_headers().items():
            response[name] = value
        response.way, response.episode_id = way, self.episode.pk  # for the record of downloads
        return response


class NotesView(EpisodeFileMixin, MediaView):
    """An episode's notes: whatever somebody has written into them, no browser runs it."""

    def get_storage(self) -> Any:
        """That of the show."""
        return self.episode.notes.storage

    def get_path(self) -> str:
        """The name in it; a 404 if there are no notes."""
        if not self.episode.notes:
            raise Http404("There are no notes.")
        return str(self.episode.notes.name)


@require_safe
async def archive(request: HttpRequest, slug: str) -> HttpResponseBase:
    """All episodes of a show as a ZIP archive, whose length is known before the first byte."""
    show = await find_show(slug)
    if not await may_listen(request, show):
        raise PermissionDenied("This show is for members.")
    members = [
        (f"{show.slug}/{episode.slug}.{episode.audio.name.rpartition('.')[2]}", episode.audio)
        async for episode in show.episodes.all()
    ]
    headers = LISTENER if show.members_only else None
    return ZipResponse(members, filename=f"{show.slug}.zip", request=request, headers=headers)


class UploadView(LoginRequiredMixin, CreateView):
    """A form for a new episode; a browser with scripts shows how far it is."""

    form_class = UploadForm
    template_name = "podcast/upload.html"

    def form_valid(self, form: UploadForm) -> HttpResponse:
        """To the episode's page."""
        return HttpResponseRedirect(f"{form.save().get_absolute_url()}?uploaded")

    def form_invalid(self, form: UploadForm) -> HttpResponse:
        """The form again, with what is wrong."""
        return self.render_to_response(self.get_context_data(form=form), status=400)
