from collections.abc import Callable, Sequence
import types
from typing import Annotated

import numpy
from numpy.typing import NDArray


def set_no_event(arg: object, /) -> None: ...

class BufferPool:
    """Buffers of one size that are used again."""

    acquire: types.MethodDescriptorType = ...

    release: types.MethodDescriptorType = ...

    lend: types.MethodDescriptorType = ...

    statistics: types.MethodDescriptorType = ...

    backend: getset_descriptor = ...

    buffer_size: getset_descriptor = ...

    max_pooled: getset_descriptor = ...

    max_out: getset_descriptor = ...

    pool_size: getset_descriptor = ...

def cli_main(args: Sequence[str]) -> int: ...

def encode(value, /, blocks=None):
    """
    Canonical DAG-CBOR bytes of a value.

    Buffers longer than 65536 bytes are linked, not contained: their raw blocks are stored as
    blocks[cid] = bytes where `blocks` is a mutable mapping. The same value always gives the same
    bytes, whatever the order of its map keys.
    """

def decode(data, /, blocks=None):
    """
    The value of canonical DAG-CBOR bytes; DataLossError for anything else.

    `blocks` maps the CID of a linked raw block to its bytes; each block is verified.
    """

def digest(value, /):
    """
    BLAKE3-256 of the value's canonical encoding, as 64 hexadecimal digits.
    """

def cid(value, /):
    """Content address of the value: CIDv1, dag-cbor, blake3, in base32."""

def register_codec(type, name, to_payload, from_payload, /):
    """
    Let values of exactly `type` be encoded, under `name`.

    to_payload(object) gives what is written (any encodable value); from_payload(payload) gives
    the object back.
    """

def registered_codecs():
    """
    The tables of register_codec(): type -> (name, to_payload) and name -> from_payload.
    """

def encode_by_value(value, /):
    """As encode(), by way of a native value."""

def decode_by_value(data, /):
    """As decode(), by way of a native value."""

def through_value(value, /):
    """The value after becoming native and coming back."""

class EventStore:
    """
    Events by (node_id, signal, epoch): any number of threads add and read.

    Linearizable; readers never lock. `cache_size`: how many (node_id, signal) pairs are
    known by the identity of their str objects; no answer depends on it. `path`: a folder for
    its log; then values are written as they are encoded, and flush() makes them last.
    """

    def __len__(self, /):
        """Return len(self)."""

    add_event: types.MethodDescriptorType = ...

    get_events: types.MethodDescriptorType = ...

    batch_add_events: types.MethodDescriptorType = ...

    batch_get_events: types.MethodDescriptorType = ...

    find: types.MethodDescriptorType = ...

    scan: types.MethodDescriptorType = ...

    clear: types.MethodDescriptorType = ...

    clear_epoch: types.MethodDescriptorType = ...

    event_count: types.MethodDescriptorType = ...

    flush: types.MethodDescriptorType = ...

    close: types.MethodDescriptorType = ...

    __enter__: types.MethodDescriptorType = ...

    __exit__: types.MethodDescriptorType = ...

    stats: types.MethodDescriptorType = ...

    backend: getset_descriptor = ...

def log_line(line: str) -> bool:
    """
    Add a line to the log of the node this thread is running; False outside a node.
    """

class CoroutineCall:
    def __call__(self, task: object) -> None: ...

    def log(self, line: str) -> None: ...

class Plan:
    @property
    def digest(self) -> str: ...

    @property
    def inputs(self) -> list: ...

    @property
    def nodes(self) -> list: ...

    @property
    def depends(self) -> dict: ...

    @property
    def has_return(self) -> bool: ...

    @property
    def has_source(self) -> bool: ...

    @property
    def noob_id(self) -> str: ...

    @property
    def description(self) -> str: ...

    def to_yaml(self) -> str: ...

def load_plan(source: str, is_path: bool, inputs: dict, name: str) -> Plan: ...

def to_yaml(source: str) -> str:
    """The canonical YAML of a tube's text."""

def read_spec(source: str, is_path: bool, name: str) -> object: ...

def add_config_source(folder: str) -> None:
    """Look for tubes by their noob_id in the files under a folder, first."""

def find_tube(id: str) -> str:
    """The path of the tube with this noob_id."""

def check_runner(arg: str, /) -> None: ...

class Runner:
    def __init__(self, plan: Plan, runner: str, workers: int, task_timeout_s: float, seed: int, shuffle: int | None, max_epochs_in_flight: int, loop: object | None = None, cache: bool = True, resources: dict = {}, tags: Sequence[str] = ['local']) -> None: ...

    def skip_known(self, inputs: dict) -> None: ...

    def init(self) -> None: ...

    def deinit(self) -> None: ...

    def cancel(self) -> None: ...

    @property
    def is_copied(self) -> bool: ...

    def set_enabled(self, id: str, enabled: bool) -> None: ...

    @staticmethod
    def refuse_switch(id: str) -> None: ...

    def process(self, arg: dict, /) -> object: ...

    def step(self, arg: dict, /) -> tuple: ...

    def run(self, num_epochs: int | None, inputs: dict) -> list: ...

    def add_callback(self, arg: Callable, /) -> None: ...

    def record_events(self, arg: object, /) -> None: ...

    def add_sink(self, arg: Callable, /) -> None: ...

    def add_history(self, inputs: dict) -> None: ...

    def add_report(self, path: str, inputs: dict) -> None: ...

    def metrics(self) -> dict: ...

class Scheduler:
    """
    Says which nodes of a graph are ready: of a Tube, or of a dict of each node and what it waits for.
    """

    get_ready_nodes: types.MethodDescriptorType = ...

    get_ready: types.MethodDescriptorType = ...

    mark_completed: types.MethodDescriptorType = ...

    mark_done: types.MethodDescriptorType = ...

    reset: types.MethodDescriptorType = ...

    is_complete: types.MethodDescriptorType = ...

    backend: getset_descriptor = ...

class Serializer:
    """
    Values to messages and back.

    `types`: classes (dataclasses, enums, pydantic models, named tuples) that this serializer
    may write and make again, besides those given to register_type().
    """

    serialize: types.MethodDescriptorType = ...

    deserialize: types.MethodDescriptorType = ...

    serialize_batch: types.MethodDescriptorType = ...

    deserialize_batch: types.MethodDescriptorType = ...

    serialize_buffers: types.MethodDescriptorType = ...

    deserialize_buffers: types.MethodDescriptorType = ...

    backend: getset_descriptor = ...

def run_worker(control_fd: int) -> int: ...

def share_numpy_memory() -> None: ...

def shared_bytes(size_bytes: int) -> Annotated[NDArray[numpy.uint8], dict(shape=(None,))]: ...
