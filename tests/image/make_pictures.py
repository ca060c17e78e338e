#!/usr/bin/python3
"""Makes the pictures of these tests, and expected.h: what Pillow and torchvision make of them.

Developers only (Debian's python3-pil, -numpy, -torchvision); the results are committed.
"""
import os
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps
from torchvision import transforms
from torchvision.transforms import InterpolationMode

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "pictures")
WIDTH, HEIGHT = 19, 13
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
         (0, 1, 1, 2)]
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def fnv(data):
    """FNV-1a, 64 bits."""
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return value


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def lines(samples, depth):
    rows = b""
    for row in samples:
        flat = row.reshape(-1)
        if depth == 16:
            rows += b"\0" + flat.astype(">u2").tobytes()
        elif depth == 8:
            rows += b"\0" + flat.astype(np.uint8).tobytes()
        else:
            bits = (flat[:, None] >> np.arange(depth - 1, -1, -1)) & 1
            rows += b"\0" + np.packbits(bits.astype(np.uint8).reshape(-1)).tobytes()
    return rows


def png(name, depth, colour, n, extra=b"", interlaced=False, size=(WIDTH, HEIGHT)):
    rng = np.random.default_rng(len(name) + depth)
    top = 1 << depth
    samples = rng.integers(0, top, (HEIGHT, WIDTH, n)).astype(np.uint16)
    data = lines(samples, depth)
    if interlaced:
        data = b"".join(lines(samples[y::dy, x::dx], depth) for x, y, dx, dy in ADAM7)
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, int(interlaced))
    with open(os.path.join(FOLDER, name), "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra +
                   chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b""))


def palette(n):
    rng = np.random.default_rng(n)
    return chunk(b"PLTE", rng.integers(0, 256, 3 * n, dtype=np.uint8).tobytes())


