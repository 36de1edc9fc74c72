"""`deepself networks` and `deepself describe`."""

import pytest
import torch

from deepself.cli import main
from deepself.networks import available, build
from deepself.study import Layout
from tests.tiny import make_study


def says(capsys, *arguments, status=0):
    assert main(list(arguments)) == status
    captured = capsys.readouterr()
    return captured.err if status else captured.out


def test_every_network_is_listed(capsys):
    words = says(capsys, "networks").replace(",", " ").split()
    assert [name for name in (*available(), "timm/…", "branches") if name not in words] == []


def test_one_network_has_its_settings_choices_and_weights(capsys):
    text = says(capsys, "networks", "cnn2d")
    assert "How the maps become one vector. One of mean, max, attention, flatten. [mean]" in text
    assert "reads: spectral images, picture, rendered" in text
    assert "imagenet" in says(capsys, "networks", "resnet18")
    assert "did you mean resnet" in says(capsys, "networks", "resnet17", status=1)


def test_describe_a_network_alone(capsys):
    text = says(capsys, "describe", "--network", "cnn1d", "--shape", "2", "100", "--classes", "5")
    assert text.startswith("CNN1d over 2 × 100\n")
    rows = [line.split() for line in text.splitlines()]
    classifier = next(row for row in rows if row and row[0] == "classifier")
    assert classifier == ["classifier", "Linear", "5", "325", "320"]
    assert any(row[:1] == ["parameters"] for row in rows)


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    branch = {"feature": "trace", "network": {"type": "dense"}}
    mel = {"feature": "log_mel", "network": {"type": "cnn2d", "channels": [4]}}
    network = {"type": "branches", "branches": {"mel": mel, "trace": branch}}
    return str(make_study(tmp_path, models__both={"network": network}))


def test_describe_a_study_s_models(study, capsys):
    assert "run check first" in says(capsys, "describe", study, "cnn", status=1)
    assert main(["check", study]) == 0
    capsys.readouterr()
    text = says(capsys, "describe", study, "cnn")
    assert text.startswith("CNN2d over 1 × 16 × 8\n")
    assert "classifier" in text
    both = says(capsys, "describe", study, "both")
    assert both.startswith("Branched over 1 × 16 × 8 and 2 × 40\n")
    assert "networks.mel_branch.stack" in both


def test_describe_says_what_is_wrong(study, capsys):
    assert "unknown model 'cnm', did you mean cnn?" in says(
        capsys, "describe", study, "cnm", status=1
    )
    assert "svm is a classifier (linear_svm)" in says(capsys, "describe", study, "svm", status=1)
    assert "give STUDY and MODEL" in says(capsys, "describe", status=1)
    assert "--shape: say the shape" in says(capsys, "describe", "--network", "dense", status=1)
    deep = ["describe", "--network", "cnn1d", "--shape", "1", "4"]
    assert "layer 3" in says(capsys, *deep, status=1)
    unknown = ["describe", "--network", "cnn4d", "--shape", "1", "4"]
    assert "did you mean 'cnn" in says(capsys, *unknown, status=1)


def test_check_refuses_a_network_that_does_not_fit(study, capsys):
    deep = "models.cnn.network.channels=[4,4,4,4,4,4]"
    message = says(capsys, "check", study, "--set", deep, status=1)
    (line,) = message.splitlines()
    assert "models.cnn (feature log_mel (1, 16, 8)): network: layer 4" in line
    assert not Layout("tiny").inventory.exists()  # else the workflow would go on


def test_check_refuses_weights_and_layers_that_do_not_fit(study, capsys, tmp_path):
    torch.save({"fc.weight": torch.zeros(3)}, tmp_path / "other.pt")
    pretrained = f"models.cnn.network={{type: resnet18, weights: {tmp_path}/other.pt}}"
    message = says(capsys, "check", study, "--set", pretrained, status=1)
    assert "models.cnn" in message
    assert "missing conv1.weight" in message
    own = build("resnet18", (3, 16, 16), 2)
    torch.save(own.state_dict(), tmp_path / "own.pt")
    shown = "features.shown={kind: rendered, of: log_mel, height: 16, width: 16}"
    deep = "features.deep={{kind: embedding, of: shown, network: resnet18, weights: {}, layer: {}}}"
    model = "models.deep={feature: deep, classifier: {type: linear_svm}}"
    wrong = deep.format(tmp_path / "own.pt", "layr3")
    message = says(capsys, "check", study, "--set", shown, "--set", wrong, "--set", model, status=1)
    assert "features.deep: layer: no layer 'layr3'" in message
    right = deep.format(tmp_path / "own.pt", "layer3")
    assert main(["check", study, "--set", shown, "--set", right, "--set", model]) == 0
