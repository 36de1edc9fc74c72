RUN = graph.layout.run("{model}", "{fold}", "{seed}")


rule train:
    """Train one model on one fold with one seed."""
    input:
        features=features_of_model,
        weights=weights_of_model,
        folds=graph.layout.folds,
    output:
        weights=RUN / "weights.safetensors",
        history=RUN / "history.csv",
        predictions=RUN / "predictions.csv",
        record=RUN / "run.json",
    log:
        graph.layout.folder / "logs/train/{model}/fold-{fold}-seed-{seed}.log",
    benchmark:
        graph.layout.folder / "benchmarks/train/{model}/fold-{fold}-seed-{seed}.tsv"
    conda:
        "../../envs/conda.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        study=graph.study_file,
        slice=graph.model_slice,
    shell:
        "deepself train {params.study} --model {wildcards.model} --fold {wildcards.fold:q}"
        " --seed {wildcards.seed} --threads {threads} > {log} 2>&1"
