"""Files of one's own and their table: an ECG in CSV, skin conductance in .npy, two sessions of two people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

COLUMNS = "path,subject,session,trial,modality,sampling_rate,unit,start,end,emotion,valence"


def write(root: Path) -> dict[str, np.ndarray]:
    """Returns the signals of the last recording, in mV and µS."""
    rng = np.random.default_rng(4)
    rows = [COLUMNS]
    for subject, session in (("S01", "a"), ("S01", "b"), ("S02", "a")):
        base = f"{subject}_{session}"
        ecg, gsr = rng.normal(size=(2, 4000)), rng.normal(5, 1, size=(1, 160))
        times = {"time": np.arange(4000) / 100}
        pd.DataFrame(times | dict(zip(("I", "II"), ecg, strict=True))).to_csv(
            root / f"{base}_ecg.csv", index=False
        )
        np.save(root / f"{base}_eda.npy", gsr)
        for number, emotion in enumerate(("calm", "joy")):
            stretch = f"{subject},{session},film{number}"
            times_and_labels = f"{20 * number},{20 * number + 20},{emotion},{number / 2}"
            rows.append(f"{base}_ecg.csv,{stretch},ecg,,mV,{times_and_labels}")
            rows.append(f"{base}_eda.npy,{stretch},gsr,4,uS,{times_and_labels}")
    (root / "manifest.csv").write_text("\n".join(rows) + "\n")
    return {"ecg": ecg, "gsr": gsr}
