"""Drafts of bundles with every kind of feature, every family of networks, and every fusion."""

from typing import Any

from tests.inference.program_bundles import CLASSES, Draft

SECONDS = {"seconds": 0.25}
MEL = {"kind": "log_mel", "modality": "audio", "n_fft": 128, "hop_length": 32, "n_mels": 16}
FOURIER = {key: value for key, value in MEL.items() if key != "n_mels"}
SHORT = {"seconds": 0.1, "overlap": 0.5}
CNN = {"type": "cnn2d", "channels": [4]}
LAST = {"type": "random_crop", "size": 0.5}

MODALITIES: dict[str, dict[str, Any]] = {
    "audio": {"kind": "audio", "sample_rate": 2000, "channels": "mix", "duration": SECONDS},
    "sensor": {"kind": "sensor", "sample_rate": 200, "channels": [1, 0], "duration": SECONDS},
    "picture": {"kind": "image", "height": 12, "width": 12, "channels": "rgb"},
    "film": {
        "kind": "video",
        "frame_rate": 20,
        "height": 8,
        "width": 8,
        "channels": "grey",
        "duration": {"seconds": 0.4},
    },
}
KNOWN: dict[str, dict[str, Any]] = {
    "audio": {"channels": 1, "samples": 500},
    "sensor": {"channels": 2, "samples": 50},
    "picture": {"channels": 3},
    "film": {"channels": 1, "samples": 8},
}
FEATURES: dict[str, dict[str, Any]] = {
    "log_mel": {**MEL, "deltas": 2, "dtype": "float16"},
    "narrow": {**MEL, "win_length": 100, "n_fft": 129, "mel": "htk", "log": "ln", "fmin": 20},
    "mfcc": {**MEL, "kind": "mfcc", "n_mfcc": 8, "mel": "kaldi", "fmax": 900},
    "power": {**FOURIER, "kind": "spectrogram", "scale": "power"},
    "magnitude": {**FOURIER, "kind": "spectrogram", "scale": "magnitude"},
    "spectrogram": {**FOURIER, "kind": "spectrogram"},
    "chroma": {**FOURIER, "kind": "chroma"},
    "short": {**MEL, "window": SHORT},
    "short_mfcc": {**MEL, "kind": "mfcc", "n_mfcc": 8, "window": {**SHORT, "rest": "zero"}},
    "trace": {"kind": "waveform", "modality": "sensor"},
    "shade": {"kind": "picture", "modality": "picture"},
    "film": {"kind": "film", "modality": "film"},
    "shown": {"kind": "rendered", "of": "short", "height": 32, "width": 32},
    "stacked": {"kind": "rendered", "of": "log_mel", "height": 9, "width": 40, "layout": "stack"},
    "ranged": {"kind": "rendered", "of": "power", "height": 8, "width": 1, "range": [-1.0, 30.0]},
    "coloured": {"kind": "rendered", "of": "log_mel", "height": 12, "width": 9, "layout": "rgb"},
    "deep": {"kind": "embedding", "of": "shown", "network": "mobilenet_v3_small"},
    "layer": {
        "kind": "embedding",
        "of": "shade",
        "network": "mobilenet_v3_small",
        "layer": "features.3",
    },
    "joined": {"kind": "joined_spectra", "of": ["spectrogram", "mfcc"], "along": "bins"},
    "sheets": {"kind": "joined_pictures", "of": ["shade", "coloured"], "along": "width"},
    "vectors": {"kind": "joined_vectors", "of": ["trace", "shade"]},
    "mixed": {"kind": "joined_vectors", "of": ["short_mfcc", "trace"]},
    "crossings": {"kind": "zero_crossing_rate", "modality": "audio", "frame_length": 101},
    "summary": {"kind": "statistics", "of": "mfcc", "statistics": ["greatest", "deviation"]},
    "classic": {"kind": "joined_vectors", "of": ["summary", "crossings"]},
    "trace_too": {"kind": "waveform", "modality": "sensor", "dtype": "float16"},
    "traces": {"kind": "joined_waveforms", "of": ["trace", "trace_too"]},
    "film_too": {"kind": "film", "modality": "film"},
    "films": {"kind": "joined_films", "of": ["film", "film_too"]},
    # What a program cannot make.
    "filtered": {**MEL, "hop_length": 16, "filter": {"low": 50, "high": 900}},
    "wavelets": {
        "kind": "scalogram",
        "modality": "audio",
        "frequencies": {"low": 50, "high": 800, "count": 8},
        "hop_length": 16,
    },
    "filtered_trace": {
        "kind": "waveform",
        "modality": "sensor",
        "filter": {"high": 60},
        "window": SHORT,
    },
    "viridis": {
        "kind": "rendered",
        "of": "log_mel",
        "height": 16,
        "width": 16,
        "colormap": "viridis",
    },
    "seen": {"kind": "rendered", "of": "wavelets", "height": 8, "width": 8},
}
OUTSIDE = {"filtered", "wavelets", "filtered_trace", "viridis"}

NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "log_mel_cnn": ("log_mel", CNN),
    "narrow_cnn": ("narrow", {**CNN, "readout": "attention", "activation": "gelu"}),
    "mfcc_gru": ("mfcc", {"type": "rnn", "cell": "gru", "hidden_size": 8, "readout": "last"}),
    "power_cnn": ("power", {**CNN, "normalisation": "layer", "readout": "max"}),
    "magnitude_cnn": ("magnitude", {**CNN, "normalisation": "group", "groups": 1}),
    "spectrogram_cnn": ("spectrogram", {**CNN, "normalisation": "instance"}),
    "chroma_lstm": (
        "chroma",
        {"type": "rnn", "cell": "lstm", "hidden_size": 6, "bidirectional": True, "num_layers": 2},
    ),
    "short_cnn": ("short", CNN),
    "short_both": (
        "short_mfcc",
        {"type": "cnn_rnn", "channels": [4], "hidden_size": 6, "readout": "attention"},
    ),
    "classic_dense": ("classic", {"type": "dense", "hidden": [8]}),
    "mfcc_autoencoder": ("mfcc", {"type": "rnn_autoencoder", "hidden_size": 4}),
    "trace_rnn": ("trace", {"type": "rnn", "cell": "rnn", "hidden_size": 4, "readout": "mean"}),
    "trace_cnn": ("trace", {"type": "cnn1d", "channels": [4, 8], "stride": 2}),
    "trace_dense": ("trace", {"type": "dense", "hidden": [8], "normalisation": "batch"}),
    "trace_eeg": ("trace", {"type": "eegnet"}),
    "shade_cnn": ("shade", CNN),
    "traces_cnn": ("traces", {"type": "cnn1d", "channels": [4]}),
    "films_rnn": ("films", {"type": "rnn", "hidden_size": 4}),
    "film_cnn": ("film", {"type": "cnn3d", "channels": [4], "pool": [[2, 2, 2]]}),
    "shown_mobilenet": ("shown", {"type": "mobilenet_v3_small"}),
    "stacked_cnn": ("stacked", {**CNN, "readout": "flatten"}),
    "ranged_cnn": ("ranged", {**CNN, "pool": 1}),
    "coloured_lite": ("coloured", {"type": "efficientnet_lite0"}),
    "sheets_cnn": ("sheets", CNN),
    "joined_cnn": ("joined", {**CNN, "hidden": [8]}),
    "vectors_dense": ("vectors", {"type": "dense", "hidden": [8]}),
    "mixed_dense": ("mixed", {"type": "dense", "hidden": [8]}),
    "filtered_piczak": ("filtered", {"type": "piczak", "hidden": 8}),
    "wavelets_cnn": ("wavelets", CNN),
    "filtered_cnn": ("filtered_trace", {"type": "cnn1d", "channels": [4]}),
    "viridis_cnn": ("viridis", CNN),
    "seen_cnn": ("seen", CNN),
}
CLASSIFIERS: dict[str, tuple[str, dict[str, Any]]] = {
    "svm": ("deep", {"type": "linear_svm", "complexity": [0.1]}),
    "regression": ("layer", {"type": "logistic_regression", "complexity": [0.1]}),
    "rbf": ("trace", {"type": "rbf_svm", "complexity": [1.0], "gamma": [0.1]}),
    "forest": ("trace", {"type": "random_forest", "trees": 9, "leaf": [1]}),
    "neighbours": ("short", {"type": "nearest_neighbours", "neighbours": [4]}),
}


