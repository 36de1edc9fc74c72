"""The table of published weights is whole, true to torchvision, and read without heavy imports."""

import hashlib
import re
from pathlib import Path

import pytest

from deepself.errors import UserError
from deepself.store import published as module
from deepself.store.published import (
    LINKED,
    PACKAGE,
    Published,
    is_imagenet,
    published,
    published_files,
    published_names,
    weights_digest,
    weights_file,
)
from deepself.study.networks import TYPES
from tests.importing import imported
from tests.store.published_table import COPIES, TORCHVISION, read, torchvision_rows

ROWS = read()
RESNET18 = "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec"


def test_torchvisions_rows_are_as_the_installed_torchvision_states_them():
    own = {*TORCHVISION, *COPIES}
    assert [row for row in ROWS if row[0] in own] == torchvision_rows()


def test_each_row_is_well_formed():
    digits = r"sha256:[0-9a-f]{64}|sha256-prefix:[0-9a-f]{8}|md5:[0-9a-f]{32}|"
    for network, name, file, url, checksum, learnt_on in ROWS:
        assert "weights" in TYPES[network].model_fields
        assert re.fullmatch(r"[a-z0-9_]+", name)
        assert re.fullmatch(r"[A-Za-z0-9._-]+", file)  # as a rule's wildcard and a path take it
        assert url.startswith(("https://", PACKAGE))
        assert re.fullmatch(digits, checksum), file
        assert learnt_on in ("pictures", "audio")


def test_a_file_name_stands_for_one_file():
    assert len({row[2] for row in ROWS}) == len({row[2:5] for row in ROWS})


def test_every_network_with_weights_has_some_published_or_says_that_it_has_not():
    without = {
        network
        for network, cls in TYPES.items()
        if "weights" in cls.model_fields and not published_names(network)
    }
    assert without == {"soundnet5", "soundnet8"}


def test_a_name_has_a_file_and_a_path_has_none():
    known = published("resnet50", "imagenet")
    assert known.file == published("resnet50", "imagenet1k_v2").file == "resnet50-11ad3fa6.pth"
    assert published_names("resnet50") == ["imagenet", "imagenet1k_v1", "imagenet1k_v2"]
    assert published("resnet50", "some/where.pth") is None
    assert published("cnn2d", "imagenet") is None
    assert weights_file(Path("r"), "resnet50", "imagenet") == Path("r/weights") / known.file
    assert weights_file(Path("r"), "resnet50", "some/where.pth") == Path("some/where.pth")
    assert published_files()[known.file].url == known.url


def test_timms_tags_are_taken_as_published_without_importing_timm(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network, tag = "timm/resnext101_32x8d", "fb_wsl_ig1b_ft_in1k"
    known = published(network, tag)
    assert known.file == "timm-resnext101_32x8d.fb_wsl_ig1b_ft_in1k.safetensors"
    assert known.url.endswith(
        "/timm/resnext101_32x8d.fb_wsl_ig1b_ft_in1k/resolve/main/model.safetensors"
    )
    assert known.checksum == LINKED and known.pictures
    assert module.TIMM_FILE.fullmatch(known.file).groups() == ("resnext101_32x8d", tag)
    assert weights_digest(network, tag) == f"{network}.{tag}"
    assert is_imagenet(network, tag)
    assert published(network, "some/where.pth") is published(network, "A1") is None
    Path("local").touch()
    assert published(network, "local") is None
    assert weights_digest(network, "local") == hashlib.sha256(b"").hexdigest()
    assert not is_imagenet(network, "local")


def test_the_digest_is_what_is_published_of_the_content():
    assert weights_digest("resnet18", "imagenet") == RESNET18
    assert weights_digest("resnet34", "imagenet") == "sha256-prefix:b627a593"
    assert weights_digest("cnn6", "audioset") == "md5:e25e26b84585b14c7754c91e48efc9be"
    assert weights_digest("mn40_as", "audioset") == "mn40_as.audioset"


@pytest.mark.parametrize(
    "checksum",
    [
        f"sha256:{hashlib.sha256(b'copy').hexdigest()}",
        f"sha256-prefix:{hashlib.sha256(b'copy').hexdigest()[:8]}",
        f"md5:{hashlib.md5(b'copy').hexdigest()}",
    ],
)
def test_a_copy_under_any_path_is_the_published_file(tmp_path, monkeypatch, checksum):
    known = Published("imagenet", "net.pth", "https://…", checksum, pictures=True)
    monkeypatch.setattr(module, "_table", lambda: {"resnet18": {"imagenet": known}})
    (tmp_path / "my.pth").write_bytes(b"copy")
    path = str(tmp_path / "my.pth")
    assert weights_digest("resnet18", path) == weights_digest("resnet18", "imagenet")
    assert is_imagenet("resnet18", path)
    (tmp_path / "my.pth").write_bytes(b"others")
    assert weights_digest("resnet18", path) == hashlib.sha256(b"others").hexdigest()
    assert not is_imagenet("resnet18", path)


def test_audio_weights_and_random_ones_are_not_imagenets():
    assert not is_imagenet("cnn14", "audioset")
    assert not is_imagenet("resnet18", None)
    assert not is_imagenet("cnn2d", "no/such/file")  # no weights are published for it
    assert is_imagenet("resnext101_32x8d_wsl", "wsl")


def test_a_path_that_cannot_be_read_is_named():
    with pytest.raises(UserError, match=r"no/such\.pth: cannot be read: No such file"):
        weights_digest("resnet18", "no/such.pth")


def test_the_workflows_parse_imports_nothing_heavy():
    code = "from deepself.store import published as p\np.published('resnet18', 'a')"
    assert not imported(code, ("torch", "numpy", "pandas", "requests", "timm", "pydantic"))
