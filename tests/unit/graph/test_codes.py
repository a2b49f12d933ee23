from labkit.graph.codes import codes
from labkit.graph.fields import rows
from labkit.graph.names import Names
from labkit.graph.schema import Schema
from labkit.schema import Chunk

SCHEMA = Schema.load()
SITES = dict.fromkeys(("Hexham", "Leeds", "Ostby", "Thornaby"), "site")
KNOWN = ("Hexham (HXM) is open.", "Leeds (LDS) is open.")


def chunk(text, *heading, path="a.md", doc_id=""):
    return Chunk(
        chunk_id=f"{path}{text}", doc_id=doc_id or f"{path}{text}", source_path=path, ordinal=0, text=text, start=0,
        end=len(text), tokens=1, content_hash=text, heading_path=heading,
    )  # fmt: skip


def found(*texts, known=SITES):
    chunks = [chunk(text) if isinstance(text, str) else text for text in texts]
    fields = {one.chunk_id: rows(one.text, SCHEMA) for one in chunks}
    return codes(chunks, Names(known, SCHEMA), fields, SCHEMA)


def test_a_code_stands_in_brackets_behind_its_name():
    assert found(*KNOWN) == {("site", "HXM"): "Hexham", ("site", "LDS"): "Leeds"}


def test_a_remark_behind_several_names_is_no_code():
    assert found("Hexham (UK), Leeds (UK)") == {}


def test_a_word_of_the_look_of_codes_is_that_of_the_one_thing_its_documents_name():
    page = found(*KNOWN, chunk("Welcome to Ostby.", "OST: before you go"))
    assert page["site", "OST"] == "Ostby"
    twice = found(*KNOWN, "Ostby is new. OST has a ramp, and OST has a lift.")
    assert twice["site", "OST"] == "Ostby"
    file = found(*KNOWN, chunk("Ostby is new.", path="visit_OST_2025.md"), chunk("OST again.", path="b.md"))
    assert file["site", "OST"] == "Ostby"


def test_where_documents_leave_a_choice_a_word_is_no_code():
    assert ("site", "USB") not in found(*KNOWN, "Ostby has USB and USB.", "Thornaby has USB.")
    assert ("site", "NEW") not in found(*KNOWN, "Ostby is NEW NEW, quite new.")  # a word that stands in lower case too
    assert ("site", "OST") not in found(*KNOWN, "Ostby and Thornaby: OST and OST.")
    assert ("site", "ABCD") not in found(*KNOWN, "Ostby is ABCD, said ABCD.")  # another look


def test_a_thing_has_one_code():
    two = found(*KNOWN, chunk("Welcome to Ostby.", "OST: before you go"), chunk("To Ostby again.", "OBY: read this"))
    assert len([code for code, name in two.items() if name == "Ostby"]) == 1


def test_one_known_code_has_no_look():
    assert found("Hexham (HXM) is open.", "Ostby is new. OST has a ramp, and OST has a lift.") == {
        ("site", "HXM"): "Hexham"
    }


def test_the_code_on_a_page_without_a_name_is_the_thing_the_page_is_about():
    page = chunk("City: York\nGo-live: 3 May 2024", "WPV: before you go")
    assert found(*KNOWN, page)["site", "WPV"] == ""


def test_no_documents_no_codes():
    assert found() == {}
