# What a job reads, where that is known only once the recordings have been checked and split.


def features_of_model(wildcards):
    """A model's feature files: their names carry the recordings' digest."""
    checkpoints.split.get()
    return graph.model_features(wildcards.model)


def weights_of_model(wildcards):
    """What a model's networks start from: published weights, or another run's."""
    return graph.weights(wildcards.model, wildcards.fold, wildcards.seed)


def weights_of_all_runs(wildcards):
    """The same for all runs of a model."""
    checkpoints.split.get()
    return graph.weights_of_all(wildcards.model)


def weights_of_trial(wildcards):
    """What a trial's networks start from: those of the study's first seed."""
    checkpoints.split.get()
    return graph.weights_of_trial(wildcards.model, wildcards.fold)


def earlier_trials(wildcards):
    """Results of the round before, which stand on all earlier ones, where a trial looks at them."""
    checkpoints.split.get()
    return graph.earlier_trials(wildcards.model, wildcards.fold, wildcards.trial)


def trials_of_choice(wildcards):
    """Results of all trials, of one fold or of all."""
    checkpoints.split.get()
    return graph.trials(wildcards.model, wildcards.part)


def choice_of_model(wildcards):
    """What a search has chosen for a run; nothing for other models."""
    return graph.choice_of_run(wildcards.model, wildcards.fold)


def inventory_of_feature(wildcards):
    """Nothing: its name says all that shapes it. But not every study has it."""
    return [] if graph.has_feature(wildcards.feature) else not_here(wildcards.feature)


def inputs_of_feature(wildcards):
    """Shards, or what it is made from. Its name says all else that shapes a feature file."""
    if not graph.has_feature(wildcards.feature):
        return not_here(wildcards.feature)
    return graph.feature_inputs(f"results/features/{wildcards.feature}.h5")


def not_here(feature):
    """What does not exist: features lie in one folder, and another module's rule makes this one."""
    return f"the feature {feature} in {graph.layout.dataset}"


def predictions_of_members(wildcards):
    """Predictions of a fusion's members, for one fold and seed, or for all that it pools."""
    checkpoints.split.get()
    return graph.predictions_of_members(wildcards.fusion, wildcards.fold, wildcards.seed)


def predictions(wildcards):
    """Predictions of all runs and fusions."""
    checkpoints.split.get()
    return [folder / "predictions.csv" for folder in graph.runs() + graph.fusions()]


def records(wildcards):
    """Records and histories of all runs."""
    checkpoints.split.get()
    return [folder / name for folder in graph.runs() for name in ("run.json", "history.csv")]


def first_weights(wildcards):
    """Weights of each model's first run."""
    checkpoints.split.get()
    return graph.first_weights()


def choices(wildcards):
    """What each fusion chose."""
    checkpoints.split.get()
    return [folder / "fusion.json" for folder in graph.fusions()]


def searches(wildcards):
    """What each search chose."""
    checkpoints.split.get()
    return graph.searches()


def features(wildcards):
    """All feature files."""
    checkpoints.split.get()
    return graph.features()