def tiff(orientation, big):
    order = ">" if big else "<"
    return (b"MM\0*" if big else b"II*\0") + struct.pack(
        order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def jpeg(name, mode, **options):
    rng = np.random.default_rng(len(name))
    n = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    cells = rng.integers(0, 256, (5, 6, n), dtype=np.uint8)
    planes = [np.asarray(Image.fromarray(cells[..., c]).resize((WIDTH, HEIGHT), Image.BICUBIC))
              for c in range(n)]
    pixels = np.stack(planes, -1) if n > 1 else planes[0]
    path = os.path.join(FOLDER, name)
    Image.fromarray(pixels, mode).save(path, "JPEG", **options)
    return path


def patched(source, name, change):
    with open(os.path.join(FOLDER, source), "rb") as file:
        data = change(file.read())
    with open(os.path.join(FOLDER, name), "wb") as file:
        file.write(data)


def adobe_ycck(data):
    at = data.index(b"Adobe")
    return data[:at + 11] + b"\2" + data[at + 12:]


def adobe_rgb(data):
    """The JFIF segment replaced by an Adobe one that says: no transform."""
    length = struct.unpack(">H", data[4:6])[0]
    return data[:2] + b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0" + data[4 + length:]


def webp(name, mode, **options):
    rng = np.random.default_rng(len(name))
    n = len(mode)
    cells = rng.integers(0, 256, (5, 6, n), dtype=np.uint8)
    planes = [np.asarray(Image.fromarray(cells[..., c]).resize((WIDTH, HEIGHT), Image.BICUBIC))
              for c in range(n)]
    Image.fromarray(np.stack(planes, -1), mode).save(os.path.join(FOLDER, name), "WEBP", **options)


def riff(chunks):
    body = b"WEBP" + b"".join(
        n + struct.pack("<I", len(d)) + d + b"\0" * (len(d) & 1) for n, d in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def three_bytes(value):
    return struct.pack("<I", value)[:3]


def vp8x(flags, width, height):
    return b"VP8X", bytes([flags, 0, 0, 0]) + three_bytes(width - 1) + three_bytes(height - 1)


def with_exif(exif, flags=8):
    """A still picture in the extended container, its EXIF chunk behind it."""
    return lambda data: riff([vp8x(flags, WIDTH, HEIGHT), (data[12:16], data[20:]),
                              (b"EXIF", exif)])


def animation(canvas, offsets):
    """One frame after another at these offsets (even numbers)."""
    def change(data):
        frames = [(b"ANMF", three_bytes(x // 2) + three_bytes(y // 2) + three_bytes(WIDTH - 1) +
                   three_bytes(HEIGHT - 1) + three_bytes(40) + b"\0" + data[12:])
                  for x, y in offsets]
        return riff([vp8x(2, *canvas), (b"ANIM", b"\xff\x80\x40\xff\0\0")] + frames)
    return change


def huge_jpeg(data):
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    return data[:at + 5] + struct.pack(">HH", 65000, 65000) + data[at + 9:]


def make():
    os.makedirs(FOLDER, exist_ok=True)
    for depth in (1, 2, 4, 8, 16):
        png(f"grey{depth}.png", depth, 0, 1)
    png("grey8trns.png", 8, 0, 1, chunk(b"tRNS", b"\0\x40"))
    png("grey4lace.png", 4, 0, 1, interlaced=True)
    png("greya8.png", 8, 4, 2)
    png("greya16.png", 16, 4, 2)
    png("rgb8.png", 8, 2, 3)
    png("rgb8gama.png", 8, 2, 3, chunk(b"gAMA", struct.pack(">I", 100000)))
    png("rgb8exif8.png", 8, 2, 3, chunk(b"eXIf", tiff(8, True)))
    png("rgb8exif5.png", 8, 2, 3, chunk(b"eXIf", tiff(5, False)))
    png("rgb8exif7.png", 8, 2, 3, chunk(b"eXIf", tiff(7, False)))
    png("rgb8lace.png", 8, 2, 3, interlaced=True)
    png("rgb16.png", 16, 2, 3)
    png("rgba8.png", 8, 6, 4)
    png("rgba16lace.png", 16, 6, 4, interlaced=True)
    for depth in (1, 2, 4):
        png(f"palette{depth}.png", depth, 3, 1, palette(1 << depth))
    png("palette8.png", 8, 3, 1, palette(256) + chunk(b"tRNS", bytes(range(256))))
    png("palette8few.png", 8, 3, 1, palette(100), interlaced=True)
    png("huge.png", 8, 2, 3, size=(1 << 30, 1 << 30))
    jpeg("grey.jpg", "L")
    jpeg("rgb444.jpg", "RGB", subsampling=0, quality=90)
    jpeg("rgb422.jpg", "RGB", subsampling=1)
    jpeg("rgb420.jpg", "RGB", subsampling=2)
    jpeg("progressive.jpg", "RGB", progressive=True, quality=60)
    jpeg("cmyk.jpg", "CMYK")
    patched("cmyk.jpg", "ycck.jpg", adobe_ycck)
    patched("rgb444.jpg", "adobergb.jpg", adobe_rgb)
    for orientation in (2, 3, 4, 6):
        jpeg(f"exif{orientation}.jpg", "RGB", exif=b"Exif\0\0" + tiff(orientation, True))
    patched("rgb420.jpg", "huge.jpg", huge_jpeg)
    webp("lossy.webp", "RGB", quality=70)
    webp("lossyalpha.webp", "RGBA", quality=70)
    webp("lossless.webp", "RGB", lossless=True)
    webp("losslessalpha.webp", "RGBA", lossless=True, exact=True)
    patched("lossy.webp", "exif6.webp", with_exif(b"Exif\0\0" + tiff(6, True)))
    patched("lossless.webp", "exif5.webp", with_exif(tiff(5, False)))
    patched("lossy.webp", "exifunsaid.webp", with_exif(tiff(5, False), flags=0))
    patched("lossy.webp", "animated.webp", animation((WIDTH + 9, HEIGHT + 5), [(4, 2), (0, 0)]))
    patched("lossless.webp", "animated1.webp", animation((WIDTH, HEIGHT), [(0, 0)]))
    patched("lossy.webp", "huge.webp", animation((60000, 60000), [(0, 0)]))
    with open(os.path.join(FOLDER, "notes.txt"), "w") as file:
        file.write("Dear reader, this is not a picture.\n")


def opened(name):
    picture = Image.open(os.path.join(FOLDER, name))
    if picture.mode.startswith("I"):    # 16-bit grey: the high byte, a stated deviation
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    return picture.convert("RGB")


def turned(name):
    return ImageOps.exif_transpose(Image.open(os.path.join(FOLDER, name))).convert("RGB")


STEPS = [
    ("rgb8.png", ["resize=7"], [transforms.Resize(7)]),
    ("rgb8.png", ["resize=40"], [transforms.Resize(40)]),
    ("rgb8.png", ["resize=5x31"], [transforms.Resize((5, 31))]),
    ("rgb8.png", ["resize=31x5", "filter=bicubic"],
     [transforms.Resize((31, 5), InterpolationMode.BICUBIC)]),
    ("rgb8.png", ["resize=13x40"], [transforms.Resize((13, 40))]),
    ("rgb8.png", ["resize=40x19"], [transforms.Resize((40, 19))]),
    ("rgb8.png", ["resize=1"], [transforms.Resize(1)]),
    ("rgb8.png", ["resize=8", "filter=bicubic", "crop=5x6"],
     [transforms.Resize(8, InterpolationMode.BICUBIC), transforms.CenterCrop((5, 6))]),
    ("rgb8.png", ["crop=10x12"], [transforms.CenterCrop((10, 12))]),
    ("rgb8.png", ["crop=8x14"], [transforms.CenterCrop((8, 14))]),
    ("rgb8.png", ["crop=20x30"], [transforms.CenterCrop((20, 30))]),
    ("rgb8.png", ["crop=5x30"], [transforms.CenterCrop((5, 30))]),
    ("rgb444.jpg", ["preset=imagenet"],
     [transforms.Resize(256), transforms.CenterCrop(224), "norm"]),
    ("rgb444.jpg", ["preset=imagenet:20x33"],
     [transforms.Resize(38), transforms.CenterCrop((20, 33)), "norm"]),
    ("rgb444.jpg", ["preset=segmentation:20x33"], [transforms.Resize((20, 33)), "norm"]),
    ("rgb8.png", ["resize=31x7", "filter=nearest"], [transforms.Resize((31, 7), InterpolationMode.NEAREST)]),
    ("rgb444.jpg", ["preset=keras:20x33"], [(20, 33), lambda x: x]),
    ("rgb444.jpg", ["preset=keras-tf:33x20"], [(33, 20), lambda x: x / np.float32(127.5) - np.float32(1)]),
    ("rgb444.jpg", ["preset=keras-torch"],
     [(224, 224), lambda x: (x / np.float32(255) - np.float32(MEAN)) / np.float32(STD)]),
    ("rgb444.jpg", ["preset=keras-caffe"],
     [(224, 224), lambda x: x[..., ::-1] - np.float32([103.939, 116.779, 123.68])]),
]


def by_keras(name, size, function):
    """keras.utils.load_img, then a mode of keras.applications' preprocess_input; channels first."""
    pixels = np.asarray(opened(name).resize(size[::-1], Image.NEAREST), np.float32)
    return np.ascontiguousarray(function(pixels).transpose(2, 0, 1))


def write_expected():
    rows, webp_rows = [], []
    for name in sorted(os.listdir(FOLDER)):
        if name.startswith(("huge", "notes")):
            continue
        plain, turn = opened(name), turned(name) if "exif" in name else opened(name)
        (webp_rows if name.endswith(".webp") else rows).append('    {"%s", %d, %d, 0x%016xu, %d, %d, 0x%016xu},' %
                    (name, *plain.size, fnv(plain.tobytes()), *turn.size, fnv(turn.tobytes())))
    steps = []
    for name, words, chain in STEPS:
        if "keras" in words[0]:
            result = by_keras(name, *chain)
        else:
            normal = chain[-1] == "norm"
            chain = [t for t in chain if t != "norm"] + [transforms.ToTensor()]
            if normal:
                chain.append(transforms.Normalize(MEAN, STD))
            else:
                words = words + ["scale=255"]
            result = transforms.Compose(chain)(opened(name)).numpy()
        quoted = ", ".join(f'"{w}"' for w in words)
        steps.append('    {"%s", {%s}, %d, %d, 0x%016xu},' %
                     (name, quoted, result.shape[2], result.shape[1], fnv(result.tobytes())))
    with open(os.path.join(HERE, "expected.h"), "w") as file:
        file.write("""/* By make_pictures.py: what Pillow and torchvision make of the pictures. */
#ifndef LTAP_TESTS_IMAGE_EXPECTED_H
#define LTAP_TESTS_IMAGE_EXPECTED_H

#include <stdint.h>

/* Size and FNV-1a hash of the RGB pixels, as stored and turned by the EXIF orientation. */
static const struct {
    const char *name;
    int width, height;
    uint64_t pixels;
    int turned_width, turned_height;
    uint64_t turned_pixels;
} expected_pictures[] = {
    /* clang-format off */
%s
#ifdef LTAP_HAVE_WEBP
%s
#endif
    /* clang-format on */
};

/* Size and FNV-1a hash of the float32 bytes (little endian) after these steps. */
static const struct {
    const char *name;
    const char *steps[4];
    int width, height;
    uint64_t values;
} expected_steps[] = {
    /* clang-format off */
%s
    /* clang-format on */
};

#endif
""" % ("\n".join(rows), "\n".join(webp_rows), "\n".join(steps)))


if __name__ == "__main__":
    make()
    write_expected()
