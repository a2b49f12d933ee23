from labkit.graph.codes import codes
from labkit.graph.names import Names
from labkit.graph.resolve import resolve
from labkit.graph.schema import Schema
from labkit.schema import Chunk

SCHEMA = Schema.load()


def chunk(text, heading=(), doc_id=""):
    return Chunk(
        chunk_id=text, doc_id=doc_id or text, source_path="a.md", ordinal=0, text=text, start=0, end=len(text),
        tokens=1, content_hash=text, heading_path=heading,
    )  # fmt: skip


def resolved(known, *texts):
    """Kind and surface → what stands for it, of names that are known and texts that use them."""
    chunks = [chunk(text) if isinstance(text, str) else text for text in texts]
    names = Names(known, SCHEMA)
    coded = codes(chunks, names, {}, SCHEMA)
    names = Names(names.kinds | {code: kind for kind, code in coded}, SCHEMA)
    return resolve(chunks, {one.chunk_id: names.find(one.text) for one in chunks}, names)


def persons(*surfaces):
    return dict.fromkeys(surfaces, "person")


def joined(found, kind, one, other):
    return found[kind, one] == found[kind, other]


def test_an_initial_is_the_one_person_it_fits():
    found = resolved(persons("Hiroshi Zabala", "H. Zabala", "H Zabala"), "Hiroshi Zabala, H. Zabala and H Zabala")
    assert len(set(found.values())) == 1


def test_an_initial_that_fits_two_persons_stays_a_name_of_its_own():
    found = resolved(persons("Jan Martin", "Jane Martin", "J. Martin"), "Jan Martin and Jane Martin", "Ask J. Martin.")
    assert len(set(found.values())) == 3


def test_an_initial_joins_nobody_of_another_surname_or_another_initial():
    found = resolved(persons("Hiroshi Zabala", "H. Zabal", "K. Zabala"), "Hiroshi Zabala met H. Zabal and K. Zabala")
    assert len(set(found.values())) == 3


def test_an_initial_joins_persons_only():
    found = resolved({"Hexham North": "site", "H. North": "site"}, "Hexham North and H. North")
    assert not joined(found, "site", "Hexham North", "H. North")


def test_a_surname_alone_is_nobody():
    found = resolved(persons("Ann Lee", "Bob Lee", "Lee"), "Ann Lee, Bob Lee and Lee")
    assert len(set(found.values())) == 3


def test_a_code_in_brackets_is_the_name_before_it():
    found = resolved({"Kestrel Bearings": "supplier"}, "Kestrel Bearings (KB) ships on Monday.", "Call KB.")
    assert found == {("supplier", "Kestrel Bearings"): "Kestrel Bearings", ("supplier", "KB"): "Kestrel Bearings"}


def test_what_stands_in_brackets_elsewhere_or_in_lower_case_is_no_code():
    names = Names({"Kestrel Bearings": "supplier"}, SCHEMA)
    for rest in (" ships (KB).", " (kb)", "(KB)", " (A B)", " (K)", ", not Brandt (KB)"):
        assert codes([chunk(f"Kestrel Bearings{rest}")], names, {}, SCHEMA) == {}


def test_a_code_that_is_a_name_itself_keeps_its_kind_and_joins_no_other():
    names = {"Kestrel Bearings": "supplier", "KB": "team"}
    assert codes([chunk("Kestrel Bearings (KB)")], Names(names, SCHEMA), {}, SCHEMA) == {}
    assert resolved(names, "Kestrel Bearings (KB)")["team", "KB"] == "KB"


def test_a_code_in_a_heading_counts():
    found = resolved({"Kestrel Bearings": "supplier"}, chunk("Call KB.", ("Kestrel Bearings (KB)",)))
    assert joined(found, "supplier", "KB", "Kestrel Bearings")


def test_a_number_alone_is_the_thing_that_has_it():
    found = resolved(
        {"belt tensioner BT-4471": "part", "BT-4471": "part"}, "A belt tensioner BT-4471.", "BT-4471 is worn."
    )
    assert found["part", "BT-4471"] == "belt tensioner BT-4471"


def test_numbers_join_nothing_of_another_kind():
    found = resolved({"belt X-12": "part", "Otter X-12": "product"}, "The belt X-12 fits the Otter X-12.")
    assert found["part", "belt X-12"] != found["product", "Otter X-12"]


def test_spelling_makes_no_other_thing():
    found = resolved(persons("José Martín", "Jose Martin", "JOSE MARTIN"), "José Martín", "Jose Martin", "JOSE MARTIN")
    assert len(set(found.values())) == 1
    found = resolved({}, "The code E-530", "The code E530")
    assert joined(found, "error", "E-530", "E530")
    found = resolved({"Air-Port": "site", "Airport": "site", "Air Port": "site"}, "Air-Port, Airport and Air Port")
    assert len(set(found.values())) == 1


def test_other_numbers_are_other_things():
    found = resolved({}, "E-530, E-531, INC-530 and INC-5300")
    assert len(set(found.items())) == len(set(found.values())) == 4


