"""A study's jobs, stage by stage: how many, what each takes, and which are done."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil
from statistics import median
from typing import Any

from deepself.errors import UserError
from deepself.planning.cost import Cost
from deepself.planning.counts import Counts, counts
from deepself.planning.features import Planned, plan_features
from deepself.planning.models import plan_models
from deepself.planning.units import units
from deepself.store.files import read_json, write_json
from deepself.store.published import published, weights_file
from deepself.study.features import Embedding, sources_of
from deepself.study.identity import (
    digest,
    feature_file,
    plan_slice,
    shard_files,
    trial_slice,
)
from deepself.study.layout import Layout
from deepself.study.references import members
from deepself.study.schema import Study
from deepself.study.trials import trial_file
from deepself.training.fits import classes_of, misfits
from deepself.training.job import Run, job_of
from deepself.training.record import RECORD, is_of

AT_ONCE = 8
"""Runs of a model that train at once in one job, each on a core; see `deepself.graph`."""


@dataclass(frozen=True)
class Line:
    """The jobs of one stage for one feature, model or fusion.

    Attributes
    ----------
    stage, name
        The workflow's rule in a word, and of what.
    jobs
        How many there are.
    done
        How many need not be run.
    anew
        How many are to be run although their files stand: those are of other settings or features.
    each
        What one takes; None where it is not known.
    why
        Why it is not known.
    """

    stage: str
    name: str
    jobs: int
    done: int
    each: Cost | None
    anew: int = 0
    why: str = ""

    @property
    def to_do(self) -> int:
        """How many are to be run."""
        return self.jobs - self.done

    @property
    def core_seconds(self) -> float:
        """Of all that are to be run."""
        return 0.0 if self.each is None else self.to_do * self.each.seconds * self.each.cores


@dataclass(frozen=True)
class Plan:
    """What a study will take.

    Attributes
    ----------
    study
        Its name.
    counted
        Its recordings and folds.
    lines
        Its jobs, in the order of the stages.
    features, models
        What a job takes that makes a feature, or trains a run or a trial of a model; None where it
        is not known.
    """

    study: str
    counted: Counts
    lines: list[Line]
    features: dict[str, Cost | None]
    models: dict[str, Cost | None]

    @property
    def jobs(self) -> int:
        """How many are to be run."""
        return sum(line.to_do for line in self.lines)

    @property
    def core_seconds(self) -> float:
        """Of all jobs that are to be run."""
        return sum(line.core_seconds for line in self.lines)

    def seconds(self, cores: int) -> float:
        """By the clock, where so many cores are free: each stage waits for the one before it."""
        stages: dict[str, list[Line]] = {}
        for line in self.lines:
            if line.to_do and line.each is not None:
                stages.setdefault(line.stage, []).append(line)
        return sum(
            max(
                max(line.each.seconds for line in own if line.each is not None),
                sum(line.core_seconds for line in own) / cores,
            )
            for own in stages.values()
        )

    @property
    def disk(self) -> float:
        """Bytes of what all jobs leave, of those too that are done."""
        return sum(line.jobs * line.each.disk for line in self.lines if line.each is not None)


def write_requests(study: Study, layout: Layout, found: Plan) -> None:
    """Write what the workflow asks a cluster for: memory and minutes by feature and model."""
    write_json(layout.plan, {"of": digest(plan_slice(study)), **requests(found)})


def requests(found: Plan) -> dict[str, dict[str, dict[str, int]]]:
    """Memory (`mem_mb`) and `minutes` of each feature's and each model's jobs."""
    return {
        kind: {
            name: {"mem_mb": cost.mem_mb, "minutes": cost.minutes}
            for name, cost in costs.items()
            if cost is not None
        }
        for kind, costs in (("features", found.features), ("models", found.models))
    }


def plan(study: Study, layout: Layout, recordings: int | None = None) -> Plan:
    """Work out what a study will take, before it is spent.

    The features of a few recordings are made in a temporary folder; networks are passed through
    on paper. What jobs have taken that are done stands in place of estimates.

    Parameters
    ----------
    study, layout
        The study, and where its results lie.
    recordings
        Suppose that there are so many, like those there are, and that nothing has been done.

    Raises
    ------
    UserError
        A recording cannot be read, or networks do not fit what they will read: a line each.
    """
    wrong = list(misfits(study, layout))
    if wrong:
        raise UserError("\n".join(wrong))
    counted = counts(study, layout, recordings)
    planned = plan_features(study, layout, counted)
    classes = classes_of(study, layout)
    models = plan_models(study, counted, planned.features, classes)
    fresh = recordings is not None or not layout.dataset.exists()
    known = _Known(study, layout, counted, fresh)
    models = {name: known.measured(name, cost) for name, cost in models.items()}
    lines = [
        *_data(study, layout, counted, planned, fresh),
        *_fetched(study, layout),
        *_features(study, layout, planned, fresh),
        *_trials(study, counted, models, known),
        *_runs(study, models, known),
    ]
    lines += _outcome(study, layout, counted, all(line.to_do == 0 for line in lines))
    features = {name: one.cost for name, one in planned.features.items()}
    return Plan(study.name, counted, lines, features, models)


class _Known:
    """Which runs and trials stand, and what they took."""

    def __init__(self, study: Study, layout: Layout, counted: Counts, fresh: bool):
        self._study, self._layout = study, layout
        self.folds, self.fresh = counted.folds, fresh
        self._records: dict[str, list[tuple[bool, dict[str, Any]]]] = {}

    def records(self, model: str) -> list[tuple[bool, dict[str, Any]]]:
        """The record of each run of a model that stands, and whether it is of these settings."""
        if model not in self._records:
            self._records[model] = [] if self.fresh else list(self._read(model))
        return self._records[model]

    def _read(self, model: str) -> Iterator[tuple[bool, dict[str, Any]]]:
        for fold in self.folds:
            for seed in self._study.seeds:
                file = self._layout.run(model, fold, seed) / RECORD
                if not file.exists():
                    continue
                record = read_json(file)
                try:
                    job = job_of(self._study, self._layout, Run(model, fold, seed))
                except UserError:  # what its search chose is not known
                    yield False, record
                else:
                    yield is_of(record, job), record

    def measured(self, model: str, cost: Cost | None) -> Cost | None:
        """What runs of these settings took, if there are any."""
        own = [record for same, record in self.records(model) if same]
        if not own:
            return cost
        peaks = [record["memory"] for record in own if "memory" in record]
        before = cost or Cost(0.0)
        return replace(
            before,
            seconds=median(record["seconds"]["total"] for record in own) + units().start,
            memory=max(peaks, default=before.memory),
            measured=True,
        )

    def trials(self, model: str, number: int) -> tuple[int, int]:
        """How many trials of a model's search are done, and how many stand but are of others."""
        if self.fresh:
            return 0, 0
        of = digest(trial_slice(self._study, model))
        files = [trial_file(self._layout, model, f, n) for f in self.folds for n in range(number)]
        found = [read_json(file)["of"] == of for file in files if file.exists()]
        return sum(found), len(found) - sum(found)


