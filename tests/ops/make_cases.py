#!/usr/bin/env python3
"""Makes the cases whose expected numbers come from PyTorch: cases_window.c, cases_product.c,
cases_norm.c, cases_resize.c, cases_sample.c. Developers only; needs torch and numpy. Usage: make_cases.py [FOLDER]"""
import re
import sys

import numpy as np
import torch
import torch.nn.functional as F

TYPES = {'float32': ('F32', None), 'float64': ('F64', None), 'int64': ('I64', '%d'),
         'int32': ('I32', '%d'), 'int8': ('I8', '%d'), 'uint8': ('U8', '%d'), 'bool': ('BOOL', '%d'),
         'float16': ('F16', '0x%04x')}
rng = np.random.default_rng(7)


def data(*dims):
    """Numbers with two decimals, easy to read."""
    return np.round(rng.standard_normal(dims), 2).astype('f4')


def number(form, value):
    if isinstance(value, (float, np.floating)) and not np.isfinite(value):
        return 'NAN' if np.isnan(value) else 'INFINITY' if value > 0 else '-INFINITY'
    return form % value if form else np.format_float_scientific(value, trim='-') \
        if value and not 1e-4 < abs(value) < 1e6 else np.format_float_positional(value, trim='-')


def wrap(text, indent):
    lines, line = [], ''
    for word in re.split(r'(?<=,) (?=[^"]*(?:"[^"]*"[^"]*)*$)', text):
        if line and len(indent) + len(line) + 1 + len(word) > 99:
            lines.append(line)
            line = word
        else:
            line = line + ' ' + word if line else word
    return ('\n' + indent).join(lines + [line])


def tensor(array):
    if array is None:
        return 'OMITTED'
    macro, form = TYPES[str(array.dtype)]
    dims = 'DIMS(%s)' % ', '.join(map(str, array.shape)) if array.ndim else 'SCALAR'
    values = array.view(np.uint16) if array.dtype == np.float16 else array
    flat = list(values.ravel()) or [0]
    return '%s(%s, %s)' % (macro, dims, ', '.join(number(form, v) for v in flat))


def attribute(name, value):
    if isinstance(value, str):
        return 'ATTR_STRING("%s", "%s")' % (name, value)
    if isinstance(value, float):
        return 'ATTR_FLOAT("%s", %.9g)' % (name, value)
    if isinstance(value, (list, tuple)):
        return 'ATTR_INTS("%s", %s)' % (name, ', '.join(map(str, value)))
    return 'ATTR_INT("%s", %d)' % (name, value)


class Family:
    def __init__(self, name, about):
        self.name, self.about, self.cases = name, about, []

    def begin(self, name, op, inputs, constants, attrs):
        parts = ['"%s", "%s"' % (name, op)]
        if attrs:
            parts.append('.attrs = {%s}' % ', '.join(attribute(*a) for a in attrs.items()))
        parts.append('.inputs = {%s}' % ', '.join(map(tensor, inputs)))
        if any(i is None for i in inputs):
            parts.append('.n_inputs = %d' % len(inputs))
        if constants:
            parts.append('.constants = %s' % ' | '.join('INPUT(%d)' % i for i in constants))
        return parts

    def add(self, name, op, inputs, outputs, constants=(), tolerance=0, **attrs):
        parts = self.begin(name, op, inputs, constants, attrs)
        if tolerance:
            parts.append('.tolerance = %g' % tolerance)
        outputs = [o.numpy() if isinstance(o, torch.Tensor) else o for o in outputs]
        parts.append('.outputs = {%s}' % ', '.join(map(tensor, outputs)))
        self.cases.append('    {%s},' % (',\n     '.join(wrap(p, '     ') for p in parts)))

    def refuse(self, name, op, inputs, status, message, constants=(), **attrs):
        parts = self.begin(name, op, inputs, constants, attrs)
        parts.append('.refusal = LTAP_ERROR_%s, .message = "%s"' % (status, message))
        self.cases.append('    {%s},' % (',\n     '.join(wrap(p, '     ') for p in parts)))

    def write(self, folder):
        with open('%s/cases_%s.c' % (folder, self.name), 'w') as file:
            file.write('/* %s Made by make_cases.py with PyTorch. */\n'
                       '#include "cases.h"\n#include <math.h>\n\n'
                       '/* clang-format off */\nstatic const op_case cases[] = {\n%s\n};\n'
                       '/* clang-format on */\n\nFAMILY(%s, cases)\n'
                       % (self.about, '\n'.join(self.cases), self.name))


def t(array):
    return torch.tensor(array).double() if array.dtype.kind == 'f' else torch.tensor(array)


def f4(result):
    return result.numpy().astype('f4')


def adaptive(f):
    x = x5 = np.round(np.random.default_rng(8).standard_normal((1, 2, 3, 5)), 2).astype('f4')
    f.add('AdaptiveAveragePool divides a picture into bins that overlap', 'AdaptiveAveragePool', [x],
          [f4(F.adaptive_avg_pool2d(t(x), (2, 3)))], output_size=[2, 3])
    x = x5.reshape(-1)[:4].reshape(2, 1, 2, 1)
    f.add('AdaptiveAveragePool repeats what is smaller than its output', 'AdaptiveAveragePool', [x],
          [f4(F.adaptive_avg_pool2d(t(x), (3, 2)))], output_size=[3, 2])
    f.refuse('AdaptiveAveragePool needs pixels', 'AdaptiveAveragePool',
             [np.zeros((1, 1, 0, 3), 'f4')], 'FORMAT', 'without pixels', output_size=[2, 2])
    f.refuse('AdaptiveAveragePool needs its size', 'AdaptiveAveragePool',
             [np.zeros((1, 1, 2, 2), 'f4')], 'FORMAT', 'output_size')


