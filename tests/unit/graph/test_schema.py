import pytest

from labkit.errors import ConfigError
from labkit.graph.schema import Schema

GOOD = """
head = ["Document"]
count = ["lot.site"]
sum = { "lot.pieces" = "lot.site" }
[kind.lot]
labels = ["Lot"]
number = 'L-\\d+'
[kind.site]
labels = ["Site", "Plant"]
[relation."lot.site"]
subject = "lot"
object = "site"
labels = ["Shipped to", "Site"]
[relation."lot.pieces"]
subject = "lot"
value = "number"
units = ["pieces"]
labels = ["Quantity"]
[relation."site.city"]
subject = "site"
value = "words"
labels = ["City"]
[relation."site.twin"]
subject = "site"
object = "site"
"""


def load(tmp_path, text):
    file = tmp_path / "dictionary.toml"
    file.write_text(text, encoding="utf-8")
    return Schema.load(file)


def test_the_dictionary_that_ships_can_be_read():
    schema = Schema.load()
    assert schema.relation["team.lead"].object == "person"
    assert schema.relation["team.lead"].changes
    assert not schema.relation["incident.date"].changes


def test_labels_are_found_in_any_case_and_the_longest_comes_first(tmp_path):
    schema = load(tmp_path, GOOD)
    assert schema.by_label["site"] == ["lot.site"]
    assert schema.by_label["shipped to"] == ["lot.site"]
    assert schema.labels == ("Shipped to", "Document", "Quantity", "Plant", "City", "Site", "Lot")


def test_a_label_tells_a_kind_where_it_can_mean_one_only(tmp_path):
    kinds = load(tmp_path, GOOD).kind_of_label
    assert kinds == {"lot": "lot", "site": "site", "plant": "site", "shipped to": "site"}  # a city is no thing
    both = GOOD + '[relation."lot.owner"]\nsubject = "lot"\nvalue = "words"\nlabels = ["Plant"]\n'
    assert "plant" not in load(tmp_path, both).kind_of_label


def test_relations_between_two_kinds(tmp_path):
    assert load(tmp_path, GOOD).between == {("lot", "site"): ["lot.site"], ("site", "site"): ["site.twin"]}


def test_what_is_counted_and_added_up_are_steps(tmp_path):
    assert load(tmp_path, GOOD).tallies == {"count lot.site": "lot.site", "sum lot.pieces": "lot.site"}


WRONG = {
    "is empty": ("", "kind"),
    "is no toml": ("[kind", "read"),
    "has a kind twice": (GOOD + "[kind.lot]\n", "read"),
    "has an unknown entry": ("colour = 1\n" + GOOD, "colour"),
    "has an unknown entry of a kind": (GOOD.replace("number =", "numbre ="), "kind.lot.numbre"),
    "has an unknown entry of a relation": (GOOD.replace("units =", "unit ="), "relation.lot.pieces"),
    "has labels that are no list": (GOOD.replace('labels = ["Lot"]', 'labels = "Lot"'), "kind.lot.labels"),
    "has a kind that is no table": ("kind = 3\n[relation]\n", "kind"),
    "has a relation without a subject": (
        GOOD.replace('subject = "lot"\nobject', "object"),
        "relation.lot.site.subject",
    ),
    "has a relation without object and value": (GOOD.replace('object = "site"\nlabels', "labels"), "relation.lot.site"),
    "has a relation with both": (
        GOOD.replace('value = "words"', 'value = "words"\nobject = "site"'),
        "relation.site.city",
    ),
    "has a number without a unit": (GOOD.replace('units = ["pieces"]\n', ""), "relation.lot.pieces"),
    "has several numbers": (GOOD.replace('"number"', '"number"\nseveral = true'), "relation.lot.pieces"),
    "has a form of what is no words": (GOOD.replace('"number"', '"number"\nform = "A"'), "relation.lot.pieces"),
    "has a form that is no pattern": (GOOD.replace('"words"', '"words"\nform = "("'), "'site.city'"),
    "has words with a unit": (GOOD.replace('"words"', '"words"\nunits = ["m"]'), "relation.site.city"),
    "has a value of no known form": (GOOD.replace('"words"', '"sentence"'), "relation.site.city.value"),
    "names an unknown kind as subject": (
        GOOD.replace('subject = "site"\nvalue', 'subject = "sight"\nvalue'),
        "'sight'",
    ),
    "names an unknown kind as object": (GOOD.replace('object = "site"\nlabels', 'object = "sight"\nlabels'), "'sight'"),
    "counts an unknown relation": (GOOD.replace('count = ["lot.site"]', 'count = ["lot.sight"]'), "'lot.sight'"),
    "adds up an unknown relation": (GOOD.replace('{ "lot.pieces"', '{ "lot.bits"'), "'lot.bits'"),
    "adds up by an unknown relation": (GOOD.replace('= "lot.site" }', '= "lot.sight" }'), "'lot.sight'"),
    "has a number that is no pattern": (GOOD.replace("L-\\d+", "L-(\\d+"), "'lot'"),
}


@pytest.mark.parametrize(("text", "named"), WRONG.values(), ids=WRONG)
def test_a_dictionary_is_refused_that(tmp_path, text, named):
    assert text != GOOD
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, text)
    assert named in str(refused.value)
    assert refused.value.where.startswith("dictionary.toml")


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        Schema.load(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigError):
        Schema.load(tmp_path)
    file = tmp_path / "binary.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary\.toml"):
        Schema.load(file)


def test_a_dictionary_may_know_nothing(tmp_path):
    schema = load(tmp_path, "[kind]\n[relation]\n")
    assert schema.labels == ()
    assert schema.by_label == schema.kind_of_label == schema.tallies == schema.between == {}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("'L-\\d+'", "'(?i)l-\\d+'", "lot"),  # a flag may only stand at the very start of a pattern
        ('units = ["pieces"]', 'units = ["pieces", " "]', "unit"),
        ('"lot.pieces" = "lot.site"', '"site.city" = "lot.site"', "site.city"),
    ],
)
def test_what_would_fail_later_is_refused_when_it_is_read(tmp_path, old, new, message):
    assert old in GOOD
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, GOOD.replace(old, new))


def test_a_numbering_scheme_may_have_alternatives(tmp_path):
    scheme = load(tmp_path, GOOD.replace("'L-\\d+'", "'L-\\d+|M\\d+'")).kind["lot"].scheme()
    assert [match[0] for match in scheme.finditer("L-1, XM2, M3, M4-b and M5.1")] == ["L-1", "M3"]
