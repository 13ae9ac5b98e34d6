// _core.BufferPool: buffers of one size for Python, as writable memoryviews of the pool's memory.
//
// A memoryview that was released stays so, thus each acquire() gives a new one; it was made by the
// release() before, over the same buffer, as long as nothing else looks at that. Whoever does
// (a slice, a numpy array) has a share in the managed buffer that all views of a buffer have in
// common, so a buffer is handed out again only when there is one share left: the new view's. When
// others remain, the last one to go ends the PoolBuffer, whose memory then comes back.
//
// Guarded by the interpreter lock.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nanobind/nanobind.h>

#include "penstock/base/buffer_pool.h"
#include "penstock/base/out_of_memory.h"
#include "penstock/bindings/bind.h"
#include "penstock/bindings/py_error.h"
#include "penstock/bindings/py_value.h"

namespace penstock::bindings {
namespace {

namespace nb = nanobind;

constexpr std::int64_t kMaxCount = std::int64_t{1} << 62;
constexpr std::int64_t kAnyNumber = INT64_MAX;

/// What a BufferPool has; lives as long as one of its buffers.
struct PoolState {
  std::size_t buffer_bytes = 0;
  std::int64_t max_pooled = 0, max_out = 0;
  bool is_closed = false;
  std::int64_t num_users = 1;  ///< the pool and its PoolBuffers

  // Both have room for all buffers the pool may keep.
  std::vector<PyObject*> ready;  ///< views, each the only share of its buffer
  std::vector<std::byte*> bare;  ///< memory whose PoolBuffer has ended

  std::int64_t acquired = 0, hits = 0, released = 0, dropped = 0;
  std::int64_t allocated = 0, freed = 0;
  std::int64_t lingering = 0;  ///< released, but somebody else still looks at it

  std::int64_t num_kept() const { return static_cast<std::int64_t>(ready.size() + bare.size()); }
  std::int64_t num_out() const { return acquired - released - dropped; }
};

void leave(PoolState* state) {
  if (--state->num_users == 0) {
    delete state;
  }
}

void free_memory(PoolState* state, std::byte* data) {
  ++state->freed;
  base::BufferPool::shared().release(data, state->buffer_bytes);
}

/// What the views of a buffer look at.
struct PoolBuffer {
  enum class Is : std::uint8_t { kMade, kReady, kOut, kReturned };

