"""`deepself compare`: systems of several studies on one protocol, as a page and as tables."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from deepself.cli import main
from deepself.evaluation.across import Scored, across
from deepself.evaluation.comparisons import COMPARISONS
from deepself.evaluation.scores import SUMMARY
from deepself.report.compare import settings
from deepself.store.files import read_json, read_table, write_json, write_table
from tests.synthetic import Plan, build, finish

PLAN = Plan(models=2, fusions=False, items=36)
MODELS = ["picture_cnn", "log_mel_cnn"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Studies that are tested alike: a; b, which has more systems; and c, which has two seeds."""
    folder = tmp_path_factory.mktemp("studies")
    for name, plan, seed in (
        ("a", PLAN, 0),
        ("b", Plan(models=3, items=36, skill={"picture_cnn": 4.0}), 1),
        ("c", Plan(models=2, fusions=False, items=36, seeds=(0, 5)), 2),
    ):
        finish(build(folder, plan, seed, name))
    return folder


@pytest.fixture
def studies(made, tmp_path, monkeypatch):
    """The same in a folder of the test's own."""
    shutil.copytree(made, tmp_path / "own")
    monkeypatch.chdir(tmp_path / "own")
    return tmp_path / "own"


@pytest.fixture
def compare(studies, capsys):
    """Compare; return what was printed, the errors, and the status."""

    def run(*arguments):
        status = main(["compare", *map(str, arguments)])
        printed = capsys.readouterr()
        return printed.out, printed.err, status

    return run


def another(plan, name="d"):
    """One more study beside the others."""
    return finish(build(Path.cwd(), plan, 3, name))


def edit_folds(tree, edit):
    """Change rows of a study's folds.csv."""
    rows = read_table(tree.layout.folds)
    rows = edit(rows) or rows
    write_table(tree.layout.folds, list(rows[0]), [list(row.values()) for row in rows])


def test_a_page_and_two_tables_over_all_systems(compare):
    out, _, status = compare("a.yaml", "b.yaml")
    assert status == 0
    page = Path("results/compare/a-b.html")
    assert out.startswith(f"{page}: best mean test UAR ")
    assert re.search(
        r"\): (model|fusion) b/\w+, which cannot be told from \d of 6 others$", out[:-1]
    )
    assert page.stat().st_size < 15e6
    pairs = read_table("results/compare/a-b/comparisons.csv")
    names = [*(f"a/{m}" for m in MODELS), *(f"b/{m}" for m in MODELS)]
    names += ["b/wave_cnn", "b/all", "b/best_of_each"]
    assert list(pairs[0]) == list(COMPARISONS)
    assert [(p["first"], p["second"]) for p in pairs] == [
        (x, y) for i, x in enumerate(names) for y in names[i + 1 :]
    ]
    summary = read_table("results/compare/a-b/summary.csv")
    assert list(summary[0]) == list(SUMMARY)
    assert list(dict.fromkeys(row["name"] for row in summary)) == [*names, "majority", "random"]
    assert {row["partition"] for row in summary} == {"dev", "test"}


def test_numbers_are_those_of_the_studies_but_corrected_for_all_pairs(compare):
    compare("a.yaml", "b.yaml")
    table = read_table("results/compare/a-b/comparisons.csv")
    pairs = {(p["first"], p["second"]): p for p in table}
    for study in "ab":
        for own in read_table(f"results/{study}/comparisons.csv"):
            pair = pairs[f"{study}/{own['first']}", f"{study}/{own['second']}"]
            for key in COMPARISONS[2:-1]:
                if not key.endswith("_holm"):
                    assert pair[key] == own[key], key
    smallest = min(table, key=lambda p: float(p["p_bootstrap"]))
    factor = len(pairs)
    expected = min(1, factor * float(smallest["p_bootstrap"]))
    assert float(smallest["p_bootstrap_holm"]) == pytest.approx(expected)
    keys = ("name", "kind", "partition", "level", "score")
    found = {tuple(r[k] for k in keys): r for r in read_table("results/compare/a-b/summary.csv")}
    for study in "ab":
        for own in read_table(f"results/{study}/summary.csv"):
            if own["kind"] != "chance":
                own["name"] = f"{study}/{own['name']}"
            assert found[tuple(own[k] for k in keys)] == own


