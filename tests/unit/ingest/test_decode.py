"""Bytes to text."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import DocumentError
from labkit.ingest.decode import decode, is_binary

TEXT = "Zieliński misst 18 N·m über die Älg-Naht – naïve café"
WESTERN = "The tote was dropped at 18 N·m; see Müller’s note – café, Ängelholm. " * 5


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_encodings(encoding: str) -> None:
    assert decode(TEXT.encode(encoding)) == (TEXT, [])


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=200))
def test_utf8_is_exact(text: str) -> None:
    decoded, _ = decode(text.encode())
    assert decoded == text.removeprefix("\ufeff")


@given(st.binary(max_size=400))
def test_any_bytes_give_text_or_a_reason(data: bytes) -> None:
    with contextlib.suppress(DocumentError):
        decode(data)[0].encode()


def test_windows_1252() -> None:
    assert decode(WESTERN.encode("cp1252")) == (WESTERN, ["legacy_encoding"])


def test_declared_charset_wins_over_guessing() -> None:
    page = '<meta charset="iso-8859-2"><p>Zieliński, Łódź, źródło</p>'
    assert decode(page.encode("iso-8859-2")) == (page, ["legacy_encoding"])


def test_cyrillic_is_detected() -> None:
    text = "Перед запуском робота проверьте момент затяжки всех болтов и замените фильтр. " * 4
    assert decode(text.encode("cp1251"))[0] == text


def test_mixed_lines() -> None:
    data = "Grüße\nHalle Süd\nÄlg\n".encode() + "Café\n".encode("cp1252")
    assert decode(data) == ("Grüße\nHalle Süd\nÄlg\nCafé\n", ["mixed_encoding"])


def test_utf16_without_a_mark() -> None:
    data = "A plain sentence in two bytes each.".encode("utf-16-le")
    assert not is_binary(data)
    assert decode(data)[0] == "A plain sentence in two bytes each."


def test_newlines_and_noise() -> None:
    assert decode(b"a\r\nb\rc")[0] == "a\nb\nc"
    with pytest.raises(DocumentError, match="control characters"):
        decode(bytes(range(1, 32)) * 20)
    assert is_binary(b"abc\0\1\2\3def" * 10)
