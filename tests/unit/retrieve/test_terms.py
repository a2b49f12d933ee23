from hypothesis import given
from hypothesis import strategies as st

from labkit.retrieve.terms import query_terms, terms


def test_identifiers_are_kept_whole_and_told_apart():
    assert "e417" in terms("Error E-417")
    assert set(terms("E-417")).isdisjoint(terms("E-471"))


def test_spellings_of_one_identifier_share_its_term():
    whole = [set(terms(text)) for text in ("E-417", "e417", "E–417", "E_0417", "E/417")]
    assert all("e417" in found for found in whole)


def test_a_number_alone_finds_the_identifier_and_a_letter_alone_does_not():
    assert "417" in terms("E-417")
    assert "e" not in terms("E-417")


def test_amounts_keep_their_point_and_lose_their_thousands():
    assert terms("6.5 N·m") == ["6.5", "n", "m"]
    assert terms("1,850.50") == terms("1850.50")
    assert set(terms("6.5")).isdisjoint(terms("65"))


def test_versions_match_with_and_without_their_letter():
    assert set(terms("v3.2.1")) & set(terms("3.2.1")) == {"3.2.1"}


def test_words_are_stemmed_and_possessives_dropped():
    assert terms("Restarting Brightmart's conveyors") == terms("restart brightmart conveyor")


def test_camel_case_is_found_by_its_words():
    assert set(terms("pod crash looping")) <= set(terms("KubePodCrashLooping"))


def test_ideographs_count_in_pairs():
    assert terms("東京都") == ["東京", "京都"]
    assert terms("京") == ["京"]


def test_function_words_leave_a_question_unless_nothing_else_is_in_it():
    assert query_terms("Who is the lead of the lead team?") == ["lead", "team"]
    assert query_terms("who is it") == ["who", "is", "it"]


@given(st.text())
def test_any_text_has_terms_without_spaces(text):
    found = terms(text)
    assert all(term and not any(char.isspace() for char in term) for term in found)
    assert found == terms(text)


@given(st.lists(st.sampled_from(["E-417", "gripper", "東京", "6.5", "restart"]), max_size=6))
def test_terms_of_a_text_are_those_of_its_words(words):
    assert terms(" ".join(words)) == [term for word in words for term in terms(word)]
