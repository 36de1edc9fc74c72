"""Public data sets are downloaded whole or not at all, verified and imported."""

import hashlib
import http.server
import json
import threading

import pytest

from deepself.dataset.importers import bonn, fer2013, public
from deepself.store import download
from deepself.store.download import Remote
from deepself.store.files import read_table
from deepself.study import load
from tests.dataset.importers.public_forms import bonn_zips, esc50_zip, fer_csv


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server on loopback; it cuts off, in the middle, the files named in `cut`."""
    monkeypatch.setattr(download, "WAITS", ())
    folder = tmp_path / "public"
    folder.mkdir()
    cut = set()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *how):
            super().__init__(*how, directory=str(folder))

        def copyfile(self, source, target):
            content = source.read()
            half = self.path.strip("/") in cut
            target.write(content[: len(content) // 2] if half else content)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{httpd.server_port}", cut
        httpd.shutdown()


@pytest.fixture
def small(monkeypatch):
    """Take the small sets of these tests for what was published."""
    monkeypatch.setattr(bonn, "PER_SET", 3)
    monkeypatch.setattr(fer2013, "PUBLISHED", dict.fromkeys(("train", "dev", "test"), 14))
    monkeypatch.setattr(public, "esc50_problems", lambda *_, **__: [])


def publish(monkeypatch, names, file):
    """Take a file's own checksum for the published one."""
    checksum = f"md5:{hashlib.md5(file.read_bytes()).hexdigest()}"
    for name in names:
        old = public.PUBLIC[name]
        remote = Remote(file.name, "", checksum)
        new = public.PublicSet((remote,), old.cache, old.page, old.arguments)
        monkeypatch.setitem(public.PUBLIC, name, new)