def test_a_thing_that_was_renamed_is_the_same():
    for between in (" was renamed ", ", formerly known as ", " (formerly ", ", now called ", " has been renamed to ",
                    " is now known as ", " becomes ", " (née "):  # fmt: skip
        found = resolved({"Acme Foods": "customer", "Nordkost": "customer"}, f"Acme Foods{between}Nordkost) today")
        assert joined(found, "customer", "Acme Foods", "Nordkost"), between


def test_things_that_are_only_named_together_are_not_joined():
    known = {"Acme Foods": "customer", "Nordkost": "customer", "Hexham": "site"}
    for text in ("Acme Foods and Nordkost", "Acme Foods, not Nordkost", "Acme Foods was renamed, Nordkost was not",
                 "Acme Foods was renamed by its owner Nordkost"):  # fmt: skip
        found = resolved(known, text)
        assert not joined(found, "customer", "Acme Foods", "Nordkost"), text
    assert resolved(known, "Hexham was renamed Nordkost")["site", "Hexham"] == "Hexham"


def test_renamings_follow_one_another():
    found = resolved(
        dict.fromkeys(("Acme", "Brandt", "Celsa"), "customer"), "Acme was renamed Brandt.", "Brandt becomes Celsa."
    )
    assert len(set(found.values())) == 1


def test_the_number_in_a_title_is_the_one_name_of_its_kind_in_the_text():
    known = {"Removable Media Policy": "policy", "Password Policy": "policy"}
    found = resolved(known, chunk("The Removable Media Policy forbids sticks.", ("POL-12",)))
    assert joined(found, "policy", "POL-12", "Removable Media Policy")
    found = resolved(known, chunk("Removable Media Policy, see also Password Policy.", ("POL-12",)))
    assert len(set(found.values())) == 3


def test_a_title_counts_for_all_passages_of_its_document():
    known = {"Removable Media Policy": "policy", "Password Policy": "policy"}
    parts = [chunk("Removable Media Policy.", ("POL-12",), "d"), chunk("Password Policy.", ("POL-12",), "d")]
    assert not joined(resolved(known, *parts), "policy", "POL-12", "Removable Media Policy")


def test_the_name_of_most_words_stands_for_a_thing_then_the_commonest():
    found = resolved({"Kestrel Bearings": "supplier"}, "Kestrel Bearings (KB)", "KB KB KB")
    assert found["supplier", "KB"] == "Kestrel Bearings"
    found = resolved(persons("José Ruiz", "Jose Ruiz"), "José Ruiz", "Jose Ruiz and Jose Ruiz")
    assert found["person", "José Ruiz"] == "Jose Ruiz"


def test_nothing_resolves_to_nothing():
    assert resolved({}) == {}
    assert resolved({"Hexham": "site"}, "Nobody is named here.") == {}


def test_the_order_of_the_passages_does_not_matter():
    known = persons("Hiroshi Zabala", "H. Zabala", "Jan Martin", "Jane Martin", "J. Martin") | {"Acme": "customer"}
    texts = ("Hiroshi Zabala (HZ)", "H. Zabala", "J. Martin and Jan Martin", "Jane Martin", "Acme (AC)", "AC")
    assert resolved(known, *texts) == resolved(known, *reversed(texts))


def test_a_remark_in_brackets_joins_nothing():
    found = resolved({"Hexham": "site", "Leeds": "site"}, "Hexham (UK) and Leeds (UK)")
    assert found == {("site", "Hexham"): "Hexham", ("site", "Leeds"): "Leeds"}
    known = {"Hexham": "site", "Leeds": "site", "UK": "site"}
    assert len(set(resolved(known, "Hexham (UK) and Leeds (UK)").values())) == 3


def test_a_code_behind_two_names_of_one_thing_is_its_code():
    known = dict.fromkeys(("Acme", "Brandt", "AB"), "customer")
    assert len(set(resolved(known, "Acme (AB), Brandt (AB)", "Acme was renamed Brandt").values())) == 1


def test_one_version_of_two_products_is_two_things():
    found = resolved({}, "DriftOS 1.2.3 and PickOS 1.2.3")
    assert not joined(found, "firmware", "DriftOS 1.2.3", "PickOS 1.2.3")


def test_an_ordinary_word_before_a_version_means_the_thing_that_has_it():
    found = resolved({}, "DriftOS 1.2.3", "Changelog 1.2.3", "Read the changelog!")
    assert set(found.values()) == {"DriftOS 1.2.3"}
    texts = ("Drift 1.2.3, Drift 1.2.4", "Changelog 1.2.3 Changelog 1.2.3", "They drift; read the changelog!")
    assert resolved({}, *texts)["firmware", "Changelog 1.2.3"] == "Drift 1.2.3"


def test_an_ordinary_word_before_a_version_two_things_have_joins_them_not():
    found = resolved({}, "DriftOS 1.2.3 and PickOS 1.2.3", "Changelog 1.2.3", "Read the changelog!")
    assert len(set(found.values())) == 3


def test_a_dash_between_digits_makes_another_thing():
    found = resolved({"Gate 1-2": "site", "Gate 12": "site", "Gate 1–2": "site"}, "Gate 1-2, Gate 12 and Gate 1–2")
    assert joined(found, "site", "Gate 1-2", "Gate 1–2")
    assert not joined(found, "site", "Gate 1-2", "Gate 12")
