"""A bundle as one module: recordings, or items of its features, in; probabilities out."""

import numpy as np
import torch
from torch import Tensor, nn

from deepself.errors import UserError
from deepself.features.derive import Embedder
from deepself.features.layers import Layer
from deepself.inference.bundle import Bundle
from deepself.inference.program.features import (
    Kept,
    Picture,
    Rows,
    Summary,
    Together,
    Vectors,
    Windows,
)
from deepself.inference.program.fronts import front
from deepself.inference.program.fusing import combining
from deepself.inference.program.inputs import Planner, ProgramInput
from deepself.inference.program.running import Run
from deepself.networks.base import Network
from deepself.networks.rnn import Recurrent
from deepself.study.dataset import SignalModality
from deepself.study.features import (
    Computed,
    Derived,
    Rendered,
    SignalFeature,
    Statistics,
    sources_of,
)
from deepself.study.joined import Joined
from deepself.training.classifiers.run import PREFIX


class Program(nn.Module):
    """What a bundle computes, in operators of torch that others' runtimes have.

    Parameters
    ----------
    bundle
        On the CPU; its networks become the program's.
    fold
        The fold whose part answers; default: all, together.
    calibrated
        Bring probabilities to what they were worth on dev, by a temperature.
    outside
        Leave all features to the caller.

    Attributes
    ----------
    inputs
        What `forward` takes, in that order.
    made
        Features that the program makes.
    run_names
        Runs of the bundle that it asks.

    Raises
    ------
    UserError
        There is no such fold, or a run cannot be expressed.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        fold: str | None = None,
        calibrated: bool = False,
        outside: bool = False,
    ):
        super().__init__()
        spec = bundle.spec
        fold = spec.known_fold(fold)
        parts = [part for part in spec.parts if fold in (None, part.fold)]
        # Of a model, a part has one run; of a fusion, all that it names.
        names = [list(part.candidates.values()) for part in parts]
        self.run_names = list(dict.fromkeys(name for own in names for name in own))
        self._parts = [[self.run_names.index(name) for name in own] for own in names]
        self._planner = Planner(spec, outside)
        read = {run: [i.feature for i in spec.runs[run].inputs.values()] for run in self.run_names}
        plan = self._planner.plan(list(dict.fromkeys(f for own in read.values() for f in own)))
        self.inputs: list[ProgramInput] = plan.inputs
        self.made: list[str] = plan.made
        self._values = [self._value(name) for name in plan.made]
        self._sources = [self._names(bundle, name) for name in plan.made]
        self._read = [[self._value(f) for f in read[run]] for run in self.run_names]
        self.features = nn.ModuleList(self._feature(bundle, name) for name in plan.made)
        self.runs = nn.ModuleList(self._run(bundle, name) for name in self.run_names)
        self.fusions = nn.ModuleList(combining(part, bundle.classes, calibrated) for part in parts)
        self.eval().requires_grad_(False)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Answer for a batch.

        Parameters
        ----------
        inputs
            Each with the axis of the batch first, see `inputs`.

        Returns
        -------
        tuple of Tensor
            Probabilities, float32 (batch, classes); and the most probable class of each, int64
            (batch,), by what is rounded to float32 only then.
        """
        values = {one.name: given for one, given in zip(self.inputs, inputs, strict=True)}
        for name, sources, make in zip(self._values, self._sources, self.features, strict=True):
            values[name] = make(*(values[of] for of in sources))
        by_run = []
        for names, run in zip(self._read, self.runs, strict=True):
            lengths = [values.get(f"{name}_lengths") for name in names]
            by_run.append(run([values[name] for name in names], lengths))
        found = [
            combine(torch.stack([by_run[place] for place in own]))
            for own, combine in zip(self._parts, self.fusions, strict=True)
        ]
        probabilities = torch.stack(found).mean(0)
        return probabilities.float(), probabilities.argmax(1)

    def _value(self, feature: str) -> str:
        """What a feature's items are called in the program: made ones by the feature's name."""
        return f"made {feature}" if feature in self.made else self._planner.called(feature)

    def _names(self, bundle: Bundle, feature: str) -> list[str]:
        """What a feature is made from."""
        spec = bundle.spec.features[feature]
        if isinstance(spec, Computed):
            return [spec.modality]
        return [self._value(of) for of in sources_of(spec)]

    def _feature(self, bundle: Bundle, name: str) -> nn.Module:
        """What makes a feature of a recording, or of other features."""
        spec = bundle.spec.features[name]
        windowed = [self._planner.windowed(of) for of in sources_of(spec)]
        steps: list[nn.Module] = []
        if isinstance(spec, SignalFeature):
            modality = bundle.spec.modalities[spec.modality]
            assert isinstance(modality, SignalModality)
            made = front(spec, modality.sample_rate)
            if spec.window is not None:
                samples = bundle.spec.known[spec.modality].samples
                assert samples is not None
                steps.append(Windows(spec.window, modality.sample_rate, samples))
                made = Rows(made)
            steps.append(made)
        elif isinstance(spec, Joined):
            steps.append(Together(spec, bundle.spec.shapes[name], windowed))
        elif isinstance(spec, Derived):
            made = _derived(bundle, name, spec)
            steps.append(Rows(made) if any(windowed) else made)
        if spec.dtype != "float32":
            steps.append(Kept(spec.dtype))
        return steps[0] if len(steps) == 1 else nn.Sequential(*steps)

    def _run(self, bundle: Bundle, name: str) -> Run:
        run = bundle.runs[name]
        windowed = {self._planner.windowed(one.feature) for one in run.spec.inputs.values()}
        masked = any(self._planner.lengths(one.feature) for one in run.spec.inputs.values())
        recurrent = run.network is not None and any(
            isinstance(module, Recurrent) for module in run.network.modules()
        )
        if masked and recurrent:
            raise UserError(
                f"{run.spec.model} is recurrent over true lengths, which no program can "
                "express; train it with another `shorter` than mask"
            )
        arrays: dict[str, np.ndarray] = {}
        if run.spec.classifier is not None:
            from safetensors.numpy import load_file

            stored = load_file(bundle.folder / run.spec.weights)
            arrays = {k.removeprefix(PREFIX): v for k, v in stored.items() if k.startswith(PREFIX)}
        return Run(run, arrays, any(windowed))


def _derived(bundle: Bundle, name: str, spec: Derived) -> nn.Module:
    if isinstance(spec, Rendered):
        return Picture(spec, bundle.spec.shapes[spec.of])
    if isinstance(spec, Statistics):
        return Summary(spec.statistics)
    own = bundle.spec.embedders[name]
    embedder = Embedder(own.network, own.settings, spec.layer, spec.pool)
    shape = bundle.spec.shapes[spec.of]
    embed = embedder.built(f"features.{name}", shape, bundle.folder / own.weights)
    network = embed._network if isinstance(embed, Layer) else getattr(embed, "__self__", None)
    assert isinstance(network, Network)
    return Vectors(network, embed)
