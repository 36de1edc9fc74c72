"""What a tracking server has of a study."""


def client(study):
    from mlflow import MlflowClient

    return MlflowClient(study.tracking.uri)


def runs_of(study, name="made_up"):
    mlflow = client(study)
    experiment = mlflow.get_experiment_by_name(name)
    return {r.info.run_id: r for r in mlflow.search_runs([experiment.experiment_id])}


def models_of(study, name="made_up"):
    mlflow = client(study)
    found = mlflow.search_logged_models([mlflow.get_experiment_by_name(name).experiment_id])
    return {model.tags["deepself.key"]: model for model in found}


def by_key(study):
    return {r.data.tags["deepself.key"]: r for r in runs_of(study).values()}
