"""Read pickled dictionaries of strings and float32 torch tensors without torch and without running what they name.

A pickle may name any importable callable and have it called. The readers here look every name up in a short table and
refuse all others, and what the table holds only slices bytes. Tensors come back as NumPy arrays.
"""

import io
import pickle
from collections import OrderedDict

import numpy as np

TORCH_MAGIC = 0x1950A86A20F9469CFC6C
FLOAT32 = np.dtype("<f4")


class AllowListUnpickler(pickle.Unpickler):
    """An unpickler that knows the names in `allowed` and refuses every other one."""

    allowed: dict = {}

    def find_class(self, module, name):
        try:
            return self.allowed[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"the pickle names {module}.{name}, which is not allowed") from None


class StorageUnpickler(AllowListUnpickler):
    """Reads the records of a torch storage file; the storage itself becomes a pair (dtype, number of values)."""

    allowed = {("torch", "FloatStorage"): FLOAT32}

    def persistent_load(self, pid):
        kind, dtype, _key, _device, count, _view = pid
        if kind != "storage":
            raise pickle.UnpicklingError(f"expected a torch storage, found {kind!r}")
        return dtype, count


def read_storage(blob):
    """Return the values of a torch storage (the format before torch 1.6) as a float32 array.

    The file is five pickles (magic number, format version, machine facts, storage, list of keys), then the number of
    values as a 64-bit integer, then the values.
    """
    stream = io.BytesIO(blob)
    magic, _version, machine, storage, keys = (StorageUnpickler(stream).load() for _ in range(5))
    if magic != TORCH_MAGIC or not machine["little_endian"] or len(keys) != 1:
        raise pickle.UnpicklingError("not a little-endian torch file with one storage")
    dtype, count = storage
    stored = int.from_bytes(stream.read(8), "little")
    values = stream.read()
    if stored != count or len(values) != count * dtype.itemsize:
        raise pickle.UnpicklingError(f"a storage of {count} values holds {len(values)} bytes")
    return np.frombuffer(values, dtype=dtype)


def rebuild_vector(storage, offset, size, stride, _requires_grad, _hooks):
    """Return the one-dimensional tensor that torch would build from these arguments."""
    if len(size) != 1 or stride != (1,) or offset + size[0] > len(storage):
        raise pickle.UnpicklingError(f"expected a contiguous vector, found size {size}, stride {stride}")
    return storage[offset : offset + size[0]]


class TensorUnpickler(AllowListUnpickler):
    """Reads plain containers, strings and numbers, and tensors as NumPy arrays."""

    allowed = {
        ("torch._utils", "_rebuild_tensor_v2"): rebuild_vector,
        ("torch.storage", "_load_from_bytes"): read_storage,
        ("collections", "OrderedDict"): OrderedDict,
    }


def loads(blob):
    """Return the object that the pickle `blob` holds."""
    return TensorUnpickler(io.BytesIO(blob)).load()
