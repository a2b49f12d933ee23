"""Duplicates and versions: pairs, chains, and what a copy inherits."""

from labkit.bench.copies import duplicate_figures, found_pairs, supersession_figure, true_pairs

EXACT, NEAR = {"defects": ("exact_duplicate",)}, {"defects": ("near_duplicate",)}


def group(case, *, said=True):
    """An original, an exact copy, an edited one, and an exact copy of that."""

    def stored(original, mark):
        return {"duplicate_of": original, **mark} if said else {}

    return [
        case("a", group="a", sha256="1"),
        case("a1", group="a", sha256="1", stored=stored("a", EXACT)),
        case("a2", group="a", sha256="2", near=True, stored=stored("a", NEAR)),
        case("a3", group="a", sha256="2", near=True, stored=stored("a2", EXACT)),
        case("other"),
    ]


def pair(one, other):
    return frozenset((one, other))


def test_exact_are_equal_bytes_and_near_the_rest_of_a_group(case):
    exact, near = true_pairs(group(case))
    assert exact == {pair("a", "a1"), pair("a2", "a3")}
    assert near == {pair("a", "a2"), pair("a", "a3"), pair("a1", "a2"), pair("a1", "a3")}


def test_chains_are_followed_and_exact_links_told_apart(case):
    assert found_pairs(group(case)) == true_pairs(group(case))
    scores = duplicate_figures(group(case))
    assert scores["exact_duplicate_f1"].value == scores["near_duplicate_f1"].value == 1.0


def test_missed_and_invented_duplicates_cost(case):
    assert duplicate_figures(group(case, said=False))["exact_duplicate_f1"].value == 0.0
    invented = [*group(case), case("b", stored={"duplicate_of": "other", **EXACT})]
    assert duplicate_figures(invented)["exact_duplicate_f1"].value == 2 * 2 / 5


def test_a_revision_is_no_duplicate(case):
    cases = [case("a", superseded_by="true-b"), case("b", stored={"duplicate_of": "a", **NEAR})]
    assert duplicate_figures(cases)["near_duplicate_f1"].value == 0.0
    assert duplicate_figures(cases)["exact_duplicate_f1"].value is None


def test_files_that_belong_in_quarantine_do_not_count(case, refused):
    scan = refused("scan", "no_text", "no_text")
    scan.group = "a"
    read = case("scan2", group="a", near=True, must_refuse="no_text", stored={"duplicate_of": "a", **NEAR})
    read.clean = None
    assert duplicate_figures([*group(case), scan, read])["near_duplicate_f1"].value == 1.0


def test_links_in_a_circle_end(case):
    cases = [case("a", stored={"duplicate_of": "b"}), case("b", stored={"duplicate_of": "a"})]
    found_pairs(cases)


def test_a_superseded_document_names_its_successor_or_a_copy_of_it(case):
    right = [
        case("a", superseded_by="true-b", stored={"superseded_by": "b1"}),
        case("b", group="b"),
        case("b1", group="b"),
    ]
    figure, paths = supersession_figure(right)
    assert (figure.value, figure.n, paths) == (1.0, 1, {"a": True})


def test_wrong_missing_and_invented_successors_are_wrong(case):
    cases = [
        case("a", superseded_by="true-b", stored={"superseded_by": "c"}),
        case("b", stored={"superseded_by": "c"}),
        case("c"),
        case("d", superseded_by="true-c"),
    ]
    assert supersession_figure(cases)[1] == {"a": False, "b": False, "d": False}


def test_a_copy_takes_over_what_is_said_of_its_original(case):
    cases = [
        case("a", superseded_by="true-b", stored={"superseded_by": "b"}),
        case("a1", superseded_by="true-b", stored={"duplicate_of": "a", **EXACT}),
        case("b"),
    ]
    assert supersession_figure(cases)[1] == {"a": True, "a1": True}
