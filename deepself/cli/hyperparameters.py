"""Hyperparameters as options of the command line, in place of a study's own."""

import argparse
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import ValidationError

from deepself.cli.common import natural, positive
from deepself.errors import UserError
from deepself.store.published import published_names
from deepself.study.explain import nearest
from deepself.study.models import Model
from deepself.study.networks import TYPES, Branches, class_of
from deepself.study.training import Optimizer

CELLS = ("rnn", "lstm", "gru")
SETTINGS = {
    "channels": "channels",
    "kernel_size": "kernel_size",
    "stride": "stride",
    "padding": "padding",
    "pool": "pool",
    "rnn_type": "cell",
    "rnn_layers": "num_layers",
    "rnn_hidden": "hidden_size",
    "bidirectional": "bidirectional",
    "frame": "frame",
    "dropout": "dropout",
}
"""Settings of networks, by the option that gives them."""

TRAINING = ("lr", "batch_size", "epochs", "optimizer", "momentum", "weight_decay")
"""Settings of training, which options give by the same names."""

ONE_NUMBER = ("kernel_size", "stride", "padding", "pool")
"""Options of one number for all layers, or one a layer."""

HIDDEN = ("hidden_layers", "hidden_nodes")


def add_hyperparameters(parser: argparse.ArgumentParser) -> None:
    """Add the options of networks and of training."""
    network = parser.add_argument_group("network")
    network.add_argument("--network", metavar="TYPE", help="see `deepself networks`")
    network.add_argument(
        "--pretrained",
        metavar="NAME",
        help="a network with its published weights, or a published name or file for --network",
    )
    network.add_argument("--hidden-layers", type=natural, metavar="N", help="dense layers")
    network.add_argument("--hidden-nodes", type=positive, metavar="N", help="nodes of each")
    network.add_argument("--channels", type=int, nargs="+", metavar="N", help="one a layer")
    for name in ONE_NUMBER:
        text = "one number, or one a layer"
        network.add_argument(_flag(name), type=_number_or_same, nargs="+", metavar="N", help=text)
    network.add_argument("--rnn-type", choices=CELLS)
    network.add_argument("--rnn-layers", type=positive, metavar="N")
    network.add_argument("--rnn-hidden", type=positive, metavar="N", help="nodes of a layer")
    network.add_argument("--bidirectional", action=argparse.BooleanOptionalAction)
    network.add_argument("--frame", type=positive, metavar="N", help="samples a step, of a wave")
    network.add_argument("--dropout", type=float, metavar="P", help="probability")
    training = parser.add_argument_group("training")
    training.add_argument("--lr", type=float, metavar="RATE", help="learning rate")
    training.add_argument("--batch-size", type=positive, metavar="N")
    training.add_argument("--epochs", type=positive, metavar="N")
    training.add_argument("--optimizer", choices=get_args(Optimizer))
    training.add_argument("--momentum", type=float, metavar="M", help="of sgd")
    training.add_argument("--weight-decay", type=float, metavar="D")


def given(args: argparse.Namespace) -> list[str]:
    """Options of hyperparameters that were given, as they are typed."""
    names = ("network", "pretrained", *HIDDEN, *SETTINGS, *TRAINING)
    return [_flag(n) for n in names if getattr(args, n) is not None]


def changed(model: Model | None, args: argparse.Namespace, axes: int | None = None) -> Model:
    """A model with what the options say.

    Parameters
    ----------
    model
        The study's model; None without a study.
    args
        The options.
    axes
        Axes of an item, by which `--network cnn` is told apart; None where that is not known.

    Raises
    ------
    UserError
        The network has no such setting, or its value is out of range.
    """
    raw: dict[str, Any] = {"feature": "input"}
    if model is not None:
        raw = model.model_dump(exclude_unset=True)
    if model is not None and isinstance(model.network, Branches):
        of_network = [option for option in given(args) if _name(option) not in TRAINING]
        if of_network:
            raise UserError(f"{of_network[0]}: is for one network; change a branch's by --set")
    elif model is not None and model.network is None and args.network is None:
        raise UserError(f"{given(args)[0]}: is for networks; the model is a classifier")
    else:
        raw["network"] = _with_options(_network(raw.get("network"), args, axes), args)
        raw.pop("classifier", None)
    training = {n: getattr(args, n) for n in TRAINING if getattr(args, n) is not None}
    raw["training"] = {**raw.get("training", {}), **training}
    try:
        return Model.model_validate(raw)
    except ValidationError as error:
        raise UserError("\n".join(map(_line, error.errors()))) from None


