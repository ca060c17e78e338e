#!/usr/bin/env python3
"""Makes the cases whose expected numbers come from ONNX Runtime: cases_quantize.c, cases_signal.c,
cases_recurrent.c. Developers only; needs what make_cases.py needs, onnx and onnxruntime.
Usage: make_runtime_cases.py [FOLDER]"""
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import helper

import make_cases
from make_cases import Family, data

make_cases.TYPES.update({'uint16': ('U16', '%d'), 'int16': ('I16', '%d')})
OPSET = 21


def run(op, inputs, n_outputs, attrs, opset=OPSET):
    names = ['' if x is None else 'x%d' % i for i, x in enumerate(inputs)]
    given = {n: x for n, x in zip(names, inputs) if n}
    outputs = ['y%d' % i for i in range(n_outputs)]
    graph = helper.make_graph(
        [helper.make_node(op, names, outputs, **attrs)], 'g',
        [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
         for n, x in given.items()],
        [onnx.ValueInfoProto(name=n) for n in outputs])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)], ir_version=10)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, given)


class Cases(Family):
    def check(self, name, op, inputs, n_outputs=1, constants=(), tolerance=0, opset=OPSET, **attrs):
        self.add(name, op, inputs, run(op, inputs, n_outputs, attrs, opset), constants, tolerance,
                 **attrs)

    def write(self, folder):
        Family.write(self, folder)
        path = '%s/cases_%s.c' % (folder, self.name)
        with open(path) as file:
            text = file.read().replace('make_cases.py with PyTorch',
                                       'make_runtime_cases.py with ONNX Runtime')
        with open(path, 'w') as file:
            file.write(text)


def f4(*numbers):
    return np.array(numbers, 'f4')


def quantized():
    f = Cases('quantize', 'Quantized operators.')
    x = np.array([0, 2, 3, 1000, -254, -1000, 5, 7], 'f4').reshape(2, 4)
    zero = {t: np.array(z, t) for t, z in (('u1', 128), ('i1', 1), ('u2', 32767), ('i2', 256))}
    for t in ('u1', 'i1', 'u2', 'i2'):
        f.check('QuantizeLinear rounds half to even into %s' % np.dtype(t), 'QuantizeLinear',
                [x, np.array(2, 'f4'), zero[t]])
        f.check('DequantizeLinear undoes %s' % np.dtype(t), 'DequantizeLinear',
                [np.array([0, 3, 100, 7], t), np.array(2, 'f4'), zero[t]])
    f.check('QuantizeLinear needs no zero point', 'QuantizeLinear', [x, np.array(4, 'f4')])
    f.check('QuantizeLinear scales along an axis', 'QuantizeLinear',
            [x, f4(2, 4), np.array([84, 24], 'u1')], axis=0)
    f.check('QuantizeLinear scales by blocks', 'QuantizeLinear',
            [x, f4(2, 4, 1, 3).reshape(2, 2), np.array([[1, 2], [3, 4]], 'i1')], axis=1,
            block_size=2)
    f.check('DequantizeLinear scales along an axis', 'DequantizeLinear',
            [np.arange(6, dtype='i1').reshape(1, 3, 2), f4(2, 4, .5), np.array([0, 1, 2], 'i1')])
    f.check('DequantizeLinear scales by blocks', 'DequantizeLinear',
            [np.arange(6, dtype='u1').reshape(3, 2), f4(2, 4, .5, 1).reshape(2, 2)], axis=0,
            block_size=2)
    f.check('DequantizeLinear takes int32', 'DequantizeLinear',
            [np.array([-30, 100000], 'i4'), np.array(.5, 'f4')])
    f.refuse('QuantizeLinear refuses a scale that does not fit', 'QuantizeLinear',
             [x, f4(1, 2, 3)], 'FORMAT', 'its scale has shape 3, which does not fit 2x4')
    f.refuse('DequantizeLinear refuses a zero point that does not fit', 'DequantizeLinear',
             [np.zeros((2, 4), 'u1'), np.array(2, 'f4'), np.zeros(2, 'u1')], 'FORMAT',
             'its zero point')
    f.check('DynamicQuantizeLinear finds scale and zero point', 'DynamicQuantizeLinear',
            [f4(-1, 2, 0.3, 4)], 3)
    f.check('DynamicQuantizeLinear keeps 0 in the range', 'DynamicQuantizeLinear', [f4(3, 2)], 3)
    f.check('DynamicQuantizeLinear of zeros', 'DynamicQuantizeLinear', [f4(0, 0)], 3)
    a, b = np.array([[11, 7, 3], [10, 6, 2]], 'u1'), np.array([[1, 4], [2, 5], [3, 6]], 'u1')
    f.check('MatMulInteger sums products', 'MatMulInteger', [a, b])
    f.check('MatMulInteger subtracts zero points', 'MatMulInteger',
            [a, b.astype('i1'), np.array(12, 'u1'), np.array([1, -3], 'i1')])
    f.refuse('MatMulInteger refuses floats', 'MatMulInteger', [f4(1).reshape(1, 1)] * 2,
             'UNSUPPORTED', 'input 0 is float32')
    f.check('QLinearMatMul scales back', 'QLinearMatMul',
            [a, np.array(.1, 'f4'), np.array(3, 'u1'), b, np.array(.2, 'f4'), np.array(4, 'u1'),
             np.array(.05, 'f4'), np.array(100, 'u1')])
    f.check('QLinearMatMul has scales for columns', 'QLinearMatMul',
            [a, np.array(.1, 'f4'), np.array(3, 'u1'), b.astype('i1'), f4(.2, .4),
             np.array([0, 0], 'i1'), np.array(.05, 'f4'), np.array(100, 'u1')])
    x, w = np.arange(2, 18, dtype='u1').reshape(1, 1, 4, 4), np.array([1, 2, 3, 1], 'u1')
    f.check('ConvInteger subtracts zero points', 'ConvInteger',
            [x, w.reshape(1, 1, 2, 2), np.array(1, 'u1')], pads=[1, 1, 1, 1])
    x2, w2 = np.arange(32, dtype='u1').reshape(1, 2, 4, 4) * 7, np.arange(-9, 9, dtype='i1')
    conv = [x2, np.array(.02, 'f4'), np.array(100, 'u1'), w2.reshape(1, 2, 3, 3).repeat(2, 0),
            f4(.1, .05), np.array([0, 0], 'i1'), np.array(.3, 'f4'), np.array(120, 'u1')]
    f.check('QLinearConv has scales for channels', 'QLinearConv', conv)
    f.check('QLinearConv adds its bias', 'QLinearConv', conv + [np.array([500, -2000], 'i4')],
            pads=[1, 0, 1, 0], strides=[2, 1])
    f.refuse('QLinearConv refuses a scale that does not fit', 'QLinearConv',
             conv[:4] + [f4(1, 2, 3)] + conv[5:], 'UNSUPPORTED', 'its scale has shape 3')
    return f


