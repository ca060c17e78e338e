"""Makes attacks/: HDF5 files with one lie each, which must be refused with one line.

    PYTHON tests/codec/make_hdf5_attacks.py

Needs h5py. Run by developers; what it makes is in the tree.
"""
import io
import os
import struct

import h5py
import numpy as np

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "attacks")
NOWHERE = 1 << 40


class File:
    """A group 'a' with a dataset 'd', a group 'b' with 'c', and attributes; and where its parts are."""

    def __init__(self):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            a = file.create_group("a")
            d = a.create_dataset("d", data=np.arange(4, dtype="<f4"))
            a.attrs["texts"] = ["one", "two"]
            a.attrs["numbers"] = np.arange(3, dtype="<f4")
            a.create_dataset("e", data=np.zeros(2, "<f4"))
            c = file.create_group("b/c")
            self.address = {name: h5py.h5o.get_info(o.id).addr
                            for name, o in (("/", file), ("a", a), ("d", d), ("b", file["b"]), ("c", c))}
        self.bytes = bytearray(buffer.getvalue())

    def put(self, at, kind, *values):
        struct.pack_into("<" + kind, self.bytes, at, *values)

    def get(self, at, kind):
        return struct.unpack_from("<" + kind, self.bytes, at)[0]

    def message(self, name, kind, skip=0):
        """Where the data of an object's message lies."""
        header = self.address[name]
        blocks = [(header + 16, self.get(header + 8, "I"))]
        for start, size in blocks:
            at = start
            while at < start + size:
                if self.get(at, "H") == 0x10:
                    blocks.append((self.get(at + 8, "Q"), self.get(at + 16, "Q")))
                if self.get(at, "H") == kind:
                    if not skip:
                        return at + 8
                    skip -= 1
                at += 8 + self.get(at + 2, "H")
        raise KeyError(kind)

    def tree(self, name):
        return self.get(self.message(name, 0x11), "Q")

    def heap(self, name):
        return self.get(self.message(name, 0x11) + 8, "Q")

    def table(self, name):
        return self.get(self.tree(name) + 32, "Q")

    def reference(self):
        """The first reference of the attribute 'texts' into the global heap."""
        at = self.message("a", 0x0C)
        return at + 8 + sum((self.get(at + i, "H") + 7) // 8 * 8 for i in (2, 4, 6))


ATTACKS = {}


def attack(function):
    ATTACKS[function.__name__] = function
    return function


@attack
def cut(f):
    del f.bytes[-8:]


@attack
def offsets_of_four(f):
    f.put(13, "B", 4)


@attack
def root_nowhere(f):
    f.put(64, "Q", NOWHERE)


@attack
def root_is_a_dataset(f):
    f.put(64, "Q", f.address["d"])


@attack
def circle_to_root(f):
    f.put(f.table("b") + 8 + 8, "Q", f.address["/"])


@attack
def circle_to_itself(f):
    f.put(f.table("b") + 8 + 8, "Q", f.address["b"])


@attack
def header_of_version_9(f):
    f.put(f.address["d"], "B", 9)


@attack
def header_too_long(f):
    f.put(f.address["d"] + 8, "I", 0xFFFFFFFF)


@attack
def header_declares_more_messages(f):
    f.put(f.address["d"] + 2, "H", 60000)


@attack
def message_too_long(f):
    f.put(f.address["d"] + 16 + 2, "H", 0xFFF8)


@attack
def continues_in_itself(f):
    at = f.address["d"] + 16
    f.put(f.address["d"] + 2, "H", 60000)
    f.put(at, "HHI", 0x10, f.get(at + 2, "H"), 0)
    f.put(at + 8, "QQ", at, f.get(f.address["d"] + 8, "I"))


@attack
def continues_nowhere(f):
    at = f.address["d"] + 16
    f.put(at, "HH", 0x10, f.get(at + 2, "H"))
    f.put(at + 8, "QQ", (1 << 64) - 8, 64)


@attack
def continuation_without_a_place(f):
    f.put(f.message("d", 0x08) - 8, "HH", 0x10, 8)


@attack
def two_datatypes(f):
    f.put(f.message("d", 0x08) - 8, "H", 0x03)


@attack
def tree_is_its_child(f):
    f.put(f.tree("b") + 32, "Q", f.tree("b"))


@attack
def tree_of_itself(f):
    f.put(f.tree("b") + 5, "B", 2)
    f.put(f.tree("b") + 32, "Q", f.tree("b"))


@attack
def tree_too_high(f):
    f.put(f.tree("b") + 5, "B", 255)


@attack
def tree_of_chunks(f):
    f.put(f.tree("b") + 4, "B", 1)


@attack
def tree_of_many(f):
    f.put(f.tree("b") + 6, "H", 0xFFFF)


@attack
def table_twice(f):
    f.put(f.tree("b") + 6, "H", 2)
    f.put(f.tree("b") + 48, "Q", f.table("b"))


@attack
def table_of_many(f):
    f.put(f.table("b") + 6, "H", 0xFFFF)


@attack
def group_without_a_place(f):
    f.put(f.message("b", 0x11) - 6, "H", 8)


@attack
def heap_nowhere(f):
    f.put(f.message("b", 0x11) + 8, "Q", NOWHERE)


@attack
def heap_too_long(f):
    f.put(f.heap("b") + 8, "Q", (1 << 64) - 1)


@attack
def heap_of_version_3(f):
    f.put(f.heap("b") + 4, "B", 3)


@attack
def name_beyond_its_heap(f):
    f.put(f.table("b") + 8, "Q", 1 << 63)


@attack
def name_without_end(f):
    f.put(f.heap("b") + 8, "Q", 9)
    f.put(f.get(f.heap("b") + 24, "Q") + 8, "B", ord("c"))


@attack
def name_is_empty(f):
    f.put(f.table("b") + 8, "Q", 0)


@attack
def name_with_a_slash(f):
    f.put(f.get(f.heap("b") + 24, "Q") + 8, "2s", b"/x")


@attack
def name_is_no_text(f):
    f.put(f.get(f.heap("b") + 24, "Q") + 8, "2s", b"\xff\xfe")


@attack
def names_fall(f):
    f.put(f.get(f.heap("a") + 24, "Q") + 8, "s", b"z")


def dimension(f, value):
    f.put(f.message("d", 0x01) + 8, "Q", value)


@attack
def shape_too_large(f):
    dimension(f, 1 << 62)


@attack
def shape_negative(f):
    dimension(f, (1 << 64) - 1)


@attack
def shape_too_small(f):
    dimension(f, 3)


@attack
def shape_cut(f):
    f.put(f.message("d", 0x01) + 1, "B", 200)


@attack
def shape_of_version_7(f):
    f.put(f.message("d", 0x01), "B", 7)


@attack
def data_nowhere(f):
    f.put(f.message("d", 0x08) + 2, "Q", NOWHERE)


@attack
def data_wraps(f):
    f.put(f.message("d", 0x08) + 2, "Q", (1 << 64) - 8)


@attack
def data_too_long(f):
    dimension(f, 1 << 40)
    f.put(f.message("d", 0x08) + 10, "Q", 1 << 42)


@attack
def data_compact_too_long(f):
    f.put(f.message("d", 0x08), "BBH", 3, 0, 60000)


@attack
def layout_of_version_1(f):
    f.put(f.message("d", 0x08), "B", 1)


@attack
def layout_unknown(f):
    f.put(f.message("d", 0x08) + 1, "B", 77)


@attack
def layout_missing(f):
    f.put(f.message("d", 0x08) - 8, "H", 0)


@attack
def type_of_no_bytes(f):
    f.put(f.message("d", 0x03) + 4, "I", 0)


@attack
def type_of_version_0(f):
    f.put(f.message("d", 0x03), "B", 0x01)


@attack
def type_is_a_class_of_its_own(f):
    f.put(f.message("d", 0x03), "B", 0x1F)


@attack
def type_of_odd_bits(f):
    f.put(f.message("d", 0x03) + 10, "H", 31)


@attack
def attribute_name_beyond(f):
    f.put(f.message("a", 0x0C) + 2, "H", 0xFFFF)


@attack
def attribute_name_without_end(f):
    f.put(f.message("a", 0x0C) + 2, "H", 5)


@attack
def attribute_of_version_9(f):
    f.put(f.message("a", 0x0C), "B", 9)


@attack
def attribute_of_many(f):
    at = f.reference() - 16
    f.put(at, "Q", 1 << 60)


@attack
def text_nowhere(f):
    f.put(f.reference() + 4, "Q", NOWHERE)


@attack
def text_of_no_number(f):
    f.put(f.reference() + 12, "I", 999)


@attack
def text_number_too_large(f):
    f.put(f.reference() + 12, "I", 0x10001)


@attack
def text_too_long(f):
    f.put(f.reference(), "I", 0xFFFFFFFF)


@attack
def text_with_a_nul(f):
    f.put(f.get(f.reference() + 4, "Q") + 32, "B", 0)


@attack
def collection_too_long(f):
    f.put(f.get(f.reference() + 4, "Q") + 8, "Q", (1 << 64) - 16)


@attack
def collection_object_too_long(f):
    f.put(f.get(f.reference() + 4, "Q") + 16 + 8, "Q", (1 << 64) - 1)


@attack
def collection_number_twice(f):
    heap = f.get(f.reference() + 4, "Q")
    f.put(heap + 16 + 24, "H", f.get(heap + 16, "H"))


def deep():
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_group("/".join("g" * 70))
    return buffer.getvalue()


def bomb():
    """Groups that all name one tree of 100 symbols, which would be read again for each."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        table = file.create_group("table")
        for i in range(100):
            table["%d" % i] = table["0"] if i else np.zeros(1, "<f4")
        f = File.__new__(File)
        f.address = {"table": h5py.h5o.get_info(table.id).addr}
        for i in range(16):
            name = "g%d" % i
            f.address[name] = h5py.h5o.get_info(file.create_group(name).id).addr
    f.bytes = bytearray(buffer.getvalue())
    for i in range(16):
        f.put(f.message("g%d" % i, 0x11), "QQ", f.tree("table"), f.heap("table"))
    return bytes(f.bytes)


def main():
    os.makedirs(FOLDER, exist_ok=True)
    files = {"deep": deep(), "bomb": bomb()}
    for name, function in ATTACKS.items():
        file = File()
        function(file)
        files[name] = bytes(file.bytes)
    for name, data in files.items():
        with open(os.path.join(FOLDER, name + ".h5"), "wb") as out:
            out.write(data)


if __name__ == "__main__":
    main()
