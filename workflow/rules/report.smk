rule map:
    """Place the items in the plane, by what the best network on dev makes of them."""
    input:
        folds=graph.layout.folds,
        records=records,
        weights=first_weights,
        searches=searches,
        features=features,
    output:
        map=graph.layout.map,
        about=graph.layout.map.with_suffix(".json"),
    log:
        graph.layout.folder / "logs/map.log",
    conda:
        "../../envs/conda.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: map_mb() * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        study=graph.study_file,
        version=graph.version("map"),
    shell:
        "deepself map {params.study} --threads {threads} > {log} 2>&1"


rule report:
    """Write the report: one file that opens without a network."""
    input:
        scores=graph.layout.score_tables,
        inventory=graph.layout.inventory,
        skipped=graph.layout.skipped,
        folds=graph.layout.folds,
        map=graph.layout.map,
        map_about=graph.layout.map.with_suffix(".json"),
        records=records,
        choices=choices,
        searches=searches,
        features=features,
    output:
        page=report(
            graph.layout.report,
            caption="../report/report.rst",
            category="Report",
            labels={"page": "report"},
        ),
        tables=directory(graph.layout.tables),
        figures=report(
            directory(graph.layout.figures),
            patterns=["{name}.svg"],
            caption="../report/figures.rst",
            category="Figures",
            labels={"figure": "{name}"},
        ),
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
        tables=graph.layout.score_tables,
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