def signals():
    f = Cases('signal', 'Windows, transforms, regions.')
    for op in ('HannWindow', 'HammingWindow', 'BlackmanWindow'):
        for periodic in (0, 1):
            f.check('%s, %s' % (op, 'periodic' if periodic else 'symmetric'), op,
                    [np.array(7, 'i8')], constants=[0], periodic=periodic)
    f.refuse('HannWindow needs a size that it can see', 'HannWindow', [np.array(7, 'i8')],
             'UNSUPPORTED', 'its size depends on data')
    x = data(1, 6, 2)
    length, axis = np.array(4, 'i8'), np.array(1, 'i8')
    real = x[..., :1].copy()
    f.check('DFT of complex numbers', 'DFT', [x], tolerance=1e-5)
    f.check('DFT of real numbers', 'DFT', [real], tolerance=1e-5)
    f.check('DFT backwards', 'DFT', [x], tolerance=1e-5, inverse=1)
    f.check('DFT of one side', 'DFT', [real], tolerance=1e-5, onesided=1)
    f.check('DFT cuts', 'DFT', [real, length], constants=[1], tolerance=1e-5)
    f.check('DFT pads', 'DFT', [real, np.array(9, 'i8')], constants=[1], tolerance=1e-5)
    f.check('DFT along another axis', 'DFT', [data(3, 4, 2, 1), None, axis], constants=[2],
            tolerance=1e-5)
    f.refuse('DFT needs numbers of one or two parts', 'DFT', [data(2, 3)], 'FORMAT',
             'the last axis must have 1 or 2 numbers')
    f.refuse('DFT does not go along the parts', 'DFT', [x, None, np.array(-1, 'i8')], 'FORMAT',
             'its axis is the one of real and imaginary', constants=[2])
    signal = data(2, 16, 1)
    f.check('STFT by a window', 'STFT', [signal, np.array(4, 'i8'), data(8)], constants=[1],
            tolerance=1e-5)
    f.check('STFT of both sides', 'STFT', [signal, np.array(3, 'i8'), None, np.array(5, 'i8')],
            constants=[1, 3], tolerance=1e-5, onesided=0)
    f.refuse('STFT refuses frames longer than the signal', 'STFT',
             [signal, np.array(3, 'i8'), None, np.array(17, 'i8')], 'FORMAT',
             'do not fit a signal of 16', constants=[1, 3])
    mel = [np.array(n, t) for n, t in ((4, 'i8'), (16, 'i8'), (8192, 'i8'), (0, 'f4'), (4096, 'f4'))]
    f.check('MelWeightMatrix makes triangles', 'MelWeightMatrix', mel, constants=range(5))
    f.refuse('MelWeightMatrix refuses frequencies that cross', 'MelWeightMatrix',
             mel[:3] + mel[:2:-1], 'FORMAT', '4096 to 0 Hz', constants=range(5))
    x, rois = data(2, 2, 5, 6), f4(0.5, 0.5, 4, 3, -1, 2, 5, 9, 2, 2, 2.2, 2.1).reshape(3, 4)
    images = np.array([0, 1, 1], 'i8')
    for mode in ('avg', 'max'):
        for way in ('half_pixel', 'output_half_pixel'):
            f.check('RoiAlign, %s, %s' % (mode, way), 'RoiAlign', [x, rois, images],
                    tolerance=1e-5, mode=mode, coordinate_transformation_mode=way, output_height=2,
                    output_width=3, sampling_ratio=2, spatial_scale=0.75)
    f.check('RoiAlign chooses how many points', 'RoiAlign', [x, rois, images], tolerance=1e-5,
            output_height=2, output_width=2)
    f.refuse('RoiAlign refuses regions without images', 'RoiAlign', [x, rois, images[:2]],
             'FORMAT', 'its regions are 3x4, their images 2')
    return f


