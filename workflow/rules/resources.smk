# What a cluster is asked for at the first attempt, as `plan` has estimated it; a later attempt asks
# for more.


def arrays():
    """Whether alike jobs are sent as arrays, all of whose tasks have what the first one asks for."""
    return bool(getattr(workflow.executor_settings, "array_jobs", None))


def require_room_for_arrays():
    """The executor loses tasks of an array that Snakemake has no room for: the study would hang."""
    if not arrays():
        return
    rate = workflow.scheduling_settings.max_jobs_per_timespan
    room = min(workflow.nodes, rate.max_jobs if rate else workflow.nodes)
    if room < graph.demand.most_jobs:
        raise UserError(
            f"slurm-array-jobs: jobs and max-jobs-per-timespan allow {room} jobs at a time, and "
            f"this study has {graph.demand.most_jobs} alike; set both to at least as many, or send no arrays"
        )


def manifest_mb(input):
    """Memory to check all recordings: a MB of manifest names about 10,000 of them."""
    return 2000 + 20 * int(input.size_mb)


def manifest_minutes(input):
    """Time to check all recordings."""
    return 60 + 10 * int(input.size_mb)


def feature_mb(wildcards):
    """Memory of a job that makes a feature."""
    return graph.demand.of_feature(None if arrays() else wildcards.feature)["mem_mb"]


def feature_minutes(wildcards):
    """Time of a job that makes a feature."""
    return graph.demand.of_feature(None if arrays() else wildcards.feature)["minutes"]


def model_mb(wildcards):
    """Memory of a run or a trial."""
    return graph.demand.of_model(None if arrays() else wildcards.model)["mem_mb"]


def model_minutes(wildcards):
    """Time of a run or a trial."""
    return graph.demand.of_model(None if arrays() else wildcards.model)["minutes"]


def map_mb():
    """Memory of the map, which the features of any one model may be read for."""
    return graph.demand.of_model(None)["mem_mb"]


def all_minutes(wildcards, threads):
    """Time of all runs of a model, as many at once as there are threads."""
    return model_minutes(wildcards) * -(-graph.runs_of_a_model // threads)
