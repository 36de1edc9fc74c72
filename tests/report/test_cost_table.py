"""What the report says that runs cost: only what some run has recorded."""

import re

import pytest

from deepself.report.render import render
from deepself.report.tables import costs
from deepself.store.files import read_json, write_json
from tests.synthetic import Plan, build, finish

COLUMNS = ["items/s, train", "items/s, predict", "memory", "GPU memory", "energy"]


def records(tree):
    return sorted((tree.layout.folder / "runs").glob("*/*/*/run.json"))


def cost_section(tree):
    page = render(tree.study, tree.layout, command="x").read_text()
    start = page.index('<section aria-labelledby="cost">')
    return page[start : page.index("</section>", start)]


def headings(section):
    return re.findall(r'<button type="button">(.*?)</button>', section)


def rows(section):
    """Cells of each row by heading: what sorts them, and what is shown."""
    body = section[section.index("<tbody>") :]
    found = []
    for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL):
        cells = re.findall(r"<t[hd]([^>]*)>(.*?)</t[hd]>", row, re.DOTALL)
        values = [re.search(r'data-value="(.*?)"', attributes) for attributes, _ in cells]
        shown = [(v and float(v[1]), t) for v, (_, t) in zip(values, cells, strict=True)]
        found.append(dict(zip(headings(section), shown, strict=True)))
    return found


@pytest.fixture
def tree(tmp_path):
    return finish(build(tmp_path, Plan(models=2, folds=3)))


def test_what_no_run_recorded_has_no_column(tree):
    section = cost_section(tree)
    assert not set(COLUMNS[2:]) & set(headings(section))
    assert "energy" not in section
    assert all(row["items/s, train"] == (0, "–") for row in rows(section))


def test_what_some_runs_recorded_is_shown(tree):
    """The first model's runs recorded all, the second's their prediction alone."""
    first, second = list(tree.study.models)[:2]
    for number, path in enumerate(records(tree)):
        record = read_json(path)
        if record["model"] == first:
            record |= {
                "memory": 400_000_000 + number,
                "gpu_memory": 2_000_000_000 + number,
                "energy": 1500.0,
                "items_per_second": {"train": 12_345.0, "predict": 1.5},
            }
            last = number
        elif record["model"] == second:
            record["items_per_second"] = {"predict": 250.0}
        write_json(path, record)
    section = cost_section(tree)
    assert [name for name in headings(section) if name in COLUMNS] == COLUMNS
    one, other = rows(section)[:2]
    assert one["model"][1] == first
    assert one["items/s, train"] == (12_345, "12,345")
    assert one["items/s, predict"] == (1.5, "1.5")
    assert one["memory"] == (400_000_000 + last, "400 MB")
    assert one["GPU memory"] == (2_000_000_000 + last, "2 GB")
    assert one["energy"] == (1500, "1.5 kJ")
    assert other["items/s, train"] == (0, "–")
    assert other["items/s, predict"] == (250, "250")
    assert [other[name] for name in COLUMNS[2:]] == [(0, "–")] * 3


def test_energy_is_a_mean_and_memory_the_most():
    def record(**more):
        seconds = {"load": 1, "train": 2, "predict": 1, "total": 4}
        common = {"type": "dense", "parameters": 1, "device": "cpu", "threads": 1}
        return {**common, "seconds": seconds, **more}

    class Of:
        name = "one"

    [line] = costs(
        [
            (Of, record(energy=1.0, memory=5, items_per_second={"train": 10.0})),
            (Of, record(energy=3.0, memory=9, items_per_second={"train": 30.0})),
            (Of, record()),
        ]
    )
    assert line["energy"] == 2.0
    assert line["memory"] == 9
    assert line["gpu_memory"] is None
    assert line["speed"] == {"train": 20.0, "predict": None}
