"""torchvision's import, with and without its compiled operators.

Where they do not load needs an interpreter of its own, since an import happens once.
"""

import subprocess
import sys

import pytest
import torch

from deepself.networks import _torchvision as room
from deepself.networks._torchvision import SCHEMAS, import_torchvision


def test_models_and_transforms_work():
    vision = import_torchvision()
    assert import_torchvision() is vision
    vision.models.resnet18(weights=None)
    from torchvision.transforms import v2

    assert v2.Resize((4, 4))(torch.rand(3, 8, 8)).shape == (3, 4, 4)


def test_declared_operators_are_there():
    import_torchvision()
    assert all(hasattr(torch.ops.torchvision, name) for name in SCHEMAS)


def test_nothing_is_declared_where_the_operators_load(monkeypatch):
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.setattr(torch.ops, "load_library", lambda path: None)
    monkeypatch.setattr(room, "_declare", lambda: pytest.fail("declared all the same"))
    monkeypatch.setattr("importlib.import_module", lambda name: f"{name} as it is")
    assert import_torchvision() == "torchvision as it is"


def test_operators_are_declared_where_they_do_not_load_and_timm_imports():
    code = (
        "import torch\n"
        "from deepself.networks import _torchvision as room\n"
        "def fail(path): raise OSError('libcudart.so')\n"
        "torch.ops.load_library = fail\n"
        "from deepself.networks import build\n"
        "build('timm/test_resnet', (3, 32, 32), 2)\n"
        "assert torch.ops.torchvision.nms and torch.ops.torchvision.qnms\n"
        "room.import_torchvision().models.resnet18(weights=None)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_torchvision_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="torchvision is not installed"):
        import_torchvision()
