"""The worst mistakes: the right ones, shown and heard, and not taken in by names."""

import base64
import hashlib
import io
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

from deepself.evaluation.results import results
from deepself.report import sound as sound_module
from deepself.report.mistakes import HARD, WORST, mistakes
from deepself.report.ranking import ranking
from deepself.report.render import render
from deepself.report.sound import BYTES, RATES, sound
from deepself.store.files import read_table, write_table
from deepself.store.predictions import read_predictions
from tests.report.browsing import Visit
from tests.synthetic import HOSTILE, RATE, Plan, build, finish

LONG = 12.0
"""Seconds of one recording, which is too long to be played whole."""


def with_recordings(tree, root):
    """Write the recordings of a made-up study, as its inventory then says; return the manifest."""
    (root / "files").mkdir(parents=True)
    known = {row["id"]: row for row in read_table(tree.layout.inventory) if row["samples"]}
    rows = []
    for number, row in enumerate(read_table(tree.layout.folds)):
        own, path = known[row["id"]], root / "files" / f"{number}.wav"
        seconds = LONG if number % 2 else float(own["duration"])
        time = np.arange(int(seconds * RATE)) / RATE
        wave = 0.3 * np.sin(2 * np.pi * (300 + 10 * number) * time)
        soundfile.write(path, np.stack([wave, wave], axis=1).astype(np.float32), RATE)
        own["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append([row["id"], row["label"], f"files/{number}.wav", "files/none.png"])
    write_table(root / "manifest.csv", ["id", "label", "audio", "picture"], rows)
    write_table(tree.layout.inventory, list(own), [list(row.values()) for row in known.values()])
    return root / "manifest.csv"


def of(tree):
    """What the report says of a tree's mistakes, and its figures."""
    drawn = {}
    names = [ranked.name for ranked in ranking(tree.study, tree.layout)]
    found = results(tree.study, tree.layout)
    return mistakes(tree.study, tree.layout, found, names, drawn), drawn


def means(tree, name):
    """Mean probabilities and label of each test item, over seeds: another way than the report's."""
    found, labels = defaultdict(list), {}
    for result in results(tree.study, tree.layout):
        if result.name == name:
            test = read_predictions(result.predictions).part("test").recordings()
            for item, label, row in zip(test.ids, test.true, test.probabilities, strict=True):
                found[result.fold, item].append(row)
                labels[result.fold, item] = label
    return {place: (np.mean(rows, axis=0), labels[place]) for place, rows in found.items()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    weak = {"picture_cnn": 0.3, "log_mel_cnn": 0.3, "wave_cnn": 0.3, "deep_svm": 0.7}
    plan = Plan(HOSTILE, 72, seeds=(0, 7), hostile_ids=True, windows=True, skill=weak)
    return finish(build(tmp_path_factory.mktemp("mistakes"), plan))


def test_the_worst_are_those_whose_true_class_got_least(tree):
    shown, _ = of(tree)
    assert shown.kind == "fusion"
    of_all = means(tree, ranking(tree.study, tree.layout)[0].name)
    wrong = {place: (row, t) for place, (row, t) in of_all.items() if row.argmax() != t}
    assert (shown.wrong, shown.of) == (len(wrong), 72)
    expected = sorted(wrong, key=lambda place: wrong[place][0][wrong[place][1]])[:WORST]
    assert [(one.fold, one.item) for one in shown.worst] == expected
    for one in shown.worst:
        row, true = wrong[one.fold, one.item]
        assert one.decided.label == HOSTILE[true]
        assert one.decided.taken_for == HOSTILE[row.argmax()]
        assert one.decided.true == pytest.approx(row[true])
        assert one.decided.probability == pytest.approx(row.max())


def test_hard_items_are_those_that_every_model_mistakes(tree):
    shown, _ = of(tree)
    found = {model: means(tree, model) for model in tree.study.models}
    expected = {}
    for place, (_, true) in found["wave_cnn"].items():
        taken = [int(found[model][place][0].argmax()) for model in found]
        if true not in taken:
            expected[place[1]] = (HOSTILE[true], Counter(taken).most_common(1)[0][1])
    assert 0 < len(expected) == shown.hards
    assert len(shown.hard) == min(HARD, len(expected))
    for hard in shown.hard:
        assert expected[hard.item] == (hard.label, hard.models)
        assert hard.taken_for != hard.label


def test_a_fusion_is_shown_by_a_feature_of_its_best_member(tree):
    shown, drawn = of(tree)
    best = next(r.name for r in ranking(tree.study, tree.layout) if r.kind == "model")
    assert best == "deep_svm"
    assert shown.feature == "picture"  # its own are vectors, made of pictures
    assert all(one.example.picture.startswith("data:image/png") for one in shown.worst)
    assert drawn == {}


@pytest.mark.parametrize(
    ("model", "feature", "figure"),
    [("log_mel_cnn", "log_mel", True), ("wave_cnn", "wave", True), ("picture_cnn", "picture", 0)],
)
def test_a_model_is_shown_by_what_it_reads(tmp_path, model, feature, figure):
    skill = dict.fromkeys(("picture_cnn", "log_mel_cnn", "wave_cnn", "deep_svm"), -1.0)
    skill[model] = 0.8 if model == "log_mel_cnn" else 2.0  # the mean of windows decides better
    tree = finish(build(tmp_path, Plan(skill=skill, windows=True)))
    shown, drawn = of(tree)
    assert (shown.name, shown.feature) == (model, feature)
    assert (len(drawn) == len(shown.worst) > 0) == bool(figure)
    windows = [one.example.note for one in shown.worst if "the first of 3" in one.example.note]
    assert len(windows) == (len(shown.worst) if feature == "log_mel" else 0)


def test_who_makes_no_mistake_is_said_to(tmp_path, browser):
    tree = finish(build(tmp_path, Plan(models=1, skill={"picture_cnn": 60.0})))
    shown, drawn = of(tree)
    assert (shown.worst, shown.wrong, shown.hard, drawn) == ([], 0, [], {})
    visit = Visit(browser, render(tree.study, tree.layout, command="x"))
    text = visit.page.inner_text("section[aria-labelledby=mistakes]")
    assert "picture_cnn made no mistake on test, in 48 items." in text
    assert visit.problems == []
    visit.page.close()


def test_a_class_that_a_fold_does_not_test(tmp_path):
    """Of 8 items in rounds of 3 classes, the third fold tests two."""
    tree = finish(build(tmp_path, Plan(items=8, models=3, skill={"wave_cnn": -9.0})))
    shown, _ = of(tree)
    assert shown.of == 8
    names = [ranked.name for ranked in ranking(tree.study, tree.layout)]
    found = results(tree.study, tree.layout)
    worst = mistakes(tree.study, tree.layout, found, ["wave_cnn", *names], {})
    assert (worst.name, worst.wrong, len(worst.worst)) == ("wave_cnn", 8, 8)
    assert {one.fold for one in worst.worst} == {"1", "2", "3"}


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """A study whose recordings are there, in its page; with the folder to be in."""
    folder = tmp_path_factory.mktemp("heard")
    skill = dict.fromkeys(("picture_cnn", "log_mel_cnn", "wave_cnn"), 0.7)
    plan = Plan(classes=HOSTILE, hostile_ids=True, models=3, skill=skill)
    tree = finish(build(folder, plan))
    with_recordings(tree, folder / "data/made_up")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        render(tree.study, tree.layout, command="x")
        yield tree


def test_recordings_can_be_heard(heard, browser):
    visit = Visit(browser, heard.layout.report, viewport={"width": 390, "height": 800})
    visit.see_all()
    page = visit.page
    shown, _ = of(heard)
    players = page.locator("section[aria-labelledby=mistakes] audio")
    assert players.count() == len(shown.worst) > 1
    seconds = page.evaluate(
        "Promise.all([...document.querySelectorAll('audio')].map((a) => new Promise((done) => {"
        " const say = () => done(a.error ? -1 : a.duration);"
        " a.onloadedmetadata = say; a.onerror = say; if (a.readyState) say(); })))"
    )
    expected = [one.sound.seconds for one in shown.worst]
    assert seconds == pytest.approx(expected, abs=0.2)
    captions = page.locator(".mistake figcaption").all_inner_texts()
    for one, caption in zip(shown.worst, captions, strict=True):
        assert one.item in caption
        assert f"{one.decided.label} (" in caption
        assert ("the first 10 s of 12 s" in caption) == (one.sound.of == LONG)
    assert {one.sound.of == LONG for one in shown.worst} == {True, False}
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.query_selector_all("img[src=x]") == []
    assert [url for url in visit.requests[1:] if not url.startswith("data:")] == []
    assert visit.problems == []
    page.close()


def test_the_page_is_the_same_each_time(heard):
    before = heard.layout.report.read_bytes()
    render(heard.study, heard.layout, command="x")
    assert heard.layout.report.read_bytes() == before


def test_recordings_that_are_gone_or_changed_are_said_to_be(heard, monkeypatch):
    shown, _ = of(heard)
    ids = [row["id"] for row in read_table(heard.layout.folds)]
    numbers = [ids.index(one.item) for one in shown.worst[:3]]
    files = Path("data/made_up/files").resolve()
    gone, changed, broken = (files / f"{number}.wav" for number in numbers)
    kept = {path: path.read_bytes() for path in (gone, changed, broken)}
    try:
        gone.unlink()
        soundfile.write(changed, np.array([0.1, -0.1] * RATE), RATE)
        broken.write_bytes(b"RIFF")
        again, _ = of(heard)
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
    assert [one.sound for one in again.worst[:3]] == [None] * 3
    first, second, third = (one.said for one in again.worst[:3])
    assert first == "the recording is not there any more"
    assert second == "the recording has changed since it was checked"
    assert third.startswith("the recording ") and third not in (first, second)
    assert again.worst[3:] == shown.worst[3:]
    assert [one.key for one in again.worst] == [one.key for one in shown.worst]  # still to be seen
    monkeypatch.chdir(heard.layout.folder)
    moved, _ = of(heard)
    assert {one.said for one in moved.worst} == {first}


def test_sounds_together_are_limited(heard, monkeypatch):
    monkeypatch.setattr(sound_module, "ALL_BYTES", 30_000)
    shown, _ = of(heard)
    sizes = [one.sound.size for one in shown.worst if one.sound]
    assert 0 < sum(sizes) <= 30_000
    assert len(sizes) < len(shown.worst)
    assert all("grow too large" in one.said for one in shown.worst if one.sound is None)
    monkeypatch.setattr(sound_module, "FILE_BYTES", 1)
    assert {one.said for one in of(heard)[0].worst} == {"its file is too large to be played here"}


def decoded(heard):
    data = base64.b64decode(heard.uri.partition(",")[2])
    assert len(data) == heard.size <= BYTES
    return soundfile.read(io.BytesIO(data))


@pytest.mark.parametrize("rate", [250, 2000, 8000, 22050, 44100, 96000])
@pytest.mark.parametrize("channels", [1, 3])
def test_sound_of_any_rate_is_what_it_was(rate, channels):
    time = np.arange(4 * rate) / rate
    tone = 0.5 * np.sin(2 * np.pi * 0.1 * rate * time) if rate < 9000 else np.sin(6000 * time) / 2
    one = sound(np.tile(tone, (channels, 1)).astype(np.float32), rate)
    values, found = decoded(one)
    assert found in RATES
    assert (one.seconds, one.of) == (pytest.approx(4, abs=0.01), 4)
    assert len(values) / found == pytest.approx(4, abs=0.2)
    assert np.abs(values).max() == pytest.approx(0.5, abs=0.1)
    hertz = np.fft.rfftfreq(len(values), 1 / found)[np.abs(np.fft.rfft(values)).argmax()]
    assert hertz == pytest.approx(0.1 * rate if rate < 9000 else 6000 / 2 / np.pi, rel=0.02)
    assert one == sound(np.tile(tone, (channels, 1)).astype(np.float32), rate)


def test_sound_without_mp3_is_shorter(monkeypatch):
    monkeypatch.setattr(soundfile, "available_formats", lambda: {"WAV": "WAV (Microsoft)"})
    noise = np.random.default_rng(0).uniform(-3, 3, (1, 44100 * 11)).astype(np.float32)
    one = sound(noise, 44100)
    values, rate = decoded(one)
    assert one.uri.startswith("data:audio/wav;base64,")
    assert rate == 16000
    assert len(values) / rate == pytest.approx(one.seconds)
    assert 4 < one.seconds < 5 < one.of == 11
    assert np.abs(values).max() <= 1


def test_silence_and_a_click_are_sounds():
    for samples in (1, 50, 8000):
        assert sound(np.zeros((1, samples), np.float32), 8000).of == samples / 8000
