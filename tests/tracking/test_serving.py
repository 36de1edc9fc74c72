"""A bundle served by MLflow: over HTTP it says what it says in Python, and refuses the rest."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import yaml

import deepself
from deepself.cli import main
from deepself.inference.opening import Given
from tests.inference.varied import write_varied
from tests.studying import finished_once
from tests.tracking.servers import free_port
from tests.tracking.serving import Server, encoded, rubbish, served, sound

FUZZED = 1000


@pytest.fixture(scope="module")
def varied(tmp_path_factory):
    return finished_once(tmp_path_factory, "varied", write_varied)


@pytest.fixture(scope="module")
def bundle(varied):
    return deepself.load(varied.export("fusion", "stacked"), device="cpu")


@pytest.fixture(scope="module")
def model(bundle, tmp_path_factory):
    """The bundle as an MLflow model."""
    folder = tmp_path_factory.mktemp("shared") / "model"
    assert main(["share", str(bundle.folder), "--output", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def server(model, tmp_path_factory):
    with served(model, free_port(), tmp_path_factory.mktemp("served") / "log.txt") as running:
        yield running


@pytest.fixture(scope="module")
def files(varied):
    return varied.files(["low-1", "high-2", "noise-0"])


def as_json(files):
    """A recording's files in a request."""
    row = {name: encoded(path) for name, path in files.items()}
    return row | {"sensor": {"file": row["sensor"], "name": files["sensor"].name}}


def assert_says(row, wanted):
    assert row["problem"] is None
    assert (row["label"], row["unsure"]) == (wanted.label, wanted.unsure)
    assert row["notes"] == list(wanted.notes)
    assert list(row["probabilities"]) == list(wanted.probabilities)
    found, said = list(row["probabilities"].values()), list(wanted.probabilities.values())
    np.testing.assert_allclose(found, said, rtol=0, atol=1e-5)


def test_what_else_lies_in_a_bundle_is_not_shared(bundle, tmp_path):
    received = shutil.copytree(bundle.folder, tmp_path / "received")
    (tmp_path / "secret").write_text("key")
    (received / "link").symlink_to(tmp_path / "secret")
    (received / "model.pkl").write_bytes(b"pickle")
    assert main(["share", str(received), "--output", str(tmp_path / "model")]) == 0
    found = {path.name for path in (tmp_path / "model").rglob("*")}
    assert "bundle.json" in found
    assert not found & {"link", "model.pkl", "secret"}


def test_the_model_holds_the_bundle_its_card_and_no_code(model, bundle):
    said = yaml.safe_load((model / "MLmodel").read_text())
    flavour = said["flavors"]["python_function"]
    assert flavour["loader_module"] == "deepself.tracking.serving" and not flavour["code"]
    inside_it = model / flavour["data"]
    for path in bundle.folder.rglob("*"):
        copy = inside_it / path.relative_to(bundle.folder)
        assert path.is_dir() or copy.read_bytes() == path.read_bytes()
    assert (model / "README.md").read_text() == (bundle.folder / "README.md").read_text()
    assert not [path for path in model.rglob("*") if path.suffix in (".py", ".pkl", ".pyc")]
    columns = {one["name"]: one for one in json.loads(said["signature"]["inputs"])}
    assert set(columns) == {"audio", "sensor", "picture", "sample_rate", "name"}
    assert columns["audio"]["required"] and not columns["name"]["required"]
    parameters = {one["name"] for one in json.loads(said["signature"]["params"])}
    assert parameters == {"calibrated", "fold", "unsure", "windows", "seconds", "hop"}
    pinned = (model / "requirements.txt").read_text().split()
    assert f"deepself=={deepself.__version__}" in pinned
    assert all("==" in line and "+" not in line for line in pinned)
    assert any(line.startswith("torch==") for line in pinned)