def test_equal_predictions_of_two_studies_do_not_differ(compare, studies):
    """A copy under another name, whose items stand in another order."""
    shutil.copytree("results/a", "results/copy")
    Path("copy.yaml").write_text(Path("a.yaml").read_text().replace("name: a", "name: copy"))
    rows = read_table("results/copy/folds.csv")[::-1]
    write_table("results/copy/folds.csv", list(rows[0]), [list(row.values()) for row in rows])
    _, _, status = compare("a.yaml", "copy.yaml")
    assert status == 0
    pairs = read_table("results/compare/a-copy/comparisons.csv")
    same = [p for p in pairs if p["first"].split("/")[1] == p["second"].split("/")[1]]
    assert len(same) == 2
    for pair in same:
        numbers = [float(pair[k]) for k in ("difference", "low", "high", "disagreement")]
        assert numbers == [0, 0, 0, 0]
        assert pair["p_bootstrap_holm"] == "1.0" and pair["apart"] == "no"
    page = Path("results/compare/a-copy.html").read_text()
    assert "The studies are the same but for their names." in page


def test_three_studies_with_other_numbers_of_seeds(compare):
    _, _, status = compare("a.yaml", "b.yaml", "c.yaml")
    assert status == 0
    summary = read_table("results/compare/a-b-c/summary.csv")
    runs = {r["name"]: r["runs"] for r in summary if r["score"] == "uar"}
    assert {n: r for n, r in runs.items() if n.endswith("/picture_cnn")} == {
        "a/picture_cnn": "3", "b/picture_cnn": "3", "c/picture_cnn": "6",
    }  # fmt: skip
    page = Path("results/compare/a-b-c.html").read_text()
    for text in ("<code>seeds</code>", "<code>[0, 5]</code>", "<code>models.wave_cnn</code>"):
        assert text in page
    assert "<code>models.picture_cnn" not in page  # all three have it, and it is the same


def test_another_place_for_the_page(compare):
    out, _, status = compare("a.yaml", "b.yaml", "--output", "out/page.html")
    assert status == 0
    assert out.startswith("out/page.html: ")
    assert sorted(p.name for p in Path("out/page").iterdir()) == ["comparisons.csv", "summary.csv"]
    assert not Path("results/compare").exists()


def test_a_page_ends_in_html(compare):
    _, err, status = compare("a.yaml", "b.yaml", "--output", "out/page")
    assert status == 1
    assert err == "deepself compare: out/page: name a page that ends in .html\n"
    assert not Path("out").exists()


def test_a_missing_report_does_not_matter_but_missing_scores_do(compare):
    assert not Path("results/a/report.html").exists()
    Path("results/b/summary.csv").unlink()
    _, err, status = compare("a.yaml", "b.yaml")
    assert status == 1
    assert err == (
        "deepself compare: b.yaml: not scored, there is no results/b/summary.csv; "
        "run this study to its end\n"
    )


def test_a_run_that_is_missing_is_named(compare):
    Path("results/b/runs/wave_cnn/fold-2/seed-0/predictions.csv").unlink()
    _, err, status = compare("a.yaml", "b.yaml")
    assert status == 1
    assert err.startswith("deepself compare: b.yaml: model wave_cnn, fold 2, seed 0: no results/b/")
    assert err.count("\n") == 1


def test_very_many_missing_runs_are_counted(compare):
    shutil.rmtree("results/b/runs/wave_cnn")
    shutil.rmtree("results/b/runs/picture_cnn")
    _, err, _ = compare("a.yaml", "b.yaml")
    assert err.count("\n") == 4
    assert err.endswith("b.yaml: and 3 more\n")


@pytest.mark.parametrize("files", [["a.yaml"], ["a.yaml", "b.yaml", "a.yaml"]])
def test_studies_are_two_and_have_their_own_names(compare, files):
    _, err, status = compare(*files)
    assert status == 1
    said = "at least two" if len(files) == 1 else "a.yaml: is called a, as a.yaml is"
    assert said in err and err.count("\n") == 1


def test_two_studies_of_one_name_are_both_named(compare):
    shutil.copy("a.yaml", "other.yaml")
    _, err, status = compare("a.yaml", "other.yaml")
    assert status == 1
    assert "other.yaml: is called a, as a.yaml is; compare studies of different names" in err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"classes": ("cat", "dog", "eel")}, "has other classes than a.yaml: eel, owl; "),
        ({"classes": ("dog", "cat", "owl")}, "classes stand in another order than in a.yaml; "),
        ({"folds": 4}, "has folds 1, 2, 3, 4, and a.yaml has 1, 2, 3; "),
        ({"groups": True}, "has groups, and a.yaml has none; "),
        (
            {"items": 48},
            "fold 1 tests other items than in a.yaml: item-036, item-037, item-038 and 3",
        ),
    ],
)
def test_what_differs_first_is_said_in_a_line(compare, changes, said):
    another(Plan(**{"models": 2, "fusions": False, "items": 36, **changes}))
    _, err, status = compare("a.yaml", "d.yaml")
    assert status == 1
    assert err.startswith(f"deepself compare: d.yaml: {said}")
    assert err.count("\n") == 1
    assert not Path("results/compare").exists()


