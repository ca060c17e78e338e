"""Makes the small HDF5 files that tests read.

    PYTHON tests/codec/make_hdf5.py

Needs h5py. Run by developers; what it makes is in the tree.
"""
import os

import h5py
import numpy as np

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hdf5")


def create(name, **options):
    return h5py.File(os.path.join(HERE, name), "w", **options)


def good():
    """Every type, place and attribute that is read."""
    with create("good.h5") as file:
        file.attrs["keras_version"] = "2.15.0"
        file.attrs["config"] = '{"name": "' + "ä" * 300 + '"}'
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = ["conv", "dense"]
        conv = weights.create_group("conv")
        conv.attrs["weight_names"] = np.array([b"conv/kernel:0", b"conv/bias:0"])
        conv.create_dataset("conv/kernel:0", data=np.arange(6, dtype="<f4").reshape(2, 3))
        conv.create_dataset("conv/bias:0", data=np.float32(2.5))
        weights.create_group("dense").attrs["weight_names"] = []
        types = file.create_group("types")
        for kind in ("i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8", "?"):
            types.create_dataset(np.dtype(kind).name, data=np.array([0, 1, 1], dtype=kind))
        opaque = types.create_dataset("bfloat16", data=np.array([b"\x80?", b"\0@"], dtype="V2"))
        opaque.attrs["dtype"] = "bfloat16"
        types.create_dataset("empty", data=np.zeros((0, 3), dtype="<f4"))
        small = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        small.set_layout(h5py.h5d.COMPACT)
        made = h5py.h5d.create(types.id, b"compact", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((2,)), small)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([7, 8], dtype="<f4"))
        attributes = file.create_group("attributes")
        attributes.attrs["integer"] = -3
        attributes.attrs["list"] = np.array([0.5, 1.5, -2.0], dtype="<f4")
        attributes.attrs["boolean"] = True
        attributes.attrs["fixed"] = np.bytes_("fixed")
        attributes.attrs["blank"] = ""
        attributes.attrs["nothing"] = h5py.Empty("f4")
        attributes.attrs["square"] = np.zeros((2, 2))
        for i in range(20):
            attributes.attrs["more%d" % i] = "text %d" % i


def many():
    """A group of several levels: one dataset under 300 names."""
    with create("many.h5") as file:
        first = file.create_dataset("many/g0", data=np.zeros(3, "<f4"))
        for i in range(1, 300):
            file["many/g%d" % i] = first


def refused():
    """What h5py can write and is refused by name, beside a dataset that is read."""
    for name, options in {"latest": {"libver": "latest"}, "user_block": {"userblock_size": 512},
                          "creation_order": {"track_order": True}}.items():
        with create(name + ".h5", **options) as file:
            file["fine"] = np.zeros(2, "<f4")
    with create("refused.h5") as file:
        data = np.arange(8, dtype="<f4")
        file["fine"] = data
        file.create_dataset("chunked", data=data, chunks=(4,))
        file.create_dataset("compressed", data=data, chunks=(4,), compression="gzip")
        file.create_dataset("big_endian", data=data.astype(">f4"))
        file.create_dataset("texts", data=["a", "b"])
        file.create_dataset("compound", data=np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))
        file.create_dataset("complex", data=np.zeros(2, dtype="<c8"))
        file.create_dataset("enum", (2,), dtype=h5py.enum_dtype({"RED": 0, "GREEN": 1}, basetype="i1"))
        file.create_dataset("opaque", data=np.zeros(2, dtype="V3"))
        file.create_dataset("unwritten", (4,), dtype="<f4")
        file.create_dataset("deep", data=np.zeros((1,) * 13, dtype="<f4"))
        file.create_dataset("null", data=h5py.Empty("f4"))
        file.create_dataset("outside", (8,), dtype="<f4", external=[("/etc/hostname", 0, 32)])
        file["type"] = np.dtype("<f4")
        file.create_dataset("named", data=data, dtype=file["type"])
        file["soft"] = h5py.SoftLink("/fine")
        file["group/inside"] = data
        file["group"].attrs["complex"] = 1j
        file["group"].attrs.create("named", np.float32(1), dtype=file["type"])
    with create("virtual.h5", libver=("earliest", "v110")) as file:
        layout = h5py.VirtualLayout((8,), "<f4")
        layout[:] = h5py.VirtualSource("refused.h5", "fine", (8,))
        file.create_virtual_dataset("virtual", layout)
    with create("external_link.h5") as file:
        file["link"] = h5py.ExternalLink("refused.h5", "/fine")
    with create("hard_link.h5") as file:
        file["a/b"] = np.zeros(2, "<f4")
        file["a/again"] = file["a"]


if __name__ == "__main__":
    os.makedirs(HERE, exist_ok=True)
    good()
    many()
    refused()
