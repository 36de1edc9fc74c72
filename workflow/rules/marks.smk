# What Snakemake's own report shows of a study.

LARGE = 20e6  # bytes


def table_of_scores(path):
    """A table of scores for Snakemake's report, which it stays out of once it is large."""
    if path.exists() and path.stat().st_size > LARGE:
        return path
    return report(
        path,
        caption=f"../report/{path.stem}.rst",
        category="Scores",
        labels={"table": path.stem.replace("_", " ")},
    )
