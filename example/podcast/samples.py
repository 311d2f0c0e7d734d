"""Sample files, made from nothing but arithmetic: the same bytes on every run."""

import gzip
import hashlib
import io
import math
import wave
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle

RATE = 22_050  # audio samples a second
MEGABYTE = 1024**2
HEADER = 44  # bytes of a WAV file before its samples

# One period of a soft, plucked sound: a fundamental and two quieter overtones.
PERIOD = [
    math.sin(x) + 0.35 * math.sin(2 * x) + 0.12 * math.sin(3 * x)
    for x in (2 * math.pi * i / 2048 for i in range(2048))
]


@dataclass(frozen=True)
class Sample:
    """A file to be made: its size is known before its bytes are computed."""

    name: str
    size: int  # bytes
    chunks: Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class Tune:
    """Broken chords under a melody; notes are MIDI numbers, 0 is a rest."""

    step: float  # seconds between two notes of a chord
    pattern: tuple[int, ...]  # the order in which a bar plays its chord's notes
    bars: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]  # (bass and chord, melody)
    tail: float = 2.0  # seconds for the last notes to fade

    @property
    def bar_seconds(self) -> float:
        """How long a bar lasts."""
        return self.step * len(self.pattern)

    @property
    def frames(self) -> int:
        """How many audio samples it has."""
        return round((len(self.bars) * self.bar_seconds + self.tail) * RATE)


# Chords: a bass note and four above it.
G, D = (43, 55, 59, 62, 67), (42, 57, 62, 66, 69)
C, F = (48, 55, 60, 64, 67), (41, 57, 60, 65, 69)
AM, DM = (45, 57, 60, 64, 69), (38, 57, 62, 65, 69)
E, EM = (40, 56, 59, 64, 68), (40, 55, 59, 64, 67)

MORNING = Tune(
    step=0.29,
    pattern=(0, 1, 2, 3, 2, 3, 1, 2),
    bars=(
        (G, (0, 0, 0, 0)),
        (C, (0, 0, 0, 74)),
        (G, (71, 0, 74, 79)),
        (D, (78, 0, 74, 0)),
        (EM, (76, 0, 79, 76)),
        (C, (74, 76, 72, 0)),
        (G, (71, 0, 74, 71)),
        (D, (69, 0, 66, 69)),
        (C, (72, 0, 71, 69)),
        (G, (67, 0, 0, 0)),
    ),
)

EVENING = Tune(
    step=0.26,
    pattern=(0, 2, 3, 1, 3, 2),
    bars=(
        (AM, (0, 0, 0)),
        (AM, (76, 0, 72)),
        (F, (77, 0, 76)),
        (DM, (74, 0, 77)),
        (E, (76, 0, 71)),
        (AM, (72, 71, 69)),
        (AM, (76, 0, 81)),
        (F, (81, 79, 77)),
        (C, (79, 0, 76)),
        (DM, (77, 76, 74)),
        (AM, (76, 0, 72)),
        (E, (74, 71, 68)),
        (AM, (69, 0, 0)),
        (AM, (0, 0, 0)),
    ),
    tail=2.5,
)

SHOW_NOTES = """\
A small podcast host: show notes
================================

Episode 1, Morning: broken chords in G major, ten bars, unhurried.
Episode 2, Evening: a waltz in A minor, fourteen bars.

Both tunes are computed when the sample files are made. A table holds one
period of a sound, each note walks through it at its own speed and fades
away, and the notes are added up.
"""

TRANSCRIPT = """\
[00:00] The chords begin, alone.
[00:05] The melody enters, two steps up, one step down.
[00:14] It climbs once more and turns home.
[00:23] The last chord fades.
"""

CAREFUL_NAME = "\u00dcml\u00e4ut & \u201cquotes\u201d.txt"
CAREFUL_TEXT = """\
The name of this file is its content: letters beyond ASCII, spaces, an
ampersand and curly quotes. It should arrive under the same name with which
it was sent.
"""


def make_samples(large_mb: int) -> list[Sample]:
    """All sample files; `large.bin` gets `large_mb` megabytes."""
    return [
        tune_sample("episode-01.wav", MORNING),
        tune_sample("episode-02.wav", EVENING),
        _sample("show-notes.txt", SHOW_NOTES.encode()),
        _sample("cover.svg", cover().encode()),
        _sample("transcript.txt.gz", gzipped(TRANSCRIPT.encode())),
        _sample(CAREFUL_NAME, CAREFUL_TEXT.encode()),
        _sample("empty.txt", b""),
        Sample("large.bin", large_mb * MEGABYTE, lambda: noise(large_mb)),
    ]


