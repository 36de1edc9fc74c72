rule fetch:
    """Fetch published weights, once, before any job needs them."""
    output:
        "results/weights/{file}",
    log:
        "results/logs/fetch/{file}.log",
    localrule: True
    conda:
        "../../envs/conda.yaml"
    shell:
        "deepself fetch {wildcards.file} --output {output} > {log} 2>&1"


rule extract_shard:
    """Make one file of a feature that several jobs make."""
    input:
        inventory_of_feature,
    output:
        # Not removed before the job starts: another study's workflow may just have made it.
        update("results/features/shards/{feature}/{shard}.h5"),
    log:
        "results/logs/extract/{feature}/{shard}.log",
    benchmark:
        "results/benchmarks/extract/{feature}/{shard}.tsv"
    conda:
        "../../envs/conda.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: feature_mb(wildcards) * attempt,
        runtime=lambda wildcards, attempt: feature_minutes(wildcards) * attempt,
    params:
        study=graph.study_file,
    shell:
        "deepself extract {params.study} --output {output} --threads {threads} > {log} 2>&1"


rule extract:
    """Make one feature of all recordings, or join its shards. Its name says all that shapes it: it is never stale."""
    input:
        inputs_of_feature,
    output:
        update("results/features/{feature}.h5"),
    log:
        "results/logs/extract/{feature}.log",
    benchmark:
        "results/benchmarks/extract/{feature}.tsv"
    conda:
        "../../envs/conda.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: feature_mb(wildcards) * attempt,
        runtime=lambda wildcards, attempt: feature_minutes(wildcards) * attempt,
    params:
        study=graph.study_file,
    shell:
        "deepself extract {params.study} --output {output} --threads {threads} > {log} 2>&1"