def test_python_asks_it_through_mlflow(model, bundle, files):
    import mlflow
    import pandas as pd

    loaded = mlflow.pyfunc.load_model(str(model))
    table = pd.DataFrame(
        {
            "audio": [one["audio"].read_bytes() for one in files],
            "sensor": [{"file": one["sensor"].read_bytes(), "name": "x.csv"} for one in files],
            "picture": [encoded(one["picture"]) for one in files],
            "name": ["a", "b", "c"],
        }
    )
    found = loaded.predict(table, params={"unsure": 0.99, "calibrated": True})
    assert list(found["name"]) == ["a", "b", "c"]
    for row, one in zip(found.to_dict("records"), files, strict=True):
        assert_says(row, bundle.predict(one, unsure=0.99, calibrated=True))
    example = loaded.predict(loaded.input_example)
    assert list(example["problem"]) == [None] and example["label"][0] in bundle.classes
    with pytest.raises(mlflow.MlflowException, match="no sensor"):
        loaded.predict(table[["audio", "picture"]].assign(sensor=None))


def test_the_server_is_healthy(server):
    assert server.ping() == 200


def test_the_example_that_the_model_brings_is_answered_for(server, model):
    status, answer = server.post((model / "serving_input_example.json").read_bytes())
    assert status == 200
    (row,) = json.loads(answer)["predictions"]
    assert row["problem"] is None and row["label"] is not None


def test_files_of_several_modalities(server, bundle, files):
    status, rows = server.ask([as_json(one) for one in files])
    assert status == 200 and [row["name"] for row in rows] == ["1", "2", "3"]
    for row, one in zip(rows, files, strict=True):
        assert_says(row, bundle.predict(one))


@pytest.mark.parametrize("form", ["instances", "dataframe_records", "dataframe_split"])
def test_other_forms_of_mlflow_say_the_same(server, files, form):
    rows = [as_json(one) for one in files]
    content = rows
    if form == "dataframe_split":
        content = {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}
    status, answer = server.post(json.dumps({form: content}).encode())
    assert status == 200
    assert json.loads(answer)["predictions"] == server.ask(rows)[1]


def test_one_recording_needs_no_list(server, files):
    assert server.ask(as_json(files[0])) == server.ask([as_json(files[0])])


def test_arrays_each_with_its_rate(server, bundle, files):
    random = np.random.default_rng(0)
    wave, trace = 0.1 * random.standard_normal(500), random.standard_normal((2, 40))
    shade = random.uniform(size=(1, 8, 6))
    row = {
        "audio": {"array": wave.tolist(), "sample_rate": 2000},
        "sensor": {"array": trace.tolist(), "sample_rate": 200},
        "picture": shade.tolist(),
    }
    status, (found,) = server.ask([row])
    given = {"audio": Given(wave, 2000), "sensor": Given(trace, 200), "picture": shade}
    assert status == 200
    assert_says(found, bundle.predict(given))


def test_parameters_are_those_of_the_bundle(server, bundle, files):
    fold = bundle.spec.folds[1]
    status, (row,) = server.ask([as_json(files[0])], fold=fold, calibrated=True, unsure=1.0)
    assert status == 200
    assert_says(row, bundle.predict(files[0], fold=fold, calibrated=True, unsure=1.0))


@pytest.fixture(scope="module")
def sound_alone(varied, tmp_path_factory):
    """A server of a model that reads sound, and its bundle."""
    bundle = deepself.load(varied.export("model", "windowed"), device="cpu")
    folder = tmp_path_factory.mktemp("sound")
    assert main(["share", str(bundle.folder), "--output", str(folder / "model")]) == 0
    with served(folder / "model", free_port(), folder / "log.txt") as running:
        yield running, bundle


def test_an_array_and_its_rate(sound_alone):
    server, bundle = sound_alone
    wave = np.sin(np.arange(1000) / 3)
    status, rows = server.ask({"audio": wave.tolist(), "sample_rate": 4000})
    assert status == 200
    assert_says(rows[0], bundle.predict(wave, 4000))
    assert rows[0]["notes"] == ["recorded at 4000 Hz, learnt from 2000 Hz"]


