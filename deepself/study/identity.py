"""What a thing is made from, as a digest: the names of feature files, the slices that rerun a job.

A slice is the smallest part of the study that shapes a stage's output, with the stage's version.
Snakemake compares slices as text, so a change reruns exactly what depends on it.
"""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from deepself.errors import UserError
from deepself.store.files import canonical_json, read_json
from deepself.store.published import weights_digest, weights_file
from deepself.study.features import Computed, Embedding
from deepself.study.joined import Joined
from deepself.study.layout import Layout
from deepself.study.limits import least_seconds, needs_one_length
from deepself.study.models import Model
from deepself.study.networks import Branch, Branches
from deepself.study.schema import Study

VERSIONS = {
    "demo": 1,
    "check": 2,
    "split": 2,
    "plan": 1,
    "extract": 2,
    "trial": 1,
    "choose": 1,
    "train": 5,
    "fuse": 3,
    "score": 3,
    "map": 1,
    "report": 4,
    "track": 3,
}
"""Raised when a stage's code changes what it writes for the same input."""


def digest(value: Any) -> str:
    """SHA-256 of a value's canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def check_slice(study: Study) -> dict[str, Any]:
    """What `check` depends on: which files are read, and what they must be."""
    names = study.dataset.modalities
    return {
        "version": VERSIONS["check"],
        "dataset": study.dataset.model_dump(),
        "seconds": {name: least_seconds(study, name) for name in names},
        "one_length": [name for name in names if needs_one_length(study, name)],
    }


def split_slice(study: Study) -> dict[str, Any]:
    """What `split` depends on, besides the manifest and the inventory."""
    return {
        "version": VERSIONS["split"],
        "splits": study.splits.model_dump(),
        "columns": study.dataset.model_dump(include={"id", "label", "group", "classes", "merge"}),
        "modalities": list(study.dataset.modalities),
    }


def plan_slice(study: Study) -> dict[str, Any]:
    """What the memory and time of jobs depend on, besides the recordings."""
    names = {"dataset", "splits", "features", "models"}
    return {"version": VERSIONS["plan"], **study.model_dump(mode="json", include=names)}


def feature_slice(study: Study, name: str) -> dict[str, Any]:
    """What a feature's items depend on, besides the recordings."""
    spec = study.features[name]
    dumped = spec.model_dump(mode="json", exclude={"shards"})
    slice_: dict[str, Any] = {"version": VERSIONS["extract"], "feature": dumped}
    # Names within a study do not shape content: two studies may call one feature differently.
    if isinstance(spec, Computed):
        modality = study.dataset.modalities[spec.modality]
        slice_["feature"]["modality"] = None
        slice_["modality"] = modality.model_dump(mode="json", exclude={"column", "constant"})
        return slice_
    slice_["feature"]["of"] = None
    if isinstance(spec, Joined):
        slice_["of"] = [feature_slice(study, source) for source in spec.of]
        return slice_
    slice_["of"] = feature_slice(study, spec.of)
    if isinstance(spec, Embedding):
        slice_["feature"]["weights"] = weights_digest(spec.network, spec.weights)
    return slice_


def feature_file(study: Study, layout: Layout, name: str) -> Path:
    """Path of a feature's file; its name carries digests of all that shapes its content.

    The first is of how it is made, the second of the recordings: files that differ in the second
    alone have items in common. The recordings' digests come from `dataset.json`, which `split`
    writes.
    """
    specification = feature_specification(study, layout, name)
    made = digest(specification["slice"])[:12]
    kind, recordings = study.features[name].kind, specification["recordings"][:12]
    return layout.results / "features" / f"{kind}-{made}-{recordings}.h5"


def shard_files(study: Study, layout: Layout, name: str) -> list[Path]:
    """The files that a feature is made of; none if it is one file."""
    shards = getattr(study.features[name], "shards", 1)
    shards = min(shards, read_dataset(layout)["items"])  # a shard holds at least one recording
    if shards == 1:
        return []
    whole = feature_file(study, layout, name)
    folder = whole.parent / "shards" / whole.stem
    return [folder / f"{number}-of-{shards}.h5" for number in range(1, shards + 1)]


