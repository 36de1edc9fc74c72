"""The part of a study that says what the recordings are and how they are split."""

from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from deepself.study.base import Strict, unique

Channel = NonNegativeInt | str
"""A channel by its name, or by its index from 0."""


class Duration(Strict):
    """One length for all recordings of a modality."""

    seconds: PositiveFloat | Literal["longest"] = Field(
        description="Length of every signal, in seconds, or that of the longest recording."
    )
    longer: Literal["crop", "error"] = Field(
        "crop", description="Longer recordings: keep the first `seconds`, or refuse them."
    )
    shorter: Literal["zero", "repeat", "reflect", "mask", "error"] = Field(
        "zero",
        description=(
            "Shorter recordings: how the end is filled, or refuse them. `mask` fills with zeros "
            "and keeps the true length, which networks then respect."
        ),
    )


class Modality(Strict):
    """One kind of file in the manifest."""

    column: str | None = Field(
        None, description="Manifest column with the file's path; default: the modality's name."
    )


class SignalModality(Modality):
    """What audio and sensor files share."""

    sample_rate: PositiveFloat
    channels: Literal["mix", "average", "keep"] | list[Channel] = Field(
        "keep",
        description=(
            "`mix` or `average`: the mean of all channels, as one; `keep`: all, the same number in "
            "every recording; or a list of names or indices from 0."
        ),
    )
    resampling: Literal["VHQ", "HQ", "MQ", "LQ", "QQ"] = Field(
        "HQ", description="Quality of the resampling: soxr's recipes, from best to quickest."
    )
    constant: Literal["error", "keep"] = Field(
        "error", description="Recordings with a channel that never changes: refuse or keep them."
    )
    duration: Duration | None = Field(
        None, description="Without it, all recordings must have the same length."
    )

    @field_validator("channels")
    @classmethod
    def _are_different(cls, channels: str | list[Channel]) -> str | list[Channel]:
        if isinstance(channels, list) and not channels:
            raise ValueError("name at least one channel")
        return unique(channels) if isinstance(channels, list) else channels


class AudioModality(SignalModality):
    """Sound files, resampled to one rate."""

    kind: Literal["audio"]
    sample_rate: PositiveFloat = Field(description="Rate in Hz to which all are resampled.")
    channels: Literal["mix", "average", "keep"] | list[Channel] = Field(
        "mix",
        description=(
            "`mix` or `average`: the mean of all channels, as one; `keep`: all, the same number in "
            "every recording; or a list of indices from 0."
        ),
    )


class SensorModality(SignalModality):
    """Single- or multi-channel sensor files (EEG and the like)."""

    kind: Literal["sensor"]
    sample_rate: PositiveFloat = Field(
        description="Rate in Hz at which the files were recorded; see `resample` for others."
    )
    resample: bool = Field(
        False,
        description=(
            "Bring files that name another rate (EDF, BDF, WFDB) to `sample_rate`, rather than "
            "refuse them."
        ),
    )
    variable: str | None = Field(
        None,
        description=(
            "Array to read from MAT, NPZ and HDF5 files; default: the only one with samples."
        ),
    )
    rows: Literal["samples", "channels"] | None = Field(
        None,
        description=(
            "What the rows of text and of arrays are; default: samples, but tables that are wider "
            "than long are refused until it is said."
        ),
    )
    delimiter: Literal["comma", "semicolon", "tab", "space", "bar"] | None = Field(
        None, description="Between the columns of delimited text; found by default."
    )
    decimal: Literal["point", "comma"] | None = Field(
        None, description="Decimal mark of delimited text; found by default."
    )


class VisualModality(Modality):
    """What pictures and films share."""

    height: PositiveInt = Field(description="Height in pixels to which all are resized.")
    width: PositiveInt = Field(description="Width in pixels to which all are resized.")
    channels: Literal["grey", "rgb"] = "grey"


class ImageModality(VisualModality):
    """Pictures, brought to one size."""

    kind: Literal["image"]


