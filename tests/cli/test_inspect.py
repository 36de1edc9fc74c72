"""`deepself inspect`: what a feature file holds, in the terminal and as a page."""

import re
from pathlib import Path

import h5py
import pytest

from deepself.cli import main
from tests.tiny import make_study

MASKED = "dataset.modalities.audio.duration={seconds: 0.5, shorter: mask}"
WINDOWS = "features.log_mel.window={seconds: 0.1, overlap: 0.5}"


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Make one feature of the tiny study; return its file."""
    monkeypatch.chdir(tmp_path)
    study = str(make_study(tmp_path))

    def run(name, *overrides):
        options = [text for override in overrides for text in ("--set", override)]
        for verb in (["check"], ["split"], ["extract", "--feature", name]):
            assert main([verb[0], study, *verb[1:], *options]) == 0
        (file,) = Path("results/features").glob("*.h5")
        return file

    return run


@pytest.fixture
def see(capsys):
    """Inspect and return what was printed, the errors, and the status."""

    def run(*arguments):
        capsys.readouterr()
        status = main(["inspect", *map(str, arguments)])
        printed = capsys.readouterr()
        return printed.out, printed.err, status

    return run


def fact(text, name):
    return re.search(rf"^{name}  +(.*)$", text, re.MULTILINE).group(1)


def test_what_is_in_the_file_is_printed(made, see):
    path = made("log_mel")
    out, _, status = see(path)
    assert status == 0
    assert fact(out, "file") == str(path)
    assert fact(out, "kind") == "log_mel"
    assert fact(out, "recordings") == "18"
    assert fact(out, "rows") == "18, one a recording"
    assert fact(out, "shape") == "1 × 16 × 8 (channels × frequencies × frames)"
    assert fact(out, "lasts") == "about 0.256 s"
    assert fact(out, "rate") == "31.25 frames a second"
    assert fact(out, "frequencies").endswith(" Hz in 16 rows")
    assert fact(out, "kept as") == "float32, compression: none"
    assert fact(out, "size").endswith("9.22 kB in memory, as float32")
    assert fact(out, "values").endswith("no NaN (in all rows)")
    assert fact(out, "shards") == "none, it is one file"
    assert fact(out, "made by").startswith("deepself ")
    assert "    n_fft: 128\n" in out
    assert f"  recordings: {path.stem.rsplit('-', 1)[1]}\n" in out
    assert out.endswith(f"\nresults/inspect/{path.stem}.html\n")


def test_the_page_draws_samples(made, see):
    path = made("log_mel")
    see(path)
    page = Path(f"results/inspect/{path.stem}.html").read_text()
    assert f"<title>{path.name} – deepself</title>" in page
    assert page.count('<div class="figure"') == 3
    assert "<span>high-0</span>" in page and "<span>noise-5</span>" in page
    assert '"text": "Hz"' in page


def test_named_recordings_are_drawn_to_a_named_page(made, see, tmp_path):
    out, _, _ = see(made("trace"), "--recordings", "low-1", "--output", tmp_path / "a/page.html")
    assert out.endswith("a/page.html\n")
    page = (tmp_path / "a/page.html").read_text()
    assert page.count('<div class="figure"') == 1
    assert "<span>low-1</span>" in page


def test_windows_true_lengths_and_compression(made, see):
    kept = ("features.log_mel.dtype=float16", "features.log_mel.compression=gzip")
    out, _, _ = see(made("log_mel", WINDOWS, *kept))
    assert fact(out, "rows") == "72 windows, 4 a recording"
    assert fact(out, "kept as") == "float16, compression: gzip"
    assert "unpacked" in fact(out, "size")
    assert "window:\n      overlap: 0.5" in out


def test_true_lengths(made, see):
    out, _, _ = see(made("wave", MASKED))
    said = "shortest 500, median 500, longest 500 of 1000 samples"
    assert fact(out, "true lengths") == said
    assert fact(out, "lasts") == "0.5 s"
    assert "up to their true lengths" in fact(out, "values")
    page = next(Path("results/inspect").glob("*.html")).read_text()
    assert "true length: 500 of 1000 samples" in page


def test_shards_are_counted_and_each_is_a_feature_file(made, see):
    path = made("log_mel", "features.log_mel.shards=2", "features.log_mel.compression=lzf")
    out, _, _ = see(path)
    assert fact(out, "kept as") == "float32, compression: lzf"
    assert fact(out, "shards").startswith("2, all there: ")
    shard = Path(f"results/features/shards/{path.stem}/2-of-2.h5")
    out, _, _ = see(shard)
    assert fact(out, "recordings") == "9"
    assert out.endswith(f"results/inspect/{path.stem}-2-of-2.html\n")
    shard.unlink()
    _, err, status = see(path)
    assert status == 1
    assert "made of 2 shards, of which " in err and "2-of-2.h5 is missing" in err
    assert err.count("\n") == 1


def test_a_file_from_elsewhere_has_its_page_right_here(made, see):
    made("log_mel").rename("moved.h5")
    out, _, _ = see("moved.h5")
    assert out.endswith("\nmoved.html\n")
    assert Path("moved.html").is_file()


def damage(path, how):
    """Spoil a feature file; return what is then to be inspected."""
    if how == "gone":
        path.unlink()
    elif how == "folder":
        return path.parent
    elif how == "text":
        path.write_text("id,label\n")
    elif how == "interrupted":
        return path.rename(path.with_name(f".{path.name}.part"))
    elif how == "cut off":
        path.write_bytes(path.read_bytes()[:-2000])
    else:
        with h5py.File(path, "r+") as file:
            if how == "no items":
                del file["items"], file.attrs["versions"]
            else:
                file.attrs["specification"] = "{"
    return path


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("gone", "no such file"),
        ("folder", "a folder; name one feature file"),
        ("text", "no HDF5 file"),
        ("interrupted", "interrupted, not whole yet; run extract again"),
        ("cut off", "damaged"),
        ("no items", "no feature file of this version: lacks items, versions"),
        ("no JSON", "not a whole feature file"),
    ],
)
def test_other_files_are_refused_in_one_line(made, see, how, said):
    path = damage(made("log_mel"), how)
    _, err, status = see(path)
    assert status == 1
    assert err.startswith(f"deepself inspect: {path}: ")
    assert said in err
    assert err.count("\n") == 1
    assert not Path("results/inspect").exists()


def test_an_unknown_recording_is_refused_with_the_nearest(made, see):
    _, err, status = see(made("log_mel"), "--recordings", "high-0", "low-")
    assert status == 1
    assert "has no recording 'low-', did you mean low-" in err
    assert err.count("\n") == 1