def test_esc10_and_esc50_share_one_verified_download(run, server, small, tmp_path, monkeypatch):
    folder, url, _ = server
    archive = esc50_zip(folder / "ESC-50-master.zip")
    publish(monkeypatch, ("esc10", "esc50"), archive)
    status, out, _ = run("fetch", "esc10", "--url", url)
    assert status == 0 and "as many items" in out
    assert len(read_table("data/esc10/manifest.csv")) == 10
    source = json.loads((tmp_path / "data/esc10/source.json").read_text())
    assert source[0]["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert source[0]["published_checksum"].startswith("md5:")
    archive.unlink()
    monkeypatch.setenv("DEEPSELF_MIRROR", url)
    assert run("fetch", "esc50", "--to", "e")[0] == 0
    assert run("check", load("config/esc50.yaml") and "config/esc50.yaml")[0] == 0


def test_a_wrong_checksum_is_refused_and_nothing_stays(run, server, tmp_path):
    folder, url, _ = server
    esc50_zip(folder / "ESC-50-master.zip")  # not the one that the MD5 is of
    status, _, error = run("fetch", "esc50", "--url", url)
    assert status == 1 and "MD5 hash" in error
    assert "deepself import esc50 ESC-50-master.zip --to data/esc50" in error
    assert not list((tmp_path / "cache").rglob("*.*")) and not (tmp_path / "data").exists()


@pytest.mark.parametrize("kind", ["absent", "404", "cut"])
def test_without_a_download_a_line_says_how_to_go_on(run, server, tmp_path, monkeypatch, kind):
    folder, url, cut = server
    if kind == "cut":
        publish(monkeypatch, ("esc10",), esc50_zip(folder / "ESC-50-master.zip"))
        cut.add("ESC-50-master.zip")
    status, _, error = run(
        "fetch", "esc10", "--url", "http://127.0.0.1:9/" if kind == "absent" else url
    )
    assert status == 1
    assert f"cannot be downloaded ({'404' if kind == '404' else ''}" in error
    assert "get ESC-50-master.zip from https://github.com/karolpiczak/ESC-50 by hand" in error
    assert "`deepself import esc50 ESC-50-master.zip --esc10 --to data/esc10`" in error
    begun = [path.suffix for path in (tmp_path / "cache").rglob("*.*")]
    assert sorted(begun) == ([".json", ".part"] if kind == "cut" else [])
    assert not (tmp_path / "data").exists()


def test_bonn_has_no_published_checksum_so_its_content_is_counted(run, server, small, tmp_path):
    folder, url, _ = server
    bonn_zips(folder)
    status, out, _ = run("fetch", "bonn", "--url", url)
    assert status == 0 and "as many items" in out
    source = json.loads((tmp_path / "data/bonn/source.json").read_text())
    assert [entry["file"] for entry in source] == ["Z.zip", "O.zip", "N.zip", "F.zip", "S.zip"]
    assert {entry["published_checksum"] for entry in source} == {None}
    assert len(read_table("data/bonn/manifest.csv")) == 15


def test_bonn_that_lacks_recordings_is_refused(run, server, tmp_path):
    folder, url, _ = server
    bonn_zips(folder)
    status, _, error = run("fetch", "bonn", "--url", url)
    assert status == 1 and "set A has 3 recordings, 100 were published" in error
    assert not (tmp_path / "data/bonn/manifest.csv").exists()
    assert run("fetch", "bonn", "--url", url, "--force")[0] == 0


def test_a_later_download_that_differs_is_refused(run, server, small, tmp_path):
    folder, url, _ = server
    bonn_zips(folder)
    run("fetch", "bonn", "--url", url)
    for path in [*(tmp_path / "cache/deepself/data/bonn").iterdir()]:
        path.unlink()
    (tmp_path / "data/bonn/manifest.csv").unlink()
    (tmp_path / "config/bonn.yaml").unlink()
    bonn_zips(tmp_path / "new", samples=4096)
    (tmp_path / "new/S.zip").replace(folder / "S.zip")
    status, _, error = run("fetch", "bonn", "--url", url)
    assert status == 1 and "S.zip differs from what data/bonn/source.json records" in error


def test_a_page_in_place_of_an_archive_is_not_kept(run, server, tmp_path):
    folder, url, _ = server
    (folder / "Z.zip").write_text("<html>Are you a robot?</html>")
    status, _, error = run("fetch", "bonn", "--url", url)
    assert status == 1 and "is no archive, perhaps a page for browsers: get Z.zip O.zip" in error
    assert not (tmp_path / "cache/deepself/data/bonn/Z.zip").exists()


def test_a_bonn_archive_that_is_cut_off_is_brought_later(run, server, small, tmp_path):
    folder, url, cut = server
    bonn_zips(folder)
    cut.add("N.zip")
    status, _, error = run("fetch", "bonn", "--url", url)
    assert status == 1 and "N.zip cannot be downloaded" in error
    kept = {path.name for path in (tmp_path / "cache/deepself/data/bonn").glob("[!.]*")}
    assert kept == {"Z.zip", "O.zip"}
    cut.clear()
    assert run("fetch", "bonn", "--url", url)[0] == 0


def test_fer2013_needs_an_account_or_an_address(run, server, small, tmp_path, monkeypatch):
    folder, url, _ = server
    status, _, error = run("fetch", "fer2013")
    assert status == 1 and "needs an account" in error and "kaggle.com" in error
    assert "`deepself import fer2013 fer2013.csv --to data/fer2013`" in error
    publish(monkeypatch, ("fer2013",), fer_csv(folder / "fer2013.csv"))
    assert run("fetch", "fer2013", "--url", url)[0] == 0
    assert len(read_table("data/fer2013/manifest.csv")) == 42


def test_another_form_of_fer2013_has_its_own_checksum(run, server, tmp_path):
    folder, url, _ = server
    fer_csv(folder / "icml_face_data.csv")
    status, _, error = run("fetch", "fer2013", "--url", f"{url}/icml_face_data.csv")
    assert status == 1 and "b114b9e04e6949e5fe8b6a98b3892b1d" in error


def test_what_is_there_is_refused_before_any_download(run, tmp_path):
    (tmp_path / "data/bonn").mkdir(parents=True)
    (tmp_path / "data/bonn/manifest.csv").write_text("mine")
    status, _, error = run("fetch", "bonn", "--url", "http://127.0.0.1:9")
    assert status == 1 and "data/bonn/manifest.csv is there already" in error


def test_weights_still_need_a_place(run):
    status, _, error = run("fetch", "resnet18-f37072fd.pth")
    assert status == 1 and "--output" in error
    status, _, error = run("fetch", "nothing.pt", "--output", "x")
    assert status == 1 and "nothing.pt: not published; known: esc10, esc50" in error
