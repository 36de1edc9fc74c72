"""Bundles on disk: what they hold, what is refused, and that nothing in them is executed."""

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import deepself
from deepself.cli import main
from deepself.errors import UserError
from deepself.inference import folder as on_disk
from deepself.store.files import read_json, read_table
from tests.studying import inside

FIRST = Path(__file__).parent / "bundle_of_version_1"
"""A bundle as the first version wrote it: what comes later still has to read it."""


@pytest.fixture(scope="module")
def exported(many):
    return many.export("model", "svm", "--seed", "0")


@pytest.fixture
def bundle(exported, tmp_path):
    """A copy, to be damaged."""
    return Path(shutil.copytree(exported, tmp_path / "bundle"))


def rewrite(bundle, change):
    """Change what a bundle says of itself, and make its digest right again."""
    path = bundle / "bundle.json"
    content = read_json(path)
    del content["digest"]
    change(content)
    content["digest"] = on_disk._digest(content)
    path.write_text(json.dumps(content))


def refusal(folder):
    with pytest.raises(UserError) as raised:
        deepself.load(folder)
    assert len(str(raised.value).splitlines()) == 1
    return str(raised.value)


def test_a_bundle_needs_nothing_of_its_study(exported, tmp_path):
    """In another process, with no study near, and no weights of others."""
    moved = shutil.copytree(exported, tmp_path / "elsewhere")
    program = """
import sys, numpy as np, deepself
bundle = deepself.load(sys.argv[1], device="cpu")
signal = np.sin(np.arange(500) / 3) + np.arange(500) / 500
print(bundle.predict(signal, 2000).probability)
"""
    found = subprocess.run(
        [sys.executable, "-c", program, str(moved)], cwd=tmp_path, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    signal = np.sin(np.arange(500) / 3) + np.arange(500) / 500
    alone = deepself.load(exported, device="cpu").predict(signal, 2000).probability
    assert float(found.stdout) == pytest.approx(alone, abs=1e-6)


def test_the_same_study_gives_the_same_bundle(many, exported, tmp_path):
    with inside(many.folder):
        again = ["export", "study.yaml", "--model", "svm", "--seed", "0"]
        assert main([*again, "--output", str(tmp_path / "again")]) == 0
    names = sorted(path.relative_to(exported) for path in exported.rglob("*") if path.is_file())
    assert len(names) > 4
    for name in names:
        assert (exported / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_weights_are_data_and_no_path_of_this_machine_is_in_it(many, exported):
    suffixes = {path.suffix for path in exported.rglob("*") if path.is_file()}
    assert suffixes == {".json", ".md", ".csv", ".safetensors"}
    text = (exported / "bundle.json").read_text()
    assert str(many.folder) not in text
    assert "weights.pt" in text  # by its name, whose file is inside
    assert (exported / "features/deep.safetensors").is_file()


def test_the_best_is_the_best_on_dev(many, capsys):
    with inside(many.folder):
        assert main(["export", "study.yaml", "--output", "bundles/best"]) == 0
    dev = {
        row["name"]: float(row["mean"])
        for row in read_table(many.layout.summary)
        if (row["partition"], row["level"], row["score"]) == ("dev", "recording", "uar")
    }
    spec = deepself.load(many.folder / "bundles/best").spec
    assert dev[spec.name] == max(dev.values())
    assert "the best on dev, with a mean UAR of" in capsys.readouterr().out


def test_one_fold_is_a_smaller_bundle(many):
    one = deepself.load(many.export("fusion", "stacked", "--fold", "2", "--seed", "1"))
    assert [(part.fold, part.seed) for part in one.spec.parts] == [("2", 1)]
    assert {run.fold for run in one.spec.runs.values()} == {"2"}


def test_the_card_says_what_it_is_worth(many):
    card = (many.export("fusion", "stacked", "--seed", "0") / "README.md").read_text()
    (row,) = [
        row
        for row in read_table(many.layout.summary)
        if (row["name"], row["kind"]) == ("stacked", "fusion")
        and (row["partition"], row["level"], row["score"]) == ("test", "recording", "uar")
    ]
    mean, low, high = (100 * float(row[key]) for key in ("mean", "low", "high"))
    assert f"{mean:.1f} % ({low:.1f} to {high:.1f})" in card
    for said in (
        "It tells high, low and noise apart",
        "18 recordings: 6 of high, 6 of low, 6 of noise",
        "Each part is a fusion (stacking) of:",
        "- *windowed*: cnn2d over short (log_mel)",
        "3 folds (stratified), 2 seeds",
        "| noise |",
        "recorded at 2000 Hz",
        "Licence of this model: *to be filled in*",
    ):
        assert said in card, said


def test_the_card_of_one_part_says_which(many):
    card = (many.export("model", "svm", "--fold", "2", "--seed", "0") / "README.md").read_text()
    assert "It is the one of fold 2, seed 0." in card
    assert "with 95 % intervals; not of this part alone." in card


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "smv"], "--model: unknown model 'smv', did you mean svm?"),
        (["--model", "mean"], "--model: mean is a fusion: --fusion mean"),
        (["--fusion", "svm"], "--fusion: svm is a model: --model svm"),
        (["--fusion", "men"], "--fusion: unknown fusion 'men', did you mean mean?"),
        (["--model", "svm", "--fold", "7"], "--fold: svm has no fold 7; it has 1, 2, 3"),
        (["--model", "svm", "--seed", "7"], "--seed: svm has no seed 7; it has 0, 1"),
        (["--model", "svm", "--output", "recordings"], "recordings: exists, and is no bundle"),
    ],
)
def test_wrong_calls_are_one_line(many, capsys, arguments, said):
    with inside(many.folder):
        assert main(["export", "study.yaml", *arguments]) == 1
    assert said in capsys.readouterr().err