def feature_specification(study: Study, layout: Layout, name: str) -> dict[str, Any]:
    """All that shapes a feature's content: its slice of the study, and the recordings' digest."""
    found = read_dataset(layout)["modalities"]
    digests = [found[modality]["digest"] for modality in study.modalities_of(name)]
    recordings = digests[0] if len(digests) == 1 else digest(digests)
    return {"slice": feature_slice(study, name), "recordings": recordings}


def model_slice(study: Study, name: str) -> dict[str, Any]:
    """What a run depends on, besides its feature files, its fold (with the labels) and its seed."""
    model = study.models[name]
    unused = {"feature", "network", "folds"}
    slice_ = {"version": VERSIONS["train"], **model.model_dump(mode="json", exclude=unused)}
    # One job or several give the same numbers; stacked weights give others in the last digits.
    slice_["batched"] = model.folds == "batched"
    slice_["classes"] = study.dataset.classes
    if model.search is None:
        del slice_["search"]
    else:
        slice_["space"] = {path: one.model_dump(mode="json") for path, one in model.space.items()}
    slice_["network"] = None
    if isinstance(model.network, Branches):
        slice_["network"] = model.network.model_dump(exclude={"branches"})
        # In their order, which shapes the first weights, and each with what it reads: Snakemake
        # compares the files of all branches as a set.
        slice_["network"]["branches"] = [
            {
                "branch": branch,
                "feature": digest(feature_slice(study, part.feature)),
                "initialise": part.initialise,
                "normalise": study.normalisation(part),
                "network": _network(study, part),
            }
            for branch, part in model.network.branches.items()
        ]
        return slice_
    slice_["normalise"] = study.normalisation(model)
    if model.network is not None:
        slice_["network"] = _network(study, model)
    return slice_


def trial_slice(study: Study, name: str) -> dict[str, Any]:
    """What a trial of a model's search depends on, besides its run and earlier trials' results."""
    search = study.models[name].search
    assert search is not None
    slice_ = model_slice(study, name)
    del slice_["training"]["snapshots"]  # a trial has none
    return {
        **slice_,
        "version": [VERSIONS["train"], VERSIONS["trial"]],
        "search": search.shaping,
        "seed": study.seeds[0],
    }


def choose_slice(study: Study, name: str) -> dict[str, Any]:
    """What the choice of a model's values depends on, besides its trials' results."""
    search = study.models[name].search
    assert search is not None
    return {"version": VERSIONS["choose"], "choose": search.choose}


def _network(study: Study, part: Model | Branch) -> dict[str, Any]:
    """A network's settings, its weights by their content."""
    network = study.network(part)
    assert network is not None
    dumped = network.model_dump()
    if dumped.get("weights") is not None:
        dumped["weights"] = weights_digest(network.type, dumped["weights"])
    return dumped


def initial_weights(layout: Layout, part: Model | Branch, fold: str, seed: int) -> Path | None:
    """The file that a network starts from, if it does not start from random weights."""
    if isinstance(part, Branch) and part.initialise is not None:
        return layout.run(part.initialise, fold, seed) / "weights.safetensors"
    network = part.network
    if network is None or isinstance(network, Branches):
        return None
    weights: str | None = getattr(network, "weights", None)
    return None if weights is None else weights_file(layout.results, network.type, weights)


def fusion_slice(study: Study, name: str, members: list[str]) -> dict[str, Any]:
    """What a fusion depends on, besides its members' predictions."""
    fusion = study.fusions[name].model_dump()
    # In their order: of equal ones on dev the first is chosen, and Snakemake compares their files
    # as a set.
    modalities = {m: study.modality_of_model(m) for m in members}
    return {
        "version": VERSIONS["fuse"],
        "fusion": {**fusion, "members": list(modalities.items())},
        "best": fusion["members"] if isinstance(fusion["members"], dict) else None,
        "seeds": study.seeds if "seeds" in fusion["over"] else None,
    }


def read_dataset(layout: Layout) -> dict[str, Any]:
    """What `split` found: classes, folds, and each modality's digest."""
    path = layout.dataset
    try:
        return _read_dataset(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        raise UserError(f"{path}: not found; run split") from None


@lru_cache(maxsize=8)
def _read_dataset(path: Path, _changed: int) -> dict[str, Any]:
    """Hundreds of jobs ask in one parse of the workflow; the file is read once."""
    return read_json(path)
