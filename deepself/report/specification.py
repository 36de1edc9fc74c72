"""What made a feature file, in words that can be read."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deepself.store.features import FeatureFile

DIGITS = 12
"""Of a digest, as the name of a feature file has them."""


def kind_of(file: FeatureFile) -> str:
    """Kind of the feature that a file holds; empty if the file does not say."""
    slice_ = file.specification.get("slice")
    feature = slice_.get("feature") if isinstance(slice_, Mapping) else None
    return str(feature.get("kind", "")) if isinstance(feature, Mapping) else ""


def setting(file: FeatureFile, name: str) -> Any:
    """One of the feature's own settings, or None."""
    return file.specification["slice"]["feature"].get(name) if kind_of(file) else None


@dataclass(frozen=True)
class Part:
    """What a feature gave to one that is joined of several: its kind, and how much of the axis.

    Names within a study are in no file; the kind of the modality tells equal kinds apart.
    """

    kind: str
    modality: str
    size: int

    @property
    def label(self) -> str:
        """The part, for the reader."""
        return f"{self.kind} of {self.modality}" if self.modality else self.kind


def parts_of(file: FeatureFile) -> list[Part]:
    """What a joined feature is made of, in order; nothing for others."""
    sizes = file.specification.get("parts", [])
    slices = file.specification["slice"]["of"] if sizes else []
    return [
        Part(one["feature"]["kind"], one.get("modality", {}).get("kind", ""), size)
        for one, size in zip(slices, sizes, strict=True)
    ]


def specification_text(specification: Mapping[str, Any]) -> str:
    """All that made a feature file, as indented text like YAML.

    What is not set is left out, and digests are cut as in the file's name.
    """
    slice_ = specification.get("slice")
    if not isinstance(slice_, Mapping):
        return "\n".join(_lines(specification))
    made = _made(slice_)
    if specification.get("samples") is not None:
        made["samples"] = specification["samples"]
    made["recordings"] = _cut(specification.get("recordings"))
    made["version of extract"] = slice_.get("version")
    return "\n".join(_lines(made))


def _made(slice_: Mapping[str, Any]) -> dict[str, Any]:
    """A slice of the study: the feature, and what it is made of, down to the modality."""
    feature = dict(slice_["feature"])
    if "weights" in feature:
        feature["weights"] = _cut(feature["weights"])
    made: dict[str, Any] = {"feature": feature}
    if isinstance(slice_.get("of"), Mapping):
        made["of"] = _made(slice_["of"])
    elif isinstance(slice_.get("of"), list):
        made |= {f"of ({i})": _made(one) for i, one in enumerate(slice_["of"], start=1)}
    if "modality" in slice_:
        made["modality"] = slice_["modality"]
    return made


def _cut(digest: Any) -> Any:
    return digest[:DIGITS] if isinstance(digest, str) else digest


def _lines(value: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    # The file has keys in the order of the alphabet; what a thing is comes first.
    for key, child in sorted(value.items(), key=lambda pair: pair[0] != "kind"):
        if isinstance(child, Mapping):
            yield f"{indent}{key}:"
            yield from _lines(child, indent + "  ")
        elif child is not None and child != []:
            yield f"{indent}{key}: {_text(child)}"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value if value.isprintable() else json.dumps(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, float):
        return f"{value:.15g}"
    return json.dumps(value)
