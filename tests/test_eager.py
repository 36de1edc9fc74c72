"""Optimisers do without the compiler, which steps in where it is asked for."""

import pytest

from tests.forking import call
from tests.importing import imported

HEAD = """
import sys, torch
from deepself.study.training import Training
from deepself.eager import without_compiler
from deepself.training.optimisers import make_optimiser
weights = torch.nn.Parameter(torch.ones(3))
optimiser = make_optimiser([{"params": [weights], "lr": 0.1}], Training(optimizer="%s"))
weights.sum().backward()
with without_compiler():
    optimiser.step()
    optimiser.zero_grad()
    optimiser.load_state_dict(optimiser.state_dict())
assert not torch.equal(weights.detach(), torch.ones(3))
loaded = [name for name in sys.modules if name.startswith("torch._dynamo")]
assert not loaded, loaded
"""


def run(code):
    done = call([], code=code)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_a_step_does_not_import_the_compiler(optimizer):
    run(HEAD % optimizer)


AFTER = """
assert torch._dynamo.is_compiling() in (True, False)
torch._dynamo.reset()
import torch._dynamo.config as c
assert isinstance(c.cache_size_limit, int)
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)) == 2
torch.use_deterministic_algorithms(True)
with without_compiler():
    optimiser.step()
"""
WITHIN = """
with without_compiler():
    assert torch._dynamo.optimize
    assert torch._dynamo.utils
    optimiser.step()
torch._dynamo.reset()
"""


TORCHVISION = """
assert "torchvision" not in sys.modules
from deepself.networks._torchvision import import_torchvision
torchvision = import_torchvision()
assert not [name for name in sys.modules if name.startswith("torch._dynamo")]
assert torchvision.models.resnet18
assert torchvision.ops.roi_align.__globals__["is_compile_supported"]("cpu") in (True, False)
torch._dynamo.reset()
assert torch._dynamo.utils.is_compile_supported
"""


@pytest.mark.parametrize(
    "code", [AFTER, WITHIN, TORCHVISION], ids=["after", "within", "torchvision"]
)
def test_the_compiler_is_there_when_it_is_asked_for(code):
    run(HEAD % "adam" + code)


def test_networks_are_sized_without_the_compiler():
    code = """
from deepself.networks import build
from deepself.networks.summary import on_paper, summarise
network = on_paper(lambda: build("cnn2d", (1, 64, 64), 3, channels=[8, 16]))
assert summarise(network, [(1, 64, 64)]).parameters > 0
"""
    assert not imported(code, ["torch._dynamo.convert_frame"])
