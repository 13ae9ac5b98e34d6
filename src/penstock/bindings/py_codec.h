// Python objects <-> canonical DAG-CBOR, directly: no core::Value in between.
//
// The bytes are those of core::encode(to_value(object)); a property test compares the two. All
// functions need the interpreter lock, and give a new reference or null with a Python error set.
#pragma once

#include <Python.h>

#include "penstock/core/identity.h"

namespace penstock::bindings {

/// Canonical root block as bytes. Linked raw blocks are stored as blocks[cid] = bytes, where
/// `blocks` is a mutable mapping; None: they are only hashed.
PyObject* encode_object(PyObject* object, PyObject* blocks);

/// Inverse: `data` is bytes or another contiguous buffer, `blocks` a mapping from CID text to bytes
/// (each is verified) or None.
PyObject* decode_object(PyObject* data, PyObject* blocks);

/// Digest of the canonical root block; long buffers are hashed without the interpreter lock.
bool digest_object(PyObject* object, core::Digest& out);

}  // namespace penstock::bindings
