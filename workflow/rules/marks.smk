# What Snakemake's own report shows of a study.

from deepself.evaluation.provenance import without_password
from deepself.store.files import canonical_json

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


def study_without_password(wildcards):
    """The whole study: Snakemake's report shows what a job of a marked result depends on."""
    content = graph.study.model_dump(mode="json")
    uri = graph.study.tracking.uri
    content["tracking"]["uri"] = without_password(uri, uri)
    return canonical_json(content)
