"""What `deepself extract` of files asks for, as a study of one feature that says the same.

So each setting is checked as in a study, and what is wrong is said of the option that gave it.
"""

import argparse
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from deepself.cli.common import positive
from deepself.errors import UserError
from deepself.store.published import published_names
from deepself.study import Study
from deepself.study.explain import explain
from deepself.study.features import SPECTRAL
from deepself.study.inputs import embedded, wrong_input
from deepself.study.networks import TYPES, SoundNet, class_of
from deepself.study.references import problems, unknown

KINDS = ("audio", "sensor", "image")
"""What files may be; so is the column of a manifest called."""

FEATURES = (
    *("log_mel", "spectrogram", "mfcc", "chroma", "scalogram"),
    *("waveform", "audioset_mel", "panns_mel", "picture"),
)
"""Kinds of features that can be made of files; the first that a network reads is the default."""

RATES = {"audioset_mel": 32000, "panns_mel": 32000}
"""Sampling rate in Hz that a front end wants."""

RATE, SOUNDNET_RATE = 16000, 22050

EMBEDDED, RENDERED = "embedding", "rendered"
"""Names of the features that are made from the first, which is called as its kind."""

OF_STUDIES = ("modality", "shards", "dtype", "compression")
"""Settings of features that are about files of a study."""

OF_NETWORK = (
    *("weights", "layer", "pool", "feature_set", "colormap", "height", "width", "picture_set"),
    *("modality", "modality_set", "channels"),
)
"""Options that go with --network alone."""

