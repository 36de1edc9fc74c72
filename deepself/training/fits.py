"""Whether a study's networks fit what they will read: known before a feature is made."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from deepself.dataset.manifest import classes_of as labels_of
from deepself.dataset.manifest import read_manifest
from deepself.errors import UserError
from deepself.features.shapes import Shape, item_shape
from deepself.networks.base import Network
from deepself.networks.summary import on_paper, summarise
from deepself.store.published import published
from deepself.study.layout import Layout
from deepself.study.schema import Study
from deepself.training.augment import Crops
from deepself.training.network import make_network
from deepself.training.optimisers import make_optimiser


def misfits(study: Study, layout: Layout) -> Iterator[str]:
    """Yield a line for each model whose features cannot be made, or not be read by its network.

    A network is passed over where the shape of its feature is not known before it is made.
    """
    classes = classes_of(study, layout)
    for name, model in study.models.items():
        try:
            known = {k: shape for k, shape in shapes_of(study, layout, name).items() if shape}
        except UserError as error:
            yield f"models.{name}: {error}"
            continue
        if model.network is None or len(known) < len(model.inputs):
            continue
        try:
            network = network_on_paper(study, name, known, classes)
            summarise(network, list(cropped(study, name, known).values()))
            make_optimiser(
                [{"params": list(network.parameters()), "lr": model.training.lr}], model.training
            )
            _try_files(study, name, known, classes)
        except (UserError, ValueError) as error:
            read = ", ".join(
                f"{part.feature} {known[branch]}" for branch, part in model.inputs.items()
            )
            yield f"models.{name} (feature {read}): {error}"


def _try_files(study: Study, model: str, shapes: Mapping[str, Shape], classes: int) -> None:
    """Load weights that are files of the user's; published ones were verified as they came."""
    for name, part in study.models[model].inputs.items():
        spec = study.network(part)
        weights: str | None = getattr(spec, "weights", None)
        if spec is None or weights is None or published(spec.type, weights):
            continue
        make_network(spec, {"": shapes[name]}, classes, {"": Path(weights)})


def shapes_of(study: Study, layout: Layout, model: str) -> dict[str, Shape | None]:
    """Shape of an item of each of a model's inputs, by branch; None where it is not known yet."""
    found: dict[str, Shape | None] = {}
    for branch, part in study.models[model].inputs.items():
        assert part.feature is not None
        try:
            found[branch] = item_shape(study, layout, part.feature)
        except ValueError as error:
            raise UserError(f"features.{part.feature}: {error}") from None
    return found


def network_on_paper(
    study: Study, model: str, shapes: Mapping[str, Shape], classes: int
) -> Network:
    """Build a model's network without memory for its weights."""
    spec = study.network(study.models[model])
    assert spec is not None
    cut = cropped(study, model, shapes)
    return on_paper(lambda: make_network(spec, cut, classes, dict.fromkeys(shapes)))


def cropped(study: Study, model: str, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Shapes of what a model's network is given: parts of items, where random_crop trains."""
    parts = study.models[model].inputs
    kinds = {branch: study.features[parts[branch].feature or ""].kind for branch in shapes}
    crops = Crops.of(study.models[model].training, list(kinds.values()))
    return {branch: crops.shape(shape, kinds[branch]) for branch, shape in shapes.items()}


def classes_of(study: Study, layout: Layout) -> int:
    """Number of a study's classes, by its manifest."""
    return len(labels_of(study.dataset, read_manifest(study.dataset)))