def test_a_run_of_other_settings_is_not_exported(many, capsys):
    change = "models.trace_dense.network.hidden=[9]"
    with inside(many.folder):
        wrong = ["export", "study.yaml", "--set", change, "--model", "trace_dense"]
        assert main([*wrong, "--output", "bundles/wrong"]) == 1
    said = capsys.readouterr().err
    assert "is of the study as it was before; run train again" in said
    assert not (many.folder / "bundles/wrong").exists()


def test_a_missing_run_is_named_and_the_earlier_bundle_stays(many, tmp_path, capsys):
    with inside(many.folder):
        output = ["--output", str(tmp_path / "bundle")]
        export = ["export", "study.yaml", "--model", "trace_dense", *output]
        assert main(export) == 0
        weights = many.layout.run("trace_dense", "2", 1) / "weights.safetensors"
        weights.rename(weights.with_suffix(".away"))
        try:
            assert main(export) == 1
        finally:
            weights.with_suffix(".away").rename(weights)
    assert "weights.safetensors: not found; run train again" in capsys.readouterr().err
    deepself.load(tmp_path / "bundle")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_newer_form_says_what_to_do(bundle):
    rewrite(bundle, lambda content: content.update(version=2))
    said = refusal(bundle)
    assert "was written by a newer deepself (version 2 of a bundle's form" in said
    assert "pip install --upgrade deepself" in said


def test_an_older_form_is_brought_up_to_date(bundle, monkeypatch):
    def to_older(content):
        content["version"] = 0
        content["labels"] = content.pop("classes")

    rewrite(bundle, to_older)
    assert "version 0 of a bundle's form can no longer be read; export it" in refusal(bundle)

    def upgraded(content):
        classes = content.pop("labels")
        return {**content, "version": 1, "classes": classes}

    monkeypatch.setitem(on_disk.UPGRADES, 0, upgraded)
    assert deepself.load(bundle).classes == ("high", "low", "noise")


def test_the_first_form_is_still_read():
    bundle = deepself.load(FIRST, device="cpu")
    said = read_json(FIRST.parent / "said_by_version_1.json")
    values = np.array(said["values"])
    found = bundle.predict(values, said["sample_rate"])
    assert found.probabilities == pytest.approx(said["probabilities"], abs=1e-5)


def cut(path):
    path.write_bytes(path.read_bytes()[:-10])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, flip, Path.unlink])
@pytest.mark.parametrize(
    "name", ["bundle.json", "recordings.csv", "features/deep.safetensors", None]
)
def test_damage_is_named(bundle, damage, name):
    path = bundle / name if name else next(bundle.glob("runs/*"))
    damage(path)
    said = refusal(bundle)
    if damage is Path.unlink and name == "bundle.json":
        assert said.startswith(f"{bundle}: no bundle")
    else:
        assert said.startswith(f"{path}: ")
        assert "copy the bundle bundle again, or export it again" in said


def test_the_card_may_be_filled_in_but_not_taken_away(bundle):
    card = bundle / "README.md"
    card.write_text(card.read_text() + "\nLicence: CC BY 4.0\n")
    deepself.load(bundle)
    card.unlink()
    assert refusal(bundle).startswith(f"{card}: is missing")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["features"].pop("shown"), "features.deep: is made from 'shown'"),
        (lambda c: c["features"]["deep"].update(colour=1), "features.deep"),
        (lambda c: c["known"].pop("audio"), "names modality 'audio', which is not here"),
        (lambda c: c["files"].update({"../../x": "0" * 64}), "which is outside of the bundle"),
        (lambda c: c["files"].update({"/etc/hostname": "0" * 64}), "outside of the bundle"),
        (lambda c: c["classes"].pop(), "not the weights of this classifier"),
        (lambda c: c["parts"][0]["candidates"].update(svm="other"), "names the run 'other'"),
        (lambda c: c["shapes"].pop("deep"), "features.deep: its shape is not here"),
    ],
)
def test_contradictions_are_named(bundle, change, said):
    rewrite(bundle, change)
    assert said in refusal(bundle)


def test_no_code_of_a_bundle_is_executed(bundle, tmp_path):
    """A pickle in the place of weights stays data, even where its checksum is right."""

    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "trap"), "w"))

    (weights,) = list(bundle.glob("runs/svm-fold-1-*"))
    weights.write_bytes(pickle.dumps(Trap()))
    (bundle / "sitecustomize.py").write_text(f"open({str(tmp_path / 'trap')!r}, 'w')")

    def right(content):
        from deepself.store.checksums import file_digest

        content["files"][weights.relative_to(bundle).as_posix()] = file_digest(weights)

    rewrite(bundle, right)
    assert "weights cannot be read" in refusal(bundle)
    assert not (tmp_path / "trap").exists()


def test_what_could_not_be_read_again_is_not_written(many, capsys, monkeypatch):
    from deepself.inference import bounds

    monkeypatch.setattr(bounds, "ITEM", 10)
    with inside(many.folder):
        wanted = ["export", "study.yaml", "--model", "trace_dense", "--output", "bundles/large"]
        assert main(wanted) == 1
    assert "no bundle can hold this: shapes.whole" in capsys.readouterr().err
    assert not (many.folder / "bundles/large").exists()


def test_a_device_that_is_not_there_is_refused(exported):
    import torch

    with pytest.raises(UserError, match="device: auto, cpu or cuda, not 'tpu'"):
        deepself.load(exported, device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="this PyTorch sees no GPU; use cpu"):
            deepself.load(exported, device="cuda")
