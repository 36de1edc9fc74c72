"""Cases of the networks of our own; see test_networks.py."""

CASES = {
    "dense": ({"normalisation": "batch", "dropout": 0.1}, [(7,), (2, 30), (3, 6, 5)]),
    "cnn1d": ({"kernel_size": [9, 4, 3], "stride": [2, 1, 1]}, [(1, 100), (3, 257)]),
    "cnn2d": ({"kernel_size": [[5, 3], 3, 3], "hidden": [8]}, [(1, 32, 40), (3, 17, 25)]),
    "cnn3d": (
        {"pool": [[1, 2, 2], 2, 2], "normalisation": "group", "readout": "attention"},
        [(3, 8, 16, 16), (1, 5, 9, 11)],
    ),
    "rnn": (
        {"num_layers": 2, "dropout": 0.1},
        [(1, 12, 20), (2, 8, 31), (2, 150), (3, 7, 6, 5)],
    ),
    "cnn_rnn": (
        {"cell": "lstm", "bidirectional": True, "readout": "attention"},
        [(1, 16, 40), (2, 24, 57), (2, 200), (3, 9, 8, 12)],
    ),
    "rnn_autoencoder": ({"hidden_size": 16}, [(1, 12, 20), (2, 8, 31), (3, 7, 6, 5)]),
}

LEARNS = {
    "dense": ((1, 64), {"normalisation": "layer"}, 60, 5e-3),
    "cnn1d": ((1, 64), {"padding": "same", "kernel_size": 5}, 60, 5e-3),
    "cnn2d": ((1, 8, 64), {"readout": "max"}, 60, 5e-3),
    "cnn3d": ((1, 32, 4, 4), {"pool": [[2, 2, 2], [2, 2, 2], [2, 1, 1]]}, 60, 5e-3),
    "rnn": ((1, 64), {"frame": 4, "readout": "mean"}, 60, 5e-3),
    "cnn_rnn": ((1, 8, 64), {}, 60, 5e-3),
    "rnn_autoencoder": ((1, 64, 8), {"bidirectional": True}, 60, 5e-3),
}
