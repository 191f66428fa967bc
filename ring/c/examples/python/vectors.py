"""The ring from Python, by ctypes alone: python3 vectors.py LIBRARY ring/testdata"""
import ctypes
import pathlib
import sys

lib, data = ctypes.CDLL(sys.argv[1]), pathlib.Path(sys.argv[2])
if not lib.roost_ring_abi_serves(ctypes.c_uint32(1)):
    sys.exit("the library is of another ABI")
lib.roost_ring_hash.restype = ctypes.c_uint64
lib.roost_ring_hash.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
lib.roost_ring_error_text.restype = ctypes.c_char_p


class Text(ctypes.Structure):
    _fields_ = [("at", ctypes.c_char_p), ("cap", ctypes.c_size_t), ("len", ctypes.c_size_t)]


class Node(ctypes.Structure):
    _fields_ = [("id", Text), ("addr", Text), ("zone", Text), ("weight", ctypes.c_double),
                ("capacity", ctypes.c_double), ("points", ctypes.c_uint32), ("slots", ctypes.c_uint32)]


def load(name):
    """The handle of a snapshot and the name of the code, "" if all is well."""
    snapshot, ring = (data / "snapshots" / name).read_bytes(), ctypes.c_uint64()
    code = lib.roost_ring_load(snapshot, ctypes.c_size_t(len(snapshot)), ctypes.byref(ring), None)
    return ring, lib.roost_ring_error_text(code).decode().split(":")[0] if code else ""


def node_id(ring, number):
    buffer = ctypes.create_string_buffer(256)
    node = Node(id=Text(ctypes.cast(buffer, ctypes.c_char_p), 256))
    assert lib.roost_ring_node(ring, ctypes.c_uint32(number), ctypes.byref(node)) == 0
    return buffer.value.decode()


def first_four(ring, key):
    nodes, n = (ctypes.c_uint32 * 4)(), ctypes.c_size_t()
    lib.roost_ring_lookup_n(ring, key, ctypes.c_size_t(len(key)), nodes, ctypes.c_size_t(4), ctypes.byref(n))
    return ",".join(node_id(ring, i) for i in nodes[: n.value]) or "-"


rings, agree = {}, 0
for line in (data / "vectors.tsv").read_text(encoding="utf-8").splitlines():
    kind, *field = line.split("\t")
    if kind == "load":
        rings[field[0]], code = load(field[0])
        assert code == "", line
    elif kind == "refuse":
        assert load(field[0])[1] == field[1], line
    elif kind == "lookup":
        key = bytes.fromhex(field[1])
        assert f"{lib.roost_ring_hash(key, len(key)):016x}" == field[2], line
        assert first_four(rings[field[0]], key) == field[3], line
    else:
        continue
    agree += 1
for ring in rings.values():
    assert lib.roost_ring_free(ring) == 0 and lib.roost_ring_free(ring) == 65  # HANDLE: freed already
print(agree, "vectors agree")