  PyObject_HEAD;
  PoolState* state;
  std::byte* data;
  const PyObject* view;  ///< the one that acquire() gave; never followed
  Is is;
};

int give_view(PyObject* self, Py_buffer* view, int flags) {
  auto* const buffer = reinterpret_cast<PoolBuffer*>(self);
  // Later on a view would be one that release() does not know of.
  if (buffer->is != PoolBuffer::Is::kMade) {
    PyErr_SetString(PyExc_BufferError, "take a view of the memoryview, not of what it belongs to");
    view->obj = nullptr;
    return -1;
  }
  return PyBuffer_FillInfo(view, self, buffer->data,
                           static_cast<Py_ssize_t>(buffer->state->buffer_bytes), 0, flags);
}

void end_buffer(PyObject* self) {
  auto* const buffer = reinterpret_cast<PoolBuffer*>(self);
  PoolState* const state = buffer->state;
  state->dropped += buffer->is == PoolBuffer::Is::kOut;
  state->lingering -= buffer->is == PoolBuffer::Is::kReturned;
  const bool was_used =
      buffer->is == PoolBuffer::Is::kOut || buffer->is == PoolBuffer::Is::kReturned;
  if (was_used && !state->is_closed && state->num_kept() < state->max_pooled) {
    state->bare.push_back(buffer->data);
  } else {
    free_memory(state, buffer->data);
  }
  leave(state);
  PyTypeObject* const type = Py_TYPE(self);
  PyObject_Free(self);
  Py_DECREF(type);
}

PyTypeObject* buffer_type() {
  static PyTypeObject* const type = [] {
    static PyType_Slot slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(&give_view)},
                                  {Py_tp_dealloc, reinterpret_cast<void*>(&end_buffer)},
                                  {0, nullptr}};
    static PyType_Spec spec = {"penstock._core.PoolBuffer", sizeof(PoolBuffer), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
    return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  }();
  return type;
}

/// memoryview.release(), without the search for it.
PyCFunction release_view() {
  static const PyCFunction function = [] {
    PyObject* const found =
        PyObject_GetAttrString(reinterpret_cast<PyObject*>(&PyMemoryView_Type), "release");
    PENSTOCK_CHECK(found != nullptr && Py_IS_TYPE(found, &PyMethodDescr_Type));
    const PyMethodDef* const method = reinterpret_cast<PyMethodDescrObject*>(found)->d_method;
    PENSTOCK_CHECK((method->ml_flags & METH_NOARGS) != 0);
    return method->ml_meth;
  }();
  return function;
}

struct Pool {
  PyObject_HEAD;
  PoolState* state;
};

PoolState& state_of(PyObject* self) {
  return *reinterpret_cast<Pool*>(self)->state;
}

PyObject* fail_with(base::ErrorCode code, std::string message, std::string_view id,
                    std::string_view help) {
  set_error(base::Error(code, std::move(message)).with_id(id).with_help(help));
  return nullptr;
}

/// A view of a new PoolBuffer.
PyObject* make_view(PoolState& state) {
  std::byte* data = nullptr;
  if (state.bare.empty()) {
    const std::int64_t live = state.allocated - state.freed + 1;
    if (std::cmp_less(state.bare.capacity(), std::min(state.max_pooled, live))) {
      const auto room = static_cast<std::size_t>(std::min(state.max_pooled, 2 * live));
      state.ready.reserve(room);
      state.bare.reserve(room);  // last: its capacity stands for both
    }
    data = base::BufferPool::shared().acquire(state.buffer_bytes);
    if (data == nullptr) {
      set_error(base::out_of_memory());
      return nullptr;
    }
    ++state.allocated;
  } else {
    data = state.bare.back();
    state.bare.pop_back();
  }
  PyTypeObject* const type = buffer_type();
  auto* const buffer = PyObject_New(PoolBuffer, type);
  if (buffer == nullptr) {
    free_memory(&state, data);
    return nullptr;
  }
  buffer->state = &state;
  buffer->data = data;
  buffer->view = nullptr;
  buffer->is = PoolBuffer::Is::kMade;
  ++state.num_users;
  auto* const object = reinterpret_cast<PyObject*>(buffer);
  PyObject* const view = PyMemoryView_FromObject(object);
  Py_DECREF(object);
  return view;
}

PyObject* acquire(PyObject* self, PyObject*) {
  PoolState& state = state_of(self);
  if (state.num_out() + state.lingering >= state.max_out) [[unlikely]] {
    return fail_with(base::ErrorCode::kResourceExhausted,
                     fmt::format("no buffer left: {} of {} are out, and {} that were released are "
                                 "still looked at",
                                 state.num_out(), state.max_out, state.lingering),
                     "PS0460", "release() a buffer first, or give the pool a larger max_out");
  }
  PyObject* view = nullptr;
  if (!state.ready.empty()) [[likely]] {
    view = state.ready.back();
    state.ready.pop_back();
    ++state.hits;
  } else {
    const bool is_hit = !state.bare.empty();
    view = make_view(state);
    if (view == nullptr) {
      return nullptr;
    }
    state.hits += is_hit;
  }
  auto* const buffer = reinterpret_cast<PoolBuffer*>(PyMemoryView_GET_BASE(view));
  buffer->is = PoolBuffer::Is::kOut;
  buffer->view = view;
  ++state.acquired;
  return view;
}

PyObject* refuse(PyObject* object) {
  if (!PyMemoryView_Check(object)) {
    PyObject* const name = PyType_GetName(Py_TYPE(object));
    if (name != nullptr) {
      fail_with(base::ErrorCode::kInvalidArgument,
                fmt::format("release() takes a memoryview of acquire(), not an object of type {}",
                            PyUnicode_AsUTF8(name)),
                "PS0461", "");
      Py_DECREF(name);
    }
    return nullptr;
  }
  if ((reinterpret_cast<PyMemoryViewObject*>(object)->flags & _Py_MEMORYVIEW_RELEASED) != 0) {
    return fail_with(base::ErrorCode::kFailedPrecondition, "this memoryview is released already",
                     "PS0462", "release() each buffer once");
  }
  return fail_with(base::ErrorCode::kInvalidArgument,
                   "this memoryview is not one that acquire() of this pool returned", "PS0461",
                   "give back the very memoryview, not a part of it, to the pool it is from");
}

PyObject* release(PyObject* self, PyObject* object) {
  PoolState& state = state_of(self);
  auto* const view = reinterpret_cast<PyMemoryViewObject*>(object);
  if (!PyMemoryView_Check(object) || (view->flags & _Py_MEMORYVIEW_RELEASED) != 0 ||
      view->view.obj == nullptr || !Py_IS_TYPE(view->view.obj, buffer_type())) [[unlikely]] {
    return refuse(object);
  }
  auto* const buffer = reinterpret_cast<PoolBuffer*>(view->view.obj);
  if (buffer->state != &state || buffer->view != object) [[unlikely]] {
    return refuse(object);
  }
  PyObject* next = nullptr;
  if (view->exports == 0) {
    if (state.num_kept() < state.max_pooled) {
      next = PyMemoryView_FromObject(object);
      if (next == nullptr) {
        return nullptr;
      }
    }
    buffer->is = PoolBuffer::Is::kReturned;
    buffer->view = nullptr;
    ++state.released;
    ++state.lingering;
  }
  const _PyManagedBufferObject* const shares = view->mbuf;
  PyObject* const done = release_view()(object, nullptr);
  if (next == nullptr || done == nullptr) {
    return done;
  }
  if (shares->exports == 1) [[likely]] {
    --state.lingering;
    buffer->is = PoolBuffer::Is::kReady;
    state.ready.push_back(next);
  } else {
    Py_DECREF(next);
  }
  return done;
}

/// What `with` gives: a buffer from enter to exit.
struct Lease {
  PyObject_HEAD;
  PyObject* pool;
  PyObject* view;
};

PyObject* enter_lease(PyObject* self, PyObject*) {
  auto* const lease = reinterpret_cast<Lease*>(self);
  if (lease->view != nullptr) {
    return fail_with(base::ErrorCode::kFailedPrecondition, "this loan has been entered before",
                     "PS0462", "call lend() for each with statement");
  }
  lease->view = Guarded<&acquire>::call(lease->pool, nullptr);
  return Py_XNewRef(lease->view);
}

PyObject* exit_lease(PyObject* self, PyObject*) {
  auto* const lease = reinterpret_cast<Lease*>(self);
  return lease->view == nullptr ? Py_NewRef(Py_None)
                                : Guarded<&release>::call(lease->pool, lease->view);
}

void end_lease(PyObject* self) {
  auto* const lease = reinterpret_cast<Lease*>(self);
  Py_XDECREF(lease->view);
  Py_DECREF(lease->pool);
  PyTypeObject* const type = Py_TYPE(self);
  PyObject_Free(self);
  Py_DECREF(type);
}

PyTypeObject* lease_type() {
  static PyTypeObject* const type = [] {
    static PyMethodDef methods[] = {
        {"__enter__", &enter_lease, METH_NOARGS, "__enter__($self, /)\n--\n\nThe buffer."},
        {"__exit__", &exit_lease, METH_VARARGS,
         "__exit__($self, /, *exception)\n--\n\nGive it back."},
        {nullptr, nullptr, 0, nullptr}};
    static PyType_Slot slots[] = {{Py_tp_methods, methods},
                                  {Py_tp_dealloc, reinterpret_cast<void*>(&end_lease)},
                                  {0, nullptr}};
    static PyType_Spec spec = {"penstock._core.BufferLoan", sizeof(Lease), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
    return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  }();
  return type;
}

PyObject* lend(PyObject* self, PyObject*) {
  auto* const lease = PyObject_New(Lease, lease_type());
  if (lease == nullptr) {
    return nullptr;
  }
  lease->pool = Py_NewRef(self);
  lease->view = nullptr;
  return reinterpret_cast<PyObject*>(lease);
}

PyObject* statistics(PyObject* self, PyObject*) {
  const PoolState& state = state_of(self);
  return Py_BuildValue("{s:L,s:L,s:L,s:L,s:L,s:L,s:L,s:L,s:L}", "acquired", state.acquired,
                       "released", state.released, "dropped", state.dropped, "out", state.num_out(),
                       "lingering", state.lingering, "pool_size", state.num_kept(), "hits",
                       state.hits, "allocated", state.allocated, "freed", state.freed);
}

/// An integer from `least` to kMaxCount. False with an error set.
bool read_count(PyObject* object, const char* name, std::int64_t least, std::int64_t& out) {
  PyObject* const number = PyNumber_Index(object);
  if (number == nullptr) {
    return false;
  }
  int overflow = 0;
  out = PyLong_AsLongLongAndOverflow(number, &overflow);
  if (overflow == 0 && out >= least && out <= kMaxCount) {
    Py_DECREF(number);
    return true;
  }
  PyObject* const text = PyObject_Str(number);
  Py_DECREF(number);
  if (text != nullptr) {
    fail_with(base::ErrorCode::kInvalidArgument,
              fmt::format("{} must be from {} to 2**62: {}={}", name, least, name,
                          PyUnicode_AsUTF8(text)),
              "", "");
    Py_DECREF(text);
  }
  return false;
}

PyObject* make_pool(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  static const char* const kNames[] = {"buffer_size", "max_pooled", "max_out", nullptr};
  PyObject* size = nullptr;
  PyObject* max_pooled = nullptr;
  PyObject* max_out = Py_None;
  if (PyArg_ParseTupleAndKeywords(arguments, keywords, "OO|O:BufferPool",
                                  const_cast<char**>(kNames), &size, &max_pooled, &max_out) == 0) {
    return nullptr;
  }
  std::int64_t bytes = 0;
  std::int64_t pooled = 0;
  std::int64_t out = kAnyNumber;
  if (!read_count(size, "buffer_size", 1, bytes) ||
      !read_count(max_pooled, "max_pooled", 0, pooled) ||
      (max_out != Py_None && !read_count(max_out, "max_out", 1, out))) {
    return nullptr;
  }
  PyObject* const self = type->tp_alloc(type, 0);
  if (self == nullptr) {
    return nullptr;
  }
  auto* const pool = reinterpret_cast<Pool*>(self);
  pool->state = new (std::nothrow) PoolState;
  if (pool->state == nullptr) {
    Py_DECREF(self);
    return PyErr_NoMemory();
  }
  pool->state->buffer_bytes = static_cast<std::size_t>(bytes);
  pool->state->max_pooled = pooled;
  pool->state->max_out = out;
  return self;
}

void end_pool(PyObject* self) {
  PoolState* const state = reinterpret_cast<Pool*>(self)->state;
  if (state != nullptr) {
    state->is_closed = true;  // what is out stays valid, and is freed when it comes back
    for (PyObject* const view : std::exchange(state->ready, {})) {
      Py_DECREF(view);
    }
    for (std::byte* const data : std::exchange(state->bare, {})) {
      free_memory(state, data);
    }
    leave(state);
  }
  PyTypeObject* const type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* get_backend(PyObject*, void*) {
  return PyUnicode_InternFromString("native");
}
template <auto kRead>
PyObject* get_number(PyObject* self, void*) {
  return PyLong_FromLongLong(static_cast<long long>(kRead(state_of(self))));
}
PyObject* get_max_out(PyObject* self, void*) {
  const std::int64_t count = state_of(self).max_out;
  return count == kAnyNumber ? Py_NewRef(Py_None) : PyLong_FromLongLong(count);
}

}  // namespace

void bind_buffer_pool(nb::module_& m) {
  static PyMethodDef methods[] = {
      {"acquire", &Guarded<&acquire>::call, METH_NOARGS,
       "acquire($self, /)\n--\n\nA writable memoryview of buffer_size bytes, not cleared."},
      {"release", &Guarded<&release>::call, METH_O,
       "release($self, view, /)\n--\n\nGive back what acquire() returned. It cannot be used any "
       "more; its memory is used again when nobody else looks at it."},
      {"lend", &lend, METH_NOARGS,
       "lend($self, /)\n--\n\nFor a with statement: a buffer until its end."},
      {"statistics", &statistics, METH_NOARGS,
       "statistics($self, /)\n--\n\nWhat became of the buffers, as numbers that balance."},
      {nullptr, nullptr, 0, nullptr}};
  static PyGetSetDef attributes[] = {
      {"backend", &get_backend, nullptr, "\"native\"", nullptr},
      {"buffer_size", &get_number<[](const PoolState& s) { return s.buffer_bytes; }>, nullptr,
       "Bytes of each buffer.", nullptr},
      {"max_pooled", &get_number<[](const PoolState& s) { return s.max_pooled; }>, nullptr,
       "How many buffers are kept for the next acquire().", nullptr},
      {"max_out", &get_max_out, nullptr, "How many may be out at once; None: any number.", nullptr},
      {"pool_size", &get_number<[](const PoolState& s) { return s.num_kept(); }>, nullptr,
       "How many buffers lie ready.", nullptr},
      {nullptr, nullptr, nullptr, nullptr, nullptr}};
  static PyType_Slot slots[] = {
      {Py_tp_new, reinterpret_cast<void*>(&make_pool)},
      {Py_tp_dealloc, reinterpret_cast<void*>(&end_pool)},
      {Py_tp_methods, methods},
      {Py_tp_getset, attributes},
      {Py_tp_doc, const_cast<char*>("BufferPool(buffer_size, max_pooled, max_out=None)\n--\n\n"
                                    "Buffers of one size that are used again.")},
      {0, nullptr}};
  static PyType_Spec spec = {"penstock._core.BufferPool", sizeof(Pool), 0, Py_TPFLAGS_DEFAULT,
                             slots};
  m.attr("BufferPool") = nb::steal(PyType_FromSpec(&spec));
}

}  // namespace penstock::bindings
