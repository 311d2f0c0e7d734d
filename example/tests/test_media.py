"""Uploads in a browser: what is harmless is shown, the rest is saved, and nothing that was uploaded runs."""

import os
import struct
import wave
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Download, Page, sync_playwright

from .servers import HOST, Server, running
from .test_clients import CHROMIUM_ARGS, tool

SCRIPT = "window.top.ran = true; document.title = 'ran'"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj trailer<</Root 1 0 R>>"


def png() -> bytes:
    """A red picture of two by two pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\xff\0\0" * 2) * 2)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A site with uploads, some of them with scripts in them."""
    base = tmp_path_factory.mktemp("site")
    root = base / "root"
    root.mkdir()
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>{}</script></svg>'
    (root / "logo.svg").write_text(svg.format(SCRIPT), encoding="utf-8")
    (root / "page.html").write_text(f"<script>{SCRIPT}</script>", encoding="utf-8")
    (root / "script.js").write_text(SCRIPT, encoding="utf-8")
    (root / "notes.txt").write_text(f"<script>{SCRIPT}</script>", encoding="utf-8")
    (root / "dot.png").write_bytes(png())
    (root / "paper.pdf").write_bytes(PDF)
    (root / "page.png").write_text(f"<html><script>{SCRIPT}</script>", encoding="utf-8")
    with wave.open(str(root / "sound.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(b"\x80" * 8000)
    env = {"FILESITE_ROOT": str(root), "DJANGO_SETTINGS_MODULE": "tests.filesite", **os.environ}
    with running("uvicorn", base, base / "server.log", env=env) as server:
        yield server


@pytest.fixture(scope="module")
def page(site: Server) -> Iterator[Page]:
    """A page of Chromium that accepts downloads."""
    with sync_playwright() as playwright:
        path = Path(tool("chromium"))
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGS)
        yield browser.new_page(base_url=f"http://{HOST}:{site.port}", accept_downloads=True)
        browser.close()


@pytest.fixture(autouse=True)
def complaints(page: Page) -> Iterator[list[str]]:
    """What the browser has to say about the security of a page."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text))
    yield found
    page.goto("about:blank")


def test_what_is_harmless_is_shown(page: Page, complaints: list[str]) -> None:
    page.goto("/media/dot.png")
    assert page.evaluate("document.images[0].naturalWidth") == 2
    page.goto("/media/notes.txt")
    assert page.inner_text("body") == f"<script>{SCRIPT}</script>"
    page.goto("/media/sound.wav")
    page.wait_for_function(
        "document.querySelector('video, audio').readyState === 4", timeout=20_000
    )
    answer = page.goto("/media/paper.pdf")
    assert answer is not None
    assert answer.status == 200
    assert [text for text in complaints if "404" not in text] == []  # there is no icon


def save(page: Page, url: str) -> Download:
    """Go where a browser does not go, as it saves what is there."""
    with page.expect_download() as download:
        page.evaluate("url => { location.href = url }", url)
    return download.value


@pytest.mark.parametrize("name", ["page.html", "logo.svg", "script.js"])
def test_what_could_run_is_saved(page: Page, name: str) -> None:
    page.goto("/")
    assert save(page, f"/media/{name}").suggested_filename == name
    assert page.url.endswith("/")


def test_a_page_that_is_called_a_picture_is_a_broken_picture(page: Page) -> None:
    page.goto("/media/page.png")
    assert (page.evaluate("document.images[0].naturalWidth"), page.evaluate("window.ran")) == (
        0,
        None,
    )


def test_a_page_shows_pictures_and_runs_nothing(page: Page, complaints: list[str]) -> None:
    page.goto("/", wait_until="load")
    widths = page.evaluate("Array.from(document.images, image => image.naturalWidth)")
    assert widths == [9, 2]
    assert (page.evaluate("window.ran"), page.title()) == (None, "")
    assert any("script.js" in complaint for complaint in complaints)