def test_windows_of_a_long_recording(sound_alone):
    server, bundle = sound_alone
    long = sound(samples=1700)
    status, rows = server.ask([{"audio": encoded(long), "name": "long"}], windows=True)
    wanted = bundle.predict_windows(long)
    assert status == 200 and len(rows) == len(wanted) > 3
    for row, one in zip(rows, wanted, strict=True):
        assert_says(row, one)
        assert (row["name"], row["start"], row["end"]) == ("long", one.start, one.end)
    status, rows = server.ask({"audio": encoded(long)}, windows=True, hop=0.1, unsure=0.9)
    assert status == 200 and all(row["unsure"] for row in rows)
    assert len(rows) == len(bundle.predict_windows(long, hop=0.1)) > len(wanted)


def test_a_flood_of_windows_is_refused(sound_alone):
    status, said = sound_alone[0].ask(
        {"audio": encoded(sound(samples=1700))}, windows=True, hop=1e-9
    )
    assert status == 400 and "more than 10000 windows" in said


def test_a_bad_recording_keeps_no_other_from_an_answer(server, bundle, files):
    good, bad = as_json(files[0]), as_json(files[1]) | {"audio": encoded(b"no sound"), "name": "b"}
    status, rows = server.ask([good, bad, as_json(files[2])])
    assert status == 200 and [row["name"] for row in rows] == ["1", "b", "3"]
    assert_says(rows[0], bundle.predict(files[0]))
    assert_says(rows[2], bundle.predict(files[2]))
    assert rows[1]["label"] is None and rows[1]["probabilities"] is None
    assert "cannot be decoded as audio" in rows[1]["problem"]


REFUSED = {
    "no JSON": (b"{", "no JSON"),
    "letters that are none": (b'{"inputs": "\xff"}', "no JSON"),
    "nested without end": (b"[" * 100_000, "no JSON"),
    "a list": (b"[]", "is a list"),
    "nothing": (b"{}", "no inputs"),
    "no recordings": (b'{"inputs": []}', "no recordings"),
    "another column": (b'{"inputs": [{"sound": "AAAA"}]}', "unknown column 'sound'"),
    "no base64": (b'{"inputs": [{"audio": "a.wav"}]}', "audio: is no base64"),
    "no sound": (b'{"inputs": [{"audio": "AAAA"}]}', "cannot be decoded as audio"),
    "empty": (b'{"inputs": [{"audio": ""}]}', "is empty"),
    "no rate": (b'{"inputs": [{"audio": [0.1, 0.2]}]}', "sample_rate"),
    "not finite": (b'{"inputs": [{"audio": [NaN, 1], "sample_rate": 2000}]}', "not finite"),
    "huge": (b'{"inputs": [{"audio": [1e30, 1], "sample_rate": 2000}]}', "[-1, 1]"),
    "beyond numbers": (b'{"inputs": [{"audio": [1' + b"0" * 400 + b"]}]}", "too large"),
    "an odd rate": (b'{"inputs": [{"audio": [0, 1], "sample_rate": -1}]}', "sample_rate"),
    "ragged": (b'{"inputs": [{"audio": [[0, 1], [0]]}]}', "different lengths"),
    "another parameter": (b'{"inputs": {"audio": ""}, "params": {"top": 1}}', "unknown parameter"),
    "an odd parameter": (b'{"inputs": {"audio": ""}, "params": {"unsure": "x"}}', "params.unsure"),
    "no probability": (b'{"inputs": {"audio": [0]}, "params": {"unsure": 2}}', "from 0 to 1"),
    "no fold": (b'{"inputs": {"audio": "AAAA"}, "params": {"fold": "x"}}', "no fold 'x'"),
}