def test_another_label_or_group_of_an_item_is_said(compare):
    grouped = Plan(models=2, fusions=False, items=36, groups=True)
    another(grouped, "d")
    tree = another(grouped, "e")

    def relabel(rows):
        rows[0]["label"] = "dog"

    def regroup(rows):
        rows[0].update(label="cat", group="s9")

    for edit, named in ((relabel, "label"), (regroup, "group")):
        edit_folds(tree, edit)
        _, err, status = compare("d.yaml", "e.yaml")
        assert status == 1
        assert f"e.yaml: fold 1 tests items whose {named} is another in d.yaml: item-000; " in err


@pytest.fixture
def other_dev(studies):
    """A study whose first fold trains on an item that the others have in dev."""
    tree = build(studies, PLAN, 4, "d")
    moved = next(r["id"] for r in read_table(tree.layout.folds) if r["fold-1"] == "dev")

    def edit(rows):
        for row in rows:
            if row["id"] == moved:
                row["fold-1"] = "train"

    edit_folds(tree, edit)
    for path in tree.layout.folder.glob("runs/*/fold-1/*/predictions.csv"):
        rows = [row for row in read_table(path) if row["id"] != moved]
        write_table(path, list(rows[0]), [list(row.values()) for row in rows])
    finish(tree)
    return moved


def test_other_dev_items_leave_test_to_compare_and_are_said(compare, other_dev):
    out, _, status = compare("a.yaml", "d.yaml")
    assert status == 0
    said = f"fold 1 of d.yaml chooses on other items than in a.yaml: {other_dev}"
    assert f"on test only: {said}" in out
    assert "d trains on 12 to 13 items a fold, a on 12." in out
    assert {r["partition"] for r in read_table("results/compare/a-d/summary.csv")} == {"test"}
    page = Path("results/compare/a-d.html").read_text()
    assert f"F{said[1:]}" in page
    assert ">dev UAR<" not in page
    # The same test items in the same resamples: as the studies say by themselves.
    own = read_table("results/d/comparisons.csv")[0]
    pairs = read_table("results/compare/a-d/comparisons.csv")
    pair = next(p for p in pairs if p["first"] == "d/picture_cnn")
    assert [pair[k] for k in ("difference", "low", "high")] == [
        own[k] for k in ("difference", "low", "high")
    ]


def test_the_order_of_the_studies_only_turns_the_pairs(studies, other_dev):
    from deepself.study import Layout, load

    scored = [Scored(f"{n}.yaml", load(f"{n}.yaml"), Layout(n)) for n in ("a", "d")]
    forth, back = across(scored), across(scored[::-1])
    pairs = {(p.first, p.second): p for p in forth.pairs}
    for pair in back.pairs:
        other = pairs.get((pair.first, pair.second)) or pairs[pair.second, pair.first]
        turned = other.seen_from(pair.first)
        assert turned.difference == pytest.approx(pair.difference, abs=1e-12)
        assert turned.p_t == pytest.approx(pair.p_t, abs=1e-12)


def test_other_recordings_under_the_same_ids_are_said(compare):
    content = read_json("results/b/dataset.json")
    content["modalities"]["audio"]["digest"] = "c" * 64
    write_json("results/b/dataset.json", content)
    compare("a.yaml", "b.yaml")
    page = Path("results/compare/a-b.html").read_text()
    assert "Recordings of audio are not the same in b and a." in page


def test_a_password_is_not_shown(compare):
    study = yaml.safe_load(Path("b.yaml").read_text())
    study["tracking"]["uri"] = "postgresql://me:hidden@host/mlflow"
    Path("b.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    _, _, status = compare("a.yaml", "b.yaml")
    assert status == 0
    page = Path("results/compare/a-b.html").read_text()
    assert "me:***@host" in page
    assert "hidden@" not in page


def test_settings_are_the_keys_that_differ():
    first = {"name": "a", "x": {"y": 1, "same": [2]}, "models": {"m": {"lr": 0.1}}}
    second = {"name": "b", "x": {"y": None, "same": [2]}, "models": {"n": {"lr": 0.1}}}
    found = {one.key: one.values for one in settings([first, second])}
    assert found == {
        "x.y": ["1", "null"],
        "models.m": ["{lr: 0.1}", None],
        "models.n": [None, "{lr: 0.1}"],
    }
    (long,) = settings([{"k": ["word" * 9, "word" * 9]}, {"k": []}])
    assert long.values == [f"- {'word' * 9}\n- {'word' * 9}", "[]"]
