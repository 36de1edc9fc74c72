"""The study as a graph of jobs: what the workflow's rules ask, without importing torch.

Snakemake reads this at every parse and in every job on a cluster, so it stays fast.
"""

import errno
import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from deepself.dataset.fold_names import fold_names
from deepself.dataset.manifest import data_root, fingerprint, manifest_digest
from deepself.demand import Demand
from deepself.errors import UserError, refused
from deepself.evaluation.provenance import without_password
from deepself.store.clock import is_ahead, set_all_right
from deepself.store.files import canonical_json, write_text
from deepself.store.published import weights_file
from deepself.study import Layout, identity, parse
from deepself.study.features import Computed, Embedding, sources_of
from deepself.study.identity import (
    digest,
    feature_file,
    initial_weights,
    read_dataset,
    shard_files,
)
from deepself.study.load import read_yaml
from deepself.study.models import Model
from deepself.study.networks import Branch
from deepself.study.references import members
from deepself.study.trials import ALL, all_files, choice_file, choice_files, round_before

SOURCE = Path(__file__).parents[1]
"""Where deepself is installed from, with `envs/`."""

DEMO = Path("data/demo")
"""The data set that the workflow makes itself."""

TOGETHER = ("together", "batched")
"""Ways in which one job trains all folds and seeds of a model."""

AT_ONCE = 8
"""Cores that one job asks for at most."""

MADE_HERE = "made by the workflow"
"""In place of a digest: what a job of the workflow makes, Snakemake follows by itself."""


