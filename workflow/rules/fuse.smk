FUSION = graph.layout.fusion("{fusion}", "{fold}", "{seed}")


rule fuse:
    """Combine the predictions of several models on one fold."""
    input:
        predictions=predictions_of_members,
        folds=graph.layout.folds,
    output:
        predictions=FUSION / "predictions.csv",
        choice=FUSION / "fusion.json",
    log:
        graph.layout.folder / "logs/fuse/{fusion}/fold-{fold}-seed-{seed}.log",
    localrule: True
    conda:
        "../../envs/conda.yaml"
    params:
        study=graph.study_file,
        slice=graph.fusion_slice,
    shell:
        "deepself fuse {params.study} --fusion {wildcards.fusion} --fold {wildcards.fold:q}"
        " --seed {wildcards.seed} > {log} 2>&1"


rule score:
    """Score every run and every fusion."""
    input:
        predictions=predictions,
        folds=graph.layout.folds,
        dataset=graph.layout.dataset,
    output:
        [table_of_scores(path) for path in graph.layout.score_tables],
    log:
        graph.layout.folder / "logs/score.log",
    localrule: True
    conda:
        "../../envs/conda.yaml"
    params:
        study=graph.study_file,
        version=graph.version("score"),
    shell:
        "deepself score {params.study} > {log} 2>&1"