def models() -> dict[str, dict[str, Any]]:
    made: dict[str, dict[str, Any]] = {}
    for name, (feature, network) in NETWORKS.items():
        made[name] = {"feature": feature, "network": network}
    for name, (feature, classifier) in CLASSIFIERS.items():
        made[name] = {"feature": feature, "classifier": classifier}
    made["mfcc_gru"]["normalise"] = "bin"
    made["short_cnn"]["normalise"] = "item"
    made["trace_cnn"]["normalise"] = "item"
    made["vectors_dense"]["normalise"] = "item"
    made["rbf"]["normalise"] = "none"
    for name in ("spectrogram_cnn", "shade_cnn"):
        made[name]["training"] = {"augmentation": [LAST], "crops": 4}
    for join in ("concatenation", "gated_sum", "cross_attention"):
        made[join] = {
            "network": {
                "type": "branches",
                "join": join,
                "size": 8,
                "branches": {
                    "sound": {"feature": "log_mel", "network": CNN},
                    "shade": {"feature": "shade", "network": CNN},
                },
            },
        }
    return made


MEMBERS = ("log_mel_cnn", "trace_cnn", "shade_cnn", "rbf")
TEMPERATURES = dict(zip(MEMBERS, (0.6, 1.0, 2.5, 1.3), strict=True))
WEIGHTS = dict(zip(MEMBERS, (0.1, 0.2, 0.3, 0.4), strict=True))
STACKED = {
    "complexity": 0.1,
    "classes": [CLASSES[2], CLASSES[0]],
    "coefficients": [[0.1 * (i - 3) for i in range(12)], [0.3 - 0.05 * i for i in range(12)]],
    "intercepts": [0.2, -0.1],
}
FUSIONS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "mean": (MEMBERS, {"method": "mean"}),
    "geometric_mean": (MEMBERS, {"method": "geometric_mean", "temperatures": TEMPERATURES}),
    "maximum": (MEMBERS, {"method": "maximum"}),
    "majority_vote": (MEMBERS, {"method": "majority_vote"}),
    "borda": (MEMBERS, {"method": "borda"}),
    "weighted_mean": (
        MEMBERS,
        {"method": "weighted_mean", "weights": WEIGHTS, "temperatures": TEMPERATURES},
    ),
    "greedy": (MEMBERS, {"method": "greedy", "weights": WEIGHTS}),
    "stacking": (MEMBERS, {"method": "stacking", "stacking": STACKED}),
}

FUSIONS["pair"] = (("trace_dense", "rbf"), {"method": "majority_vote"})

SMALL = Draft(MODALITIES, KNOWN, FEATURES, models(), FUSIONS)

LOUD = Draft(
    {
        "audio": {
            "kind": "audio",
            "sample_rate": 32000,
            "channels": "mix",
            "duration": {"seconds": 0.4},
        }
    },
    {"audio": {"channels": 1, "samples": 12800}},
    {
        "audioset": {"kind": "audioset_mel", "modality": "audio"},
        "panns": {"kind": "panns_mel", "modality": "audio"},
        "wave": {"kind": "waveform", "modality": "audio"},
    },
    {
        "mobilenet": {"feature": "audioset", "network": {"type": "mn04_as"}},
        "panns": {"feature": "panns", "network": {"type": "cnn6"}},
        "soundnet": {"feature": "wave", "network": {"type": "soundnet5"}},
        "zhao19": {"feature": "wave", "network": {"type": "zhao19", "hidden_size": 4}},
    },
)

_MASKED = {"seconds": 0.25, "shorter": "mask"}
MASKED = Draft(
    {"audio": {**MODALITIES["audio"], "duration": _MASKED}},
    {"audio": {"channels": 1, "samples": 500}},
    {"log_mel": MEL, "shown": {"kind": "rendered", "of": "log_mel", "height": 8, "width": 8}},
    {
        "cnn": {"feature": "log_mel", "network": {**CNN, "readout": "attention"}},
        "item": {"feature": "log_mel", "normalise": "item", "network": CNN},
        "shown": {"feature": "shown", "network": CNN},
        "gru": {"feature": "log_mel", "network": {"type": "rnn", "hidden_size": 4}},
    },
)

FREE = Draft(
    {"audio": {"kind": "audio", "sample_rate": 2000, "channels": "mix"}},
    {"audio": {"channels": 1}},
    {"short": {**MEL, "window": SHORT}, "shown": {**FEATURES["shown"]}},
    {
        "cnn": {"feature": "short", "network": CNN},
        "shown": {"feature": "shown", "network": CNN},
        "half": {"feature": "shown", "network": CNN, "training": {"precision": "bf16"}},
    },
)
