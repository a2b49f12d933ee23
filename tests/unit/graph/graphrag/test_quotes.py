"""The data in graphrag's prompts: which sentence stands in which record of which table, whatever else stands in it."""

from hypothesis import given
from hypothesis import strategies as st

from labkit.graph.graphrag.quotes import quotes_of

LOCAL = """-----Reports-----
id|title|content
5|Corvane and Otter|"# Corvane and Otter

• supplies: old
[written by: extractive]

## INC-1, incident

cause: a loose belt [Data: Entities (4)]"


-----Entities-----
id|entity|description|number of relationships
3|Otter|Otter, product. • weight: 80 kg|1


-----Relationships-----
id|source|target|description|weight|links
7|Corvane|Otter|• supplies: Corvane supplies the Otter.|2.0|1

-----Sources-----
id|text
12|-----Original Message-----
Incidents
The Otter shuttle weighs 80 kg with its battery.
13|Lunch is at noon every day.
"""


def test_quotes_know_their_table_and_record_and_leave_out_headings_and_labels():
    found = [(quote.whole, quote.table, quote.record) for quote in quotes_of(LOCAL)]
    assert found == [
        ("• supplies: old", "Reports", "5"),
        ("INC-1, incident – cause: a loose belt", "Reports", "5"),
        ("Otter, product – weight: 80 kg", "Entities", "3"),
        ("Corvane and Otter – supplies: Corvane supplies the Otter.", "Relationships", "7"),
        ("-----Original Message----- Incidents The Otter shuttle weighs 80 kg with its battery.", "Sources", "12"),
        ("Lunch is at noon every day.", "Sources", "13"),
    ]


def test_basic_search_sends_its_sources_as_csv():
    context = 'id|text\n4|"The ""Otter"" weighs 80 kg. It has four wheels in all."\n5|Lunch is at noon daily.\n'
    assert [(quote.text, quote.record) for quote in quotes_of(context)] == [
        ('The "Otter" weighs 80 kg.', "4"),
        ("It has four wheels in all.", "4"),
        ("Lunch is at noon daily.", "5"),
    ]
    assert quotes_of("id|text\n") == []


@given(st.lists(st.text(alphabet=st.sampled_from('ab |•–\n-[]():#"1'), max_size=40), max_size=4))
def test_whatever_stands_in_sources_is_quoted_from_there(texts):
    context = "-----Sources-----\nid|text\n" + "".join(f"{i}|x{text}\n" for i, text in enumerate(texts))
    flattened = " ".join(context.split())
    assert all(quote.text in flattened for quote in quotes_of(context))
