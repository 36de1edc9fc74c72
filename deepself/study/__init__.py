"""The study: one YAML file, typed, checked and addressed."""

from deepself.study.layout import Layout
from deepself.study.load import load, parse
from deepself.study.schema import Study

__all__ = ["Layout", "Study", "load", "parse"]
