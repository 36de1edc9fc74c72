"""Sections of the benchmark of training: one process's training against plain ways to do it."""

import studies
import training_work as work
from page import Options
from stopwatch import (
    Timed,
    best,
    interleaved,
    middle,
    pinned,
    processor,
    say,
    table,
    verdict,
)


def cases(options: Options) -> list[work.Case]:
    """The networks that are trained."""
    few = options.quick
    dense = work.Case("dense, 2,000 vectors", options.folder / "dense/vectors.h5", "", 5)
    bonn = studies.bonn(options.data, options.folder)
    esc10 = studies.esc10(options.data, options.folder)
    return [
        dense if few else work.Case(dense.name, dense.study, "", 20),
        work.Case("Bonn, cnn1d on waves", bonn, "wave_cnn", 2 if few else 5),
        work.Case("ESC-10, cnn2d on log-mel", esc10, "log_mel_cnn", 1 if few else 2),
    ]


def epoch(options: Options) -> list[str]:
    """Ours against a plain loop over the same tensors."""
    rows, most = [], 0.0
    for case in cases(options):
        say(f"  {case.name}")
        # A process each: ours keeps torch's compiler away, which a plain script does not.
        with pinned(1) as one, pinned(1) as other:
            ways = {
                "ours": lambda c=case, p=one: p.submit(work.ours, c).result(),
                "fused": lambda c=case, p=other: p.submit(work.plain, c, True).result(),
                "plain": lambda c=case, p=other: p.submit(work.plain, c, False).result(),
            }
            times = interleaved(ways, _repetitions(case, options))
        row = [case.name, *(f"{1e3 * best(its) / case.epochs:.1f}" for its in times.values())]
        fused, default = (_ratios(times, "ours", other) for other in ("fused", "plain"))
        rows.append([*row, *(f"{ratio:.2f}×" for ratio in (*fused, *default))])
        most = max(most, fused[0])
    head = ["one thread", "ours, ms", "fused, ms", "default, ms"]
    head += ["of fused, best", "median", "processor", "of default, best", "median", "processor"]
    return [
        "The first fold of each study, its items in memory, as our loop trains it, and as a plain "
        "loop over the same normalised tensors does: the same network and batch size, Adam "
        "(`fused=True`, as ours takes it, and as `torch.optim.Adam` is by default), loss and UAR "
        "on dev after each epoch. Ours keeps the best weights besides, watches for losses that "
        "are not finite, signals and checkpoints, and tells how it goes. Milliseconds an "
        "epoch, best; `processor` is the ratio of processor times (medians), which other programs "
        "on the machine disturb less.",
        "",
        *table(head, rows),
        verdict(
            "The slowest of ours, against the fused loop",
            f"{most:.2f} times its time",
            "at most 1.05",
            most <= 1.05,
        ),
    ]


def _repetitions(case: work.Case, options: Options) -> int:
    if options.quick:
        return 3
    return 7 if case.model == "log_mel_cnn" else 15


def _ratios(times: dict[str, list[Timed]], one: str, other: str) -> list[float]:
    """Time of one way over that of another: of the best, of the medians, of the processor."""
    return [figure(times[one]) / figure(times[other]) for figure in (best, middle, processor)]


def loader(options: Options) -> list[str]:
    """Ours against a DataLoader that reads items one by one."""
    rows, gains = [], []
    for case in cases(options):
        say(f"  {case.name}")
        with pinned(2) as one, pinned(2) as other:
            ways = {
                "ours": lambda c=case, p=one: p.submit(work.ours, c, True).result(),
                "0": lambda c=case, p=other: p.submit(work.by_loader, c, 0).result(),
                "2": lambda c=case, p=other: p.submit(work.by_loader, c, 2).result(),
            }
            times = interleaved(ways, 2 if options.quick else 5)
        row = [case.name, f"{case.epochs}"]
        row += [f"{1e3 * best(its) / case.epochs:.1f}" for its in times.values()]
        found = [_ratios(times, workers, "ours")[:2] for workers in ("0", "2")]
        rows.append([*row, *(f"{r:.2f}×" for pair in found for r in pair)])
        gains.append((case.name, min(pair[0] for pair in found)))
    head = ["two cores, one thread", "epochs", "ours, ms", "0 workers, ms", "2 workers, ms"]
    head += ["0, best", "0, median", "2, best", "2, median"]
    small = gains[:2]
    met = all(gain >= 3 for _, gain in small)
    said = ", ".join(f"{name}: {gain:.1f} times" for name, gain in small)
    return [
        "The same trainings, by a plain loop over a `DataLoader` whose `Dataset` reads an item "
        "from the same HDF5 file and normalises it whenever it is asked for it (by Adam, fused). "
        "Ours has the reading of the whole fold, its statistics and the making of the network in "
        "its time, the other the start of its workers, "
        "which are forked and kept. Milliseconds an epoch, "
        "from a warm page cache, of so many epochs.",
        "",
        *table(head, rows),
        verdict("As fast as the quicker loader, small models", said, "3 times", met),
    ]


def gpu(options: Options) -> list[str]:
    """Items a second, utilisation and memory on a GPU, in float32 and bf16."""
    with pinned(1) as process:
        name = process.submit(work.gpu).result()
    if not name:
        return ["No GPU was at hand when this page was made."]
    rows = []
    for study, epochs in (("ESC-10", 40), ("FER2013", 6)):
        found = {}
        for precision in ("float32", "bf16"):
            say(f"  {study}, {precision}")
            with pinned(1) as process:
                found[precision] = process.submit(work.on_device, study, precision, epochs).result()
            its = found[precision]
            gain = its["items a second"] / found["float32"]["items a second"]
            row = [f"{study}, {precision}", f"{its['items a second']:,.0f}", f"{gain:.2f}×"]
            rows.append([*row, f"{its['utilisation']:.0f} %", f"{its['peak']:,.0f}"])
    return [
        f"{name}: `cnn2d` with channels [32, 64, 128] on random items of each study's shape and "
        "number (240 log-mel spectrograms of 64 × 251, batches of 16; 28,709 pictures of 48 × 48, "
        "batches of 128), kept on the GPU; dev is evaluated in each epoch. The median of the "
        "epochs after the first; utilisation as nvidia-smi samples it, start included.",
        "",
        *table(["", "items a second", "of float32", "utilisation", "peak memory, MB"], rows),
    ]
