"""Text of page images by Tesseract, where that program is installed.

It is run as a program of its own with a time limit, so that a page it chokes on costs that page only. Languages are
those installed of a few European ones. Recognised text has no headings or tables; lines and paragraphs are kept.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from functools import lru_cache
from typing import Any

_DPI = 200
_MAX_PAGES = 20
_PAGE_SECONDS = 8.0
_LANGUAGES = ("eng", "deu", "fra", "pol", "swe")
INSTALL = "Install it (Debian and Ubuntu: apt-get install tesseract-ocr; macOS: brew install tesseract)"


def has_ocr() -> bool:
    """Whether the ``tesseract`` program is found."""
    return shutil.which("tesseract") is not None


def recognise(document: Any) -> list[str]:
    """Text of each of the document's pages, "" where nothing was recognised in time; at most the first 20 pages.

    Args:
        document: an open ``pypdfium2.PdfDocument``.
    """
    return [_page(document[index]) for index in range(min(len(document), _MAX_PAGES))]


def _page(page: Any) -> str:
    width, height = page.get_size()
    scale = min(_DPI / 72, 4000 / max(width, height, 1.0))  # a poster is not drawn at full resolution
    bitmap = page.render(scale=scale, grayscale=True)
    stream = io.BytesIO()
    bitmap.to_pil().save(stream, "PNG")
    page.close()
    program = shutil.which("tesseract")
    if program is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603  (no shell; the page goes in through a pipe)
            [program, "stdin", "stdout", "-l", _languages(program), "--psm", "3"],
            input=stream.getvalue(), capture_output=True, timeout=_PAGE_SECONDS, check=False,
        )  # fmt: skip
    except (subprocess.TimeoutExpired, OSError):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""


@lru_cache(maxsize=1)
def _languages(program: str) -> str:
    try:
        listed = subprocess.run(  # noqa: S603
            [program, "--list-langs"], capture_output=True, timeout=_PAGE_SECONDS, check=False
        ).stdout.decode("utf-8", "replace")
    except (subprocess.TimeoutExpired, OSError):
        return "eng"
    installed = set(listed.split())
    return "+".join(name for name in _LANGUAGES if name in installed) or "eng"
