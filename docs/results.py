"""Write the page of published scores beside ours: python docs/results.py RESULTS PAGE.

Every number of ours is read from what the studies have left below RESULTS; a study that has left
nothing there was not run, and the page says so.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from deepself.store.files import read_json, read_table

HERE = Path(__file__).parent

HEAD = """# Published scores, and ours

Unweighted average recall (UAR) in percent. `make paper` runs the studies that a machine without a
GPU can, and writes this page by `python docs/results.py results docs/results.md` from what they
left in `results/`; any other study runs by the command that stands with it, and is then here too.

- **ours, as published**: one number as the original system's public code makes it, to stand beside
  the published one: the score on the partition by which the epoch was chosen, of the last fold and
  the first seed alone. It is no estimate of anything: the best of many looks at one set of items.
- **ours**: the mean over all folds and seeds on test items that chose nothing, with its 95 %
  interval (docs/report.md says how). Epochs, weights of fusions and complexities are chosen on dev.
"""

Row = dict[str, str]


class Study:
    """What a study has left."""

    def __init__(self, results: Path, name: str):
        self.name, self._folder = name, results / name
        self._scores, self._summary = self._table("scores.csv"), self._table("summary.csv")

    def _table(self, name: str) -> list[Row]:
        path = self._folder / name
        return read_table(path) if path.exists() else []

    def as_published(self, system: str) -> str:
        """The score on dev of the last fold, first seed."""
        own = [
            row
            for row in self._scores
            if (row["name"], row["partition"], row["level"]) == (system, "dev", "recording")
        ]
        if not own:
            return "not run"
        seed = min(int(row["seed"]) for row in own)
        return percent([row for row in own if int(row["seed"]) == seed][-1]["uar"])

    def ours(self, system: str) -> str:
        """Mean on test, its interval, and over how many runs."""
        row = self._mean(system)
        if row is None:
            return "not run"
        interval = ""
        if row["low"] and row["high"]:
            interval = f" ({percent(row['low'])} to {percent(row['high'])})"
        return f"{percent(row['mean'])}{interval}, {row['runs']} runs"

    def mean(self, system: str) -> float | None:
        """The same as a number in percent; None where it was not run."""
        row = self._mean(system)
        return None if row is None else 100 * float(row["mean"])

    def _mean(self, system: str) -> Row | None:
        wanted = (system, "test", "recording", "uar")
        keys = ("name", "partition", "level", "score")
        return next((r for r in self._summary if tuple(r[k] for k in keys) == wanted), None)

    def taken(self) -> str:
        """Where it ran, and how long its runs took together."""
        records: list[dict[str, Any]] = [
            read_json(path) for path in sorted(self._folder.glob("runs/*/*/*/run.json"))
        ]
        if not records:
            return "not run"
        machines = {f"{one['machine']}, {one['device']}" for one in records}
        minutes = sum(one["seconds"]["total"] for one in records) / 60
        return f"{'; '.join(sorted(machines))}: {len(records)} runs in {minutes:.0f} minutes"


def percent(share: str) -> str:
    """A share of 1 as a table shows it."""
    return f"{100 * float(share):.1f}"


def lines(results: Path, tables: list[dict[str, Any]]) -> Iterator[str]:
    """The page."""
    yield from HEAD.splitlines()
    for table in tables:
        studies = {name: Study(results, name) for name in (r["study"] for r in table["rows"])}
        yield from ("", f"## {table['title']}", "", table["text"], "")
        yield "| | published | ours, as published | ours | study |"
        yield "|---|--:|--:|--:|---|"
        for row in table["rows"]:
            study, system = studies[row["study"]], row["system"]
            cells = [row["row"], row.get("published", "–")]
            cells += [study.as_published(system), study.ours(system), f"`{study.name}`"]
            yield f"| {' | '.join(cells)} |"
        yield ""
        yield from _aim(studies, table["aim"])
        for study in studies.values():
            command = f"snakemake --cores 8 --configfile config/{study.name}.yaml"
            yield f"- `{command}`: {study.taken()}"


def _aim(studies: dict[str, Study], aim: dict[str, Any]) -> Iterator[str]:
    """How far what was aimed at was reached."""
    found = studies[aim["study"]].mean(aim["system"])
    wanted = f"Aim: {aim['uar']:.1f} by `{aim['system']}` of `{aim['study']}`"
    if found is None:
        yield f"{wanted}; not run."
    elif found >= aim["uar"]:
        yield f"{wanted}; reached."
    else:
        yield f"{wanted}; {aim['uar'] - found:.1f} short of it. {aim.get('why', '')}".rstrip()
    yield ""


def main(results: str, page: str) -> None:
    """Write the page."""
    tables = yaml.safe_load((HERE / "published.yaml").read_text(encoding="utf-8"))
    Path(page).write_text("\n".join(lines(Path(results), tables)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
