"""The energy of a training, by a counter that behaves like NVML's."""

from types import SimpleNamespace

import pytest
import torch

from deepself.training import energy
from deepself.training.energy import Energy, joules_of
from tests.training.toys import make_loop

UUID = "01234567-89ab-cdef-0123-456789abcdef"
CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


class Counter:
    """NVML with one GPU, which takes so many millijoules between two readings."""

    def __init__(self, each=2500, start=10**9):
        self.each, self.total, self.open = each, start, 0

    def nvmlInit(self):  # noqa: N802
        self.open += 1

    def nvmlShutdown(self):  # noqa: N802
        self.open -= 1

    def nvmlDeviceGetHandleByUUID(self, uuid):  # noqa: N802
        assert self.open
        if uuid != f"GPU-{UUID}":
            raise RuntimeError("Not Found")
        return object()

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):  # noqa: N802
        assert self.open
        self.total += self.each
        return self.total


class Unsupported(Counter):
    """NVML whose GPU has no such counter."""

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):  # noqa: N802
        raise RuntimeError("Not Supported")


class WithoutDriver(Counter):
    """NVML on a machine without a driver."""

    def nvmlInit(self):  # noqa: N802
        raise OSError("libnvidia-ml.so.1: cannot open shared object file")


@pytest.fixture
def gpu(monkeypatch):
    """As if torch saw a GPU."""
    found = SimpleNamespace(uuid=UUID)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: found)


def test_it_is_the_difference_of_two_readings_in_joules(gpu):
    nvml = Counter(each=2500)
    measured = Energy(GPU, nvml)
    measured.begin()
    assert measured.joules == 2.5
    assert measured.joules == 5.0
    assert nvml.open == 0


def test_a_training_that_was_killed_adds_up(gpu):
    measured = Energy(GPU, Counter(each=1000))
    measured.begin(40.0)
    assert measured.joules == 41.0


def test_a_part_that_nobody_knows_leaves_the_whole_unknown(gpu):
    measured = Energy(GPU, Counter())
    measured.begin(None)
    assert measured.joules is None


@pytest.mark.parametrize("nvml", [Unsupported(), WithoutDriver(), SimpleNamespace()])
def test_what_cannot_be_measured_is_unknown_and_fails_nothing(gpu, nvml):
    measured = Energy(GPU, nvml)
    measured.begin()
    assert measured.joules is None
    assert getattr(nvml, "open", 0) == 0


def test_of_a_part_of_a_gpu_it_is_unknown():
    assert joules_of("MIG-0", Counter()) is None


def test_without_the_library_it_is_unknown(gpu, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(energy, "import_module", missing)
    measured = Energy(GPU)
    measured.begin()
    assert measured.joules is None


def test_a_cpu_is_not_asked():
    nvml = Counter()
    measured = Energy(CPU, nvml)
    measured.begin()
    assert measured.joules is None
    assert nvml.total == 10**9


def test_a_loop_takes_its_energy_along_in_its_checkpoint(gpu):
    """The loop's own device is a CPU; only its counter is exchanged."""
    first, second = make_loop(), make_loop()
    for loop, joules in ((first, 1), (second, 7)):
        loop._energy = Energy(GPU, Counter(each=1000 * joules))
    first.run()
    state = first.state()
    assert state["energy"] > 0
    second.load(state)
    assert second.energy == state["energy"] + 7


def test_a_run_on_a_cpu_has_none():
    loop = make_loop()
    loop.run()
    assert loop.energy is None
    assert loop.state()["energy"] is None