@pytest.mark.parametrize(("body", "said"), REFUSED.values(), ids=REFUSED)
def test_rubbish_is_refused_in_a_sentence(sound_alone, body, said):
    status, text = sound_alone[0].post(body)
    message = json.loads(text)["message"]
    assert status == 400 and said in message
    assert len(message.splitlines()) == 1 and len(message) < 500


@pytest.mark.parametrize("kind", [None, "text/csv", "application/x-www-form-urlencoded"])
def test_only_json_is_taken(server, kind):
    status, text = server.post(b"{}", kind)
    assert status == 415 and "application/json" in json.loads(text)["message"]


def test_channels_that_the_model_does_not_take(server, files):
    row = as_json(files[0]) | {"sensor": {"array": np.eye(3, 40).tolist(), "sample_rate": 200}}
    status, said = server.ask([row])
    assert status == 400 and "has 3 channels, the model takes 2" in said


def test_clients_that_ask_at_once_get_their_own_answers(server, files):
    rows = [as_json(one) for one in files]
    wanted = [server.ask(row) for row in rows]

    def ask(number):
        own = Server(server.port, server.process, server.log)
        try:
            return [own.ask(rows[(number + turn) % len(rows)]) for turn in range(6)]
        finally:
            own.close()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, range(4)))
    for number, answers in enumerate(found):
        for turn, (status, (row,)) in enumerate(answers):
            said, (own,) = wanted[(number + turn) % len(rows)]
            assert (status, row["label"]) == (said, own["label"])
            shares = [list(one["probabilities"].values()) for one in (row, own)]
            np.testing.assert_allclose(*shares, atol=1e-6)


def test_fuzzed_requests(server, bundle, files):
    """One connection outlives them all, and the server says afterwards what it said before."""
    right = as_json(files[0])
    refused = 0
    for seed in range(FUZZED):
        body, kind = rubbish(right, seed)
        status, text = server.post(body, kind)
        assert status == 200 or 400 <= status < 500, (seed, status, text[:300])
        answer = json.loads(text)
        if status != 200:
            assert answer["message"] and "\n" not in answer["message"], seed
            assert "Traceback" not in text.decode(), seed
            refused += 1
    assert refused > FUZZED // 2
    assert "Traceback" not in server.log.read_text()
    assert_says(server.ask([right])[1][0], bundle.predict(files[0]))


def test_it_is_registered(varied, bundle, tmp_path):
    import mlflow

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    for number in (1, 2):
        assert (
            main(["share", str(bundle.folder), "--register", "tones", "--tracking-uri", uri]) == 0
        )
        version = mlflow.MlflowClient(uri).get_model_version("tones", str(number))
        assert version.description == (bundle.folder / "README.md").read_text()
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        loaded = mlflow.pyfunc.load_model("models:/tones/2")
    finally:
        mlflow.set_tracking_uri(before)
    (files,) = varied.files(["low-1"])
    row = {name: path.read_bytes() for name, path in files.items()} | {"name": "low.csv"}
    import pandas as pd

    found = loaded.predict(pd.DataFrame([row]))
    assert found["label"][0] == bundle.predict(files).label


def test_sharing_replaces_models_and_nothing_else(model, bundle, tmp_path, capsys):
    folder = tmp_path / "model"
    for _ in range(2):
        assert main(["share", str(bundle.folder), "--output", str(folder)]) == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("mine")
    for output, said in (
        (tmp_path / "mine", "exists, and is no MLflow model"),
        (bundle.folder, "exists, and is no MLflow model"),
        (tmp_path / "mine/file", "exists, and is no MLflow model"),
    ):
        assert main(["share", str(bundle.folder), "--output", str(output)]) == 1
        assert said in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "model"]
    assert main(["share", str(tmp_path / "mine"), "--output", str(tmp_path / "x")]) == 1
    assert "no bundle" in capsys.readouterr().err
    assert main(["share", str(bundle.folder)]) == 1
    assert main(["share", str(bundle.folder), "--register", "x"]) == 1
