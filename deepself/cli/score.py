"""`deepself score`: score every run and fusion of a study."""

import argparse

from deepself.cli.common import add_study, open_study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_study(parser)


def run(args: argparse.Namespace) -> None:
    """Score."""
    from deepself.evaluation.scores import score_study
    from deepself.store.files import read_table
    from deepself.store.whole import WHOLE, forget_whole

    study, layout = open_study(args)
    path = score_study(study, layout)
    for kept in layout.folder.glob(f"*/*/*/*/{WHOLE}"):  # of runs and trials, which are all known
        forget_whole(kept.parent)
    rows = [
        row
        for row in read_table(path)
        if (row["partition"], row["level"], row["score"]) == ("test", "recording", "uar")
    ]
    best = max((r for r in rows if r["kind"] != "chance"), key=lambda row: float(row["mean"]))
    print(
        f"{path}: best mean test UAR {float(best['mean']):.3f} "
        f"(95 % interval {float(best['low']):.3f} to {float(best['high']):.3f}): "
        f"{best['kind']} {best['name']}, {best['runs']} runs"
    )
