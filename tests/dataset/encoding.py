"""Sound in formats that libsndfile does not write."""

import io

import av
import numpy as np


def encoded(samples, form, codec, sample_format, rate=8000):
    """Encode by FFmpeg."""
    content = io.BytesIO()
    with av.open(content, "w", format=form) as container:
        layout = "mono" if len(samples) == 1 else "stereo"
        stream = container.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = 64000
        whole = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples, np.float32), format="fltp", layout=layout
        )
        whole.sample_rate = rate
        whole.pts = 0
        resampler = av.AudioResampler(sample_format, layout, rate, stream.frame_size or None)
        for frame in [*resampler.resample(whole), *resampler.resample(None), None]:
            container.mux(stream.encode(frame))
    return content.getvalue()
