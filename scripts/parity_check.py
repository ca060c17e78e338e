"""One export's check: every call of every module that the export can hold, as PyTorch tells
(parity_truth.py), in fast mode and in exact mode. Each module that it cannot hold is asked for alone: it
must be refused for the right reason, or answered with the right numbers.
"""
import collections

from parity_tool import TOLERANCE, difference

COLUMNS = "%7d %9.1e %9.1e %6d %8d %7d %8d"
HEADER = "%-54s %7s %9s %9s %6s %8s %7s %8s" % (
    "export", "outputs", "fast", "exact", "wrong", "refused", "beyond", "reasons")


class Row:
    """One export's line in the table, or a sum of such lines."""

    def __init__(self, title, group=()):
        self.title, self.group, self.counts = title, group, collections.Counter()
        self.worst = {"fast": 0.0, "exact": 0.0}
        self.complaints, self.note, self.doubtful = [], "", set()

    def complain(self, kind, text):
        self.counts[kind] += 1
        self.complaints.append("%s: %s" % (self.title, text))

    def add(self, other):
        self.counts += other.counts
        self.worst = {mode: max(self.worst[mode], other.worst[mode]) for mode in self.worst}

    def __str__(self):
        if self.note:
            return "%-54s %s" % (self.title, self.note)
        c = self.counts
        return "%-54s " % self.title + COLUMNS % (
            c["outputs"], self.worst["fast"], self.worst["exact"], c["wrong"], c["refused"], c["beyond"],
            c["reasons"])


def selectors_of(truth, call):
    """(selector, candidates) of a call; each of several outputs by its number. A call with several
    outputs hands them out in the order of execution, which is not that of its tuple: any is right."""
    name = call.path if truth.counts[call.path] == 1 else "%s#%d" % (call.path, call.number)
    if len(call.tensors) == 1:
        return [(name, call.tensors)]
    return [("%s:out[%d]" % (name, i), call.tensors) for i in range(len(call.tensors))]


class Check:
    """row: where the counts go. model: the file. files: its inputs."""

    def __init__(self, row, truth, tool, model, files):
        self.row, self.truth, self.tool, self.model, self.files = row, truth, tool, model, files

    def compare(self, wanted):
        """wanted: list of (path, selector, candidates). The refusal, if there is one."""
        for mode in ("fast", "exact") if wanted else ():
            arrays, refusal = self.tool.extract(
                self.model, self.files, [w[1] for w in wanted], *(["--exact"] if mode == "exact" else []))
            if refusal:
                return refusal
            for ours, (_, selector, candidates) in zip(arrays, wanted):
                error = min(difference(ours, c) for c in candidates)
                self.row.worst[mode] = max(self.row.worst[mode], error)
                if error > TOLERANCE[mode]:
                    self.row.complain("wrong", "%s is off by %.2g (%s)" % (selector, error, mode))
        self.row.counts["outputs"] += len(wanted)
        return None

    def judge(self, path, selector, refusal):
        code, message = refusal
        if path in self.row.doubtful and code in ("ambiguous_layer", "unknown_layer"):
            self.row.counts["refused"] += 1
        elif path in self.truth.ends and code == "folded_layer" and "does not show whether" in message:
            self.row.counts["refused"] += 1
        elif not self.truth.derived(path):
            self.row.complain("beyond", "%s is refused: %s" % (selector, message))
        else:
            self.row.counts["refused"] += 1
            if not self.truth.right_reason(path, code, message):
                self.row.complain("reasons", "%s is refused for the wrong reason: %s" % (selector, message))

    def ask_each(self, wanted):
        """Asks alone: who is refused, and why. Gives back what is answered."""
        answered = []
        for each in wanted:
            _, refusal = self.tool.extract(self.model, self.files, [each[1]], "--dry-run")
            if refusal and "'module:%s'" % each[1] in refusal[1]:  # a value has that name, too
                each = (each[0], "module:" + each[1], each[2])
                _, refusal = self.tool.extract(self.model, self.files, [each[1]], "--dry-run")
            if refusal:
                self.judge(each[0], each[1], refusal)
            else:
                answered.append(each)
        return answered

    def run(self):
        sure, derived = [], []
        for call in self.truth.calls:
            for selector, candidates in selectors_of(self.truth, call):
                held = not self.truth.derived(call.path) and call.path not in self.row.doubtful
                (sure if held else derived).append((call.path, selector, candidates))
        answered = self.ask_each(derived)
        if self.compare(sure + answered):
            answered += self.ask_each(sure)
            problem = self.compare(answered)
            if problem:
                self.row.complain("beyond", "refused together: %s" % problem[1])
