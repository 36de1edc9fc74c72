"""Published weights are fetched once, verified, and never executed."""

import functools
import hashlib
import http.server
import threading

import pytest
import torch

from deepself.errors import UserError
from deepself.store.published import Published
from deepself.store.weights import fetch_weights, read_weights


@pytest.fixture
def server(tmp_path):
    """A server on loopback that counts its requests."""
    folder = tmp_path / "public"
    folder.mkdir()
    served = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            served.append(self.path)
            super().do_GET()

        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{httpd.server_port}", served
        httpd.shutdown()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DEEPSELF_WEIGHTS", raising=False)


def published(url, content=b"weights"):
    return Published("x", "net.pt", f"{url}/net.pt", hashlib.sha256(content).hexdigest())


def test_download_is_verified_and_cached(server, tmp_path):
    folder, url, served = server
    (folder / "net.pt").write_bytes(b"weights")
    for name in ("one.pt", "two.pt"):
        fetch_weights(published(url), tmp_path / name)
        assert (tmp_path / name).read_bytes() == b"weights"
    assert served == ["/net.pt"]


def test_wrong_content_is_refused(server, tmp_path):
    folder, url, _ = server
    (folder / "net.pt").write_bytes(b"something else")
    with pytest.raises(UserError, match=r"net\.pt"):
        fetch_weights(published(url), tmp_path / "one.pt")
    assert not (tmp_path / "one.pt").exists()


def test_named_folder_comes_first_and_is_verified_too(server, tmp_path, monkeypatch):
    _, url, served = server
    named = tmp_path / "named"
    named.mkdir()
    monkeypatch.setenv("DEEPSELF_WEIGHTS", str(named))
    (named / "net.pt").write_bytes(b"weights")
    assert fetch_weights(published(url), tmp_path / "one.pt") == named / "net.pt"
    (named / "net.pt").write_bytes(b"damaged")
    with pytest.raises(UserError, match="checksum is"):
        fetch_weights(published(url), tmp_path / "one.pt")
    assert served == []


def test_offline_says_which_file_to_put_where(tmp_path):
    with pytest.raises(UserError, match=r"put the file net\.pt into .*weights.*DEEPSELF_WEIGHTS"):
        fetch_weights(published("http://127.0.0.1:9"), tmp_path / "one.pt")


class Evil:
    def __reduce__(self):
        return (open, ("executed", "w"))


def test_code_in_a_weights_file_is_not_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(UserError, match=r"evil\.pt: not a weights file that can be read safely"):
        read_weights(tmp_path / "evil.pt")
    assert not (tmp_path / "executed").exists()
