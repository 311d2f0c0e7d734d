"""Clients that people really use: they resume, split, seek and check what a server claims."""

import hashlib
import os
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import pytest
from playwright.sync_api import Response, sync_playwright

from .client import fetch
from .conftest import MIB, make_file
from .servers import HOST, Server

CHROMIUM_ARGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required"
).split()


def tool(name: str) -> str:
    """The path of a program; where it is missing the test is left out, but never in CI."""
    places = [str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"]
    path = shutil.which(name, path=os.pathsep.join(places))
    if path is None and os.environ.get("CI"):
        pytest.fail(f"{name} is not installed")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a client, bounded in time."""
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=120
    )


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def big(media: Path):
    """A file of 20 MiB on the server, and its SHA-256."""
    path = media / "resume.bin"
    yield path, make_file(path, 20 * MIB)
    path.unlink()


RESUME = {
    "curl": ["curl", "-sS", "--fail", "-C", "-", "-o", "{target}", "{url}"],
    "wget": ["wget", "-q", "-c", "-O", "{target}", "{url}"],
    "aria2c": [
        "aria2c",
        "-q",
        "-c",
        "-x4",
        "-s4",
        "-k1M",
        "-d",
        "{folder}",
        "-o",
        "{name}",
        "{url}",
    ],
}


@pytest.mark.parametrize("client", RESUME)
@pytest.mark.parametrize("way", ["download", "file"])
def test_a_client_resumes(
    server: Server, big: tuple[Path, str], tmp_path: Path, client: str, way: str
) -> None:
    path, digest = big
    target = tmp_path / "resume.bin"
    target.write_bytes(path.read_bytes()[: 7 * MIB + 123])
    url = f"http://{HOST}:{server.port}/{way}/resume.bin"
    fill = {"target": target, "url": url, "folder": tmp_path, "name": target.name}
    command = [tool(client), *(part.format(**fill) for part in RESUME[client][1:])]
    answer = run(*command)
    assert answer.returncode == 0, answer.stderr
    assert sha256(target) == digest


def test_aria2_splits_a_download(server: Server, big: tuple[Path, str], tmp_path: Path) -> None:
    url = f"http://{HOST}:{server.port}/download/resume.bin"
    answer = run(tool("aria2c"), "-q", "-x4", "-s4", "-k1M", "-d", tmp_path, "-o", "split.bin", url)
    assert answer.returncode == 0, answer.stdout
    assert sha256(tmp_path / "split.bin") == big[1]


def test_curl_gets_ranges(server: Server, big: tuple[Path, str], tmp_path: Path) -> None:
    url = f"http://{HOST}:{server.port}/download/resume.bin"
    content = big[0].read_bytes()
    for wanted, expected in (
        ("0-0", content[:1]),
        ("100-199", content[100:200]),
        ("-5", content[-5:]),
    ):
        answer = run(tool("curl"), "-sS", "--fail", "-r", wanted, "-o", tmp_path / "part", url)
        assert answer.returncode == 0, answer.stderr
        assert (tmp_path / "part").read_bytes() == expected


def test_two_versions_are_never_glued(
    server: Server, big: tuple[Path, str], tmp_path: Path
) -> None:
    path, _ = big
    url = f"http://{HOST}:{server.port}/download/resume.bin"
    etag = fetch(server.port, "/download/resume.bin", "HEAD").headers["etag"]
    target = tmp_path / "resume.bin"
    half = path.read_bytes()[: 7 * MIB]
    target.write_bytes(half)
    (path.parent / "newer.bin").write_bytes(os.urandom(20 * MIB))
    (path.parent / "newer.bin").replace(path)
    resumed = run(tool("curl"), "-sS", "-C", "-", "-H", f"If-Range: {etag}", "-o", target, url)
    assert resumed.returncode == 33  # curl was given a whole file, and does not append it
    assert target.read_bytes() == half
    assert run(tool("curl"), "-sS", "-o", target, url).returncode == 0
    assert sha256(target) == sha256(path)


@pytest.mark.thorough(but=["uvicorn"])
@pytest.mark.parametrize("name", ["episode-01.wav", "page.html"])
def test_redbot_has_nothing_to_complain_about(server: Server, media: Path, name: str) -> None:
    if name == "page.html":
        (media / name).write_text(
            "<!doctype html><title>A page</title>\n" + "<p>with text</p>\n" * 100
        )
        os.utime(media / name, (1_774_353_600, 1_774_353_600))
    answer = run(tool("redbot"), "-o", "text", f"http://{HOST}:{server.port}/inline/{name}")
    assert answer.returncode == 0, answer.stderr
    notes = [line.strip(" *") for line in answer.stdout.splitlines() if line.startswith("  *")]
    for expected in (
        "The Content-Length header is correct.",
        "If-None-Match conditional requests are supported.",
        "If-Modified-Since conditional requests are supported.",
        "A ranged request returned the correct partial content.",
    ):
        assert expected in notes
    assert (
        len([note for note in notes if "conditional" in note or "range" in note or "ETag" in note])
        == 3
    )
    if name == "page.html":
        (media / name).unlink()


@pytest.mark.thorough(but=["uvicorn"])
def test_chromium_seeks(server: Server, media: Path) -> None:
    seconds = 1800
    with wave.open(str(media / "long.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(22050)
        sound.writeframes(bytes(2 * 22050 * seconds))
    seen: list[tuple[int, str]] = []

    def watch(response: Response) -> None:
        if "long.wav" in response.url:
            seen.append((response.status, response.headers.get("content-range", "")))

    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=tool("chromium"), args=CHROMIUM_ARGS
            )
            page = browser.new_page()
            page.on("response", watch)
            page.goto(f"http://{HOST}:{server.port}/")
            position = page.evaluate(
                """seconds => new Promise((resolve, reject) => {
                    const audio = document.querySelector('audio[src*="long.wav"], audio:has(source[src*="long.wav"])')
                    audio.addEventListener("error", () => reject(audio.error?.message))
                    audio.addEventListener("seeked", () => resolve([audio.currentTime, audio.duration]))
                    audio.play().then(() => { audio.currentTime = seconds })
                })""",
                seconds - 60,
            )
            browser.close()
    finally:
        (media / "long.wav").unlink()
    assert position == pytest.approx([seconds - 60, seconds], abs=1)
    assert {status for status, _ in seen} == {206}
    assert any(int(where.removeprefix("bytes ").partition("-")[0]) > 60 * MIB for _, where in seen)
