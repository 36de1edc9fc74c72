# Networks ask for a GPU each, which counts where there is a limit of them; classifiers do not.

RUN = graph.layout.run("{model}", "{fold}", "{seed}")


rule train:
    """Train one network on one fold with one seed."""
    input:
        features=features_of_model,
        weights=weights_of_model,
        folds=graph.layout.folds,
        choice=choice_of_model,
    output:
        weights=RUN / "weights.safetensors",
        history=RUN / "history.csv",
        predictions=RUN / "predictions.csv",
        record=RUN / "run.json",
    log:
        graph.layout.folder / "logs/train/{model}/fold-{fold}-seed-{seed}.log",
    benchmark:
        graph.layout.folder / "benchmarks/train/{model}/fold-{fold}-seed-{seed}.tsv"
    wildcard_constraints:
        model=graph.networks("apart"),
    conda:
        "../../envs/conda.yaml"
    resources:
        gpu=1,
        mem_mb=lambda wildcards, attempt: model_mb(wildcards) * attempt,
        runtime=lambda wildcards, attempt: model_minutes(wildcards) * attempt,
    params:
        study=graph.study_file,
        slice=graph.model_slice,
    shell:
        "deepself train {params.study} --model {wildcards.model} --fold {wildcards.fold:q}"
        " --seed {wildcards.seed} --threads {threads} > {log} 2>&1"


use rule train as train_classifier with:
    wildcard_constraints:
        model=graph.classifiers("apart"),
    resources:
        mem_mb=lambda wildcards, attempt: model_mb(wildcards) * attempt,
        runtime=lambda wildcards, attempt: model_minutes(wildcards) * attempt,


rule train_together:
    """Train one network on all folds with all seeds in one job, which starts up once."""
    input:
        features=features_of_model,
        weights=weights_of_all_runs,
        folds=graph.layout.folds,
    output:
        weights=graph.run_files("weights.safetensors"),
        history=graph.run_files("history.csv"),
        predictions=graph.run_files("predictions.csv"),
        record=graph.run_files("run.json"),
    log:
        graph.layout.folder / "logs/train/{model}.log",
    benchmark:
        graph.layout.folder / "benchmarks/train/{model}.tsv"
    wildcard_constraints:
        model=graph.networks("together", "batched"),
    conda:
        "../../envs/conda.yaml"
    threads: graph.runs_at_once
    resources:
        gpu=1,
        mem_mb=lambda wildcards, threads, attempt: model_mb(wildcards) * threads * attempt,
        runtime=lambda wildcards, threads, attempt: all_minutes(wildcards, threads) * attempt,
    params:
        study=graph.study_file,
        slice=graph.model_slice,
    shell:
        "deepself train {params.study} --model {wildcards.model} --all --threads {threads}"
        " > {log} 2>&1"


use rule train_together as train_classifier_together with:
    wildcard_constraints:
        model=graph.classifiers("together"),
    resources:
        mem_mb=lambda wildcards, threads, attempt: model_mb(wildcards) * threads * attempt,
        runtime=lambda wildcards, threads, attempt: all_minutes(wildcards, threads) * attempt,