@cache
def sample_names() -> tuple[str, ...]:
    """What the sample files are called."""
    return tuple(sample.name for sample in make_samples(0))


def noise(megabytes: int) -> Iterator[bytes]:
    """Incompressible bytes, a megabyte at a time, each hashed from its number."""
    for number in range(megabytes):
        yield hashlib.shake_128(number.to_bytes(8, "big")).digest(MEGABYTE)


def gzipped(content: bytes) -> bytes:
    """The same compressed bytes under every Python: no name, no time, no system in the header."""
    target = io.BytesIO()
    with gzip.GzipFile(fileobj=target, mode="wb", mtime=0) as out:
        out.write(content)
    return target.getvalue()


def cover() -> str:
    """A square picture: sound waves that leave a point."""
    arcs = "".join(
        f'<circle cx="96" cy="304" r="{radius}" stroke-width="{18 - i * 2}" opacity="{1 - i * 0.11:.2f}"/>'
        for i, radius in enumerate(range(64, 320, 36))
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400" width="400" height="400">'
        "<title>Sound waves</title>"
        '<rect width="400" height="400" fill="#0a4a37"/>'
        f'<g fill="none" stroke="#8ff0c8">{arcs}</g>'
        '<circle cx="96" cy="304" r="30" fill="#fff"/>'
        "</svg>\n"
    )


def wav(tune: Tune) -> bytes:
    """A tune as a mono 16-bit WAV file."""
    return _as_wav(_pcm(tune), RATE)


def medley(tunes: Sequence[Tune], seconds: float) -> bytes:
    """Tunes in turn, as a WAV file of some length; half the rate is enough for their notes."""
    frames, sound = round(seconds * RATE / 2), array("h")
    for tune in cycle(tunes):
        sound.extend(_pcm(tune)[::2])
        if len(sound) >= frames:
            return _as_wav(sound[:frames], RATE // 2)
    raise ValueError("no tunes")


def medley_size(seconds: float) -> int:
    """How many bytes a medley has."""
    return HEADER + 2 * round(seconds * RATE / 2)


@cache
def _pcm(tune: Tune) -> "array[int]":
    """A tune as 16-bit samples."""
    mix = _mix(tune)
    loudest = max(map(abs, mix))
    fade = int(tune.tail * RATE)
    for i in range(fade):
        mix[-1 - i] *= i / fade
    return array("h", (round(value / loudest * 26_000) for value in mix))


def _as_wav(pcm: "array[int]", rate: int) -> bytes:
    """Samples as a mono WAV file."""
    target = io.BytesIO()
    with wave.open(target, "wb") as out:
        out.setparams((1, 2, rate, len(pcm), "NONE", "not compressed"))
        out.writeframes(pcm.tobytes())
    return target.getvalue()


def _mix(tune: Tune) -> list[float]:
    """All notes of a tune, added up."""
    mix = [0.0] * tune.frames
    for number, ((bass, *chord), melody) in enumerate(tune.bars):
        start = number * tune.bar_seconds
        _add_note(mix, start, bass, tune.bar_seconds, 0.5)
        for i, position in enumerate(tune.pattern):
            _add_note(mix, start + i * tune.step, chord[position], 1.3, 0.28)
        beat = tune.bar_seconds / len(melody)
        for i, pitch in enumerate(melody):
            if pitch:
                _add_note(mix, start + i * beat, pitch, 1.8, 0.45)
    return mix


def _add_note(mix: list[float], start: float, pitch: int, seconds: float, gain: float) -> None:
    """Add one note, walking through the period at the speed of its pitch."""
    first = round(start * RATE)
    speed = 440 * 2 ** ((pitch - 69) / 12) * len(PERIOD) / RATE
    for i, level in enumerate(_envelope(round(seconds * RATE))):
        mix[first + i] += gain * level * PERIOD[int(i * speed) % len(PERIOD)]


@cache
def _envelope(frames: int) -> list[float]:
    """The loudness of a plucked note: a short attack, then a decay that ends in silence."""
    attack, release = RATE // 100, RATE // 10
    return [
        min(1.0, i / attack, (frames - i) / release) * 0.02 ** (i / frames) for i in range(frames)
    ]


def _sample(name: str, content: bytes) -> Sample:
    """A sample whose bytes are at hand."""
    return Sample(name, len(content), lambda: [content])


def tune_sample(name: str, tune: Tune) -> Sample:
    """A sample whose bytes take a second to compute."""
    return Sample(name, HEADER + 2 * tune.frames, lambda: [wav(tune)])