OF_FILES = (
    *("network", "bundle", "run_name", *OF_NETWORK, "sample_rate", "windows", "hop"),
    *("label", "labels_from_folders", "device"),
)
"""Options that go with files."""


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of vectors of files; each is None, or empty, unless it is given."""
    group = parser.add_argument_group("vectors of files")
    made = group.add_mutually_exclusive_group()
    made.add_argument("--network", metavar="TYPE", help="see `deepself networks`")
    made.add_argument("--bundle", type=Path, metavar="FOLDER", help="what export wrote")
    group.add_argument(
        "--run", dest="run_name", metavar="NAME", help="of a bundle; default: the only one"
    )
    group.add_argument(
        "--weights", metavar="NAME", help="published name, or a file; default: the first published"
    )
    group.add_argument(
        "--layer", metavar="NAME", help="see `deepself describe`; default: the last but one"
    )
    group.add_argument(
        "--pool", choices=("mean", "max"), help="how a layer's maps become one vector"
    )
    _add_settings(group, "--feature-set", "of the feature, as n_mels=128")
    _add_settings(group, "--picture-set", "of a spectral image's picture, as range=[-80,0]")
    _add_settings(group, "--modality-set", "of how files are read, as duration.seconds=5")
    group.add_argument("--colormap", metavar="NAME", help="of such a picture (default: viridis)")
    for side in ("height", "width"):
        text = "of any picture, in pixels (default: 224)"
        group.add_argument(f"--{side}", type=positive, metavar="PIXELS", help=text)
    group.add_argument(
        "--modality", choices=KINDS, help="what the files are; default: by their suffixes"
    )
    group.add_argument(
        "--sample-rate",
        type=float,
        metavar="HZ",
        help="to which sounds are resampled (default: 16000, or what the network was trained on), "
        "or of sensors' files",
    )
    group.add_argument(
        "--channels", metavar="WHICH", help="mix, keep, or indices as 0,2; of pictures grey or rgb"
    )
    group.add_argument(
        "--windows", type=float, metavar="SECONDS", help="a vector a window of each recording"
    )
    group.add_argument(
        "--hop", type=float, metavar="SECONDS", help="from one window's start to the next's"
    )
    labels = group.add_mutually_exclusive_group()
    labels.add_argument("--label", metavar="NAME", help="of all files; default: the manifest's")
    labels.add_argument(
        "--labels-from-folders",
        action="store_true",
        default=None,
        help="the name of each file's folder",
    )
    group.add_argument("--device", choices=("auto", "cpu", "cuda"), help="default: auto")


def _add_settings(group: Any, flag: str, what: str) -> None:
    text = f"a setting {what}; may be given several times"
    group.add_argument(flag, action="append", default=[], metavar="KEY=VALUE", help=text)


def given(args: argparse.Namespace, names: tuple[str, ...] = OF_FILES) -> list[str]:
    """Options that were given, as they are typed."""
    return [
        f"--{name.removesuffix('_name').replace('_', '-')}"
        for name in names
        if getattr(args, name) not in (None, [])
    ]


def embedding_study(args: argparse.Namespace, kind: str) -> Study:
    """The study of one modality, of `kind`, and one embedding that the options stand for.

    Raises
    ------
    UserError
        One line a problem, which names the option.
    """
    feature = check_network(args, kind)
    if args.weights is None and not published_names(args.network):
        what = "a tag of timm's, as a1_in1k, or a file" if "/" in args.network else "a file"
        raise UserError(f"--weights: {args.network} has no default weights; give {what}")
    features: dict[str, dict[str, Any]] = {
        feature: {"kind": feature, "modality": kind, **_settings(args.feature_set, "--feature-set")}
    }
    for key in OF_STUDIES:
        if any(text.startswith(f"{key}=") for text in args.feature_set):
            raise UserError(f"--feature-set {key}: is about files of a study; leave it out")
    if args.windows is not None and "window" in features[feature]:
        raise UserError("--feature-set window: gives windows, too; leave --windows out")
    of = feature
    if feature not in embedded(args.network):
        of, features[RENDERED] = RENDERED, _rendered(args, feature)
    elif args.picture_set or args.colormap is not None:
        option = "--colormap" if args.colormap is not None else "--picture-set"
        raise UserError(f"{option}: {args.network} reads {feature} as it is; leave it out")
    features[EMBEDDED] = {
        "kind": "embedding",
        "of": of,
        "network": args.network,
        "weights": args.weights or published_names(args.network)[0],
        "layer": args.layer,
        "pool": args.pool or "mean",
    }
    raw = {
        "name": "extract",
        "dataset": {"root": ".", "modalities": {kind: _modality(args, kind, feature)}},
        "features": features,
        # A study has a model; it is never asked for.
        "models": {"unused": {"feature": EMBEDDED, "classifier": {"type": "linear_svm"}}},
    }
    return _checked(raw, kind, feature)


def check_network(args: argparse.Namespace, kind: str | None) -> str:
    """The kind of feature that the options choose for a network, or its default.

    Parameters
    ----------
    args
        The options.
    kind
        What the files are; None where that is not known yet.
    """
    network, feature = args.network, args.feature
    if class_of(network) is None:
        raise UserError(f"--network: {unknown('network', network, [*TYPES, 'timm/…'])}")
    reads = embedded(network)
    if not reads:
        raise UserError(f"--network: {wrong_input(network, reads, '', '')}")
    if feature is None:
        if "picture" in reads:
            return "picture" if kind == "image" else FEATURES[0]
        return next(one for one in FEATURES if one in reads)
    if feature not in FEATURES:
        raise UserError(f"--feature: {unknown('feature', feature, FEATURES)}")
    if feature not in reads and not ("rendered" in reads and feature in SPECTRAL):
        mine = [one for one in FEATURES if one in reads or ("rendered" in reads)]
        mine = [one for one in mine if one in reads or one in SPECTRAL]
        raise UserError(f"--feature: {network} reads {', '.join(mine)}, not {feature}")
    return feature


def _rendered(args: argparse.Namespace, feature: str) -> dict[str, Any]:
    sizes = {"height": args.height or 224, "width": args.width or 224}
    own = _settings(args.picture_set, "--picture-set")
    colormap = args.colormap or "viridis"
    return {"kind": "rendered", "of": feature, "colormap": colormap, **sizes, **own}


def _modality(args: argparse.Namespace, kind: str, feature: str) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": kind}
    if kind == "image":
        found |= {"height": args.height or 224, "width": args.width or 224}
        found["channels"] = args.channels or "rgb"
        if args.sample_rate is not None or args.windows is not None:
            option = "--windows" if args.sample_rate is None else "--sample-rate"
            raise UserError(f"{option}: is of signals; the files are pictures")
    else:
        rate = args.sample_rate
        if rate is None and kind == "sensor":
            raise UserError("--sample-rate: say at how many Hz the sensors' files were recorded")
        if rate is None:
            rate = RATES.get(feature, RATE)
            rate = SOUNDNET_RATE if class_of(args.network) is SoundNet else rate
        found["sample_rate"] = rate
        if args.channels is not None:
            found["channels"] = _channels(args.channels)
        if args.windows is not None:  # some of a long recording may be silent
            found["constant"] = "keep"
        if kind == "sensor":
            found["resample"] = True
    found |= _settings(args.modality_set, "--modality-set")
    duration = found.get("duration")
    if isinstance(duration, dict) and duration.get("seconds") == "longest":
        raise UserError("--modality-set duration.seconds: give a number; files pass one by one")
    return found


def _channels(text: str) -> str | list[int | str]:
    parts = text.split(",")
    if len(parts) == 1 and not text.isdigit():
        return text
    return [int(part) if part.isdigit() else part for part in parts]


def _settings(texts: list[str], flag: str) -> dict[str, Any]:
    """Keys and values, read as YAML; a dot leads into a section."""
    found: dict[str, Any] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        *parents, last = path.split(".")
        node = found
        for key in parents:
            node = node.setdefault(key, {})
            if not isinstance(node, dict):
                break
        if not equals or not all(path.split(".")) or not isinstance(node, dict):
            raise UserError(f"{flag} {text}: write KEY=VALUE")
        try:
            node[last] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError):
            raise UserError(f"{flag} {text}: the value cannot be read") from None
    return found


def _checked(raw: dict[str, Any], kind: str, feature: str) -> Study:
    try:
        study = Study.model_validate(raw)
    except ValidationError as error:
        lines = explain(raw, error.errors())
        raise UserError("\n".join(_option(line, kind, feature) for line in lines)) from None
    broken = [f"{path}: {message}" for path, message in problems(study)]
    if broken:
        raise UserError("\n".join(_option(line, kind, feature) for line in broken))
    return study


def _option(line: str, kind: str, feature: str) -> str:
    """A problem of the study, said of the option that its key came from."""
    path, _, message = line.partition(": ")
    key = path.rpartition(".")[2]
    sections = (
        (f"features.{EMBEDDED}", "--network", ("network", "weights", "layer", "pool")),
        (f"features.{RENDERED}", "--picture-set", ("colormap", "height", "width")),
        (f"features.{feature}", "--feature-set", ()),
        (f"dataset.modalities.{kind}", "--modality-set", ("sample_rate", "channels")),
    )
    special = {
        f"features.{EMBEDDED}.of": "--feature",
        f"features.{feature}": "--feature",
        f"features.{feature}.kind": "--feature",
        f"features.{feature}.modality": "--sample-rate",  # its rate is not the front end's
    }
    if path in special:
        return f"{special[path]}: {message}"
    for section, option, own in sections:
        if path.startswith(f"{section}."):
            if path == f"{section}.{key}" and key in own:
                return f"--{key.replace('_', '-')}: {message}"
            return f"{option} {path.removeprefix(section)[1:]}: {message}"
    return line
