"""Downloads are whole and verified, and go on where they were cut off."""

import hashlib
import random

import pytest

from deepself.errors import UserError
from deepself.store import download as module
from deepself.store import progress
from deepself.store.download import Remote, download, linked_checksum
from tests.store.file_server import serving

CONTENT = random.Random(0).randbytes(100_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(module, "WAITS", (0, 0, 0))
    monkeypatch.setattr(module, "PIECE", 1000)


@pytest.fixture
def server():
    with serving() as served:
        served.content = CONTENT
        yield served


def fetch(server, folder, checksum=f"sha256:{SHA256}"):
    path = download(Remote("net.pt", f"{server.url}/net.pt", checksum), folder, "put it there")
    assert path == folder / "net.pt"
    return path.read_bytes()


def left(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    "checksum", [f"sha256:{SHA256}", f"sha256-prefix:{SHA256[:8]}", f"md5:{MD5}", None]
)
def test_a_file_is_brought_once(server, tmp_path, checksum):
    for _ in range(2):
        assert fetch(server, tmp_path, checksum) == CONTENT
    assert server.requests == [("GET", None)]
    assert left(tmp_path) == ["net.pt"]


def test_a_damaged_file_in_its_place_is_brought_again(server, tmp_path):
    (tmp_path / "net.pt").write_bytes(b"damaged")
    assert fetch(server, tmp_path) == CONTENT


def test_what_is_cut_off_goes_on_where_it_stopped(server, tmp_path):
    server.cuts = [30_000, 20_000, None]
    assert fetch(server, tmp_path) == CONTENT
    assert [asked for _, asked in server.requests] == [None, "bytes=30000-", "bytes=50000-"]
    assert server.bytes == len(CONTENT)


def test_a_download_that_makes_progress_may_be_cut_off_often(server, tmp_path):
    server.cuts = [10_000] * 9
    assert fetch(server, tmp_path) == CONTENT
    assert server.bytes == len(CONTENT)


def test_what_has_come_outlives_the_process(server, tmp_path):
    server.cuts = [40_000, 0, 0, 0, 0]
    with pytest.raises(UserError, match=r"cut off.*what has come \(0\.04 MB\) is kept.*put it"):
        fetch(server, tmp_path)
    assert left(tmp_path) == [".net.pt.part", ".net.pt.part.json"]
    assert fetch(server, tmp_path) == CONTENT
    assert server.requests[-1] == ("GET", "bytes=40000-")
    assert server.bytes == len(CONTENT)
    assert left(tmp_path) == ["net.pt"]


def cut_off(server, folder, checksum=f"sha256:{SHA256}"):
    server.cuts = [40_000, 0, 0, 0, 0]
    with pytest.raises(UserError, match="cut off"):
        fetch(server, folder, checksum)


def test_a_server_that_ignores_ranges_begins_anew(server, tmp_path):
    server.ranges, server.cuts = False, [40_000, None]
    assert fetch(server, tmp_path) == CONTENT
    assert [asked for _, asked in server.requests] == [None, "bytes=40000-"]
    assert server.bytes == 40_000 + len(CONTENT)


def test_a_file_that_has_changed_begins_anew(server, tmp_path):
    cut_off(server, tmp_path, checksum=None)
    server.content = CONTENT[::-1]
    assert fetch(server, tmp_path, checksum=None) == CONTENT[::-1]


def test_a_changed_file_of_a_server_without_marks_is_noticed_by_the_checksum(server, tmp_path):
    server.etag = False
    new = CONTENT[::-1]
    checksum = f"md5:{hashlib.md5(new).hexdigest()}"
    cut_off(server, tmp_path, checksum)
    server.content = new
    assert fetch(server, tmp_path, checksum) == new
    assert [asked for _, asked in server.requests[-2:]] == ["bytes=40000-", None]


def test_without_mark_and_checksum_nothing_is_gone_on_with(server, tmp_path):
    server.etag = False
    cut_off(server, tmp_path, checksum=None)
    fetch(server, tmp_path, checksum=None)
    assert server.requests[-1] == ("GET", None)


def test_a_file_that_became_shorter_begins_anew(server, tmp_path):
    server.etag = False
    new = CONTENT[:1000]
    checksum = f"md5:{hashlib.md5(new).hexdigest()}"
    cut_off(server, tmp_path, checksum)
    server.content = new
    assert fetch(server, tmp_path, checksum) == new


def test_another_address_begins_anew(server, tmp_path):
    cut_off(server, tmp_path)
    remote = Remote("net.pt", f"{server.url}/elsewhere/net.pt", f"sha256:{SHA256}")
    download(remote, tmp_path, "")
    assert server.requests[-1] == ("GET", None)


def test_what_came_whole_but_was_not_put_into_its_place_needs_no_request(server, tmp_path):
    cut_off(server, tmp_path)
    (tmp_path / ".net.pt.part").write_bytes(CONTENT)
    asked = len(server.requests)
    assert fetch(server, tmp_path) == CONTENT
    assert len(server.requests) == asked


@pytest.mark.parametrize(
    ("checksum", "said"),
    [
        ("sha256:" + "0" * 64, f"its SHA-256 is {SHA256}, not 000"),
        ("md5:" + "0" * 32, f"its MD5 hash is {MD5}, not 000"),
        ("sha256-prefix:00000000", rf"published is {SHA256[:8]}, not 00000000 as published"),
    ],
)
def test_wrong_content_is_refused_and_nothing_stays(server, tmp_path, checksum, said):
    with pytest.raises(UserError, match=f"net.pt: .*{said}.*; put it there"):
        fetch(server, tmp_path, checksum)
    assert left(tmp_path) == []


def test_a_busy_server_is_asked_again(server, tmp_path):
    server.answers = [503, 429, None]
    assert fetch(server, tmp_path) == CONTENT
    assert len(server.requests) == 3


def test_a_server_that_stays_busy_is_named(server, tmp_path):
    server.answers = [503] * 9
    with pytest.raises(UserError, match=r"cannot be downloaded \(503 Service Unavailable\)"):
        fetch(server, tmp_path)
    assert len(server.requests) == 4


def test_a_file_that_is_not_there_is_asked_for_once(server, tmp_path):
    server.name = "other.pt"
    with pytest.raises(UserError, match=r"net\.pt cannot be downloaded \(404 Not Found\): put it"):
        fetch(server, tmp_path)
    assert len(server.requests) == 1


def test_without_a_network_nothing_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(module.time, "sleep", lambda _: pytest.fail("waited"))
    with pytest.raises(UserError, match=r"cannot be downloaded \(no connection\): put it there"):
        download(Remote("net.pt", "http://127.0.0.1:9/net.pt", None), tmp_path, "put it there")
    assert left(tmp_path) == []


def test_a_folder_without_access_is_named(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be downloaded \(.*file.*\): put it there"):
        download(Remote("a", f"{server.url}/net.pt", None), tmp_path / "file" / "x", "put it there")


def test_a_job_logs_a_line_now_and_then(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "EVERY", -1)
    fetch(server, tmp_path)
    first, *_ = capsys.readouterr().err.splitlines()
    assert first == "net.pt: 0 of 0 MB"


def test_a_terminal_has_a_bar(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    server.cuts = [50_000, None]
    fetch(server, tmp_path)
    assert "net.pt:  50%" in capsys.readouterr().err


@pytest.mark.parametrize("redirect", [True, False])
def test_a_hub_says_the_checksum_of_a_file(server, redirect):
    server.redirect = redirect
    server.headers = {"X-Linked-Etag": f'"{SHA256}"'}
    assert linked_checksum(f"{server.url}/net.pt") == f"sha256:{SHA256}"
    assert server.requests == [("HEAD", None)]
    assert server.bytes == 0


@pytest.mark.parametrize("headers", [{}, {"X-Linked-Etag": '"0a1b"'}])
def test_a_hub_that_says_no_checksum(server, headers):
    server.redirect, server.headers = True, headers
    assert linked_checksum(f"{server.url}/net.pt") is None
    assert linked_checksum("http://127.0.0.1:9/net.pt") is None
