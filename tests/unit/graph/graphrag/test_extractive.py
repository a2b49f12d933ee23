"""The stand-in for a model: every line is copied, the right ones are chosen, and it says who wrote it."""

import pytest

from labkit.graph.graphrag.extractive import (
    LABEL,
    NOTHING,
    answer,
    combined,
    merged,
    nearest,
    points,
    primer,
    report,
    step,
)
from labkit.graph.graphrag.quotes import Quote

from .test_quotes import LOCAL

COMMUNITY = """-----Entities-----
human_readable_id,title,description,degree
3,Otter,"Otter, product. • weight: 80 kg",1
1,Corvane,"Corvane, supplier.",5
4,INC-1,"INC-1, incident. • cause: a loose belt",1
5,INC-2,"INC-2, incident. • cause: a loose belt",1


-----Relationships-----
human_readable_id,source,target,description,combined_degree
7,Corvane,Otter,"• supplies: Corvane supplies the Otter, says ""Ann"". • supplies: Supplier: Corvane",6
8,INC-1,Otter,• product: INC-1 hit the Otter.,2
"""


def words(question, texts):
    """A similarity that needs no model: shared words."""
    asked = set(question.lower().split())
    return [len(asked & set(text.lower().split())) / max(1, len(asked)) for text in texts]


def flat(question, texts):
    return [0.0 for _ in texts]


def test_a_report_names_the_best_connected_and_quotes_edges_and_entities():
    made = report(COMMUNITY)
    assert made["title"] == "Corvane, Otter and INC-1"
    assert made["summary"].splitlines() == [
        'supplies: Corvane supplies the Otter, says "Ann".',
        "product: INC-1 hit the Otter.",
        "cause: a loose belt (2 times)",
        LABEL,
    ]
    assert LABEL in made["rating_explanation"]
    assert made["rating"] == 2.0
    assert [finding["summary"] for finding in made["findings"]] == [
        "Corvane and Otter", "INC-1 and Otter", "Otter, product", "INC-1, incident", "INC-2, incident",
    ]  # fmt: skip
    assert made["findings"][0]["explanation"].endswith("supplies: Supplier: Corvane [Data: Relationships (7)]")


def test_a_report_of_parts_quotes_their_reports():
    context = '----Reports-----\ncommunity,full_content\n2,"# North\n\nlead: Ann leads. [written by: x]\n\n## A\n\nb"\n'
    made = report(context)
    assert (made["title"], made["findings"]) == ("North", [{"summary": "North", "explanation": "lead: Ann leads."}])
    assert report("")["title"] == "Unnamed community"


def test_an_answer_quotes_what_shares_most_and_says_who_wrote_it():
    lines = answer("How much does the Otter weigh?", LOCAL, words).splitlines()
    assert lines[0].startswith("- ")
    assert "80 kg" in lines[0]
    assert not any("Lunch" in line for line in lines)
    assert lines[-1] == LABEL
    assert answer("Who won the chess match?", LOCAL, flat) == f"{NOTHING}\n{LABEL}"


def test_rare_words_weigh_more_than_common_ones():
    quotes = [Quote("the pump of site A"), Quote("the pump of site B"), Quote("the valve of site C")]
    best = nearest("pump valve", quotes, flat, 3, least=0.0)
    assert best[0][1].text == "the valve of site C"


REPORTS = """id|title|occurrence weight|content|rank
1|One|1.0|"# One

lead: Ann leads.
[written by: extractive]

## INC-1, incident

cause: a loose belt [Data: Entities (4)]"|2.0
2|Two|0.5|"# Two

x

## INC-2, incident

cause: a loose belt [Data: Entities (5)]
date: 1 May"|1.0
"""


def test_points_are_rated_and_cited_and_the_merge_puts_first_what_is_shared():
    made = points("What was the cause of the incident?", REPORTS, flat)["points"]
    assert {"INC-1, incident – cause: a loose belt [Data: Reports (1)]"} <= {point["description"] for point in made}
    assert all(0 < point["score"] <= 100 for point in made)
    joined = "\n\n".join(
        f"----Analyst {i + 1}----\nImportance Score: {point['score']}\n{point['description']}"
        for i, point in enumerate(made)
    )
    first = merged(joined).splitlines()[0]
    assert first == "- cause: a loose belt (2 times: INC-1, incident; INC-2, incident) [Data: Reports (1, 2)]"
    assert merged("") == f"{NOTHING}\n{LABEL}"


def test_drift_starts_with_reports_goes_on_towards_others_and_ends_with_the_nearest_lines():
    reports = "# Belt\n\ncause: a loose belt\n\n# Lunch\n\nLunch is at noon."
    first = primer("What is the cause?", reports, words)
    assert first["follow_up_queries"] == ["What is the cause? (Belt)", "What is the cause? (Lunch)"]
    assert "a loose belt" in first["intermediate_answer"]
    then = step("What does it weigh?", "How much does the Otter weigh?", LOCAL, words)
    assert then["follow_up_queries"] == ["How much does the Otter weigh? (Corvane and Otter)"]
    assert 0 <= then["score"] <= 100
    end = combined("Otter weigh", [then["response"], then["response"], NOTHING], words).splitlines()
    assert len(end) == len(set(end))
    assert end[-1] == LABEL


@pytest.mark.parametrize("context", ["", "nonsense", "id|text", "-----Sources-----\n", "-----Reports-----\nid|title\n"])
def test_data_that_is_not_there_gives_no_answer_instead_of_an_error(context):
    assert answer("What?", context, flat) == f"{NOTHING}\n{LABEL}"
