"""Every layer's output of Keras models as layertap reads them, against Keras.

    PYTHON scripts/parity_keras.py BUILD applications [NAME...]
    PYTHON scripts/parity_keras.py BUILD keras2 [NAME...]
    PYTHON scripts/parity_keras.py BUILD random [COUNT [FIRST_SEED]]
    PYTHON scripts/parity_keras.py BUILD again FOLDER...
    PYTHON scripts/parity_keras.py BUILD pictures [COUNT]

applications: keras.applications with random weights. keras2: the same from tf_keras. random: models made
at random by keras_networks.py; those that fail are left in FOLDER/seed of KEEP=FOLDER. again: what was left. pictures: keras.utils.load_img and the
modes of preprocess_input against the presets, bit by bit (needs Pillow). Every model is saved as .keras
and as .h5 and read in fast and in exact mode. Wrong values, layers that are missing and layers
that are refused are counted. Developers only. NAME@224 is NAME for pictures of 224x224, else they are as small as
it allows. With RECORD=FILE, results are also lines of FILE, and what has a line there is not run again.
"""
import collections
import os
import shutil
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np  # noqa: E402

from keras_truth import calm, shake, truth  # noqa: E402
from parity_run import TOLERANCE, Tool, difference  # noqa: E402

HUGE = ("EfficientNetB7", "NASNetLarge", "EfficientNetV2L", "ConvNeXtLarge", "ConvNeXtXLarge")  # come last
# With shaken statistics their sums grow until Keras' own float32 is off by 1e-2.
GROWING = ("EfficientNetV2S", "EfficientNetV2M", "EfficientNetV2L")
FORMATS = (".keras", ".h5")
KERAS_2 = ("ResNet50", "MobileNetV2", "DenseNet121", "EfficientNetB0", "InceptionV3", "Xception", "VGG16",
           "NASNetMobile", "ConvNeXtTiny", "MobileNetV3Small")
SMALLEST = {"InceptionV3": 75, "Xception": 71, "InceptionResNetV2": 75}


def input_names(model):
    ends = [getattr(tensor, "_keras_history", None) for tensor in model.inputs]
    return [end.operation.name if hasattr(end, "operation") else tensor.node.layer.name
            for tensor, end in zip(model.inputs, ends)]


class Checker:
    def __init__(self, keras, tool, folder):
        self.keras, self.tool, self.folder = keras, tool, folder
        self.totals = collections.Counter()
        self.classes = collections.defaultdict(collections.Counter)
        self.record, self.done = os.environ.get("RECORD"), set()
        if self.record and os.path.exists(self.record):
            with open(self.record) as file:
                self.done = {line.split(":")[0] for line in file}

    def save_inputs(self, model, inputs):
        files = [os.path.join(self.folder, name + ".npy") for name in input_names(model)]
        for name, array in zip(files, inputs):
            np.save(name, array)
        return files

    def some(self, path, files, names, options):
        """Arrays by name, and refusals: halves what is refused until the culprits are alone."""
        if not names:
            return {}, {}
        arrays, refusal = self.tool.extract(path, files, names, *options)
        if not refusal:
            return dict(zip(names, arrays)), {}
        if len(names) == 1 or refusal[0] in ("format", "file"):
            return {}, {name: refusal[1] for name in names}
        middle = len(names) // 2
        one, two = (self.some(path, files, part, options) for part in (names[:middle], names[middle:]))
        return {**one[0], **two[0]}, {**one[1], **two[1]}

    def compare(self, path, files, wanted, mode):
        arrays, refused = self.some(path, files, list(wanted), ["--exact"] if mode == "exact" else [])
        counts, lines, worst = collections.Counter(), [], 0.0
        for name, (kind, array) in wanted.items():
            if name in refused:
                what = "missing" if "no layer" in refused[name] else "refused"
                lines.append("%s %s (%s): %s" % (what, name, kind, refused[name]))
            else:
                error = difference(arrays[name], array)
                what = "right" if error <= TOLERANCE[mode] else "wrong"
                if what == "wrong":
                    lines.append("wrong %s (%s): off by %.2g, %s against %s" % (
                        name, kind, error, arrays[name].shape, array.shape))
                else:
                    worst = max(worst, error)
            counts[what] += 1
            self.classes[kind][what] += 1
        self.totals.update(counts)
        return counts, lines, worst

    def check(self, title, model, inputs, wanted, formats=FORMATS):
        bad, parts, files = [], [], self.save_inputs(model, inputs)
        for suffix in formats:
            path = os.path.join(self.folder, "model" + suffix)
            if not os.path.exists(path):
                model.save(path)
            for mode in ("fast", "exact"):
                counts, lines, worst = self.compare(path, files, wanted, mode)
                bad += ["%s %s: %s" % (suffix, mode, line) for line in lines]
                parts.append("%s %s %d/%d %.1e" % (suffix, mode, counts["right"], len(wanted), worst))
        print("%-24s %s" % (title, "; ".join(parts)), flush=True)
        if self.record:
            with open(self.record, "a") as file:
                print("%s: %s" % (title, "; ".join(parts)), file=file)
        for line in bad[:int(os.environ.get("LINES_OF_BAD", "6"))]:
            print("    " + line, flush=True)
        if bad and os.environ.get("KEEP"):
            shutil.copytree(self.folder, os.path.join(os.environ["KEEP"], title), dirs_exist_ok=True)
        for left in os.listdir(self.folder):
            os.remove(os.path.join(self.folder, left))
        return not bad

    def pass_by(self, title, problem):
        """Keras made the model and cannot run, save or load it, whatever it raises."""
        print("%-24s Keras itself: %s" % (title, str(problem).split("\n")[0]), flush=True)
        self.totals["not run by Keras"] += 1

    def report(self):
        print("\n%-36s %7s %7s %7s %7s" % ("class", "right", "wrong", "missing", "refused"))
        for kind in sorted(self.classes):
            print("%-36s %7d %7d %7d %7d" % ((kind,) + tuple(
                self.classes[kind][k] for k in ("right", "wrong", "missing", "refused"))))
        print("%-36s %7d %7d %7d %7d" % (("all",) + tuple(
            self.totals[k] for k in ("right", "wrong", "missing", "refused"))))
        return any(self.totals[k] for k in ("wrong", "missing", "refused"))


