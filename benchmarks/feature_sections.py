"""The sections of the benchmark of features: what is compared, and against which target."""

from pathlib import Path

import feature_work as work
from page import Options
from stopwatch import (
    Timed,
    available_cores,
    best,
    interleaved,
    middle,
    pinned,
    processor,
    say,
    table,
    verdict,
)

SCALOGRAMS = 100
"""Recordings of Bonn."""


def _recordings(options: Options) -> int:
    """Recordings of ESC-10."""
    return 200 if options.quick else 400


def _sounds(options: Options) -> tuple[int, int]:
    """Numbers of short sounds of which memory is compared."""
    return (200, 2000) if options.quick else (1000, 10000)


def _repetitions(options: Options) -> int:
    """Rounds of each comparison."""
    return 2 if options.quick else 5


def scalograms(options: Options) -> list[str]:
    """Ours against PyWavelets."""
    lines = [
        f"{SCALOGRAMS} Bonn recordings (4097 samples, 173.61 Hz), 64 frequencies from 1 to 80 Hz, "
        "magnitudes in float32, one core. Ours takes all recordings in one batch, PyWavelets one "
        "at a time with the same frequencies, from float32 as ours and from float64. The last "
        "column is the largest difference from `pywt.cwt` by convolution in float64, relative to "
        "the recording's peak.",
        "",
    ]
    ratios: dict[str, list[float]] = {"conv": [], "fft": []}
    for wavelet in ("morl", "cmor1.5-1.0"):
        say(f"  {wavelet}")
        with pinned(1) as process:
            arguments = (options.data, wavelet, SCALOGRAMS, _repetitions(options))
            times, differences = process.submit(work.scalograms, *arguments).result()
        ours = times["ours, one batch"]
        head = [wavelet, "ms, best", "ms, median", "ratio, best", "ratio, median", "difference"]
        rows = []
        for name, its in times.items():
            figures = [f"{1e3 * f(its) / SCALOGRAMS:.2f}" for f in (best, middle)]
            figures += [f"{f(its) / f(ours):.1f}×" for f in (best, middle)]
            rows.append([name, *figures, f"{differences[name]:.0e}"])
        lines += table(head, rows)
        for method, found in ratios.items():
            # The quicker of float32 and float64, so that no choice of ours slows it down.
            quicker = min(best(times[f"pywt {method}, {d}"]) for d in ("float32", "float64"))
            found.append(quicker / best(ours))
    by_conv, by_fft = min(ratios["conv"]), min(ratios["fft"])
    measured = f"{by_conv:.1f} times as fast as by convolution and {by_fft:.1f} times as by FFT"
    target = "8 and 3 times"
    met = by_conv >= 8 and by_fft >= 3
    return [*lines, verdict("One batch, the slower of both wavelets", measured, target, met)]


def log_mel(options: Options) -> list[str]:
    """Ours against librosa, and two workers against one."""
    say("  checking and splitting")
    study = esc10(options)
    with pinned(1) as one:
        ways = {
            "ours, 1 worker": lambda: one.submit(work.extracted, study, "log_mel", 1).result(),
            "librosa": lambda: one.submit(work.by_librosa, study, False).result(),
            "librosa, float32 again": lambda: one.submit(work.by_librosa, study, True).result(),
            "decode, resample": lambda: one.submit(work.decoded_only, study).result(),
        }
        times = interleaved(ways, _repetitions(options))
        differences = one.submit(work.largest_differences, study).result()
    say("  two workers")
    return [
        *_log_mel_lines(times, differences, _recordings(options)),
        *_worker_lines(_workers(options), _recordings(options)),
        _log_mel_verdict(times),
    ]


def esc10(options: Options, name: str = "esc10") -> Path:
    """Study of ESC-10, checked and split, made once for all sections."""
    study = options.folder / name / "study.yaml"
    if not study.exists():
        with pinned(2) as process:
            arguments = (options.data, study.parent, _recordings(options))
            process.submit(work.make_esc10, *arguments).result()
    return study


