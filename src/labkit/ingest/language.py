"""Which language a text is in: ISO 639-1 code by py3langid (Lui and Baldwin 2012), a naive Bayes over byte n-grams.

Short texts are not guessed at. What a file declares counts only there: templates declare the language of whoever wrote
the template.
"""

from __future__ import annotations

import re

MIN_WORDS = 12
MAX_CHARACTERS = 500
"""Two or three sentences decide; more costs time alone."""
_WORD = re.compile(r"[^\W\d_]{2,}")


def language_of(text: str, declared: str = "") -> str:
    """The language of ``text``; ``declared`` where there is too little of it to tell, '' where that is empty too."""
    words = _WORD.findall(text[: 2 * MAX_CHARACTERS])
    if len(words) < MIN_WORDS:
        return declared if re.fullmatch("[a-z]{2}", declared) else ""
    from py3langid import classify

    found = str(classify(" ".join(words)[:MAX_CHARACTERS])[0])
    return found if len(found) == 2 else ""  # it knows languages that have no two-letter code