def recurrent():
    f = Cases('recurrent', 'RNN, GRU, LSTM.')
    for op, gates, n in (('RNN', 1, 2), ('GRU', 3, 2), ('LSTM', 4, 3)):
        h, i, steps, batch = 3, 2, 4, 2
        x, lengths = data(steps, batch, i), np.array([4, 2], 'i4')

        def weights(d):
            return [data(d, gates * h, i), data(d, gates * h, h), data(d, 2 * gates * h)]
        f.check('%s goes forward' % op, op, [x] + weights(1)[:2], n, tolerance=1e-5, hidden_size=h)
        f.check('%s goes backward with a bias' % op, op, [x] + weights(1), n, tolerance=1e-5,
                hidden_size=h, direction='reverse')
        state = [data(2, batch, h) for _ in range(n - 1)]
        f.check('%s goes both ways from a state, by lengths' % op, op,
                [x] + weights(2) + [lengths] + state, n, tolerance=1e-5, hidden_size=h,
                direction='bidirectional')
        f.check('%s limits what its activations see' % op, op, [x] + weights(1), n, tolerance=1e-5,
                hidden_size=h, clip=0.4)
        f.refuse('%s refuses weights that do not fit' % op, op,
                 [x, data(1, gates * h, i + 1), data(1, gates * h, h)], 'FORMAT', 'input 1 has shape',
                 hidden_size=h)
    x = data(4, 1, 2)
    f.check('GRU resets after its product', 'GRU', [x, data(1, 9, 2), data(1, 9, 3), data(1, 18)], 2,
            tolerance=1e-5, hidden_size=3, linear_before_reset=1)
    full = [x, data(1, 12, 2), data(1, 12, 3), data(1, 24), None, None, None, data(1, 9)]
    f.check('LSTM peeps into its cell', 'LSTM', full, 3, tolerance=1e-5, hidden_size=3)
    f.check('LSTM couples its gates', 'LSTM', full[:4], 3, tolerance=1e-5, hidden_size=3,
            input_forget=1)
    f.refuse('LSTM refuses a direction', 'LSTM', full[:3], 'FORMAT', "direction 'sideways'",
             direction='sideways')
    return f


if __name__ == '__main__':
    out = sys.argv[1] if len(sys.argv) > 1 else '.'
    for family in (quantized(), signals(), recurrent()):
        family.write(out)