def _log_mel_lines(
    times: dict[str, list[Timed]], differences: tuple[float, float], count: int
) -> list[str]:
    ours, floor = times["ours, 1 worker"], times["decode, resample"]
    rows = []
    for name, its in times.items():
        figures = [f"{1e3 * f(its) / count:.1f}" for f in (best, middle, processor)]
        figures += [f"{f(its) / f(ours):.2f}×" for f in (best, middle, processor)]
        rows.append([name, *figures, f"{best(floor) / best(its):.0%}"])
    head = ["one core", "ms, best", "ms, median", "ms, processor"]
    head += ["ratio, best", "median", "processor", "share of decode, resample"]
    return [
        f"{count} Ogg files of 5 s at 44.1 kHz: decoded, resampled to 32 kHz, band-pass from 50 to "
        "15,000 Hz (Butterworth, order 4, zero phase), cropped or filled to 5 s, log-mel "
        "(n_fft 1024, hop 320, 64 mels), written to HDF5. Ours is `extract` after `check` and "
        "`split`; the other is a function of one file that calls `librosa.load`, `butter`, "
        "`sosfiltfilt`, `fix_length`, `melspectrogram`, `power_to_db`, and writes each item with "
        "h5py. `sosfiltfilt` gives float64, with which librosa goes on; the third row makes it "
        "float32 first. Milliseconds a file; `processor` is the median of processor time, which "
        "other programs on the machine disturb less.",
        "",
        *table(head, rows),
        f"Up to 0.1 s before a recording's end the results differ by at most {differences[0]:.4f} "
        f"dB; in the frames after that by up to {differences[1]:.1f} dB: `librosa.load` appends a "
        "zero where the resampled length is no whole number, and the filter begins its way back "
        "one sample later.",
        "",
    ]


def _log_mel_verdict(times: dict[str, list[Timed]]) -> str:
    ratio = best(times["librosa"]) / best(times["ours, 1 worker"])
    measured = f"{ratio:.2f} times as fast"
    return verdict("Against librosa, one core", measured, "1.5", ratio >= 1.5)


def _workers(options: Options) -> dict[str, list[Timed]]:
    """Time one worker, two, and two processes of one worker each, which show what cores give."""
    first, second = esc10(options), esc10(options, "esc10-beside")
    with pinned(1) as one, pinned(2) as two, pinned(2) as other:

        def beside() -> Timed:
            pairs = ((two, first), (other, second))
            running = [p.submit(work.extracted, study, "log_mel", 1) for p, study in pairs]
            ended = [job.result() for job in running]
            return Timed(max(t.wall for t in ended) / 2, sum(t.cpu for t in ended) / 2)

        ways = {
            "1 worker, one core": lambda: one.submit(work.extracted, first, "log_mel", 1).result(),
            "2 workers, two cores": lambda: two.submit(
                work.extracted, first, "log_mel", 2
            ).result(),
            "two processes, two cores": beside,
        }
        return interleaved(ways, _repetitions(options))


def _worker_lines(times: dict[str, list[Timed]], count: int) -> list[str]:
    alone, together, beside = times.values()
    rows = []
    for name, its in times.items():
        figures = [f"{1e3 * f(its) / count:.1f}" for f in (best, middle, processor)]
        gains = [f"{f(alone) / f(its):.2f}×" for f in (best, middle)]
        rows.append([name, *figures, *gains])
    head = ["extract", "ms, best", "ms, median", "ms, processor", "gain, best", "gain, median"]
    gain, limit = best(alone) / best(together), best(alone) / best(beside)
    cores = len(available_cores())
    return [
        "More workers, milliseconds a file. Two processes that share nothing and extract at the "
        "same time show what a second core gave during this run "
        f"({cores} core{'s' * (cores > 1)}, shared with whatever else runs): twice, on a machine "
        "that does nothing else.",
        "",
        *table(head, rows),
        verdict("Two workers", f"{gain:.2f} times as fast as one", "1.8", gain >= 1.8)
        + f" Two processes were {limit:.2f} times as fast.",
        "",
    ]


def memory(options: Options) -> list[str]:
    """Peak memory of few and of ten times as many recordings."""
    studies = []
    for count in _sounds(options):
        say(f"  {count} recordings")
        with pinned(2) as process:
            arguments = (options.folder / f"short-{count}", count)
            studies.append(process.submit(work.make_short, *arguments).result())
    rows, ratios = [], []
    for workers in (1, 2):
        peaks = []
        for study in studies:
            with pinned(2) as process:  # a fresh one: a peak never falls
                peaks.append(process.submit(work.peak_memory, study, workers).result())
        ratios.append(peaks[1][1] / peaks[0][1])
        figures = [f"{peaks[0][0]:.0f}", *(f"{peak:.0f}" for _, peak in peaks)]
        rows.append([f"{workers}", *figures, f"{ratios[-1]:.3f}×"])
    few, many = (f"{count:,}" for count in _sounds(options))
    most = max(ratios)
    return [
        f"Log-mel spectrograms of {few} and of {many} sounds of 0.5 s at 8 kHz, each extracted by "
        "a fresh process; peak resident memory in MB. The first column is the process before it "
        "extracts: Python with torch and h5py.",
        "",
        *table(["workers", "before", f"{few} sounds", f"{many} sounds", "ratio"], rows),
        verdict("Ten times the recordings", f"{most - 1:+.1%} memory", "10 % at most", most <= 1.1),
    ]


