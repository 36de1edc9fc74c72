"""A bundle as a program for other runtimes: ONNX, or a program of torch's."""

from deepself.inference.program.inputs import ProgramInput
from deepself.inference.program.module import Program

__all__ = ["Program", "ProgramInput"]
