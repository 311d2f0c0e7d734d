"""The shows that the example begins with."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from .models import Episode, Show
from .samples import EVENING, MORNING, Sample, Tune, medley, medley_size, tune_sample

FIRST = datetime(2026, 3, 2, 6, 0, tzinfo=timezone.utc)


@dataclass(frozen=True)
class SampleEpisode:
    """An episode, and how its audio is made."""

    slug: str
    title: str
    description: str
    sample: Sample
    duration: float  # seconds
    week: int  # after the first


@dataclass(frozen=True)
class SampleShow:
    """A show, and the storage of its audio."""

    slug: str
    title: str
    description: str
    place: Show.Place
    episodes: tuple[SampleEpisode, ...]


def _short(slug: str, title: str, text: str, name: str, tune: Tune, week: int) -> SampleEpisode:
    """One tune, once."""
    duration = len(tune.bars) * tune.bar_seconds + tune.tail
    return SampleEpisode(slug, title, text, tune_sample(name, tune), duration, week)


def _long(
    slug: str, title: str, text: str, name: str, seconds: int, tunes: tuple[Tune, ...], week: int
) -> SampleEpisode:
    """Tunes in turn, for some minutes."""
    sample = Sample(name, medley_size(seconds), lambda: [medley(tunes, seconds)])
    return SampleEpisode(slug, title, text, sample, seconds, week)


SHOWS = (
    SampleShow(
        "broken-chords",
        "Broken Chords",
        "Two short tunes, from a folder of this machine: computed, not recorded.",
        Show.Place.MEDIA,
        (
            _short("morning", "Morning", "G major, ten bars, unhurried.", "episode-01.wav", MORNING, 0),
            _short("evening", "Evening", "A waltz in A minor, fourteen bars.", "episode-02.wav", EVENING, 1),
        ),
    ),
    SampleShow(
        "night-train",
        "Night Train",
        "Long rides, streamed from an S3 store. Jump to any minute: only that part is fetched.",
        Show.Place.OBJECTS,
        (
            _long("outbound", "Outbound", "Four minutes of evenings and mornings.", "night-train/outbound.wav", 240, (EVENING, MORNING), 2),
        ),
    ),
    SampleShow(
        "members-hour",
        "The Members' Hour",
        "Five minutes, to be exact. Members hear it, and those to whom a member has sent a link.",
        Show.Place.MEMBERS,
        (
            _long("the-long-way", "The Long Way", "Both tunes, in turn, for five minutes.", "the-long-way.wav", 300, (MORNING, EVENING), 3),
            _short("encore", "Encore", "The waltz again, for those who stay.", "encore.wav", EVENING, 4),
        ),
    ),
)  # fmt: skip


def list_show(sample: SampleShow) -> None:
    """Enter a show and its episodes, or what has become of them since, into the database."""
    values = {"title": sample.title, "description": sample.description, "place": sample.place}
    values["members_only"] = sample.place == Show.Place.MEMBERS
    show, _ = Show.objects.update_or_create(slug=sample.slug, defaults=values)
    for episode in sample.episodes:
        values = {"title": episode.title, "description": episode.description}
        values |= {"audio": episode.sample.name, "duration": episode.duration}
        values["published"] = FIRST + timedelta(weeks=episode.week)
        Episode.objects.update_or_create(show=show, slug=episode.slug, defaults=values)
