"""`deepself networks`."""

import argparse
from collections.abc import Iterator
from typing import Any

from pydantic_core import PydanticUndefined

from deepself.errors import UserError
from deepself.store.published import published_names
from deepself.study.base import Strict
from deepself.study.explain import nearest
from deepself.study.features import SPECTRAL
from deepself.study.inputs import in_order, network_input
from deepself.study.networks import CLASSES, TYPES, Branches, Timm, class_of

ANY = "any feature"

EXAMPLES: dict[str, tuple[int, ...]] = {
    "Dense": (1000,),
    "cnn1d": (1, 16000),
    "cnn2d": (1, 64, 250),
    "cnn3d": (3, 16, 64, 64),
    "Recurrent": (1, 64, 250),
    "ConvolutionalRecurrent": (1, 64, 250),
    "RecurrentAutoencoder": (1, 64, 250),
    "Torchvision": (3, 224, 224),
    "Timm": (3, 224, 224),
    "EfficientNetLite": (3, 224, 224),
    "AudioSetMobileNet": (1, 128, 1000),
    "PANN": (1, 64, 1001),
    "Piczak": (2, 60, 101),
    "SoundNet": (1, 110250),
    "End2You": (1, 16000),
    "Braindecode": (22, 1125),
}
"""Shape of an item at which a network's size is told, by its type or its class of settings."""

CLASSES_OF_EXAMPLES = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("type", nargs="?", metavar="TYPE", help="one, with all its settings")
    parser.add_argument(
        "--markdown", action="store_true", help="the tables of the docs, with each network's size"
    )


def run(args: argparse.Namespace) -> None:
    """List the networks, what they read, their settings and their published weights."""
    if args.markdown:
        print("\n".join(_markdown()))
    elif args.type is None:
        print("\n".join(_list()))
    else:
        cls = Branches if args.type == "branches" else class_of(args.type)
        if cls is None:
            hint = nearest(args.type, [*TYPES, "branches", "timm/…"])
            raise UserError(f"{args.type}: unknown type{hint}")
        print("\n".join(_one(args.type, cls)))


def reads(type: str) -> str:
    """Kinds of features that a network reads."""
    kinds = network_input(type)
    if kinds is None:
        return ANY
    spectral = ["spectral images"] if kinds >= set(SPECTRAL) else []
    return ", ".join(spectral + in_order(kinds - set(SPECTRAL) if spectral else kinds))


def types_of(cls: type[Strict]) -> list[str]:
    """The types whose settings a class holds."""
    alone = {Timm: ["timm/…"], Branches: ["branches"]}
    return alone.get(cls) or [name for name, own in TYPES.items() if own is cls]


def _title(names: list[str]) -> str:
    """Names of a family, the middle of a long one left out."""
    few = names if len(names) <= 4 else [names[0], "…", names[-1]]
    return ", ".join(f"`{name}`" if name != "…" else name for name in few)


def settings_of(cls: type[Strict]) -> Iterator[tuple[str, str, str]]:
    """Name, default and meaning of each setting."""
    schema = cls.model_json_schema()["properties"]
    for name, field in cls.model_fields.items():
        if name == "type":
            continue
        default = "" if field.default is PydanticUndefined else _shown(field.default)
        meaning = " ".join(filter(None, (field.description, _choices(schema[name]))))
        yield name, default, meaning


def _choices(schema: dict[str, Any]) -> str:
    """The words that a setting may be, if it is one of some."""
    options = [schema, *schema.get("anyOf", [])]
    words = [word for option in options for word in option.get("enum", [option.get("const")])]
    known = [str(word) for word in words if word is not None]
    return f"One of {', '.join(known)}." if len(known) > 1 else ""


def _shown(value: object) -> str:
    """A value as YAML writes it."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _list() -> Iterator[str]:
    for cls in (*CLASSES, Branches):
        names = types_of(cls)
        yield f"{', '.join(names)}"
        yield f"  {_summary(cls)}"
        if cls is not Branches:
            yield f"  reads: {'; '.join(dict.fromkeys(reads(name) for name in names))}"
        yield f"  settings: {', '.join(f'{n}={d}' if d else n for n, d, _ in settings_of(cls))}"
        if "weights" in cls.model_fields:
            yield f"  weights: {_weights(names)}"
        yield ""
    yield "deepself networks TYPE says what each setting means, deepself describe draws one."


def _weights(names: list[str]) -> str:
    if names == ["timm/…"]:
        return "timm's tags, as a1_in1k, or a path"
    found = dict.fromkeys(weights for name in names for weights in published_names(name))
    return ", ".join([*found, "a path"])


def _summary(cls: type[Strict]) -> str:
    return (cls.__doc__ or "").splitlines()[0]


def _one(type: str, cls: type[Strict]) -> Iterator[str]:
    yield f"{type}: {_summary(cls)}"
    if cls is not Branches:
        yield f"reads: {reads(type)}"
    rows = list(settings_of(cls))
    width = max(len(name) for name, *_ in rows)
    for name, default, meaning in rows:
        text = f"{meaning} " if meaning else ""
        if name == "weights" and not type.startswith("timm/"):
            text += f"Published: {', '.join(published_names(type)) or 'none'}. "
        yield f"  {name:{width}}  {text}{f'[{default}]' if default else ''}".rstrip()


PAGE = """# Networks

What a study may write as `network: {type: …}`, with its size for ten classes at a usual input.
Multiply-adds are those of one item; element-wise operations are not counted. `deepself describe`
gives the same for any model of a study, layer by layer, and `deepself networks TYPE` says what each
setting means. The papers are named in `deepself/networks/`. This page is made by
`deepself networks --markdown > docs/networks.md`."""


def _markdown() -> Iterator[str]:
    yield PAGE
    for cls in (*CLASSES, Branches):
        names = types_of(cls)
        yield f"\n## {_title(names)}\n"
        kinds = "" if cls is Branches else "; ".join(dict.fromkeys(reads(name) for name in names))
        yield f"{_summary(cls)}{f' Reads {kinds}.' if kinds else ''}\n"
        settings = [f"`{name}`" for name, *_ in settings_of(cls)]
        yield f"Settings: {', '.join(settings)}."
        if cls in (Timm, Branches):
            continue
        yield "\n| `type` | at | parameters | multiply-adds | embedding | published weights |"
        yield "|---|---|--:|--:|--:|---|"
        for name in names:
            yield _row(name)


def _row(name: str) -> str:
    from deepself.networks import build
    from deepself.networks.summary import on_paper, summarise

    shape = EXAMPLES.get(name) or EXAMPLES[TYPES[name].__name__]
    network = on_paper(lambda: build(name, shape, CLASSES_OF_EXAMPLES))
    found = summarise(network, [shape])
    cells = [
        f"`{name}`",
        " × ".join(map(str, shape)),
        f"{found.parameters:,}",
        f"{found.multiply_adds / 1e6:,.1f} M",
        str(network.embedding_size),
        ", ".join(published_names(name)) or "–",
    ]
    return f"| {' | '.join(cells)} |"
