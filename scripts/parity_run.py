"""What the parity scripts share whatever framework they compare with: the tool as a program, the measure
of a difference."""
import json
import os
import subprocess

import numpy as np

TOLERANCE = {"fast": 1e-4, "exact": 1e-5}


def difference(ours, theirs):
    """Largest difference in parts of the largest magnitude; inf where shapes or specials differ."""
    if ours.shape != theirs.shape or ours.dtype.kind != theirs.dtype.kind:
        return float("inf")
    if ours.size == 0:
        return 0.0
    if not np.array_equal(np.isnan(ours), np.isnan(theirs)):
        return float("inf")
    if np.array_equal(ours, theirs, equal_nan=True):
        return 0.0
    wide = np.complex128 if ours.dtype.kind == "c" else np.float64
    apart = float(np.nanmax(np.abs(ours.astype(wide) - theirs)))
    scale = float(np.nanmax(np.abs(theirs)))
    return apart / scale if scale > 0 else float("inf")


class Tool:
    def __init__(self, build, folder):
        self.program = next((p for p in (os.path.join(build, "layertap"),
                                         os.path.join(build, "cli", "layertap"))
                             if os.path.exists(p)), None)
        if not self.program:
            raise SystemExit("%s/layertap is not there: run make first" % build)
        self.folder = folder

    def extract(self, model, files, layers, *options):
        """files: one .npy for each input, called by its name; layers: list of selectors. Arrays in that
        order (none with --dry-run) and None, or None and the refusal as (code, message)."""
        request, output = (os.path.join(self.folder, n) for n in ("layers.json", "features.npz"))
        names = list(dict.fromkeys(layers))
        with open(request, "w") as file:
            json.dump({layer: "f%d" % i for i, layer in enumerate(names)}, file)
        command = [self.program, "extract", model, "--layers-from", request, "--json", *options]
        for name in files:
            command += ["--input", "%s=%s" % (os.path.basename(name)[:-4], name)]
        dry = "--dry-run" in options
        if not dry:
            command += ["-o", output, "--force"]
        ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if ran.returncode not in (0, 1):
            raise SystemExit("layertap ended with %d: %s\n%s" % (
                ran.returncode, " ".join(command), ran.stderr.decode()))
        if ran.returncode == 1:
            error = json.loads(ran.stdout)["error"]
            return None, (error["code"], error["message"])
        if dry:
            return [], None
        with np.load(output) as features:
            arrays = [features["f%d" % names.index(layer)] for layer in layers]
        os.remove(output)
        return arrays, None