class VideoModality(VisualModality):
    """Films, brought to one size and frame rate."""

    kind: Literal["video"]
    frame_rate: PositiveFloat = Field(description="Frames a second to keep of every film.")
    duration: Duration | None = Field(
        None, description="Without it, all recordings must have the same length."
    )


AnyModality = Annotated[
    AudioModality | SensorModality | ImageModality | VideoModality, Field(discriminator="kind")
]


class Dataset(Strict):
    """Where the recordings lie and which manifest columns say what."""

    root: str = Field(
        description="Folder of the data set: absolute, or relative to $DEEPSELF_DATA or to here."
    )
    manifest: str = Field("manifest.csv", description="Table in `root`: one row a recording.")
    id: str = Field("id", description="Column with a unique name for each row.")
    label: str = Field("label", description="Column with the class.")
    group: str | None = Field(
        None, description="Column with subject or source; a group never spans two partitions."
    )
    classes: list[str] | None = Field(
        None, description="The classes, in order; default: all labels found, sorted."
    )
    merge: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(
        {}, description="Labels that are one class: {ill: [mild, severe]}; others stay as they are."
    )
    modalities: dict[str, AnyModality] = Field(min_length=1)
    on_error: Literal["error", "skip"] = Field(
        "error",
        description=(
            "A recording that cannot be used: stop and list them all, or leave it out, and say so "
            "in skipped.csv and in the report."
        ),
    )

    @field_validator("classes")
    @classmethod
    def _are_different(cls, classes: list[str] | None) -> list[str] | None:
        return None if classes is None else unique(classes)

    @field_validator("merge")
    @classmethod
    def _each_label_once(cls, merge: dict[str, list[str]]) -> dict[str, list[str]]:
        unique([label for labels in merge.values() for label in labels])
        return merge

    def class_of(self, label: str) -> str:
        """The class of a manifest's label."""
        return next((name for name, own in self.merge.items() if label in own), label)


class NextFold(Strict):
    """Dev is the fold after the test fold, cyclically."""

    method: Literal["next_fold"] = "next_fold"


class Holdout(Strict):
    """Dev is a stratified (and grouped, where there are groups) part of the training folds."""

    method: Literal["holdout"]
    fraction: float = Field(0.2, gt=0, lt=1, description="Share of the training items.")


AnyDev = Annotated[NextFold | Holdout, Field(discriminator="method")]


class Splits(Strict):
    """How items are assigned to folds, and each fold's dev partition."""

    method: Literal["given", "stratified", "grouped", "partition", "fixed_test"] = Field(
        "stratified",
        description=(
            "`given`: folds from `column`; `stratified`: equal class shares; `grouped`: the same "
            "with whole groups; `partition`: one fold, train/dev/test from `column`; "
            "`fixed_test`: test from `column` in every fold, dev is each part of the rest in turn."
        ),
    )
    column: str | None = Field(
        None,
        description=(
            "Manifest column for `given` (default fold), `partition` and `fixed_test` (default "
            "partition)."
        ),
    )
    folds: int = Field(
        5, ge=2, description="Number of folds, for `stratified`, `grouped` and `fixed_test`."
    )
    dev: AnyDev = NextFold()
    seed: int = Field(
        0, ge=0, lt=2**32, description="Governs the drawing of folds and of held-out dev items."
    )

    @model_validator(mode="after")
    def _dev_fold_needs_a_third(self) -> "Splits":
        if self.method == "fixed_test" and not isinstance(self.dev, NextFold):
            raise ValueError("fixed_test: dev is each part of the rest in turn; take dev out")
        drawn = self.method in ("stratified", "grouped")
        if drawn and isinstance(self.dev, NextFold) and self.folds < 3:
            raise ValueError(
                "dev: next_fold needs at least 3 folds (test, dev, training); "
                "set folds to 3 or more, or dev to {method: holdout}"
            )
        return self
