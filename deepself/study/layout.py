"""Where everything that a study writes is found."""

import shutil
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path("results")


@dataclass(frozen=True)
class Layout:
    """Paths of one study below `results/`.

    Attributes
    ----------
    name
        The study's.
    results
        Where all studies' results are.
    partial
        Whether tables and report speak only of what did not fail. They then lie apart.
    """

    name: str
    results: Path = RESULTS
    partial: bool = False

    @property
    def folder(self) -> Path:
        """The study's own folder."""
        return self.results / self.name

    @property
    def inventory(self) -> Path:
        """What each recording is: size, checksum, rate, length."""
        return self.folder / "inventory.csv"

    @property
    def skipped(self) -> Path:
        """Recordings that were left out, and why."""
        return self.folder / "skipped.csv"

    @property
    def checked(self) -> Path:
        """What `check` found in each file, kept so that it reads only what has changed."""
        return self.folder / ".checked.csv"

    @property
    def plan(self) -> Path:
        """Memory and time that jobs will take, by feature and model; what is asked of a cluster."""
        return self.folder / "plan.json"

    @property
    def folds(self) -> Path:
        """Partition of each item in each fold."""
        return self.folder / "folds.csv"

    @property
    def dataset(self) -> Path:
        """Classes, folds and the digests of each modality's recordings."""
        return self.folder / "dataset.json"

    def run(self, model: str, fold: str, seed: int) -> Path:
        """Folder of one run."""
        return self.folder / "runs" / model / f"fold-{fold}" / f"seed-{seed}"

    def trial(self, model: str, fold: str, number: int | str) -> Path:
        """Folder of one trial of a model's search on one fold."""
        return self.folder / "trials" / model / f"fold-{fold}" / f"trial-{number}"

    def choice(self, model: str, part: str) -> Path:
        """What a model's search chose: for `fold-NAME`, or for `all`."""
        return self.folder / "searches" / model / f"{part}.json"

    def fusion(self, name: str, fold: str, seed: int) -> Path:
        """Folder of one fusion's predictions for one fold and seed."""
        return self.folder / "fusions" / name / f"fold-{fold}" / f"seed-{seed}"

    @property
    def outcome(self) -> Path:
        """Folder of what is said of the study: its tables, figures and report."""
        return self.folder / "partial" if self.partial else self.folder

    @property
    def scores(self) -> Path:
        """One row a run or fusion, fold, seed, partition and level."""
        return self.outcome / "scores.csv"

    @property
    def class_scores(self) -> Path:
        """One row a run or fusion, fold, seed, partition, level and class."""
        return self.outcome / "class_scores.csv"

    @property
    def summary(self) -> Path:
        """One row a model or fusion, partition, level and score: mean over runs, with interval."""
        return self.outcome / "summary.csv"

    @property
    def class_summary(self) -> Path:
        """The same a class: recall and precision."""
        return self.outcome / "class_summary.csv"

    @property
    def comparisons(self) -> Path:
        """One row a pair of models or fusions, on test."""
        return self.outcome / "comparisons.csv"

    @property
    def confusion(self) -> Path:
        """Counts of true and predicted label, a fold and seed each."""
        return self.outcome / "confusion.csv"

    @property
    def reliability(self) -> Path:
        """What confidences are worth: one row a model or fusion, partition and bin."""
        return self.outcome / "reliability.csv"

    @property
    def score_tables(self) -> tuple[Path, ...]:
        """All tables of scores."""
        return (
            self.scores,
            self.class_scores,
            self.confusion,
            self.reliability,
            self.comparisons,
            self.class_summary,
            self.summary,
        )

    @property
    def map(self) -> Path:
        """Places of items in the plane, by what a network makes of them."""
        return self.outcome / "map.csv"

    @property
    def tables(self) -> Path:
        """Folder of the report's tables, ready for a paper."""
        return self.outcome / "tables"

    @property
    def figures(self) -> Path:
        """Folder of the report's figures, ready for a paper."""
        return self.outcome / "figures"

    @property
    def report(self) -> Path:
        """The report."""
        return self.outcome / "report.html"

    def bundle(self, name: str) -> Path:
        """Folder of a model or fusion that is exported, to be used elsewhere."""
        return self.folder / "bundles" / name

    def withdraw(self) -> None:
        """Remove the tables and the report: with a run that failed they are not this study's."""
        for path in (*self.score_tables, self.report):
            path.unlink(missing_ok=True)
        for folder in (self.tables, self.figures):
            shutil.rmtree(folder, ignore_errors=True)  # as the workflow does before it makes them

    @property
    def tracking(self) -> Path:
        """Which MLflow run belongs to which run of the study."""
        return self.folder / "tracking.json"