def windows():
    f = Family('window', 'Convolutions and pools.')
    conv = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
    for name, rank, x, w, bias, a in [
            ('Conv slides a kernel', 2, (1, 2, 4, 5), (3, 2, 3, 3), True, {}),
            ('Conv pads, strides and dilates', 2, (2, 1, 6, 7), (2, 1, 3, 2), True,
             dict(strides=[2, 1], pads=[2, 1, 2, 1], dilations=[2, 1])),
            ('Conv of one element sees channels only', 2, (1, 4, 2, 3), (2, 4, 1, 1), False, {}),
            ('Conv works in groups', 2, (1, 4, 3, 3), (6, 2, 2, 2), True, dict(group=2)),
            ('Conv has one channel a group', 2, (1, 3, 4, 4), (3, 1, 3, 3), False,
             dict(group=3, pads=[1, 1, 1, 1])),
            ('Conv of one axis', 1, (2, 2, 7), (2, 2, 3), True, dict(pads=[1, 1], strides=[2])),
            ('Conv of three axes', 3, (1, 2, 3, 4, 3), (2, 2, 2, 3, 2), True,
             dict(pads=[1, 0, 1, 1, 0, 1])),
            ('Conv has more outputs than one run', 1, (1, 1, 300), (1, 1, 2), False, {}),
            ('Conv has an empty batch', 2, (0, 2, 4, 4), (3, 2, 3, 3), False, {})]:
        x, w = data(*x), data(*w)
        b = data(w.shape[0]) if bias else None
        y = conv[rank](t(x), t(w), t(b) if bias else None, a.get('strides', 1),
                       a.get('pads', [0])[:rank] if 'pads' in a else 0, a.get('dilations', 1),
                       a.get('group', 1))
        f.add(name, 'Conv', [x, w] + ([b] if bias else []), [f4(y)], **a)
    x, w = data(1, 1, 4, 4), data(1, 1, 2, 3)
    y = F.conv2d(F.pad(t(x), (1, 1, 0, 1)), t(w))
    f.add('Conv pads more at the end', 'Conv', [x, w], [f4(y)], auto_pad='SAME_UPPER')
    y = F.conv2d(F.pad(t(x), (1, 1, 1, 0)), t(w))
    f.add('Conv pads more at the beginning', 'Conv', [x, w], [f4(y)], auto_pad='SAME_LOWER')
    f.add('Conv leaves padding away', 'Conv', [x, w], [f4(F.conv2d(t(x), t(w)))],
          auto_pad='VALID', pads=[1, 1, 1, 1])
    y = F.conv2d(F.pad(t(x), (0, 2, 1, 0)), t(w))
    f.add('Conv pads each side for itself', 'Conv', [x, w], [f4(y)], pads=[1, 0, 0, 2])
    x, w = data(1, 2, 3, 3).astype('f8'), data(1, 2, 2, 2).astype('f8')
    f.add('Conv computes in float64', 'Conv', [x, w], [F.conv2d(t(x), t(w)).numpy()],
          tolerance=1e-15)
    x, w = data(1, 1, 2, 3).astype('f2'), data(1, 1, 1, 2).astype('f2')
    f.add('Conv rounds half-width floats once', 'Conv', [x, w],
          [F.conv2d(t(x), t(w)).numpy().astype('f2')], tolerance=1e-4)
    x, w = data(1, 2, 3, 3), data(1, 2, 5, 5)
    f.refuse('Conv refuses a window that does not fit', 'Conv', [x, w], 'FORMAT',
             'a window of 5 does not fit its input 1x2x3x3')
    f.refuse('Conv refuses other channels', 'Conv', [data(1, 3, 5, 5), w], 'FORMAT',
             'its input is 1x3x5x5 and its weights are 1x2x5x5')
    f.refuse('Conv refuses groups that do not divide', 'Conv', [x, w], 'FORMAT', 'in 3 groups',
             group=3, pads=[2, 2, 2, 2])
    f.refuse('Conv refuses no groups', 'Conv', [x, w], 'FORMAT', 'in 0 groups', group=0,
             pads=[2, 2, 2, 2])
    f.refuse('Conv refuses a stride of zero', 'Conv', [x, w], 'FORMAT', 'strides has an entry 0',
             strides=[1, 0])
    f.refuse('Conv refuses a huge dilation', 'Conv', [x, w], 'FORMAT', 'dilations has an entry',
             dilations=[1, 1 << 62])
    f.refuse('Conv refuses half its pads', 'Conv', [x, w], 'FORMAT', 'pads has 2 entries',
             pads=[1, 1])
    f.refuse('Conv refuses another kernel_shape', 'Conv', [x, w], 'FORMAT',
             'kernel_shape has an entry 3', kernel_shape=[3, 3])
    f.refuse('Conv refuses integers', 'Conv', [np.zeros((1, 1, 1, 1), 'i8'), w], 'UNSUPPORTED',
             'int64')
    f.refuse('Conv refuses a bias of another size', 'Conv', [x, data(1, 2, 2, 2), data(2)],
             'FORMAT', 'its bias is 2; expected 1')
    f.refuse('Conv refuses four spatial axes', 'Conv', [data(1, 1, 1, 1, 1, 1)] * 2,
             'UNSUPPORTED', 'one to three spatial axes')
    f.refuse('Conv refuses an unknown auto_pad', 'Conv', [x, data(1, 2, 2, 2)], 'FORMAT',
             "auto_pad is 'SAME'", auto_pad='SAME')

    transposed = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
    for name, rank, x, w, bias, a in [
            ('ConvTranspose spreads a kernel', 2, (1, 2, 3, 3), (2, 3, 2, 2), True, {}),
            ('ConvTranspose strides, pads, dilates', 2, (2, 2, 3, 4), (2, 1, 3, 2), True,
             dict(strides=[2, 3], pads=[1, 1, 1, 1], dilations=[1, 2], output_padding=[1, 2])),
            ('ConvTranspose works in groups', 2, (1, 4, 2, 2), (4, 1, 3, 3), False,
             dict(group=2, strides=[2, 2])),
            ('ConvTranspose of one axis', 1, (1, 2, 5), (2, 2, 4), True,
             dict(strides=[2], pads=[1, 1])),
            ('ConvTranspose of three axes', 3, (1, 1, 2, 3, 2), (1, 2, 2, 2, 3), False,
             dict(strides=[1, 2, 1], pads=[0, 1, 1, 0, 1, 1]))]:
        x, w = data(*x), data(*w)
        b = data(w.shape[1] * a.get('group', 1)) if bias else None
        y = transposed[rank](t(x), t(w), t(b) if bias else None, a.get('strides', 1),
                             a['pads'][:rank] if 'pads' in a else 0, a.get('output_padding', 0),
                             a.get('group', 1), a.get('dilations', 1))
        f.add(name, 'ConvTranspose', [x, w] + ([b] if bias else []), [f4(y)], **a)
    x, w = data(1, 1, 3, 3), data(1, 1, 3, 3)
    y = F.conv_transpose2d(t(x), t(w), stride=2)
    f.add('ConvTranspose makes the shape that is asked for', 'ConvTranspose', [x, w],
          [f4(y[:, :, 1:, 1:])], strides=[2, 2], output_shape=[6, 6])
    f.add('ConvTranspose adds zeros at the end', 'ConvTranspose', [x, w],
          [f4(F.pad(y, (0, 1, 0, 1)))], strides=[2, 2], output_shape=[8, 8])
    f.add('ConvTranspose makes stride times the input', 'ConvTranspose', [x, w],
          [f4(y[:, :, :6, :6])], strides=[2, 2], auto_pad='SAME_UPPER')
    f.refuse('ConvTranspose refuses pads that leave nothing', 'ConvTranspose', [x, w], 'FORMAT',
             'its pads cut off more than', pads=[3, 3, 3, 3])
    f.refuse('ConvTranspose refuses other channels', 'ConvTranspose', [data(1, 2, 3, 3), w],
             'FORMAT', 'do not fit in 1 groups')

    x = data(1, 2, 5, 6)
    x[0, 0, 2, 2], x[0, 1, 0, 0], x[0, 1, 4, 5] = np.nan, -np.inf, np.inf
    y, places = F.max_pool2d(t(x), 3, 2, 1, return_indices=True)
    places = places.numpy() + np.array([0, 30]).reshape(1, 2, 1, 1)
    a = dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    f.add('MaxPool lets NaN and infinities through', 'MaxPool', [x], [f4(y)], **a)
    f.add('MaxPool says where the maxima are', 'MaxPool', [x], [f4(y), places], **a)
    y, places = F.max_pool2d(t(x), (2, 3), (2, 2), (1, 0), (1, 2), True, return_indices=True)
    places = places.numpy() + np.array([0, 30]).reshape(1, 2, 1, 1)
    f.add('MaxPool dilates and counts a last part of a window', 'MaxPool', [x],
          [f4(y), places], kernel_shape=[2, 3], strides=[2, 2], pads=[1, 0, 1, 0],
          dilations=[1, 2], ceil_mode=1)
    columns = np.array([[[[5, 7], [13, 15]]]])
    x = np.arange(16, dtype='f4').reshape(1, 1, 4, 4)
    f.add('MaxPool counts places along columns', 'MaxPool', [x],
          [np.array([[[[5, 7], [13, 15]]]], 'f4'), columns % 4 * 4 + columns // 4],
          kernel_shape=[2, 2], strides=[2, 2], storage_order=1)
    f.add('MaxPool takes bytes', 'MaxPool', [np.array([[[-128, -3, -128, -128]]], 'i1')],
          [np.array([[[-3, -128]]], 'i1')], kernel_shape=[2], strides=[2])
    f.add('MaxPool of minus infinity is minus infinity', 'MaxPool',
          [np.full((1, 1, 2), -np.inf, 'f4')],
          [np.full((1, 1, 1), -np.inf, 'f4'), np.array([[[0]]])], kernel_shape=[2])
    f.refuse('MaxPool refuses to be without a window', 'MaxPool', [data(1, 1, 4)], 'FORMAT',
             'kernel_shape is missing')
    f.refuse('MaxPool refuses a matrix', 'MaxPool', [data(1, 4)], 'FORMAT',
             'one to three spatial axes', kernel_shape=[2])
    x = data(1, 2, 5, 6)
    for include in (0, 1):
        y = F.avg_pool2d(t(x), (3, 2), (2, 3), (1, 1), True, bool(include))
        f.add('AveragePool %s padding' % ('counts' if include else 'does not count'),
              'AveragePool', [x], [f4(y)], kernel_shape=[3, 2], strides=[2, 3],
              pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=include)
    x = data(1, 1, 8)
    f.add('AveragePool dilates', 'AveragePool', [x],
          [((x[:, :, :4] + x[:, :, 2:6] + x[:, :, 4:8]) / 3)], kernel_shape=[3], dilations=[2])
    x = data(2, 1, 3, 4, 3)
    f.add('AveragePool of three axes', 'AveragePool', [x], [f4(F.avg_pool3d(t(x), 2, 1))],
          kernel_shape=[2, 2, 2])
    x = data(1, 2, 5)
    y = F.lp_pool1d(t(x), 2, 3, 2)
    f.add('LpPool is the root of squares', 'LpPool', [x], [f4(y)], kernel_shape=[3], strides=[2])
    y = F.lp_pool1d(t(np.abs(x)), 3, 2, 1)
    f.add('LpPool takes its power', 'LpPool', [x], [f4(y)], kernel_shape=[2], p=3)
    x = data(2, 3, 4, 5)
    adaptive(f)
    f.add('GlobalAveragePool averages a channel', 'GlobalAveragePool', [x],
          [f4(t(x).mean((2, 3), keepdim=True))])
    f.add('GlobalMaxPool is the maximum of a channel', 'GlobalMaxPool', [x],
          [f4(t(x).amax((2, 3), keepdim=True))])
    f.add('GlobalLpPool is the norm of a channel', 'GlobalLpPool', [x],
          [f4(t(x).pow(2).sum((2, 3), keepdim=True).sqrt())])
    x = data(1, 2, 2, 2, 2, 2)
    f.add('GlobalAveragePool takes four axes', 'GlobalAveragePool', [x],
          [f4(t(x).mean((2, 3, 4, 5), keepdim=True))])
    return f


def products():
    f = Family('product', 'Matrix products.')
    for name, a, b in [
            ('MatMul multiplies matrices', (2, 3), (3, 4)),
            ('MatMul takes a row vector', (3,), (3, 2)),
            ('MatMul takes a column vector', (2, 3), (3,)),
            ('MatMul of two vectors is a scalar', (3,), (3,)),
            ('MatMul broadcasts batches both ways', (2, 1, 2, 3), (3, 3, 2)),
            ('MatMul has blocks of rows', (19, 5), (5, 3)),
            ('MatMul of a vector with a batch', (3,), (2, 3, 2)),
            ('MatMul of nothing is zero', (2, 0), (0, 3)),
            ('MatMul of an empty batch is empty', (0, 2, 3), (3, 2))]:
        a, b = data(*a), data(*b)
        f.add(name, 'MatMul', [a, b], [np.asarray(np.matmul(a.astype('f8'), b), 'f4')])
    a, b = np.array([[1 << 40, -3], [5, 7]]), np.array([[2, 1 << 62], [-9, 4]])
    f.add('MatMul multiplies integers', 'MatMul', [a, b], [a @ b])
    a, b = np.array([[1 << 30, -3]], 'i4'), np.array([[5], [7]], 'i4')
    f.add('MatMul of integers wraps around', 'MatMul', [a, b], [a @ b])
    f.refuse('MatMul refuses what does not fit', 'MatMul', [data(2, 3), data(2, 3)], 'FORMAT',
             'shapes 2x3 and 2x3 cannot be multiplied')
    f.refuse('MatMul refuses a scalar', 'MatMul', [data(), data(2, 3)], 'FORMAT',
             'cannot be multiplied')
    f.refuse('MatMul refuses batches that do not fit', 'MatMul', [data(2, 2, 2), data(3, 2, 2)],
             'FORMAT', 'cannot be multiplied')
    f.refuse('MatMul refuses booleans', 'MatMul',
             [np.zeros((2, 2), 'u1'), np.zeros((2, 2), 'u1')], 'UNSUPPORTED', 'uint8')
    a, b, c = data(2, 3), data(3, 4), data(4)
    f.add('Gemm adds a row', 'Gemm', [a, b, c], [f4(t(a) @ t(b) + t(c))])
    f.add('Gemm adds a column', 'Gemm', [a, b, data(2, 1)][:2] + [np.array([[1], [2]], 'f4')],
          [f4(t(a) @ t(b) + t(np.array([[1], [2]], 'f4')))])
    f.add('Gemm adds a scalar', 'Gemm', [a, b, np.array(2, 'f4')], [f4(t(a) @ t(b) + 2)])
    f.add('Gemm transposes and scales', 'Gemm', [a.T.copy(), b.T.copy(), c],
          [f4(0.5 * (t(a) @ t(b)) - 2 * t(c))], transA=1, transB=1, alpha=0.5, beta=-2.0)
    f.add('Gemm goes without a bias', 'Gemm', [a, b], [f4(t(a) @ t(b))])
    f.add('Gemm does not look at what it multiplies by zero', 'Gemm',
          [a, b, np.full(4, np.nan, 'f4')], [f4(t(a) @ t(b))], beta=0.0)
    a, b = data(1, 600), data(2, 600)
    f.add('Gemm has long rows', 'Gemm', [a, b], [f4(t(a) @ t(b).T)], transB=1)
    f.refuse('Gemm refuses what does not fit', 'Gemm', [data(2, 3), data(3, 2)], 'FORMAT',
             'shapes 2x3 and 3x2 (transposed) cannot be multiplied', transB=1)
    f.refuse('Gemm refuses a bias of another size', 'Gemm', [data(2, 3), data(3, 2), data(3)],
             'FORMAT', 'its bias 3 does not broadcast to 2x2')
    f.refuse('Gemm refuses three axes', 'Gemm', [data(1, 2, 3), data(3, 2)], 'FORMAT',
             'input 0 has 3 dimensions, 2 are needed')
    return f


def norms():
    f = Family('norm', 'Normalizations and Softmax.')
    x, c = data(2, 3, 2, 2), [data(3), data(3), data(3), np.abs(data(3)) + 0.1]
    c[3] = c[3].astype('f4')
    y = F.batch_norm(t(x), t(c[2]), t(c[3]), t(c[0]), t(c[1]), eps=1e-3)
    f.add('BatchNormalization uses given statistics', 'BatchNormalization', [x] + c, [f4(y)],
          epsilon=1e-3)
    x = data(4, 3)
    y = F.batch_norm(t(x), t(c[2]), t(c[3]), t(c[0]), t(c[1]))
    f.add('BatchNormalization takes no spatial axes', 'BatchNormalization', [x] + c, [f4(y)])
    f.refuse('BatchNormalization refuses to train', 'BatchNormalization', [x] + c, 'UNSUPPORTED',
             'training_mode is 1', training_mode=1)
    f.add('BatchNormalization standardizes a constant', 'BatchNormalization', [x] + c,
          [f4(F.batch_norm(t(x), None, None, t(c[0]), t(c[1]), training=True))], constants=[0],
          training_mode=1)
    f.refuse('BatchNormalization refuses other channels', 'BatchNormalization',
             [data(2, 4)] + c, 'FORMAT', 'input 1 has the shape 3; its input of shape 2x4 needs 4')
    x, s, b = data(2, 4, 3, 2), data(4), data(4)
    f.add('InstanceNormalization is per channel', 'InstanceNormalization', [x, s, b],
          [f4(F.instance_norm(t(x), weight=t(s), bias=t(b)))])
    f.add('GroupNormalization is per group', 'GroupNormalization', [x, s, b],
          [f4(F.group_norm(t(x), 2, t(s), t(b)))], num_groups=2)
    f.refuse('GroupNormalization refuses groups that do not divide', 'GroupNormalization',
             [x, s, b], 'FORMAT', 'num_groups is 3; it must divide the 4 channels', num_groups=3)
    x, s, b = data(2, 3, 4), data(4), data(4)
    mean, var = t(x).mean(-1, keepdim=True), t(x).var(-1, correction=0, keepdim=True)
    f.add('LayerNormalization is over the last axis', 'LayerNormalization', [x, s, b],
          [f4(F.layer_norm(t(x), (4,), t(s), t(b)))])
    f.add('LayerNormalization tells mean and deviation', 'LayerNormalization', [x, s],
          [f4(F.layer_norm(t(x), (4,), t(s))), f4(mean), f4((var + 1e-5).rsqrt())])
    s, b = data(3, 4), data(3, 4)
    f.add('LayerNormalization is over several axes', 'LayerNormalization', [x, s, b],
          [f4(F.layer_norm(t(x), (3, 4), t(s), t(b), 1e-2))], axis=1, epsilon=1e-2)
    s = data(2, 1, 1)
    f.add('LayerNormalization broadcasts its scale', 'LayerNormalization', [x, s],
          [f4(F.layer_norm(t(x), (4,)) * t(s))])
    f.refuse('LayerNormalization refuses a scale that does not fit', 'LayerNormalization',
             [x, data(3)], 'FORMAT', 'input 1 of shape 3 does not broadcast to its input 2x3x4')
    s = data(4)
    y = t(x) * (t(x).pow(2).mean(-1, keepdim=True) + 1e-5).rsqrt() * t(s)
    f.add('RMSNormalization does not centre', 'RMSNormalization', [x, s], [f4(y)])
    x = data(2, 3, 4)
    for op, call in (('Softmax', F.softmax), ('LogSoftmax', F.log_softmax)):
        for axis, where in ((-1, 'the last axis'), (1, 'a middle axis')):
            f.add('%s is along %s' % (op, where), op, [x], [f4(call(t(x), axis))], axis=axis)
    f.add('Softmax does not overflow', 'Softmax', [np.array([1e30, 1e30, -np.inf], 'f4')],
          [np.array([0.5, 0.5, 0], 'f4')])
    f.add('Softmax of NaN is NaN', 'Softmax', [np.array([[1, np.nan], [1, 1]], 'f4')],
          [np.array([[np.nan, np.nan], [0.5, 0.5]], 'f4')])
    f.add('Softmax of a long axis goes by runs', 'Softmax', [np.zeros(512, 'f4')],
          [np.full(512, 1 / 512, 'f4')])
    f.refuse('Softmax refuses an axis outside', 'Softmax', [x], 'FORMAT',
             'axis 3 is outside a tensor of rank 3', axis=3)
    f.add('Hardmax marks the first maximum', 'Hardmax',
          [np.array([[1, 3, 3], [5, 2, 4]], 'f4')],
          [np.array([[0, 1, 0], [1, 0, 0]], 'f4')])
    f.add('Hardmax is along another axis', 'Hardmax',
          [np.array([[1, 3, 4], [5, 2, 4]], 'f4')],
          [np.array([[0, 1, 1], [1, 0, 0]], 'f4')], axis=0)
    f.add('Hardmax of half-width floats', 'Hardmax', [np.array([1, 3, -3], 'f2')],
          [np.array([0, 1, 0], 'f2')])
    return f


def resizes():
    f = Family('resize', 'Resize.')
    x = data(1, 2, 3, 4)
    for mode, name in (('bilinear', 'linear'), ('bicubic', 'cubic')):
        for corners, way in ((False, 'half_pixel'), (True, 'align_corners')):
            y = F.interpolate(t(x), (5, 7), mode=mode, align_corners=corners)
            f.add('Resize is %s with %s' % (name, way), 'Resize',
                  [x, None, None, np.array([1, 2, 5, 7])], [f4(y)], constants=[3], mode=name,
                  coordinate_transformation_mode=way)
        y = F.interpolate(t(x), (2, 3), mode=mode, antialias=True)
        f.add('Resize is %s and antialiased' % name, 'Resize',
              [x, None, None, np.array([2, 3])], [f4(y)], constants=[3], axes=[2, 3], mode=name,
              antialias=1, exclude_outside=1, cubic_coeff_a=-0.5)
    x3 = data(1, 1, 2, 3, 2)
    f.add('Resize is linear in three axes', 'Resize',
          [x3, None, np.array([1, 1, 2, 1.5, 2], 'f4')],
          [f4(F.interpolate(t(x3), scale_factor=(2, 1.5, 2), mode='trilinear'))], constants=[2],
          mode='linear')
    f.add('Resize takes the nearest', 'Resize', [x, None, np.array([1, 1, 1.7, 0.6], 'f4')],
          [f4(F.interpolate(t(x), scale_factor=(1.7, 0.6)))], constants=[2],
          coordinate_transformation_mode='asymmetric', nearest_mode='floor')
    f.add('Resize takes the nearest exactly', 'Resize', [x, None, None, np.array([1, 2, 4, 9])],
          [f4(F.interpolate(t(x), (4, 9), mode='nearest-exact'))], constants=[3],
          nearest_mode='round_prefer_ceil')
    line = np.array([10, 20, 30, 40], 'f4')
    for mode, expected in (('round_prefer_floor', [10, 10, 20, 20, 30, 30, 40, 40]),
                           ('round_prefer_ceil', [10, 20, 20, 30, 30, 40, 40, 40]),
                           ('ceil', [10, 20, 20, 30, 30, 40, 40, 40])):
        f.add('Resize rounds by %s' % mode, 'Resize', [line, None, np.array([2], 'f4')],
              [np.array(expected, 'f4')], constants=[2], nearest_mode=mode,
              coordinate_transformation_mode='asymmetric')
    f.add('Resize moves integers', 'Resize', [np.array([[1 << 60, 2]]), None,
                                              np.array([1, 2], 'f4')],
          [np.array([[1 << 60, 1 << 60, 2, 2]])], constants=[2])
    f.add('Resize crops and fills the outside', 'Resize',
          [line, np.array([0.5, 1.5], 'f4'), None, np.array([4])],
          [np.array([25, 35, 9, 9], 'f4')], constants=[1, 3], mode='linear',
          coordinate_transformation_mode='tf_crop_and_resize', extrapolation_value=9.0)
    f.add('Resize of one output begins at the input', 'Resize',
          [line, None, None, np.array([1])], [np.array([10], 'f4')], constants=[3],
          mode='linear', coordinate_transformation_mode='pytorch_half_pixel')
    f.add('Resize keeps its centre', 'Resize', [line, None, np.array([0.6], 'f4')],
          [np.array([16.666666, 33.333332], 'f4')], constants=[2], mode='linear',
          coordinate_transformation_mode='half_pixel_symmetric')
    for policy, size in (('not_larger', (3, 4)), ('not_smaller', (5, 6))):
        f.add('Resize keeps the aspect, %s' % policy, 'Resize',
              [np.ones((5, 6), 'f4'), None, None, np.array([5, 4 if size[0] == 3 else 6])],
              [np.ones(size, 'f4')], constants=[3], keep_aspect_ratio_policy=policy)
    inf = np.array([1, np.inf], 'f4')
    f.add('Resize sees an infinity beside the edge', 'Resize',
          [inf.reshape(1, 1, 2), None, None, np.array([1, 1, 4])],
          [f4(F.interpolate(t(inf.reshape(1, 1, 2)), 4, mode='linear'))], constants=[3],
          mode='linear')
    f.add('Resize to nothing is empty', 'Resize', [x, None, None, np.array([1, 2, 0, 7])],
          [np.zeros((1, 2, 0, 7), 'f4')], constants=[3])
    f.refuse('Resize refuses sizes that depend on data', 'Resize',
             [x, None, None, np.array([1, 2, 5, 7])], 'UNSUPPORTED',
             'its output size depends on data')
    f.refuse('Resize refuses neither scales nor sizes', 'Resize', [x], 'FORMAT',
             'it needs either scales or sizes')
    f.refuse('Resize refuses a scale of zero', 'Resize', [line, None, np.array([0], 'f4')],
             'FORMAT', 'cannot resize 4 by 0', constants=[2])
    f.refuse('Resize refuses a huge scale', 'Resize', [line, None, np.array([1e30], 'f4')],
             'FORMAT', 'cannot resize 4 by 1e+30', constants=[2])
    f.refuse('Resize refuses too few scales', 'Resize', [x, None, np.array([2], 'f4')], 'FORMAT',
             'scales is 1 for 4 axes', constants=[2])
    f.refuse('Resize refuses an unknown mode', 'Resize', [line, None, np.array([2], 'f4')],
             'UNSUPPORTED', "mode 'bilinear'", constants=[2], mode='bilinear')
    f.refuse('Resize refuses to mix integers', 'Resize',
             [np.array([1, 2]), None, np.array([2], 'f4')], 'UNSUPPORTED', 'int64',
             constants=[2], mode='linear')
    return f


def others():
    f = Family('sample', 'GridSample, Einsum, Attention, other normalizations.')
    x = data(1, 2, 3, 4)
    grid = (data(1, 2, 3, 2) * 0.8).round(2)
    for mode, name in (('bilinear', 'linear'), ('nearest', 'nearest'), ('bicubic', 'cubic')):
        for padding in ('zeros', 'border', 'reflection'):
            corners = padding == 'border'
            y = F.grid_sample(t(x), t(grid), mode, padding, corners)
            f.add('GridSample is %s with %s' % (name, padding), 'GridSample', [x, grid], [f4(y)],
                  mode=name, padding_mode=padding, align_corners=int(corners))
    x3, grid3 = data(1, 1, 2, 2, 2), (data(1, 1, 2, 2, 3) * 0.8).round(2)
    f.add('GridSample has three axes', 'GridSample', [x3, grid3],
          [f4(F.grid_sample(t(x3), t(grid3), align_corners=False))])
    f.refuse('GridSample refuses a grid of other coordinates', 'GridSample', [x, data(1, 2, 3, 3)],
             'FORMAT', 'its input is 1x2x3x4 and its grid is 1x2x3x3')
    f.refuse('GridSample refuses an unknown mode', 'GridSample', [x, grid], 'UNSUPPORTED',
             "mode 'lanczos'", mode='lanczos')
    f.refuse('GridSample refuses to sample nothing', 'GridSample',
             [data(1, 1, 0, 2), data(1, 1, 1, 2)], 'FORMAT', 'has nothing to sample')
    for name, equation, shapes in [
            ('multiplies matrices', 'ij,jk->ik', [(2, 3), (3, 2)]),
            ('transposes', 'ij->ji', [(2, 3)]),
            ('takes a diagonal', 'ii->i', [(3, 3)]),
            ('takes a trace', 'ii', [(3, 3)]),
            ('sums everything', 'ij->', [(2, 3)]),
            ('implies its output in alphabetical order', 'ba,bc', [(2, 3), (2, 2)]),
            ('broadcasts an ellipsis', '...ij,...jk->...ik', [(2, 1, 2, 3), (2, 3, 1)]),
            ('multiplies three', 'i,ij,j->', [(2,), (2, 3), (3,)]),
            ('has an outer product', 'i,j->ij', [(2,), (3,)]),
            ('allows spaces', ' i j , j -> i ', [(2, 3), (3,)]),
            ('goes by runs', 'i,i->', [(300,), (300,)])]:
        inputs = [data(*s) for s in shapes]
        y = torch.einsum(equation, *map(t, inputs))
        f.add('Einsum %s' % name, 'Einsum', inputs, [np.asarray(y.numpy(), 'f4')],
              equation=equation)
    a, b = np.array([[1, 2], [3, 1 << 40]]), np.array([5, 7])
    f.add('Einsum takes integers', 'Einsum', [a, b], [a @ b], equation='ij,j->i')
    for name, equation, message in [
            ('too few terms', 'ij->ij', 'not one term for each of 2 inputs'),
            ('too many terms', 'ij,j,k->i', 'not one term for each of 2 inputs'),
            ('a term that does not fit', 'ijk,j->i', 'has 3 axes, its input has 2'),
            ('other sizes', 'ij,i->j', 'has sizes 2 and 3'),
            ('an unknown output', 'ij,j->k', 'stands twice or in no input'),
            ('an output twice', 'ij,j->ii', 'stands twice or in no input'),
            ('other characters', 'i1,j->i', "the character '1'"),
            ('two outputs', 'ij,j->i->j', 'two outputs'),
            ('half an arrow', 'ij,j-i', "a '-' without '>'")]:
        f.refuse('Einsum refuses %s' % name, 'Einsum', [data(2, 3), data(3)], 'FORMAT', message,
                 equation=equation)
    q, k, v = data(1, 2, 3, 4), data(1, 2, 5, 4), data(1, 2, 5, 3)
    attend = F.scaled_dot_product_attention
    mask, flags = data(3, 5), (data(2, 1, 5) > -1).astype('?')
    f.add('Attention weighs values', 'Attention', [q, k, v], [f4(attend(t(q), t(k), t(v)))])
    f.add('Attention adds a mask', 'Attention', [q, k, v, mask],
          [f4(attend(t(q), t(k), t(v), t(mask)))])
    f.add('Attention leaves out what a mask says', 'Attention', [q, k, v, flags],
          [f4(attend(t(q), t(k), t(v), torch.tensor(flags)))])
    f.add('Attention looks back only', 'Attention', [q, k, v],
          [f4(attend(t(q), t(k), t(v), is_causal=True, scale=0.7))], is_causal=1, scale=0.7)
    flat = [a.transpose(0, 2, 1, 3).reshape(1, a.shape[2], -1).copy() for a in (q, k, v)]
    y = attend(t(q), t(k), t(v)).transpose(1, 2).reshape(1, 3, 6)
    f.add('Attention finds heads in three axes', 'Attention', flat, [f4(y)], q_num_heads=2,
          kv_num_heads=2)
    q4 = data(1, 4, 2, 4)
    y = attend(t(q4), t(k).repeat_interleave(2, 1), t(v).repeat_interleave(2, 1))
    f.add('Attention shares keys among queries', 'Attention', [q4, k, v], [f4(y)])
    y = (5 * torch.tanh(t(q) @ t(k).mT / 2 / 5)).softmax(-1) @ t(v)
    f.add('Attention caps its scores', 'Attention', [q, k, v], [f4(y)], softcap=5.0)
    f.add('Attention that sees nothing is zero', 'Attention',
          [q, k, v, np.zeros((3, 5), '?')], [np.zeros((1, 2, 3, 3), 'f4')])
    q, k, v = data(1, 1, 1, 2), data(1, 1, 270, 2), data(1, 1, 270, 1)
    q, k = np.zeros_like(q), np.zeros_like(k)
    f.add('Attention goes by runs', 'Attention', [q, k, v],
          [np.full((1, 1, 1, 1), v.astype('f8').mean(), 'f4')])
    f.refuse('Attention refuses heads that do not fit', 'Attention', flat, 'FORMAT',
             'queries 1x3x8, keys 1x5x8 and values 1x5x6 do not fit in 3 and 2 heads',
             q_num_heads=3, kv_num_heads=2)
    f.refuse('Attention refuses a mask that does not fit', 'Attention',
             [data(1, 2, 3, 4), data(1, 2, 5, 4), data(1, 2, 5, 3), data(2, 5)], 'FORMAT',
             'its mask 2x5 does not fit')
    f.refuse('Attention refuses a cache', 'Attention',
             [data(1, 2, 3, 4)] * 3 + [data(3, 3), data(1, 2, 1, 4)], 'UNSUPPORTED',
             'its input past_key is not supported')
    x = data(2, 3, 2)
    x[0, :, 0] = 0
    for p in (1, 2):
        norm = t(x).norm(p, 1, keepdim=True)
        y = t(x) / torch.where(norm == 0, 1, norm)
        f.add('LpNormalization divides by the norm of power %d' % p, 'LpNormalization', [x],
              [f4(y)], axis=1, p=p)
    f.refuse('LpNormalization refuses other powers', 'LpNormalization', [x], 'UNSUPPORTED',
             'p is 3; expected 1 or 2', p=3)
    x = data(1, 5, 2, 2)
    for size in (2, 3):
        y = F.local_response_norm(t(x), size, 0.3, 0.6, 1.5) if size == 3 else \
            t(x) / (1.5 + 0.15 * (t(x) ** 2 + F.pad(t(x)[:, 1:] ** 2, (0, 0, 0, 0, 0, 1)))) ** 0.6
        f.add('LRN of %d channels' % size, 'LRN', [x], [f4(y)], size=size, alpha=0.3, beta=0.6,
              bias=1.5)
    f.refuse('LRN refuses to be without a size', 'LRN', [x], 'FORMAT', 'size is 0')
    x = data(2, 2, 2, 3)
    for axes in ([0, 2, 3], [-1], [1, 2]):
        mean, deviation = t(x).mean(axes, keepdim=True), t(x).std(axes, correction=0, keepdim=True)
        attrs = {} if axes == [0, 2, 3] else {'axes': axes}
        f.add('MeanVarianceNormalization over %s' % axes, 'MeanVarianceNormalization', [x],
              [f4((t(x) - mean) / (deviation + 1e-9))], **attrs)
    f.refuse('MeanVarianceNormalization refuses an axis outside', 'MeanVarianceNormalization',
             [data(2, 2)], 'FORMAT', 'axis 2 is outside')
    return f


if __name__ == '__main__':
    out = sys.argv[1] if len(sys.argv) > 1 else '.'
    for family in (windows(), products(), norms(), resizes(), others()):
        family.write(out)
