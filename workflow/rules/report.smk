rule report:
    """Write the report: one file that opens without a network."""
    input:
        scores=graph.layout.scores,
        summary=graph.layout.summary,
        confusion=graph.layout.confusion,
        inventory=graph.layout.inventory,
        skipped=graph.layout.skipped,
        folds=graph.layout.folds,
        records=records,
        choices=choices,
        searches=searches,
        features=features,
    output:
        graph.layout.report,
    log:
        graph.layout.folder / "logs/report.log",
    localrule: True
    conda:
        "../../envs/conda.yaml"
    params:
        study=graph.study_file,
        slice=graph.study_slice,
        version=graph.version("report"),
    shell:
        "deepself report {params.study} > {log} 2>&1"


rule track:
    """Log the study to MLflow; doing so twice leaves the same runs."""
    input:
        scores=graph.layout.scores,
        summary=graph.layout.summary,
        report=graph.layout.report,
        records=records,
        choices=choices,
    output:
        graph.layout.tracking,
    log:
        graph.layout.folder / "logs/track.log",
    localrule: True
    conda:
        "../../envs/conda.yaml"
    params:
        study=graph.study_file,
        slice=graph.study_slice,
        version=graph.version("track"),
    shell:
        "deepself track {params.study} > {log} 2>&1"
