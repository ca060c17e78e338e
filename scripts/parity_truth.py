"""What PyTorch itself says about a network: the output of every call of every module, and which
modules cannot have a value of their own in an export that folds.

Nothing is listed by hand. A forward runs under hooks and under a dispatch mode that sees every
operation with its tensors; from that follow
- identities: modules that hand out the very tensor they were given (Dropout in eval, Identity);
- folds: products whose value goes into one normalisation in eval mode and nowhere else. The modules
  that hand out that value lose it (`before`), and the modules that compute the normalisation and
  nothing more are absorbed (`absorbed`). Those that hand out the normalised value and compute more
  (`ends`) may be refused: a file does not show that they end behind the normalisation.
"""
import collections

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from parity_tool import PROGRAMS, tensors_of

CONVOLUTIONS = {"convolution", "mkldnn_convolution", "cudnn_convolution", "_convolution"}
NORMS = {"native_batch_norm", "cudnn_batch_norm", "_native_batch_norm_legit_no_training",
         "_native_batch_norm_legit", "batch_norm"}
PRODUCTS = {"addmm"}

Call = collections.namedtuple("Call", "path number tensors dictionary")
Operation = collections.namedtuple("Operation", "name reads writes transposed modules")


def key(tensor):
    return tensor.data_ptr(), tuple(tensor.shape)


class Recorder(TorchDispatchMode):
    """Every operation with the tensors that it reads and writes. All are kept alive, so that no
    address means two tensors."""

    def __init__(self, running):
        super().__init__()
        self.operations, self.kept, self.running, self.paused = [], [], running, False

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if self.paused:
            return result
        reads, writes = tensors_of((args, kwargs or {})), tensors_of(result)
        self.kept += reads + writes
        name = function.__name__.split(".")[0]
        if not reads or name in ("detach", "alias"):
            return result
        self.operations.append(Operation(
            name, [key(t) for t in reads], [key(t) for t in writes],
            len(args) > 6 and args[6] is True, tuple(self.running)))
        return result


class Truth:
    """calls: in order of execution. identities, before, absorbed, ends: sets of module paths."""

    def __init__(self, model, inputs, exporter):
        self.calls, self.identities, self.counts = [], set(), collections.Counter()
        self.names, overwriting = {}, []
        for name, module in model.named_modules():
            self.names[module] = name
            if getattr(module, "inplace", False):
                overwriting.append(module)
                module.inplace = False
        self.given = {}
        running, handles = [], []
        for module in self.names:
            handles.append(module.register_forward_pre_hook(
                lambda m, inputs: running.append(self.names[m])))
            handles.append(module.register_forward_hook(
                lambda m, inputs, output: self.after(m, inputs, output)))
        self.recorder = recorder = Recorder(running)
        with torch.no_grad(), recorder:
            model(*[i.clone() for i in inputs])
        for handle in handles:
            handle.remove()
        for module in overwriting:
            module.inplace = True
        self.operations = recorder.operations
        recorder.kept.clear()
        self.read_as(exporter)

    def read_as(self, exporter):
        """The same forward, as another exporter folds it."""
        self.exporter, self.before, self.absorbed, self.ends = exporter, set(), set(), set()
        self.derive(self.operations)
        return self

    def after(self, module, inputs, output):
        self.recorder.running.pop()
        self.recorder.paused = True
        if self.names[module] != "":
            self.keep(self.names[module], module, inputs, output)
        self.recorder.paused = False

    def keep(self, path, module, inputs, output):
        tensors = tensors_of(output)
        self.calls.append(Call(path, self.counts[path], [t.detach().clone().numpy() for t in tensors],
                               not isinstance(output, torch.Tensor)))
        self.counts[path] += 1
        given = {key(t) for t in tensors_of(inputs)}
        if tensors and all(key(t) in given for t in tensors):
            self.identities.add(path)
        self.given.setdefault(path, []).append([key(t) for t in tensors])

    def foldable(self, operation):
        """Which operations an exporter folds a following BatchNorm into."""
        if operation.name in CONVOLUTIONS:
            return self.exporter == "dynamo" or not operation.transposed
        return self.exporter == "dynamo" and operation.name in PRODUCTS

    def derive(self, operations):
        if self.exporter == "preserve" or self.exporter in PROGRAMS:
            return
        readers = collections.defaultdict(list)
        for operation in operations:
            for read in set(operation.reads):
                readers[read].append(operation)
        lost, norms = set(), []
        for operation in operations:
            value = operation.writes[0] if operation.writes else None
            if self.foldable(operation) and len(readers[value]) == 1 and \
                    readers[value][0].name in NORMS:
                lost.add(value)
                norms.append(readers[value][0])
        for path, given in self.given.items():
            if any(value in lost for values in given for value in values):
                self.before.add(path)
        if self.exporter == "dynamo":
            return
        after = {norm.writes[0] for norm in norms}
        self.ends = {path for path, given in self.given.items()
                     if any(value in after for values in given for value in values)}
        inside = collections.defaultdict(set)
        for operation in operations:
            for path in operation.modules:
                inside[path].add(id(operation))
        absorbed = {id(norm) for norm in norms}
        self.absorbed = {path for path, ids in inside.items() if path and ids <= absorbed}

    def derived(self, path):
        return path in self.identities or path in self.before or path in self.absorbed

    def right_reason(self, path, code, message):
        if path in self.before:
            return code == "folded_layer" and "folded" in message and ":folded'" in message
        if path in self.absorbed:
            return code == "unknown_layer" and "BatchNorm" in message and ":folded'" in message
        return code == "unknown_layer" and path in message


def shake(model, seed=0):
    """Gives normalisations statistics and weights that are not trivial, and parameters that begin as
    zeros or almost so (heads, biases, scales of residual branches) some of their own. Gently: statistics
    taken from a random network's own values make it magnify any float32 rounding, PyTorch's too, from
    layer to layer past what is to be measured here."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for norm in model.modules():
            if not isinstance(norm, torch.nn.modules.batchnorm._BatchNorm):
                continue
            norm.running_mean.normal_(0, 0.2, generator=generator)
            norm.running_var.uniform_(0.5, 2, generator=generator)
            if norm.affine:
                norm.weight.uniform_(0.5, 1.5, generator=generator)
                norm.bias.normal_(0, 0.2, generator=generator)
        for parameter in model.parameters():
            if parameter.numel() and parameter.abs().max() < 1e-4:
                parameter.normal_(0, 0.05, generator=generator)
    return model.eval()
