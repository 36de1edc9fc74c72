"""The study's results, as MLflow's runs."""
