# What a job reads, where that is known only once the recordings have been checked and split.


def features_of_model(wildcards):
    """A model's feature files: their names carry the recordings' digest."""
    checkpoints.split.get()
    return graph.model_features(wildcards.model)


def weights_of_model(wildcards):
    """What a model's networks start from: published weights, or another run's."""
    return graph.weights(wildcards.model, wildcards.fold, wildcards.seed)


def inventory_of_feature(wildcards):
    """Nothing: its name says all that shapes it. But its name is known only after the split."""
    checkpoints.split.get()
    return []


def inputs_of_feature(wildcards):
    """Shards, or what it is made from. Its name says all else that shapes a feature file."""
    checkpoints.split.get()
    return graph.feature_inputs(f"results/features/{wildcards.feature}.h5")


def predictions_of_members(wildcards):
    """Predictions of a fusion's members, for one fold and seed."""
    return [
        graph.layout.run(member, wildcards.fold, wildcards.seed) / "predictions.csv"
        for member in graph.members(wildcards.fusion)
    ]


def predictions(wildcards):
    """Predictions of all runs and fusions."""
    checkpoints.split.get()
    return [folder / "predictions.csv" for folder in graph.runs() + graph.fusions()]


def records(wildcards):
    """Records and histories of all runs."""
    checkpoints.split.get()
    return [folder / name for folder in graph.runs() for name in ("run.json", "history.csv")]


def choices(wildcards):
    """What each fusion chose."""
    checkpoints.split.get()
    return [folder / "fusion.json" for folder in graph.fusions()]


def features(wildcards):
    """All feature files."""
    checkpoints.split.get()
    return graph.features()
