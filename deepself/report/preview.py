"""A study's features of a few recordings: how they look, and what those of all will take."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deepself.planning.few import Estimate, Few, few_recordings
from deepself.report.examples import FeatureExamples, examples, figures_of
from deepself.report.page import write_page
from deepself.study import Layout, Study
from deepself.study.identity import feature_file


@dataclass(frozen=True)
class Preview:
    """What was found.

    Attributes
    ----------
    study
        The study's name.
    recordings
        A row of the inventory each, with its label.
    all
        How many recordings there are.
    estimates, examples
        Of each feature, in the study's order; examples only of what could be made.
    notes
        What the reader must know of these numbers, a sentence each.
    left_out
        Recordings that cannot be used, and why.
    """

    study: str
    recordings: list[dict[str, str]]
    all: int
    estimates: list[Estimate]
    examples: list[FeatureExamples]
    notes: list[str] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)

    @property
    def made(self) -> list[Estimate]:
        """Estimates of the features that could be made."""
        return [one for one in self.estimates if one.shape]


def preview(study: Study, layout: Layout, count: int) -> Preview:
    """Make a study's features of a few recordings in a temporary folder.

    Parameters
    ----------
    study, layout
        The study, and where its results lie: only weights are taken from there.
    count
        Recordings: the first of each class, then the second of each.

    Raises
    ------
    UserError
        A recording cannot be read, or is unfit for the study: one line each.
    """
    with few_recordings(study, layout, count) as few:
        found, estimates = [], []
        for made in few.estimates():
            estimates.append(made)
            if made.shape:
                found.append(_examples(few, made.feature))
        notes = list(_notes(few))
    return Preview(study.name, few.rows, few.all, estimates, found, notes, few.left_out)


def write_preview(found: Preview, page: Path) -> Path:
    """Write a preview as one HTML page; return its path."""
    return write_page(page, "preview.html", found=found, figures=figures_of(found.examples))


def _examples(few: Few, name: str) -> FeatureExamples:
    path = str(feature_file(few.study, few.layout, name))
    shown = [(item.id, item.label) for item in few.items]
    features = few.study.features
    return examples(name, features[name].kind, path, shown, len(features))


def _notes(few: Few) -> Iterator[str]:
    used = len(few.items)
    yield (
        f"Sizes and times are estimates from {used} of {few.all} recordings, made on this machine "
        "by one thread, and without what is done only once."
    )
    for name, modality in few.study.dataset.modalities.items():
        duration = getattr(modality, "duration", None)
        if duration is not None and duration.seconds == "longest":
            longest = max(float(row["duration"]) for row in few.rows if row["modality"] == name)
            yield (
                f"dataset.modalities.{name}.duration is that of the longest recording: here the "
                f"longest of these {used}, {longest:.4g} s; if others are longer, so are all items."
            )
    squeezed = [n for n, f in few.study.features.items() if f.compression != "none"]
    if squeezed:
        yield f"Sizes of {', '.join(squeezed)} are those before compression."
