"""Cases of the networks of others over audio and EEG; see test_networks.py."""

MEL = [(1, 128, 32), (1, 128, 45)]
PANNS = [(1, 64, 32), (1, 64, 51)]
WAVES = [(1, 1400), (2, 1285)]
SMALL = {"hidden_size": 8}

CASES = {
    **{f"mn{tenths}_as": ({}, MEL) for tenths in ("04", "05", "10", "20", "30", "40")},
    **{f"cnn{layers}": ({}, PANNS) for layers in (6, 10, 14)},
    "piczak": ({"hidden": 16}, [(1, 60, 41), (2, 33, 26)]),
    "soundnet5": ({}, [(1, 4000), (2, 5001)]),
    "soundnet8": ({"dropout": 0.1}, [(1, 5000), (2, 4574)]),
    "emo16": ({**SMALL, "bidirectional": True}, WAVES),
    "emo18": ({**SMALL, "num_layers": 1}, WAVES),
    "zhao19": ({**SMALL, "readout": "mean"}, WAVES),
    "eegnet": ({}, [(1, 64), (3, 101)]),
    "deep4": ({"dropout": 0.2}, [(1, 441), (3, 500)]),
    "shallow_fbcsp": ({}, [(1, 99), (3, 150)]),
}

LARGER = {
    "mn04_as": ("mn05_as", "mn10_as", "mn20_as", "mn30_as", "mn40_as"),
    "cnn10": ("cnn14",),  # which test_panns_networks.py has in numbers
}
LEARNS = {
    "mn04_as": ((1, 128, 16), {}, 10, 1e-3),
    "cnn6": ((1, 64, 16), {"dropout": 0.1}, 5, 1e-3),
    "piczak": ((1, 20, 32), {"hidden": 32, "dropout": 0.1}, 15, 5e-3),
    "soundnet5": ((1, 3550), {}, 6, 1e-3),
    "zhao19": ((1, 1024), {"hidden_size": 16, "num_layers": 1, "dropout": 0.0}, 15, 5e-3),
    "eegnet": ((2, 128), {}, 40, 5e-3),
    "deep4": ((2, 441), {}, 10, 5e-3),
    "shallow_fbcsp": ((2, 128), {}, 15, 5e-3),
}
