import pytest

from labkit.graph.patterns import Telling, learn, tell
from labkit.graph.schema import Schema

SCHEMA = Schema.load()
SITES = ("Hexham", "Leeds", "York")
KNOWN = {
    ("site:Hexham", "site.robots"): {"20 robots"},
    ("site:Leeds", "site.robots"): {"1,310 robots"},
    ("site:Hexham", "site.wms"): {"stockflow"},
    ("site:Leeds", "site.wms"): {"pick base"},
}


def telling(text):
    """A sentence and the one site it names."""
    (name,) = [site for site in SITES if site in text]
    at = text.index(name)
    return Telling(text, f"site:{name}", "site", at, at + len(name))


def told(known, *texts):
    """Of every sentence: the site, the relation and the value as text and as number."""
    tellings = [telling(text) for text in texts]
    found = []
    for number, relation, value in tell(tellings, learn(tellings, known, SCHEMA)):
        assert tellings[number].text[value.start : value.end] == value.text
        found.append((tellings[number].subject_id, relation, value.text, value.number))
    return found


def test_a_sentence_that_goes_like_one_whose_value_is_known_tells_its_own():
    found = told(KNOWN, "The headcount of machines at Hexham is 20.", "The headcount of machines at York is 44.")
    assert ("site:York", "site.robots", "44", 44.0) in found


def test_the_value_may_stand_before_the_thing():
    found = told(KNOWN, "Today 20 units roll through Hexham daily.", "Today 44 units roll through York daily.")
    assert ("site:York", "site.robots", "44", 44.0) in found


def test_thousands_are_read():
    found = told(KNOWN, "Machines counted at Leeds: 1,310 altogether.", "Machines counted at York: 2,044 altogether.")
    assert ("site:York", "site.robots", "2,044", 2044.0) in found


def test_words_are_learned_too_in_any_case():
    found = told(KNOWN, "Hexham runs Stockflow in its warehouse.", "York runs Green Shelf in its warehouse.")
    assert ("site:York", "site.wms", "Green Shelf", None) in found


def test_a_sentence_that_goes_otherwise_tells_nothing():
    texts = ("The headcount of machines at Hexham is 20.", "The rent paid for York is 44.",
             "At York the headcount is 44.", "The headcount of machines at York is unknown.")  # fmt: skip
    assert told(KNOWN, *texts) == [("site:Hexham", "site.robots", "20", 20.0)]


def test_a_pattern_that_is_mostly_wrong_is_not_used():
    known = KNOWN | {("site:York", "site.robots"): {"31 robots"}}
    texts = ("The gates built at Hexham are 20.", "The gates built at Leeds are 9.", "The gates built at York are 7.")
    assert told(known, *texts) == []


def test_a_pattern_that_is_mostly_right_is_used():
    known = {(f"site:{site}", "site.robots"): {f"{20 + n} robots"} for n, site in enumerate(SITES)}
    texts = [f"The headcount of machines at {site} is {20 + n}." for n, site in enumerate(SITES)]
    assert len(told(known, *texts, "The headcount of machines at York is 99.")) == 4  # 3 right, 1 wrong


def test_words_that_carry_no_meaning_make_no_pattern():
    assert told(KNOWN, "Hexham has 20.", "York has 44.") == []
    assert told(KNOWN, "Hexham: 20", "York: 44") == []


def test_a_value_far_away_makes_no_pattern():
    filler = "and the weather in this part of the country was rather fine on most days so"
    assert told(KNOWN, f"Machines at Hexham work {filler} 20 came.", f"Machines at York work {filler} 44 came.") == []


@pytest.mark.parametrize("figure", ["120", "20.5", "20,000", "20-B", "B-20", "x20"])
def test_a_known_number_is_not_seen_in_another(figure):
    assert (
        told(KNOWN, f"The headcount of machines at Hexham is {figure}.", "The headcount of machines at York is 44.")
        == []
    )


def test_other_figures_in_a_pattern_may_differ():
    found = told(KNOWN, "In week 7 machines at Hexham numbered 20.", "In week 12 machines at York numbered 44.")
    assert ("site:York", "site.robots", "44", 44.0) in found


def test_patterns_hold_for_their_kind_only():
    tellings = [telling("The headcount of machines at Hexham is 20."),
                Telling("The headcount of machines at Acme is 44.", "customer:Acme", "customer", 29, 33)]  # fmt: skip
    found = tell(tellings, learn(tellings, KNOWN, SCHEMA))
    assert [number for number, _, _ in found] == [0]


def test_marks_that_mean_something_in_a_pattern_are_only_marks():
    found = told(KNOWN, "Sums (all*) at Hexham [+] count robots 20?", "Sums (all*) at York [+] count robots 44?")
    assert ("site:York", "site.robots", "44", 44.0) in found


def test_nothing_known_or_nothing_said_teaches_nothing():
    assert told({}, "The headcount of machines at Hexham is 20.") == []
    assert told(KNOWN) == []
    assert learn([], KNOWN, SCHEMA) == {}


def test_a_pattern_of_one_word_has_to_be_right_of_two_things():
    texts = ["Machines at Hexham: 20.", "Machines at York: 44."]
    assert told(KNOWN, *texts) == []
    found = told(KNOWN, *texts, "Machines at Leeds: 1,310.")
    assert ("site:York", "site.robots", "44", 44.0) in found


@pytest.mark.parametrize("amount", ["{} kg", "{}%", "EUR {}", "{} EUR per hour"])
def test_a_number_of_another_unit_is_not_the_known_value(amount):
    texts = [
        f"The boxes and totes handled at {site} are {amount.format(n)}." for site, n in (("Hexham", 20), ("York", 44))
    ]
    assert told(KNOWN, *texts) == []


def test_the_own_unit_of_a_number_may_stand_behind_it():
    found = told(KNOWN, "The machines counted at Hexham are 20 robots.", "The machines counted at York are 44 robots.")
    assert ("site:York", "site.robots", "44", 44.0) in found


def test_numbers_are_read_as_quantities_are():
    found = told(KNOWN, "Machines counted at Hexham: 20.", "Machines counted at York: 12,5.")
    assert ("site:York", "site.robots", "12,5", 12.5) in found


def test_the_words_before_a_number_tell_of_it_wherever_the_thing_stands():
    texts = ["Spares for Hexham suit its fleet of 20.", "Leeds sent its fleet of 1,310 home."]
    asked, expected = "As planned, York keeps a fleet of 44 going.", ("site:York", "site.robots", "44", 44.0)
    assert expected not in told(KNOWN, texts[0], asked)  # right of one thing only
    assert expected in told(KNOWN, *texts, asked)
