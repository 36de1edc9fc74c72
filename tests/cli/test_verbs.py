"""Every verb can be typed, and help imports nothing heavy."""

import pytest

from deepself.cli import VERBS, main
from tests.importing import imported


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    assert f"usage: deepself {verb}" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["predct"], "deepself: error: unknown verb 'predct', did you mean predict?"),
        (
            ["predict", "a", "b", "--ouput", "x"],
            "deepself predict: error: unrecognized arguments: --ouput x, did you mean --output?",
        ),
    ],
)
def test_what_is_misspelt_gets_a_hint(arguments, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == said


@pytest.mark.parametrize("arguments", [["--help"], ["import", "--help"], ["fetch", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    helped = f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass"
    heavy = ("torch", "numpy", "pydantic", "pooch")
    assert not imported(f"from deepself.cli import main\n{helped}", heavy)