def _with_options(network: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    """A network with the settings that options give."""
    known = _settings_of(network["type"])
    for option, value in _network_options(args).items():
        setting = SETTINGS.get(option, "hidden")
        if setting not in known:
            own = ", ".join(sorted(known)) or "none"
            flag = _flag(option)
            raise UserError(f"{flag}: {network['type']} has no {setting}; its settings: {own}")
        network[setting] = value
    return network


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _name(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _network(own: Any, args: argparse.Namespace, axes: int | None) -> dict[str, Any]:
    """The network's type and weights, with the settings that the study gives it."""
    network = dict(own or {})
    wanted = args.network
    weights = args.pretrained
    if weights is not None and class_of(weights) is not None:  # a network, by its own name
        if wanted is not None and wanted != weights:
            raise UserError(f"--pretrained {weights}: is another network than --network {wanted}")
        wanted, weights = weights, _default_weights(weights)
    if wanted == "cnn":
        if axes is not None and not 2 <= axes <= 4:
            raise UserError(f"--network cnn: items of {axes} axes are no signal, image or film")
        wanted = f"cnn{(axes or 3) - 1}d"
    if wanted is not None and wanted != network.get("type"):
        network = {"type": wanted}
    if "type" not in network:
        hint = "--network: say which; `deepself networks` lists them"
        if weights is not None:
            hint = f"--pretrained: {weights} is no network; say by --network whose weights it is"
        raise UserError(hint)
    if class_of(network["type"]) is None:
        raise UserError(f"--network: unknown type {wanted!r}{nearest(wanted, ['cnn', *TYPES])}")
    if weights is not None:
        if "weights" not in _settings_of(network["type"], also="weights"):
            raise UserError(f"--pretrained: {network['type']} takes no weights of others")
        network["weights"] = weights
    return network


def _default_weights(network: str) -> str:
    names = published_names(network)
    if not names:
        if "weights" not in _settings_of(network, also="weights"):
            raise UserError(f"--pretrained {network}: has no weights of others")
        raise UserError(
            f"--pretrained {network}: say which of its weights, by --network {network} "
            "--pretrained NAME"
        )
    return "imagenet" if "imagenet" in names else names[0]


def _settings_of(type: str, also: str = "") -> set[str]:
    cls = class_of(type)
    return set() if cls is None else set(cls.model_fields) - ({"type", "weights"} - {also})


def _network_options(args: argparse.Namespace) -> dict[str, Any]:
    found = {n: getattr(args, n) for n in SETTINGS if getattr(args, n) is not None}
    for name in ONE_NUMBER:
        if len(found.get(name, ())) == 1:
            found[name] = found[name][0]
    layers, nodes = args.hidden_layers, args.hidden_nodes
    if layers is not None or nodes is not None:
        found["hidden_layers"] = [nodes or 128] * (1 if layers is None else layers)
    return found


def _number_or_same(text: str) -> int | str:
    return text if text == "same" else int(text)


def _line(problem: Mapping[str, Any]) -> str:
    """A problem's place, without the tags of unions, and what is expected there."""
    place = ".".join(str(part) for part in problem["loc"] if not str(part)[:1].isupper())
    message = problem["msg"].removeprefix("Value error, ")
    given = problem["input"]
    shown = "" if isinstance(given, dict | list) else f", not {given!r}"
    return f"{place}: {message[0].lower()}{message[1:]}{shown}"
