rule demo:
    """Make the demo's recordings."""
    output:
        audio=directory("data/demo/audio"),
        pictures=directory("data/demo/pictures"),
        manifest="data/demo/manifest.csv",
    log:
        "results/logs/demo.log",
    localrule: True
    conda:
        "../../envs/conda.yaml"
    params:
        version=graph.version("demo"),
    shell:
        "deepself demo data/demo > {log} 2>&1"


rule check:
    """Read every recording that has changed, and list every problem before anything is trained."""
    input:
        manifest=graph.manifest,
    output:
        inventory=report(
            graph.layout.inventory,
            caption="../report/inventory.rst",
            category="Data",
            labels={"table": "recordings"},
        ),
        skipped=report(
            graph.layout.skipped,
            caption="../report/skipped.rst",
            category="Data",
            labels={"table": "left out"},
        ),
    log:
        graph.layout.folder / "logs/check.log",
    conda:
        "../../envs/conda.yaml"
    threads: 8
    resources:
        mem_mb=lambda wildcards, input, attempt: manifest_mb(input) * attempt,
        runtime=lambda wildcards, input, attempt: manifest_minutes(input) * attempt,
    params:
        study=graph.study_file,
        slice=graph.check_slice,
    shell:
        "deepself check {params.study} --threads {threads} > {log} 2>&1"


checkpoint split:
    """Assign every item to its partition in each fold."""
    input:
        manifest=graph.manifest,
        inventory=graph.layout.inventory,
        skipped=graph.layout.skipped,
    output:
        folds=report(
            graph.layout.folds,
            caption="../report/folds.rst",
            category="Data",
            labels={"table": "folds"},
        ),
        dataset=graph.layout.dataset,
    log:
        graph.layout.folder / "logs/split.log",
    localrule: True
    conda:
        "../../envs/conda.yaml"
    params:
        study=graph.study_file,
        slice=graph.split_slice,
    shell:
        "deepself split {params.study} > {log} 2>&1"
