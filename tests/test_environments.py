"""pyproject.toml, the locks, the conda environment and the container say the same."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from deepself.graph import SOURCE

ROOT = Path(__file__).parents[1]
ENVS = ROOT / "envs"
SETUP = (ENVS / "setup.sh").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
OPTIONAL = ("braindecode", "eeg", "imagenet", "video")  # what a study may use, beyond the runtime
CONDA_NAMES = {
    "pywavelets": "pywavelets",
    "soundfile": "pysoundfile",
    "soxr": "python-soxr",
    "torch": "pytorch",
}


def asked_for(lines):
    """Requirements by package, those on extras of deepself itself aside."""
    requirements = [Requirement(line) for line in lines]
    return [one for one in requirements if one.name != PROJECT["name"]]


RUNTIME = asked_for(PROJECT["dependencies"])
ALL = RUNTIME + asked_for(line for lines in EXTRAS.values() for line in lines)


def pins(file):
    """Versions by package that a lock names, each line as `package==version`."""
    found = {}
    for line in (ENVS / file).read_text().splitlines():
        if not line.startswith("#"):
            name, version = line.split("==")
            assert canonicalize_name(name) not in found, f"{file} pins {name} twice"
            found[canonicalize_name(name)] = Version(version)
    return found


LOCK, CUDA = pins("lock.txt"), pins("lock-cuda.txt")


@pytest.mark.parametrize("requirement", ALL, ids=str)
def test_a_dependency_is_pinned_to_a_version_that_pyproject_allows(requirement):
    assert LOCK[canonicalize_name(requirement.name)] in requirement.specifier


def test_what_the_pinned_packages_need_is_pinned_too():
    checked = 0
    for name, version in LOCK.items():
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        # A local build (2.13.0+cpu) may ask for less, never for more.
        if Version(Version(package.version).public) != version:
            continue
        checked += 1
        for needed in map(Requirement, package.requires or ()):
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                pinned = (LOCK | CUDA).get(canonicalize_name(needed.name))
                assert pinned in needed.specifier, f"{name} needs {needed}, pinned is {pinned}"
    assert checked > len(LOCK) / 2, "the environment that runs the tests is not the locked one"


def test_cuda_is_in_its_own_lock_and_of_one_generation():
    assert not CUDA.keys() & LOCK.keys()
    # What PyTorch links against; a CPU build does not ask for them, so its metadata does not tell.
    libraries = (
        *("cublas", "cuda-cupti", "cuda-nvrtc", "cuda-runtime", "cudnn", "cufft", "cufile"),
        *("curand", "cusolver", "cusparse", "cusparselt", "nccl", "nvjitlink", "nvshmem", "nvtx"),
    )
    pinned = {re.sub(r"-cu\d+$", "", name) for name in CUDA}
    assert {"triton", *(f"nvidia-{library}" for library in libraries)} <= pinned
    is_cuda = re.compile(r"nvidia-(?!ml-py$)|cuda-|triton$")
    assert all(map(is_cuda.match, CUDA))
    assert not any(map(is_cuda.match, LOCK))
    toolkit = CUDA["cuda-toolkit"].major
    generations = {name.rpartition("-cu")[2] for name in CUDA if re.search(r"-cu\d+$", name)}
    assert generations == {str(toolkit)}
    assert CUDA["nvidia-cuda-runtime"].major == CUDA["cuda-bindings"].major == toolkit


def conda_environment():
    """Requirements of conda.yaml by package: those of conda, and those of pip in it."""
    listed = yaml.safe_load((ENVS / "conda.yaml").read_text())["dependencies"]
    of_pip = [line for entry in listed if isinstance(entry, dict) for line in entry["pip"]]
    of_conda = [re.sub(r"(?<![=<>])=(?!=)", "==", line) for line in listed if isinstance(line, str)]
    return (
        {one.name: one.specifier for one in map(Requirement, of_conda)},
        {one.name: one.specifier for one in map(Requirement, of_pip)},
    )


def test_conda_lists_what_a_job_needs_with_the_same_bounds():
    from_conda, from_pip = conda_environment()
    needed = RUNTIME + asked_for(line for extra in OPTIONAL for line in EXTRAS[extra])
    expected = {
        CONDA_NAMES.get(canonicalize_name(one.name), canonicalize_name(one.name)): str(
            one.specifier
        )
        for one in needed
        if not one.name.startswith("snakemake")  # starts the jobs, from another environment
    }
    tools = {"python": "==3.11", "pip": "", "setuptools": ">=77"}
    listed = from_conda | from_pip
    lower = {name: str(specifier).partition(",")[0] for name, specifier in listed.items()}
    lower["braindecode"] = next(str(s) for s in listed["braindecode"] if s.operator == ">=")
    assert lower == expected | tools
    # Where the bounds of development are narrower, they hold here too.
    for one in asked_for(EXTRAS["dev"]):
        if one.name in from_pip:
            assert set(one.specifier) <= set(from_pip[one.name])


def test_no_job_imports_snakemake():
    # conda.yaml leaves it out.
    for file in (ROOT / "deepself").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) snakemake", file.read_text(), re.M), file


def test_conda_installs_deepself_without_what_pip_would_bring():
    command = (ENVS / "conda.post-deploy.sh").read_text().splitlines()[-1]
    assert {"--no-deps", "--no-build-isolation", "--editable"} <= set(command.split())
    assert SOURCE == ROOT  # which the Snakefile names to the script


def container():
    """Sections of the container's definition, by name; the header as ''."""
    parts = re.split(r"(?m)^%(\w+)\n", (ENVS / "deepself.def").read_text())
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def test_the_container_holds_the_locked_environment():
    sections = container()
    python = yaml.safe_load((ENVS / "conda.yaml").read_text())["dependencies"][0]
    assert f"From: python:{python.partition('=')[2]}-" in sections[""]
    assert f"Version {PROJECT['version']}\n" in sections["labels"]

    post = sections["post"].replace("\\\n", " ")
    setup = re.search(r"sh (\S+)/envs/setup\.sh (\S+)\s+\"\[(.+)\]\"", post)
    assert setup is not None
    source, environment, extras = setup.groups()
    assert tuple(extras.split(",")) == OPTIONAL
    copied = dict(line.split() for line in sections["files"].strip().splitlines())
    assert copied == {path: f"{source}/{path}" for path in copied}
    # Not all of envs/, where an earlier image lies.
    in_envs = [f"envs/{name}" for name in re.findall(r"\$here/([\w-]+\.\w+)", SETUP)]
    project = ["pyproject.toml", PROJECT["readme"], *PROJECT["license-files"], "deepself"]
    assert copied.keys() == {*project, "envs/setup.sh", *in_envs}
    assert all((ROOT / path).exists() for path in copied)
    assert f"export PATH={environment}/bin:$PATH" in sections["environment"]
    assert f"{environment}/bin/deepself --help" in sections["test"]
    assert (ENVS / "setup.sh").stat().st_mode & 0o111