def reading(options: Options) -> list[str]:
    """Reading batches against training on them."""
    study = esc10(options)
    with pinned(1) as process:
        if not process.submit(work.stored, study, "log_mel").result().exists():
            process.submit(work.extracted, study, "log_mel", 1).result()
        epochs = _repetitions(options)
        times = process.submit(work.reading_and_training, study, epochs).result()
    read, step = (middle(times[name]) for name in ("read", "step"))
    rows = [
        [name, f"{1e3 * best(its):.1f}", f"{1e3 * middle(its):.1f}", f"{middle(its) / step:.1%}"]
        for name, its in times.items()
    ]
    share = read / step
    return [
        f"Shuffled batches of 32 of {_recordings(options)} ESC-10 log-mel spectrograms (64 × 501, "
        "float32, not compressed), from a warm page cache, against one step of `cnn2d` with "
        "channels [16, 32, 64] on each (forward, backward, Adam); one core, milliseconds a batch. "
        "Training itself reads a fold once, and not once an epoch.",
        "",
        *table(["", "ms, best", "ms, median", "of a step"], rows),
        verdict("Reading a batch", f"{share:.1%} of a step", "under 5 %", share < 0.05),
    ]


def keeping(options: Options) -> list[str]:
    """Half precision and compression."""
    audio, eeg = esc10(options), options.folder / "bonn" / "study.yaml"
    with pinned(2) as process:
        arguments = (options.data, eeg.parent, SCALOGRAMS)
        process.submit(work.make_bonn, *arguments).result()
        features = [(audio, "log_mel"), (eeg, "waveform"), (eeg, "scalogram")]
        for study, name in features:
            if not process.submit(work.stored, study, name).result().exists():
                process.submit(work.extracted, study, name, 2).result()
    lines = [
        "ESC-10's log-mel spectrograms and Bonn's filtered (0.5 to 40 Hz) waveforms and scalograms "
        f"(64 frequencies, decibels; {SCALOGRAMS} recordings), written and read back, in order and "
        "shuffled, in batches of 32; one core, warm page cache, best times. The factors are "
        "relative to float32 without compression.",
        "",
    ]
    sums = []
    for study, name in features:
        say(f"  {name}")
        with pinned(1) as process:
            found = process.submit(work.keeping, study, name, _repetitions(options)).result()
        shape = " × ".join(map(str, found["shape"]))
        lines += [f"### {name}: {shape}", "", *_keeping_table(found)]
        half, packed = (found["bytes"][k] for k in ("float16/none", "float32/gzip"))
        whole = found["bytes"]["float32/none"]
        said = f"{name} to {half / whole:.2f} and {packed / whole:.2f}"
        sums.append((said, found["error"]))
        lines += [
            f"Largest rounding error of float16: {found['error']:.1e} standard deviations.",
            "",
        ]
    error = max(error for _, error in sums)
    brought = ", ".join(said for said, _ in sums)
    return [
        *lines,
        f"float16, and gzip alone, bring the size of {brought}; float16 rounds by {error:.1e} "
        "standard deviations at most; there is no target.",
    ]


def _keeping_table(found: dict) -> list[str]:
    times, sizes = found["times"], found["bytes"]
    rows = []
    for kind, size in sizes.items():
        row = [kind, f"{size / 1e6:.1f}", f"{size / sizes['float32/none']:.2f}×"]
        for part in ("write", "read", "shuffled"):
            seconds = best(times[f"{part} {kind}"])
            row += [f"{1e3 * seconds:.0f}", f"{seconds / best(times[f'{part} float32/none']):.1f}×"]
        rows.append(row)
    head = ["", "MB", "size", "write, ms", "", "read, ms", "", "shuffled, ms", ""]
    return table(head, rows)


SECTIONS = {
    1: ("Scalograms", scalograms),
    2: ("Log-mel spectrograms from files", log_mel),
    3: ("Memory", memory),
    4: ("Reading back", reading),
    5: ("Half precision and compression", keeping),
}
"""Each section's title, and what measures it."""
