"""Every verb can be typed, and help imports nothing heavy."""

import subprocess
import sys

import pytest

from deepself.cli import VERBS, main


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    assert f"usage: deepself {verb}" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize("arguments", [["--help"], ["import", "--help"], ["fetch", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys\nfrom deepself.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'numpy', 'pydantic', 'pooch'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