def _in_all(unit: list[float], many: float) -> Cost:
    """Of a job that goes through so many: what it takes for none, and for each."""
    return Cost(unit[0] + unit[1] * many)


def _data(
    study: Study, layout: Layout, counted: Counts, planned: Planned, fresh: bool
) -> Iterator[Line]:
    there = not fresh and layout.inventory.exists()
    check = Cost(units().start + planned.check * counted.recordings / AT_ONCE, cores=AT_ONCE)
    yield Line("check", "", 1, int(there), check)
    yield Line("split", "", 1, int(not fresh), _in_all(units().split, counted.recordings))


def _features(study: Study, layout: Layout, planned: Planned, fresh: bool) -> Iterator[Line]:
    for name in _made(study):
        one = planned.features[name]
        jobs = one.shards + (one.shards > 1)
        done = 0
        if not fresh:
            shards = shard_files(study, layout, name)
            done = jobs if feature_file(study, layout, name).exists() else 0
            done = done or sum(file.exists() for file in shards)
        yield Line("extract", name, jobs, done, one.cost, why=one.missing)


def _made(study: Study) -> list[str]:
    """Features that models read, each after those that it is made from."""
    found: dict[str, None] = {}

    def add(name: str) -> None:
        for source in sources_of(study.features[name]):
            add(source)
        found[name] = None

    for model in study.models.values():
        for name in model.features:
            add(name)
    return list(found)


def _fetched(study: Study, layout: Layout) -> Iterator[Line]:
    """Published weights of embeddings and of networks."""
    wanted = [study.features[name] for name in _made(study)]
    parts = [part for model in study.models.values() for part in model.inputs.values()]
    pairs = [(spec.network, spec.weights) for spec in wanted if isinstance(spec, Embedding)]
    pairs += [
        (network.type, weights)
        for part in parts
        if (network := study.network(part)) is not None
        and (weights := getattr(network, "weights", None)) is not None
    ]
    files = {weights_file(layout.results, *pair) for pair in pairs if published(*pair)}
    if files:
        there = sum(file.is_file() for file in files)
        yield Line("fetch", "", len(files), there, None, why="a download")


def _trials(
    study: Study, counted: Counts, models: dict[str, Cost | None], known: _Known
) -> Iterator[Line]:
    for name, model in study.models.items():
        if model.search is not None:
            done, anew = known.trials(name, model.trials)
            yield Line("trial", name, model.trials * len(counted.folds), done, models[name], anew)


def _runs(study: Study, models: dict[str, Cost | None], known: _Known) -> Iterator[Line]:
    for name, model in study.models.items():
        runs = len(known.folds) * len(study.seeds)
        found = [same for same, _ in known.records(name)]
        done, anew, cost = sum(found), len(found) - sum(found), models[name]
        if model.folds == "apart":
            yield Line("train", name, runs, done, cost, anew)
            continue
        # One job trains all of them, at once as far as there are cores.
        cores = min(AT_ONCE, runs) if model.folds == "together" else 1
        if cost is not None:
            cost = replace(
                cost,
                seconds=cost.seconds * ceil(runs / cores),
                memory=cost.memory * cores,
                disk=cost.disk * runs,
                cores=cores,
            )
        yield Line("train", name, 1, int(done == runs), cost, int(anew > 0))


def _outcome(study: Study, layout: Layout, counted: Counts, settled: bool) -> Iterator[Line]:
    """What stands on the runs: done only if all of them are."""

    def done(*files: Any) -> int:
        return sum(settled and file.exists() for file in files)

    unit = units()
    systems = len(study.models)
    for name, fusion in study.fusions.items():
        placed = [(f, s) for f in counted.folds for s in fusion.placed(study.seeds)]
        files = [layout.fusion(name, f, s) / "predictions.csv" for f, s in placed]
        systems += 1
        if members(study, fusion.members):
            yield Line("fuse", name, len(files), done(*files), Cost(unit.start))
    runs = systems * len(counted.folds) * len(study.seeds)
    rows = runs * (counted.items("dev", 1) + counted.items("test", 1))
    yield Line("score", "", 1, done(layout.scores), _in_all(unit.score, rows))
    yield Line("map", "", 1, done(layout.map), Cost(unit.start))
    yield Line("report", "", 1, done(layout.report), _in_all(unit.report, rows))
    yield Line("track", "", 1, done(layout.tracking), _in_all(unit.track, runs))
