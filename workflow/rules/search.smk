rule trial:
    """Try values of a network's search on one fold; test is not looked at."""
    input:
        features=features_of_model,
        weights=weights_of_trial,
        folds=graph.layout.folds,
        earlier=earlier_trials,
    output:
        graph.layout.trial("{model}", "{fold}", "{trial}") / "trial.json",
    log:
        graph.layout.folder / "logs/trial/{model}/fold-{fold}-trial-{trial}.log",
    benchmark:
        graph.layout.folder / "benchmarks/trial/{model}/fold-{fold}-trial-{trial}.tsv"
    wildcard_constraints:
        model=graph.networks("apart"),
        trial="[0-9]+",
    conda:
        "../../envs/conda.yaml"
    resources:
        gpu=1,
        mem_mb=lambda wildcards, attempt: model_mb(wildcards) * attempt,
        runtime=lambda wildcards, attempt: model_minutes(wildcards) * attempt,
    params:
        study=graph.study_file,
        slice=graph.trial_slice,
    shell:
        "deepself trial {params.study} --model {wildcards.model} --fold {wildcards.fold:q}"
        " --trial {wildcards.trial} --threads {threads} > {log} 2>&1"


use rule trial as trial_classifier with:
    wildcard_constraints:
        model=graph.classifiers("apart"),
        trial="[0-9]+",
    resources:
        mem_mb=lambda wildcards, attempt: model_mb(wildcards) * attempt,
        runtime=lambda wildcards, attempt: model_minutes(wildcards) * attempt,


rule choose:
    """Choose the values of a model's search by UAR on dev, for one fold or for all."""
    input:
        trials_of_choice,
    output:
        report(
            graph.layout.choice("{model}", "{part}"),
            caption="../report/search.rst",
            category="Search",
            subcategory="{model}",
            labels={"chosen for": "{part}"},
        ),
    log:
        graph.layout.folder / "logs/choose/{model}/{part}.log",
    wildcard_constraints:
        model=graph.searched,
        part="all|fold-[^/]+",
    localrule: True
    conda:
        "../../envs/conda.yaml"
    params:
        study=graph.study_file,
        slice=graph.choose_slice,
        fold=graph.fold_option,
    shell:
        "deepself choose {params.study} --model {wildcards.model} {params.fold} > {log} 2>&1"