class Graph:
    """Inputs, outputs and parameters of the workflow's jobs.

    Parameters
    ----------
    config
        The study, as Snakemake read it.
    files
        The files that it was read from. They are read once more, because Snakemake keeps the
        last of two equal keys and says nothing.

    Attributes
    ----------
    study, layout
        The study, and where its results lie.
    manifest
        The manifest's path.
    demand
        What its jobs ask a cluster for.
    """

    def __init__(self, config: Mapping[str, Any], files: Sequence[str | Path] = ()):
        for file in files:
            read_yaml(file)
        self.study = parse(config, source=", ".join(map(str, files)) or "study")
        self.layout = Layout(self.study.name)
        is_demo = Path(self.study.dataset.root) == DEMO
        root = DEMO if is_demo else data_root(self.study.dataset)
        self.manifest = root / self.study.dataset.manifest
        self._made_here = is_demo
        self._model_slice = cache(lambda m: canonical_json(identity.model_slice(self.study, m)))
        name = digest(self.study.model_dump(mode="json"))[:12]
        self._file = self.layout.folder / "studies" / f"{name}.yaml"
        if not self._file.exists():
            text = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
            try:
                write_text(self._file, text)
            except OSError as error:
                raise UserError(refused(error)) from None
        self.demand = Demand(self.study, self.layout, self._file)
        if any(map(is_ahead, (self.manifest, self.layout.dataset, self.layout.folds))):
            print(self._set_times_right(), file=sys.stderr)
        if is_ahead(self.manifest):
            raise UserError(
                f"{self.manifest}: was changed in the future, by this machine's clock; touch it, "
                "or set the clock right"
            )

    def study_file(self, _wildcards: object, input: object) -> Path:
        """The study as a file, for the verbs.

        It is no rule's output, and this function takes `input` because Snakemake then does not
        compare what it gives with the last run: a job is rerun when its own slice of the study
        has changed, not when any has.
        """
        return self._file

    # What each stage depends on, as text that Snakemake compares with the last run's.

    def version(self, stage: str) -> str:
        """A stage's version, for stages that depend on their input files and nothing else."""
        return str(identity.VERSIONS[stage])

    def check_slice(self, _wildcards: object = None) -> str:
        """The data set's description, and sizes and times of its files."""
        files = MADE_HERE if self._made_here else fingerprint(self.study.dataset)
        return canonical_json({**identity.check_slice(self.study), "files": files})

    def split_slice(self, _wildcards: object = None) -> str:
        """How folds are drawn, and from what."""
        manifest = MADE_HERE if self._made_here else manifest_digest(self.study.dataset)
        return canonical_json({**identity.split_slice(self.study), "manifest": manifest})

    def model_slice(self, wildcards: Any) -> str:
        """A model's network and training; thousands of jobs ask for the same."""
        return self._model_slice(wildcards.model)

    def trial_slice(self, wildcards: Any) -> str:
        """A searched model's network and training, its ranges, and how values are proposed."""
        return canonical_json(identity.trial_slice(self.study, wildcards.model))

    def choose_slice(self, wildcards: Any) -> str:
        """How values are chosen."""
        return canonical_json(identity.choose_slice(self.study, wildcards.model))

    def fusion_slice(self, wildcards: Any) -> str:
        """A fusion's settings, and its members with their modalities."""
        names = self.members(wildcards.fusion)
        return canonical_json(identity.fusion_slice(self.study, wildcards.fusion, names))

    def study_slice(self, _wildcards: object = None) -> str:
        """The whole study, which the report shows; Snakemake keeps it, thus without a password."""
        uri = self.study.tracking.uri
        content = self.study.model_dump(mode="json")
        content["tracking"]["uri"] = without_password(uri, uri)
        return canonical_json(content)

    # Files, which are known once `split` has run.

    def model_features(self, model: str) -> list[Path]:
        """Feature files of a model: one, or one a branch."""
        files = (
            feature_file(self.study, self.layout, name)
            for name in self.study.models[model].features
        )
        return list(dict.fromkeys(files))

    def features(self) -> list[Path]:
        """Feature files of all models, each once."""
        files = (file for model in self.study.models for file in self.model_features(model))
        return list(dict.fromkeys(files))

    def has_feature(self, stem: str) -> bool:
        """Whether a feature file is one of this study's, as far as its recordings are known."""
        names = self.study.features if self.layout.dataset.exists() else ()
        return any(feature_file(self.study, self.layout, name).stem == stem for name in names)

    def feature_inputs(self, path: str) -> list[Path]:
        """What a feature is made from besides recordings: other features, weights, its shards."""
        for name, spec in self.study.features.items():
            if feature_file(self.study, self.layout, name) != Path(path):
                continue
            if isinstance(spec, Computed):
                # Another number of shards makes nothing anew: a feature that stands keeps its own.
                if not Path(path).exists():
                    return shard_files(self.study, self.layout, name)
                from deepself.store.features import shards_of  # it brings NumPy

                return shards_of(path)
            sources = (feature_file(self.study, self.layout, of) for of in sources_of(spec))
            inputs = list(dict.fromkeys(sources))
            if isinstance(spec, Embedding):
                inputs.append(weights_file(self.layout.results, spec.network, spec.weights))
            return inputs
        return []

    def weights(self, model: str, fold: str, seed: str) -> list[Path]:
        """Files that a run's networks start from: published weights, or another run's."""
        found = [initial_weights(self.layout, p, fold, int(seed)) for p in self._parts[model]]
        return list(dict.fromkeys(path for path in found if path is not None))

    @cached_property
    def _parts(self) -> dict[str, list[Model | Branch]]:
        """What each model may read: a search may choose among weights, and all must be there."""
        return {
            name: [part for one in (own, *own.variants()) for part in one.inputs.values()]
            for name, own in self.study.models.items()
        }

    # The trials of a search, and what they choose.

    @property
    def searched(self) -> str:
        """Pattern of the names of the models that are searched."""
        models = self.study.models.items()
        return _any_of([name for name, model in models if model.search is not None])

    def weights_of_trial(self, model: str, fold: str) -> list[Path]:
        """Files that a trial's networks start from."""
        return self.weights(model, fold, str(self.study.seeds[0]))

    def earlier_trials(self, model: str, fold: str, trial: str) -> list[Path]:
        """What must be there before a trial."""
        return round_before(self.study, self.layout, model, fold, int(trial))

    def trials(self, model: str, part: str) -> list[Path]:
        """What a choice is made from: the trials of a fold, or of all."""
        # Where one choice serves all folds, any of them leads to the trials of all.
        return all_files(self.study, self.layout, model, part.removeprefix("fold-"))

    def fold_option(self, wildcards: Any) -> str:
        """How the fold is said to the verb that chooses."""
        part: str = wildcards.part
        return "" if part == ALL else f"--fold {shlex.quote(part.removeprefix('fold-'))}"

    def choice_of_run(self, model: str, fold: str) -> list[Path]:
        """The values that a run takes; nothing where its model is not searched."""
        if self.study.models[model].search is None:
            return []
        return [choice_file(self.study, self.layout, model, fold)]

    def searches(self) -> list[Path]:
        """All choices."""
        return [file for files in choice_files(self.study, self.layout).values() for file in files]

    def networks(self, *folds: str) -> str:
        """Pattern of the names of the networks whose folds are trained in one of these ways."""
        models = self.study.models.items()
        return _any_of([n for n, m in models if m.network is not None and m.folds in folds])

    def classifiers(self, *folds: str) -> str:
        """Pattern of the names of the classifiers whose folds are trained in one of these ways."""
        models = self.study.models.items()
        return _any_of([n for n, m in models if m.network is None and m.folds in folds])

    def run_files(self, name: str) -> list[Path]:
        """A file of all runs of `{model}`: their folds are known before `split` has run."""
        return [
            self.layout.run("{model}", fold, seed) / name
            for fold in self._folds
            for seed in self.study.seeds
        ]

    @property
    def runs_at_once(self) -> int:
        """Runs of a model that train at once in one job, each on a core."""
        return min(AT_ONCE, self.runs_of_a_model)

    @property
    def runs_of_a_model(self) -> int:
        """All folds with all seeds, where a job trains all of them."""
        return len(self._folds) * len(self.study.seeds)

    @cached_property
    def _folds(self) -> list[str]:
        """Names of the folds, if a job trains all of them; any name otherwise."""
        together = any(model.folds in TOGETHER for model in self.study.models.values())
        return fold_names(self.study) if together else [""]

    def weights_of_all(self, model: str) -> list[Path]:
        """Files that any run of a model starts from."""
        folds, seeds = read_dataset(self.layout)["folds"], self.study.seeds
        found = [w for f in folds for s in seeds for w in self.weights(model, f, str(s))]
        return list(dict.fromkeys(found))

    def members(self, fusion: str) -> list[str]:
        """Names of a fusion's members."""
        return members(self.study, self.study.fusions[fusion].members)

    def predictions_of_members(self, fusion: str, fold: str, seed: str) -> list[Path]:
        """Predictions that a fusion combines for a fold and seed; snapshots lie beside them."""
        own = self.study.fusions[fusion]
        return [
            self.layout.run(member, one, run_seed) / "predictions.csv"
            for member in self.members(fusion)
            for one in own.pooled_folds(fold, read_dataset(self.layout)["folds"])
            for run_seed in own.pooled_seeds(int(seed), self.study.seeds)
        ]

    def runs(self) -> list[Path]:
        """Folders of all runs."""
        return [
            self.layout.run(model, fold, seed)
            for model in self.study.models
            for fold in read_dataset(self.layout)["folds"]
            for seed in self.study.seeds
        ]

    def first_weights(self) -> list[Path]:
        """Weights of each model's first run, which the map may be made of."""
        fold, seed = read_dataset(self.layout)["folds"][0], self.study.seeds[0]
        folders = [self.layout.run(model, fold, seed) for model in self.study.models]
        return [folder / "weights.safetensors" for folder in folders]

    def fusions(self) -> list[Path]:
        """Folders of all fusions' predictions."""
        return [
            self.layout.fusion(fusion, fold, seed)
            for fusion, own in self.study.fusions.items()
            for fold in read_dataset(self.layout)["folds"]
            for seed in own.placed(self.study.seeds)
        ]

    def answer(self) -> str:
        """What the study found, in a line, and where the report lies; of what has been made."""
        log = self.layout.folder / "logs" / "score.log"
        found = [log.read_text(encoding="utf-8").strip()] if self.layout.scores.exists() else []
        if self.layout.report.exists():
            found.append(f"{self.layout.report}: open it in any browser")
        return "\n".join(found)

    def require_writable(self) -> None:
        """Raise UserError if the study's folder cannot be written to."""
        folder = self.layout.folder
        if not os.access(folder, os.W_OK):
            raise UserError(refused(OSError(errno.EROFS, os.strerror(errno.EROFS), str(folder))))

    def _set_times_right(self) -> str:
        """Set files right whose times lie in the future: no job could end well before then."""
        folders = (self.layout.folder, self.layout.results / "features")
        return set_all_right(self.manifest, *folders)

    def what_is_left(self) -> str:
        """Set right the times that a wrong clock left, and say what one can do after a failure."""
        return "\n".join(filter(None, (self._set_times_right(), self._partial())))

    def _partial(self) -> str:
        """How to see what there is of a study of which some job failed; empty if there is none."""
        runs = self.layout.folder / "runs"
        if (
            not self.layout.dataset.exists()
            or next(runs.glob("*/*/*/predictions.csv"), None) is None
        ):
            return ""
        return (
            f"what is done is kept; to score and report it as it is: deepself partial {self._file}"
        )


def _any_of(names: Sequence[str]) -> str:
    """Pattern that matches these names and no others."""
    return "|".join(map(re.escape, names)) or "(?!)"
