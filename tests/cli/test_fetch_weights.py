"""`deepself fetch` brings published weights, and says what it knows of those it does not."""

import hashlib
import re
import sys

import pytest

from deepself.cli import fetch, main
from tests.store.file_server import serving


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("DEEPSELF_WEIGHTS", "DEEPSELF_MIRROR"):
        monkeypatch.delenv(name, raising=False)

    def run(file):
        status = main(["fetch", file, "--output", str(tmp_path / file)])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("timm-resnet18.a1_in2k.safetensors", r"timm/resnet18 has no weights 'a1_in2k', did you"),
        ("timm-resnet18.zz.safetensors", r"has no weights 'zz'; known: .*a1_in1k"),
        ("timm-resnett18.a1_in1k.safetensors", r"no architecture 'resnett18', did you mean resnet"),
        ("timm-gcvit_base.in1k.safetensors", r"have their home at https://.*give the file's path"),
        ("resnet18-f37072fe.pth", r"not published; .*; did you mean resnet18-f37072fd\.pth\?"),
        ("nothing", r"known: esc10, esc50, bonn, fer2013, and files of published weights$"),
    ],
)
def test_what_is_not_published_is_refused(run, file, said):
    status, _, error = run(file)
    assert status == 1 and re.search(said, error)
    assert len(error.splitlines()) == 1


def test_timms_weights_ask_for_timm(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    status, _, error = run("timm-resnet18.a1_in1k.safetensors")
    assert status == 1 and "pip install timm" in error


def test_timms_weights_come_from_the_hub_verified_and_once(run, tmp_path, monkeypatch):
    file = "timm-resnext101_32x8d.fb_wsl_ig1b_ft_in1k.safetensors"
    with serving() as server:
        server.content, server.name, server.redirect = b"weights", "model.safetensors", True
        server.headers = {"X-Linked-Etag": f'"{hashlib.sha256(b"weights").hexdigest()}"'}
        monkeypatch.setattr(fetch, "HUB", server.url)
        status, out, _ = run(file)
        assert status == 0 and out.endswith("SHA-256 verified\n")
        assert (tmp_path / file).read_bytes() == b"weights"
        asked = len(server.requests)
        monkeypatch.setitem(sys.modules, "timm", None)  # what is there needs neither timm nor net
        status, out, _ = run(file)
        assert status == 0 and "not verified" in out
        assert len(server.requests) == asked


def test_weights_of_a_package_are_copied(run, tmp_path):
    file = "efficientnet-lite0-57934424.pth"
    status, out, _ = run(file)
    assert status == 0 and "SHA-256 verified" in out
    assert (tmp_path / file).stat().st_size > 10**7
