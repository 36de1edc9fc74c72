"""Small data sets in exactly the forms in which the public ones come."""

import csv
import io
import zipfile

import numpy as np
import soundfile
from PIL import Image

ESC_COLUMNS = ["filename", "fold", "target", "category", "esc10", "src_file", "take"]
SETS = "ZONFS"
FER_COLUMNS = ["emotion", "pixels", "Usage"]


def wav(seconds=0.1, rate=44100, seed=0, channels=1):
    """A WAV file's content."""
    file = io.BytesIO()
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, (round(seconds * rate), channels))
    soundfile.write(file, noise.astype(np.float32), rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def write_wav(path, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav(**how))


def write_png(path, height=12, width=10, mode="L", seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (height, width) if mode == "L" else (height, width, 3)
    values = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    Image.fromarray(values).save(path)


def esc50_rows(per_fold=1):
    """Two classes of ESC-10 and one more, in five folds."""
    for fold in range(1, 6):
        for target, (label, esc10) in enumerate(
            [("dog", "True"), ("rain", "True"), ("cow", "False")]
        ):
            for take in range(per_fold):
                clip = f"{1000 + 10 * fold + target}"
                letter = chr(ord("A") + take)
                name = f"{fold}-{clip}-{letter}-{target}.wav"
                yield [name, fold, target, label, esc10, clip, letter]


def esc50_zip(path, columns=ESC_COLUMNS, lacking=(), extra=(), top="ESC-50-master"):
    """As GitHub packs the repository."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    rows = list(esc50_rows())
    writer.writerows(row[: len(columns)] for row in rows)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.mkdir(f"{top}/")
        packed.writestr(f"{top}/README.md", "# ESC-50")
        packed.writestr(f"{top}/meta/esc50.csv", table.getvalue())
        for seed, row in enumerate(rows):
            if row[0] not in lacking:
                packed.writestr(f"{top}/audio/{row[0]}", wav(seed=seed))
        for name, content in extra:
            packed.writestr(name, content)
    return path


def bonn_text(seed=0, samples=4097):
    values = np.random.default_rng(seed).integers(-500, 500, samples)
    return "".join(f"{value}\r\n" for value in values)


def bonn_zips(folder, per_set=3, samples=4097):
    """The five archives; N.zip's members end in .TXT."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for letter in SETS:
        paths.append(folder / f"{letter}.zip")
        suffix = "TXT" if letter == "N" else "txt"
        with zipfile.ZipFile(paths[-1], "w", zipfile.ZIP_DEFLATED) as packed:
            for number in range(1, per_set + 1):
                packed.writestr(
                    f"{letter}{number:03d}.{suffix}", bonn_text(ord(letter) + number, samples)
                )
    return paths


def fer_rows(per_class=2):
    random = np.random.default_rng(0)
    for usage in ("Training", "PublicTest", "PrivateTest"):
        for emotion in range(7):
            for _ in range(per_class):
                pixels = " ".join(map(str, random.integers(0, 256, 48 * 48)))
                yield [emotion, pixels, usage]


def fer_csv(path, rows=None, columns=FER_COLUMNS):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(list(fer_rows()) if rows is None else rows)
    return path
