"""What the benchmarks of features time; every function here runs in a process of its own."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
import yaml
from stopwatch import Timed, interleaved, timed

from deepself.dataset.folds import split_study
from deepself.dataset.inventory import take_inventory
from deepself.features.extract import extract
from deepself.store.feature_writer import Batch, FeatureWriter, Header
from deepself.store.features import FeatureFile
from deepself.store.files import read_table
from deepself.study import Layout, load
from deepself.study.identity import feature_file

AUDIO_RATE = 32000
AUDIO_SECONDS = 5.0
BAND = (50, 15000)
MEL = {"n_fft": 1024, "hop_length": 320, "n_mels": 64}
EEG_RATE = 173.61
EEG_BAND = (0.5, 40)
EEG_FREQUENCIES = (1.0, 80.0, 64)

Times = dict[str, list[Timed]]


# Studies: what `check` and `split` find is there before anything is timed.


def make_study(folder: Path, rows: list[dict[str, str]], modality: dict, features: dict) -> Path:
    """Write a study over some recordings, check and split it; return its file."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "manifest.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", "path", "label"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    study = {
        "name": "benchmark",
        "dataset": {
            "root": str(folder),
            "modalities": {"signal": {"column": "path", **modality}},
        },
        "splits": {"method": "stratified"},
        "features": {name: {"modality": "signal", **spec} for name, spec in features.items()},
        "models": {
            name: {"feature": name, "classifier": {"type": "linear_svm"}} for name in features
        },
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study), encoding="utf-8")
    checked, layout = load(path), Layout("benchmark", folder / "results")
    take_inventory(checked, layout, 2)
    split_study(checked, layout)
    return path


