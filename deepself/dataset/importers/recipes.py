"""Features and models for a start: simple, quick, and fit for the size of the files."""

from math import log2

from deepself.dataset.importers.measure import Facts

Lines = list[str]


def recipe(kind: str, modality: str, facts: Facts, items: int) -> Lines:
    """The sections `features`, `models` and `fusions` of a starting study."""
    # Many items make many steps an epoch; fewer epochs then do.
    epochs = 30 if items < 5000 else 10
    body = {"audio": _audio, "sensor": _sensor, "image": _image, "video": _video}[kind]
    return [*body(modality, facts, epochs), "", "fusions:", '  all: {members: ["*"]}']


def _audio(modality: str, facts: Facts, epochs: int) -> Lines:
    samples = facts.seconds[1] * facts.rate
    n_fft = 2 ** round(log2(0.05 * facts.rate))  # 50 ms: fine enough for pitch and for onsets
    while n_fft > 128 and samples < 16 * n_fft:
        n_fft //= 2
    n_mels = max(8, min(64, n_fft // 8))
    short = max(64, n_fft // 4)
    layers = _layers(n_mels, samples / (n_fft // 2))
    log_mel = f"{{kind: log_mel, modality: {modality}, hop_length: {n_fft // 2}"
    return [
        "features:",
        f"  # Windows of {1000 * n_fft / facts.rate:.0f} ms tell pitches apart,",
        f"  log_mel: {log_mel}, n_fft: {n_fft}, n_mels: {n_mels}}}",
        f"  # those of {1000 * short / facts.rate:.0f} ms sounds that follow one another closely.",
        f"  log_mel_short: {log_mel}, n_fft: {short}, n_mels: {max(8, n_mels // 4)}}}",
        "",
        "models:",
        *_cnn("log_mel_cnn", "log_mel", layers, epochs, "normalise: bin"),
        *_cnn_rnn("log_mel_cnn_gru", "log_mel", layers, epochs),
        *_cnn("log_mel_short_cnn", "log_mel_short", min(layers, 2), epochs, "normalise: bin"),
    ]


def _sensor(modality: str, facts: Facts, epochs: int) -> Lines:
    samples = facts.seconds[1] * facts.rate
    n_fft = 2 ** int(max(3, min(9, log2(max(samples, 2) / 16))))
    layers = _layers(n_fft / 2 + 1, samples / (n_fft // 4))
    wave_layers = max(1, min(4, int(log2(max(samples, 8)) / 2) - 2))
    return [
        "features:",
        "  # To look at a band of it only, add: filter: {low: ..., high: ...}, in Hz.",
        f"  wave: {{kind: waveform, modality: {modality}}}",
        f"  # Windows are {n_fft / facts.rate:.3g} s long, bins {facts.rate / n_fft:.3g} Hz wide.",
        f"  spectrogram: {{kind: spectrogram, modality: {modality}, n_fft: {n_fft}, "
        f"hop_length: {n_fft // 4}}}",
        "",
        "models:",
        *_wave_cnn("wave_cnn", "wave", wave_layers, epochs),
        *_cnn("spectrogram_cnn", "spectrogram", layers, epochs, "normalise: bin"),
    ]


def _image(modality: str, facts: Facts, epochs: int) -> Lines:
    layers = _layers(facts.height, facts.width)
    return [
        "features:",
        f"  picture: {{kind: picture, modality: {modality}}}",
        "",
        "models:",
        *_cnn("picture_cnn", "picture", layers, epochs),
        "  # The same with wider layers, against learning by heart with dropout.",
        *_cnn("picture_wide_cnn", "picture", layers, epochs, width=32, dropout=0.2),
    ]


def _video(modality: str, facts: Facts, epochs: int) -> Lines:
    layers = _layers(facts.height, facts.width)
    # Short films have few frames: pooling leaves them, the recurrent layer needs them as steps.
    front = f"channels: {[8 * 2**i for i in range(layers)]}, pool: {[[1, 2, 2]] * layers}"
    return [
        "features:",
        f"  film: {{kind: film, modality: {modality}}}",
        "",
        "models:",
        *_film("film_cnn", f"{{type: cnn3d, {front}}}", epochs),
        *_film("film_cnn_gru", f"{{type: cnn_rnn, {front}, hidden_size: 32}}", epochs),
    ]


def _film(name: str, network: str, epochs: int) -> Lines:
    return [
        f"  {name}:",
        "    feature: film",
        f"    network: {network}",
        f"    training: {{epochs: {epochs}}}",
    ]


def _cnn(
    name: str,
    feature: str,
    layers: int,
    epochs: int,
    *more: str,
    width: int = 16,
    dropout: float = 0.0,
) -> Lines:
    channels = [width * 2**i for i in range(layers)]
    extra = f", dropout: {dropout}" if dropout else ""
    return [
        f"  {name}:",
        f"    feature: {feature}",
        *(f"    {line}" for line in more),
        f"    network: {{type: cnn2d, channels: {channels}{extra}}}",
        f"    training: {{epochs: {epochs}}}",
    ]


def _cnn_rnn(name: str, feature: str, layers: int, epochs: int) -> Lines:
    channels = [16, 32][:layers]
    # The first layer pools along frequency only: the recurrent one needs steps in time.
    pool = [[2, 1], [2, 2]][:layers]
    return [
        f"  {name}:",
        f"    feature: {feature}",
        "    normalise: bin",
        f"    network: {{type: cnn_rnn, channels: {channels}, pool: {pool}, "
        "cell: gru, hidden_size: 32, readout: mean}",
        f"    training: {{epochs: {epochs}}}",
    ]


def _wave_cnn(name: str, feature: str, layers: int, epochs: int) -> Lines:
    return [
        f"  {name}:",
        f"    feature: {feature}",
        f"    network: {{type: cnn1d, channels: {[8 * 2**i for i in range(layers)]}, "
        "kernel_size: 8, stride: 2, pool: 2}",
        f"    training: {{epochs: {epochs}}}",
    ]


def _layers(height: float, width: float) -> int:
    """Layers of a CNN, each of which halves both sides, up to three."""
    return max(1, min(3, int(log2(max(2.0, min(height, width)))) - 1))
