import pytest

from labkit.errors import ConfigError, InputError
from labkit.llm.prompts import load_prompt, parse_prompt


def test_places_are_filled_and_braces_in_values_survive():
    prompt = parse_prompt("p", "# system\nBe brief.\n\n# user\n{passages} Q: {question}\n")
    messages = prompt.messages(passages="f({question}) {x}", question="why?")
    assert messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "f({question}) {x} Q: why?"},
    ]


def test_the_version_changes_with_any_edit():
    assert parse_prompt("p", "# user\na\n").version != parse_prompt("p", "# user\na \n").version


@pytest.mark.parametrize("values", [{}, {"question": "q", "extra": "e"}])
def test_missing_and_surplus_values_are_refused(values):
    with pytest.raises(InputError, match="takes"):
        parse_prompt("p", "# user\n{question}").messages(**values)


def test_shipped_prompt_loads_and_others_do_not():
    assert load_prompt("answer").version.startswith("answer@")
    for name in ("nothing", "../answer"):
        with pytest.raises(ConfigError, match="no prompt named"):
            load_prompt(name)


def test_a_prompt_needs_a_user_part():
    with pytest.raises(ConfigError, match="# user"):
        parse_prompt("p", "# system\nonly")