def manifest_rows(data: Path, column: str, count: int) -> list[dict[str, str]]:
    """Evenly chosen rows of a data set's manifest, with the whole path of each file."""
    with open(data / "manifest.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    step = max(1, len(rows) // count)
    return [row | {"path": str((data / row[column]).resolve())} for row in rows[::step]][:count]


def make_esc10(data: Path, folder: Path, count: int) -> Path:
    """Make the study of ESC-10's log-mel spectrograms."""
    duration = {"seconds": AUDIO_SECONDS}
    modality = {"kind": "audio", "sample_rate": AUDIO_RATE, "duration": duration}
    band = {"low": BAND[0], "high": BAND[1], "order": 4, "zero_phase": True}
    features = {"log_mel": {"kind": "log_mel", "filter": band, **MEL}}
    return make_study(folder, manifest_rows(data / "esc10", "audio", count), modality, features)


def make_bonn(data: Path, folder: Path, count: int) -> Path:
    """Make the study of Bonn's waveforms and scalograms."""
    low, high, bins = EEG_FREQUENCIES
    band = {"low": EEG_BAND[0], "high": EEG_BAND[1]}
    features = {
        "waveform": {"kind": "waveform", "filter": band},
        "scalogram": {
            "kind": "scalogram",
            "filter": band,
            "frequencies": {"low": low, "high": high, "count": bins},
        },
    }
    modality = {"kind": "sensor", "sample_rate": EEG_RATE}
    return make_study(folder, manifest_rows(data / "bonn", "eeg", count), modality, features)


def make_short(folder: Path, count: int) -> Path:
    """Write short sounds, and make the study of their log-mel spectrograms."""
    import soundfile

    random, rows = np.random.default_rng(0), []
    (folder / "sounds").mkdir(parents=True)
    for number in range(count):
        path = folder / f"sounds/{number}.wav"
        soundfile.write(path, 0.1 * random.standard_normal(4000), 8000)
        rows.append({"id": str(number), "path": str(path), "label": "ab"[number % 2]})
    features = {"log_mel": {"kind": "log_mel", "n_fft": 256, "hop_length": 128, "n_mels": 32}}
    return make_study(folder, rows, {"kind": "audio", "sample_rate": 8000}, features)


def stored(study: Path, name: str) -> Path:
    """Where a study's feature lies."""
    return feature_file(load(study), Layout("benchmark", study.parent / "results"), name)


# Section 1: scalograms.


def scalograms(data: Path, wavelet: str, count: int, repetitions: int) -> tuple[Times, dict]:
    """Time ours and PyWavelets' ways; also the largest difference of each from ours."""
    import pywt

    from deepself.signal import scalogram, wavelet_frequencies

    paths = [row["path"] for row in manifest_rows(data / "bonn", "eeg", count)]
    signals = np.stack([np.loadtxt(path) for path in paths])
    narrow = signals.astype(np.float32)
    hertz = wavelet_frequencies(*EEG_FREQUENCIES)
    scales = pywt.frequency2scale(wavelet, hertz / EEG_RATE)

    def ours(parts: int) -> np.ndarray:
        image = np.empty((count, len(hertz), signals.shape[1]), np.float32)
        batches = torch.from_numpy(narrow).split(count // parts)
        if parts == 1:
            return scalogram(batches[0], EEG_RATE, wavelet=wavelet, frequencies=hertz).numpy()
        for i, batch in enumerate(batches):
            image[i] = scalogram(batch, EEG_RATE, wavelet=wavelet, frequencies=hertz)[0]
        return image

    def theirs(values: np.ndarray, method: str) -> np.ndarray:
        image = np.empty((count, len(hertz), signals.shape[1]), np.float32)
        for i, one in enumerate(values):
            image[i] = np.abs(pywt.cwt(one, scales, wavelet, method=method)[0])
        return image

    makers: dict[str, Callable[[], np.ndarray]] = {
        "ours, one batch": lambda: ours(1),
        "ours, one at a time": lambda: ours(count),
        "pywt conv, float32": lambda: theirs(narrow, "conv"),
        "pywt conv, float64": lambda: theirs(signals, "conv"),
        "pywt fft, float32": lambda: theirs(narrow, "fft"),
        "pywt fft, float64": lambda: theirs(signals, "fft"),
    }
    exact = theirs(signals, "conv")
    peaks = exact.max(axis=(1, 2), keepdims=True)
    differences = {
        name: float((np.abs(make() - exact) / peaks).max()) for name, make in makers.items()
    }
    ways = {name: lambda make=make: timed(make) for name, make in makers.items()}
    return interleaved(ways, repetitions), differences


# Section 2: log-mel spectrograms from files.


def extracted(study: Path, name: str, workers: int) -> Timed:
    """Extract a feature anew."""
    stored(study, name).unlink(missing_ok=True)
    layout = Layout("benchmark", study.parent / "results")
    loaded = load(study)
    return timed(lambda: extract(loaded, layout, name, workers))


def by_librosa(study: Path, narrow: bool) -> Timed:
    """Do the same steps one file at a time; `narrow` makes the filtered signal float32 again."""
    paths = [row["path"] for row in read_table(study.parent / "results/benchmark/inventory.csv")]
    frames = 1 + int(AUDIO_RATE * AUDIO_SECONDS) // MEL["hop_length"]

    def work() -> None:
        with h5py.File(study.parent / "librosa.h5", "w") as file:
            shape = (len(paths), 1, MEL["n_mels"], frames)
            items = file.create_dataset("items", shape, "float32")
            for i, path in enumerate(paths):
                items[i, 0] = _log_mel_of(path, narrow)

    return timed(work)


def _log_mel_of(path: str, narrow: bool) -> np.ndarray:
    import librosa
    from scipy.signal import butter, sosfiltfilt

    signal, rate = librosa.load(path, sr=AUDIO_RATE)
    sections = butter(4, BAND, "bandpass", fs=rate, output="sos")
    signal = sosfiltfilt(sections, signal)
    if narrow:
        signal = signal.astype(np.float32)
    signal = librosa.util.fix_length(signal, size=int(AUDIO_RATE * AUDIO_SECONDS))
    return librosa.power_to_db(librosa.feature.melspectrogram(y=signal, sr=rate, **MEL))


def decoded_only(study: Path) -> Timed:
    """Decode and resample, the part that both ways have in common."""
    import soundfile
    import soxr

    paths = [row["path"] for row in read_table(study.parent / "results/benchmark/inventory.csv")]

    def work() -> None:
        for path in paths:
            signal, rate = soundfile.read(path, dtype="float32")
            soxr.resample(signal, rate, AUDIO_RATE)

    return timed(work)


def largest_differences(study: Path) -> tuple[float, float]:
    """Largest difference of ours from librosa's in dB: 0.1 s or more before the end, and later."""
    rows = read_table(study.parent / "results/benchmark/inventory.csv")
    with FeatureFile(stored(study, "log_mel")) as ours:
        mine = ours.read([row["id"] for row in rows])
    with h5py.File(study.parent / "librosa.h5") as file:
        differences = np.abs(mine - file["items"][:]).max(axis=(1, 2))
    seconds = np.arange(differences.shape[1]) * MEL["hop_length"] / AUDIO_RATE
    early = seconds < np.array([[float(row["duration"])] for row in rows]) - 0.1
    return float(differences[early].max()), float(differences[~early].max())


# Section 3: memory.


def peak_memory(study: Path, workers: int) -> tuple[float, float]:
    """Peak memory in MB of this process before and after it extracts; needs a fresh process."""
    before = _peak()
    extracted(study, "log_mel", workers)
    return before, _peak()


def _peak() -> float:
    # getrusage would count what the process was before it became this program.
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1000
    raise ValueError("/proc/self/status names no VmHWM")


# Section 4: reading batches.


def reading_and_training(study: Path, epochs: int) -> dict[str, list[Timed]]:
    """Time reading shuffled batches of 32 and a small network's step on each, in turn."""
    from deepself.networks import build

    random = np.random.default_rng(0)
    times: Times = {"read": [], "step": []}
    with FeatureFile(stored(study, "log_mel")) as file:
        rows = file.rows(file.ids)
        file.read_rows(rows)  # into the page cache
        network = build("cnn2d", file.shape, 10, channels=[16, 32, 64]).train()
        optimiser = torch.optim.Adam(network.parameters())
        targets = torch.from_numpy(random.integers(0, 10, 32))
        batch: dict[str, Any] = {}

        def read(chosen: np.ndarray) -> None:
            batch["items"] = torch.from_numpy(file.read_rows(chosen))

        def step() -> None:
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(network(batch["items"]), targets).backward()
            optimiser.step()

        for epoch in range(epochs + 1):
            shuffled = random.permutation(rows)
            for first in range(0, len(rows) - 31, 32):
                chosen = shuffled[first : first + 32]
                found = {"read": timed(lambda c=chosen: read(c)), "step": timed(step)}
                for name in times:
                    times[name] += [found[name]] * (epoch > 0)  # the first epoch warms up
    return times


# Section 5: keeping.


def keeping(study: Path, name: str, repetitions: int) -> dict[str, Any]:
    """Time writing and reading a feature in each way it can be kept."""
    with FeatureFile(stored(study, name)) as file:
        items, ids, checksums = file.read(file.ids), file.ids, file.checksums
    folder = study.parent / "kept"
    folder.mkdir(exist_ok=True)
    kinds = [(d, c) for d in ("float32", "float16") for c in ("none", "lzf", "gzip")]
    order = np.arange(len(items))
    shuffled = np.random.default_rng(0).permutation(order)
    paths = {f"{dtype}/{codec}": folder / f"{name}-{dtype}-{codec}.h5" for dtype, codec in kinds}
    ways: dict[str, Callable[[], Timed]] = {}
    for (dtype, codec), (kind, path) in zip(kinds, paths.items(), strict=True):
        header = Header(ids, checksums, {}, {}, dtype=dtype, compression=codec)
        ways[f"write {kind}"] = lambda p=path, h=header: timed(lambda: _write(p, h, items))
        ways[f"read {kind}"] = lambda p=path: timed(lambda: _read(p, order))
        ways[f"shuffled {kind}"] = lambda p=path: timed(lambda: _read(p, shuffled))
    return {
        "times": interleaved(ways, repetitions),
        "bytes": {kind: path.stat().st_size for kind, path in paths.items()},
        "error": float(np.abs(items.astype(np.float16) - items).max() / items.std()),
        "shape": items.shape,
    }


def _write(path: Path, header: Header, items: np.ndarray) -> None:
    at_once = max(1, min(32, 2**22 // items[0].nbytes))
    path.unlink(missing_ok=True)
    with FeatureWriter(path, header) as writer:
        for first in range(0, len(items), at_once):
            part = items[first : first + at_once]
            writer.append(Batch(part, [1] * len(part)))


def _read(path: Path, rows: np.ndarray) -> None:
    with FeatureFile(path) as file:
        for first in range(0, len(rows), 32):
            file.read_rows(rows[first : first + 32])
