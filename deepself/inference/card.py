"""The model card: what a bundle is, what it was measured to be worth, and what it is not for.

The sections follow M. Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

CARD = "README.md"

FILL_IN = "*to be filled in*"

SCORES = {
    "uar": "UAR (unweighted average recall)",
    "accuracy": "Accuracy",
    "f1_macro": "F1, mean of the classes",
    "auc_macro": "Area under the ROC curve, mean of the classes",
    "log_loss": "Log loss",
    "ece": "Expected calibration error",
}
"""Those of the summary that the card shows, and what it calls them."""


def write_card(folder: Path, content: dict[str, Any]) -> None:
    """Write the card of a bundle whose `bundle.json` will have some content."""
    (folder / CARD).write_text("\n".join(_lines(content)) + "\n", encoding="utf-8")


def _lines(content: dict[str, Any]) -> Iterator[str]:
    name, kind, study = content["name"], content["kind"], content["study"]
    yield f"# {name}"
    yield ""
    yield (
        f"A {kind} of the study *{study}*, exported by deepself "
        f"{content['made_by'].get('deepself', '')}. It tells {_listed(content['classes'])} apart, "
        f"given {_read(content)}."
    )
    yield ""
    yield "```sh"
    several = len(content["modalities"]) > 1
    yield f"deepself predict THIS_FOLDER {'manifest.csv' if several else 'your_recordings/'}"
    yield "```"
    yield ""
    yield "## What it is"
    yield ""
    yield from _parts(content)
    yield ""
    yield "## Data and protocol"
    yield ""
    yield from _data(content["data"])
    yield ""
    yield "## Scores"
    yield ""
    yield from _scores(content)
    yield ""
    yield "## Limits"
    yield ""
    yield from _limits(content)
    yield ""
    yield "## Licence and contact"
    yield ""
    for field in (
        "Licence of this model",
        "Licence of the recordings that it has learnt from",
        "Licence of pretrained weights in it",
        "Intended use, and uses that are out of scope",
        "Who answers for it",
        "How to cite it",
    ):
        yield f"- {field}: {FILL_IN}"


def _read(content: dict[str, Any]) -> str:
    said = []
    for name, modality in content["modalities"].items():
        known = content["known"][name]
        words = [f"{known['channels']} channel{'s' * (known['channels'] > 1)}"]
        if modality["kind"] in ("audio", "sensor"):
            words.append(f"{modality['sample_rate']:g} Hz")
        else:
            words.append(f"{modality['width']} × {modality['height']} pixels")
        duration = modality.get("duration")
        if duration:
            seconds = duration["seconds"]
            words.append(f"{seconds:.4g} s" if seconds != "longest" else "all of its length")
        said.append(f"{modality['kind']} (*{name}*: {', '.join(words)})")
    return " and ".join(said)


def _parts(content: dict[str, Any]) -> Iterator[str]:
    parts, runs = content["parts"], content["runs"]
    features = content["features"]
    if len(parts) > 1:
        yield (
            f"Its probabilities are the mean of those of {len(parts)} parts, one a fold and seed, "
            "each trained on other recordings of the data set."
        )
        yield ""
    first = parts[0]
    if len(parts) == 1:
        yield f"It is the one of fold {first['fold']}, seed {first['seed']}."
        yield ""
    if first["fusion"] is not None:
        yield f"Each part is a fusion ({first['fusion']['method']}) of:"
        yield ""
    for candidate, run in first["candidates"].items():
        spec = runs[run]
        method = spec["network"] or spec["classifier"]
        read = ", ".join(
            f"{one['feature']} ({features[one['feature']]['kind']})"
            for one in spec["inputs"].values()
        )
        yield f"- *{candidate}*: {method['type']} over {read}"


def _data(data: dict[str, Any]) -> Iterator[str]:
    items = data.get("items", {})
    yield f"- {sum(items.values())} recordings: " + ", ".join(
        f"{count} of {label}" for label, count in items.items()
    )
    if data.get("groups"):
        yield f"- {data['groups']} groups, none of which spans two partitions"
    splits = data.get("splits", {})
    yield (
        f"- {len(data['folds'])} folds ({splits.get('method')}), {len(data['seeds'])} "
        f"seed{'s' * (len(data['seeds']) > 1)}; epochs, settings and fusions were chosen on dev, "
        "test was predicted once"
    )


def _scores(content: dict[str, Any]) -> Iterator[str]:
    rows = [row for row in content["scores"] if row["level"] == "recording"]
    runs = max((row["runs"] for row in rows), default=0)
    yield (
        f"Means over {runs} results of the study, of one fold and seed each, with 95 % intervals; "
        + (
            "of single parts, as together they cannot be tested: each has learnt from others' "
            "test items."
            if len(content["parts"]) > 1
            else "not of this part alone."
        )
    )
    yield ""
    yield "| score | test | dev |"
    yield "| --- | --- | --- |"
    for score, words in SCORES.items():
        found = {
            row["partition"]: _interval(row)
            for row in rows
            if row["score"] == score and row["label"] is None
        }
        yield f"| {words} | {found.get('test', '')} | {found.get('dev', '')} |"
    yield ""
    yield "| class | recall (test) | precision (test) |"
    yield "| --- | --- | --- |"
    for label in content["classes"]:
        found = {
            row["score"]: _interval(row)
            for row in rows
            if row["label"] == label and row["partition"] == "test"
        }
        yield f"| {label} | {found.get('recall', '')} | {found.get('precision', '')} |"


def _interval(row: dict[str, Any]) -> str:
    if row["mean"] is None:
        return ""
    share = row["score"] not in ("log_loss", "ece")
    mean, low, high = (
        "?" if value is None else f"{100 * value:.1f}" if share else f"{value:.3f}"
        for value in (row["mean"], row["low"], row["high"])
    )
    unit = " %" if share else ""
    if row["score"] == "ece":  # resamples are less calibrated than the items: no interval of it
        return mean
    return f"{mean}{unit} ({low} to {high})"


def _limits(content: dict[str, Any]) -> Iterator[str]:
    yield "- It knows no other classes: of anything else it names the one that looks most alike."
    yield "- The scores hold for recordings like those of the data set, and say nothing of others."
    for name, known in content["known"].items():
        facts = []
        if known.get("rates"):
            facts.append("recorded at " + _range(known["rates"], "Hz", "g"))
        if known.get("seconds"):
            facts.append("which last " + _range(known["seconds"], "s"))
        if facts:
            yield f"- It has learnt of *{name}* {', '.join(facts)}."
    temperatures = [part["temperature"] for part in content["parts"]]
    yield (
        "- Probabilities are as the study scored them; calibrated ones, on request, are divided by "
        f"temperatures learnt on dev ({_range((min(temperatures), max(temperatures)), '')})."
    )


def _range(ends: tuple[float, float] | list[float], unit: str, form: str = ".4g") -> str:
    low, high = (f"{end:{form}}" for end in ends)
    return f"{low} {unit}".strip() if low == high else f"{low} to {high} {unit}".strip()


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
