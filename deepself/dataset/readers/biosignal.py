"""Recordings of the body: EDF and BDF, and WFDB's headers with their signal files."""

from pathlib import Path

import numpy as np

from deepself.dataset.readers.decoded import Decoded, ReadError
from deepself.dataset.readers.decoding import decoding, extra
from deepself.dataset.readers.selection import common_rate, listed, positions
from deepself.study.dataset import SensorModality


def read_edf(modality: SensorModality, path: Path, content: bytes) -> Decoded:
    """Read EDF, EDF+, BDF or BDF+: wanted signals in physical units, without the annotations.

    Signals may have different rates, as long as those wanted share one.
    """
    pyedflib = extra("pyedflib", "pyedflib", "eeg")
    _check_length(content)
    with decoding(path.suffix.lstrip(".").upper(), path):
        reader = pyedflib.EdfReader(str(path), pyedflib.DO_NOT_READ_ANNOTATIONS)
        try:
            names = [label.strip() for label in reader.getSignalLabels()]
            wanted = positions(modality, len(names), names)
            chosen = [names[i] for i in wanted]
            rate = common_rate(chosen, [float(reader.getSampleFrequency(i)) for i in wanted])
            values = np.stack([reader.readSignal(i).astype(np.float32) for i in wanted])
        finally:
            reader.close()
    return Decoded(values, rate, tuple(chosen))


def _check_length(content: bytes) -> None:
    """Refuse what is shorter or longer than its header says (edfplus.info/specs/edf.html)."""
    try:
        records, signals = int(content[236:244]), int(content[252:256])
        samples = [int(content[at : at + 8]) for at in _fields(signals)]
    except ValueError:
        return  # not a header that can be read: the decoder says what is wrong with it
    width = 3 if content[:1] == b"\xff" else 2
    length = 256 * (signals + 1) + records * sum(samples) * width
    if records > 0 and len(content) < length:
        raise ReadError(f"is cut off: it has {len(content)} of its {length} bytes")
    if records > 0 and len(content) > length:
        raise ReadError(f"is longer ({len(content)} bytes) than its header says ({length})")


def _fields(signals: int) -> range:
    """Where the header holds each signal's number of samples a record."""
    start = 256 + signals * 216
    return range(start, start + signals * 8, 8)


def read_wfdb(modality: SensorModality, path: Path, content: bytes) -> Decoded:
    """Read a record of WFDB by its header: wanted signals in physical units.

    Samples that the record marks as missing are NaN. Signals may have different rates, as long as
    those wanted share one.
    """
    wfdb = extra("wfdb", "wfdb", "eeg")
    absent = [other.name for other in _belonging(path, content) if not other.is_file()]
    if absent:
        raise ReadError(f"needs {listed(absent)}, which is not beside it")
    with decoding("WFDB"):
        record = wfdb.rdrecord(str(path.absolute().with_suffix("")), smooth_frames=False)
        if record.e_p_signal is None:
            raise ReadError("holds no signals")
        names = [str(name or "").strip() for name in record.sig_name]
        wanted = positions(modality, len(names), names)
        each = [float(record.fs * record.samps_per_frame[i]) for i in wanted]
        chosen = tuple(names[i] for i in wanted)
        rate = common_rate(chosen, each)
        values = np.stack([record.e_p_signal[i] for i in wanted])
    return Decoded(np.ascontiguousarray(values, dtype=np.float32), rate, chosen)


def signal_files(path: Path) -> list[Path]:
    """Files beside a header of WFDB that belong to its record, those of its segments included."""
    try:
        return [other for other in _belonging(path, path.read_bytes()) if other.is_file()]
    except OSError:
        return []


def _belonging(path: Path, content: bytes) -> list[Path]:
    """Files that a header names, there or not (wfdb.io/spec/header.html)."""
    lines = [line.split() for line in content.decode("latin-1").splitlines()]
    lines = [words for words in lines if words and not words[0].startswith("#")]
    if not lines:
        return []
    found: list[Path] = []
    segmented = "/" in lines[0][0]
    for words in lines[1:]:
        name = words[0]
        if name == "~" or Path(name).name != name:  # a gap; a folder elsewhere
            continue
        if not segmented:
            found.append(path.with_name(name))
            continue
        segment = path.with_name(f"{name}.hea")
        found.append(segment)
        if segment.is_file() and segment != path:
            inner = segment.read_bytes()
            if "/" not in inner.decode("latin-1").split("\n", 1)[0]:  # segments have none
                found += _belonging(segment, inner)
    return list(dict.fromkeys(found))