@pytest.mark.parametrize("script", ["setup.sh", "lock.sh", "conda.post-deploy.sh", "deepself.def"])
def test_scripts_are_sound_shell(script):
    text = container()["post"] if script.endswith(".def") else (ENVS / script).read_text()
    done = subprocess.run(["sh", "-n"], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# Stands where `python -m pip` is called: notes the arguments, and finds CPU builds or does not.
PIP = """#!/bin/sh
echo "$*" >>"$CALLS"
case "$*" in
*" download "*)
    [ -n "$CPU_BUILDS" ] || { echo "ERROR: No matching distribution found" >&2; exit 1; }
    mkdir -p "${0%/bin/python}/torch" && : >"${0%/bin/python}/torch/torch.whl" ;;
esac
"""


@pytest.mark.parametrize(
    ("gpu", "cpu_builds", "torch"),
    [
        ("1", "yes", f"torch==={LOCK['torch']}"),
        ("0", "yes", "torch.whl"),
        ("0", "", f"torch=={LOCK['torch']}"),
    ],
)
def test_set_up_takes_the_right_torch_and_pins_every_install(tmp_path, gpu, cpu_builds, torch):
    folder, calls = tmp_path / "venv", tmp_path / "calls"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").write_text(PIP)
    (folder / "bin/python").chmod(0o755)
    done = subprocess.run(
        [ENVS / "setup.sh", folder, "[eeg]"],
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHON": sys.executable,
            "DEEPSELF_GPU": gpu,
            "CPU_BUILDS": cpu_builds,
            "CALLS": str(calls),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    installs = [line.split() for line in calls.read_text().splitlines() if " install " in line]
    assert len(installs) == 2
    for install in installs:
        constraints = [install[i + 1] for i, word in enumerate(install) if word == "--constraint"]
        assert constraints == [str(ENVS / "lock.txt"), str(ENVS / "lock-cuda.txt")]
    assert Path(installs[0][-1]).name == torch
    assert installs[1][-1] == f"{ENVS}/..[eeg]"


def test_every_rule_with_a_command_has_a_conda_environment_and_the_workflow_a_container():
    commands = 0
    for file in [ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]:
        rules = re.split(r"(?m)^(?:rule|checkpoint) ", file.read_text())[1:]
        for rule in rules:
            body = re.split(r"(?m)^\S", rule.partition("\n")[2])[0]
            if "    shell:" in body:
                commands += 1
                conda = re.search(r"    conda:\n +\"(.+)\"", body)
                assert conda, f"{file.name}: {rule.partition(':')[0]}"
                assert (file.parent / conda[1]).resolve() == ENVS / "conda.yaml"
    assert commands > 10
    image = re.search(r"(?m)^container: .*SOURCE / \"(.+)\"\)$", (ROOT / "Snakefile").read_text())
    assert image is not None
    built = f"apptainer build {image[1]} envs/deepself.def"
    assert built in container()[""]
    assert built in (ROOT / "docs/environments.md").read_text()


def test_no_file_names_the_host_of_a_package_index():
    # Where packages come from is for each machine's own configuration to say.
    host = re.compile(r"\b(?:[\w-]+\.)*(?:pypi|pythonhosted|anaconda)\.\w+|/whl/|/simple/")
    option = re.compile(r"--(?:extra-)?index-url|--find-links|--default-index")
    files = [ROOT / "README.md", ROOT / "Makefile", ROOT / "pyproject.toml"]
    files += [file for file in ENVS.iterdir() if file.suffix != ".sif"]
    files += (ROOT / "docs").rglob("*.md")
    for file in files:
        text = file.read_text()
        for pattern in (host, option):
            found = pattern.search(text)
            assert found is None, f"{file.relative_to(ROOT)}: {found and found[0]}"


def test_every_file_of_the_package_is_installed_with_it():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    package = ROOT / "deepself"
    patterns = tools["setuptools"]["package-data"]["deepself"]
    installed = {path for pattern in patterns for path in package.glob(pattern)}
    files = {
        path
        for path in package.rglob("*")
        if path.is_file()
        and path.suffix != ".py"
        and not any(part.startswith((".", "__")) for part in path.relative_to(package).parts)
    }
    assert files <= installed, files - installed
    assert package / "planning/units.json" in files