def application(keras, name):
    """A network and pictures for it: of 0..255 where the network prepares them itself."""
    name, _, size = name.partition("@")
    size = int(size or SMALLEST.get(name, 64))
    keras.utils.set_random_seed(3)
    model = getattr(keras.applications, name)(weights=None, classes=7, input_shape=(size, size, 3))
    shake(model, 5)
    inside = any(type(layer).__name__ in ("Rescaling", "Normalization") for layer in model._flatten_layers())
    x = np.random.default_rng(7).normal(128 if inside else 0, 50 if inside else 1, (2, size, size, 3))
    if name in GROWING:
        calm(model)
    return model, x.astype(np.float32)


def applications(checker, names):
    for name in names:
        if name in checker.done:
            continue
        checker.keras.backend.clear_session()
        model, x = application(checker.keras, name)
        checker.check(name, model, [x], truth(checker.keras, model, [x]))


def again(checker, folders):
    for folder in folders:
        title = os.path.basename(folder)
        try:
            model = checker.keras.models.load_model(os.path.join(folder, "model.keras"))
        except Exception as problem:
            checker.pass_by(title, problem)
            continue
        inputs = [np.load(os.path.join(folder, name + ".npy")) for name in input_names(model)]
        for suffix in FORMATS:
            shutil.copy(os.path.join(folder, "model" + suffix), checker.folder)
        checker.check(title, model, inputs, truth(checker.keras, model, inputs))


def random_models(checker, count, first):
    from keras_networks import Maker
    uses = collections.Counter()
    for seed in range(first, first + count):
        checker.keras.backend.clear_session()
        model, inputs = Maker(checker.keras, seed, uses).make()
        shake(model, seed)
        try:
            wanted = truth(checker.keras, model, inputs)
            for suffix in FORMATS:
                model.save(os.path.join(checker.folder, "trial" + suffix))
        except Exception as problem:
            checker.pass_by("seed %d" % seed, problem)
            continue
        checker.check("seed %d" % seed, model, inputs, wanted)
    print("\nuses of classes: " + ", ".join("%s %d" % (k, uses[k]) for k in sorted(uses, key=uses.get)))


def pictures(keras, build, folder, count):
    """How many pictures differ in any bit."""
    random, bad = np.random.default_rng(1), 0
    tool = os.path.join(build, "tests", "image", "preprocess_tool")
    path, out = os.path.join(folder, "picture.png"), os.path.join(folder, "out.raw")
    modes = {"keras": None, "keras-caffe": "caffe", "keras-tf": "tf", "keras-torch": "torch"}
    for case in range(count):
        sizes = [int(random.integers(1, 400)) for _ in range(4)]
        name = list(modes)[case % 4]
        keras.utils.save_img(path, random.integers(0, 256, (*sizes[:2], 3)).astype(np.uint8), scale=False)
        filters = ["nearest", "nearest", "bilinear", "bicubic"][int(random.integers(4))]
        wanted = keras.utils.img_to_array(keras.utils.load_img(
            path, target_size=sizes[2:], interpolation=filters))
        if modes[name]:
            wanted = keras.applications.imagenet_utils.preprocess_input(wanted[None], mode=modes[name])[0]
        subprocess.run([tool, path, out, "preset=%s:%dx%d" % (name, *sizes[2:]), "filter=" + filters], check=True)
        with open(out, "rb") as file:
            data = file.read()
        found = np.frombuffer(data, np.float32, offset=8).reshape(3, *sizes[2:]).transpose(1, 2, 0)
        if not np.array_equal(found, wanted):
            bad += 1
            print("%s, %s, %s: off by %g" % (name, filters, sizes, np.abs(found - wanted).max()))
    print("%d pictures, %d differ from Keras'" % (count, bad))
    return bad > 0


def main():
    build, what, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
    old = what == "keras2" or os.environ.get("KERAS") == "2"
    if old:
        import tf_keras as keras
    else:
        import keras
    with tempfile.TemporaryDirectory() as folder:
        if what == "pictures":
            return pictures(keras, build, folder, int(rest[0]) if rest else 200)
        checker = Checker(keras, Tool(build, folder), folder)
        if what == "random":
            random_models(checker, *(int(r) for r in rest or ["200"]), *([1] if len(rest) < 2 else []))
        elif what == "again":
            again(checker, rest)
        elif what == "keras2":
            applications(checker, rest or KERAS_2)
        else:
            applications(checker, rest or [n for n in dir(keras.applications)
                                           if n[0].isupper() and n not in HUGE] + list(HUGE))
        return checker.report()


if __name__ == "__main__":
    sys.exit(main())
