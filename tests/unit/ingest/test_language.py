"""Languages are told from text, not from what a template declares."""

import pytest

from labkit.ingest.language import language_of

LONG = {
    "en": "The inspector opened the cabinet and wrote down every serial number before the shift ended on Friday.",
    "de": "Der Prüfer öffnete den Schrank und schrieb vor dem Ende der Schicht am Freitag jede Seriennummer auf.",
    "fr": "Le contrôleur a ouvert l'armoire et a noté chaque numéro de série avant la fin de son service vendredi.",
    "pl": "Kontroler otworzył szafę i przed końcem zmiany w piątek zapisał każdy numer seryjny oraz datę produkcji.",
    "sv": "Kontrollanten öppnade skåpet och skrev upp varje serienummer innan skiftet slutade på fredagen i höstas.",
}


@pytest.mark.parametrize("language", LONG)
def test_languages_are_told_apart(language: str) -> None:
    assert language_of(LONG[language], declared="en") == language


def test_short_text_is_not_guessed_at() -> None:
    assert language_of("E-417", declared="de") == "de"
    assert language_of("E-417", declared="deutsch") == ""
    assert language_of("4 711 0815 " * 50) == ""
