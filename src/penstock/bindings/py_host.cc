#include "penstock/bindings/py_host.h"

#include <unistd.h>

#include <atomic>
#include <memory>

#include "penstock/bindings/py_error.h"
#include "penstock/bindings/py_loop.h"
#include "penstock/bindings/py_value.h"

namespace penstock::bindings {
namespace {

// Boxes let go without the interpreter lock: a stack pushed to by any thread (release, pairing with
// the acquire of the thread that takes the whole stack under the lock).
std::atomic<PyBox*> deferred{nullptr};

// Free boxes; guarded by the interpreter lock.
PyBox* free_boxes = nullptr;
int num_free_boxes = 0;
constexpr int kMaxFreeBoxes = 4096;

// The thread state this thread gave up in unlock(), to be restored in lock().
thread_local PyThreadState* saved_thread = nullptr;

// The thread that ends the interpreter; 0: none yet. Relaxed: nothing else is published by it, and
// a thread that does not see it yet is stopped by Python itself.
std::atomic<unsigned long> ending_thread{0};

class PythonBridge final : public core::HostBridge {
 public:
  base::Result<core::Value> to_native(const core::HostObject& object) const override {
    return to_value(static_cast<const PyBox&>(object).object());
  }

  std::optional<core::HostView> view(const core::HostObject& object) const override {
    PyObject* const o = static_cast<const PyBox&>(object).object();
    if (PyBytes_CheckExact(o)) {
      return core::HostView{core::Kind::kBytes,
                            {PyBytes_AS_STRING(o), static_cast<std::size_t>(PyBytes_GET_SIZE(o))}};
    }
    // The UTF-8 form of other texts is made when it is first asked for, which needs the lock.
    if (PyUnicode_CheckExact(o) && PyUnicode_IS_COMPACT_ASCII(o)) {
      return core::HostView{core::Kind::kText,
                            {static_cast<const char*>(PyUnicode_DATA(o)),
                             static_cast<std::size_t>(PyUnicode_GET_LENGTH(o))}};
    }
    return std::nullopt;
  }

  base::Result<std::vector<core::Value>> to_elements(
      const core::HostObject& object) const override {
    PyObject* sequence = static_cast<const PyBox&>(object).object();
    // A table is refused as the native one is, which it becomes in another process.
    if (PyUnicode_Check(sequence) || PyBytes_Check(sequence) || PyDict_Check(sequence) ||
        kind_of(Py_TYPE(sequence)) == PyKind::kTable || PyObject_Size(sequence) < 0) {
      PyErr_Clear();
      return base::fail(
          base::Error(base::ErrorCode::kInvalidArgument,
                      std::string("map needs a list or another sized sequence, seen ") +
                          Py_TYPE(sequence)->tp_name)
              .with_id("PS0404"));
    }
    PyObject* items = PySequence_Fast(sequence, "not iterable");
    if (items == nullptr) {
      return base::fail(take_python_error());
    }
    std::vector<core::Value> elements;
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(items);
    elements.reserve(static_cast<std::size_t>(count));
    for (Py_ssize_t i = 0; i < count; ++i) {
      elements.push_back(box(Py_NewRef(PySequence_Fast_GET_ITEM(items, i))));
    }
    Py_DECREF(items);
    return elements;
  }

  bool is_list_or_tuple(const core::HostObject& object) const override {
    PyObject* o = static_cast<const PyBox&>(object).object();
    return PyList_Check(o) || PyTuple_Check(o);
  }

  void lock() const override {
    if (saved_thread != nullptr) {
      PyThreadState* mine = saved_thread;
      saved_thread = nullptr;
      call_python([&] { PyEval_RestoreThread(mine); });
    } else {
      // A thread of ours: its state is kept until forget_thread().
      call_python([] { return PyGILState_Ensure(); });
    }
    drop_deferred();
  }

  void unlock() const override { saved_thread = PyEval_SaveThread(); }

  bool is_locked() const override {
    // After the end PyGILState_Check() says yes to everybody.
    if (Py_IsInitialized() == 0 && !ends_interpreter()) [[unlikely]] {
      stay();
    }
    return PyGILState_Check() != 0;
  }

  void forget_thread() const override {
    if (saved_thread == nullptr || Py_IsInitialized() == 0) {
      return;
    }
    PyThreadState* mine = saved_thread;
    saved_thread = nullptr;
    call_python([&] { PyEval_RestoreThread(mine); });
    PyGILState_Release(PyGILState_UNLOCKED);
  }

  std::shared_ptr<core::HostLoop> make_loop(const core::CancelToken* cancel) const override {
    return std::make_shared<PyLoop>(cancel);
  }

  base::Status check_signals() const override {
    if (PyErr_CheckSignals() != 0) {
      return base::fail(take_python_error());
    }
    return {};
  }
};

}  // namespace

PyBox* PyBox::make(PyObject* object) {
  if (deferred.load(std::memory_order_relaxed) != nullptr) {
    drop_deferred();
  }
  PyBox* made = free_boxes;
  if (made != nullptr) {
    free_boxes = made->next_;
    --num_free_boxes;
    made->revive();
  } else {
    made = new PyBox();
  }
  made->object_ = object;
  return made;
}

void PyBox::destroy() {
  if (PyGILState_Check() == 0) {
    next_ = deferred.load(std::memory_order_relaxed);
    while (!deferred.compare_exchange_weak(next_, this, std::memory_order_release,
                                           std::memory_order_relaxed)) {
    }
    return;
  }
  PyObject* object = std::exchange(object_, nullptr);
  if (num_free_boxes < kMaxFreeBoxes) {
    next_ = free_boxes;
    free_boxes = this;
    ++num_free_boxes;
  } else {
    delete this;
  }
  Py_DECREF(object);  // last: it may run arbitrary code, which may make and drop boxes
}

void drop_deferred() {
  // Acquire: pairs with the release push, so the boxes' fields are visible here.
  PyBox* box = deferred.exchange(nullptr, std::memory_order_acquire);
  while (box != nullptr) {
    PyBox* next = box->next_;
    box->destroy();
    box = next;
  }
}

core::Value box(PyObject* object) {
  if (object == Py_None) {
    Py_DECREF(object);
    return core::Value::null();
  }
  if (PyLong_CheckExact(object)) {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow == 0) {
      Py_DECREF(object);
      return core::Value::integer(value);
    }
  } else if (PyFloat_CheckExact(object)) {
    const double value = PyFloat_AS_DOUBLE(object);
    Py_DECREF(object);
    return core::Value::real(value);
  } else if (PyBool_Check(object)) {
    const bool value = object == Py_True;
    Py_DECREF(object);
    return core::Value::boolean(value);
  }
  return core::Value::host(PyBox::make(object));
}

core::Value box_by_identity(PyObject* object) {
  return core::Value::host(PyBox::make(object));
}

PyObject* unbox(const core::Value& value) {
  switch (value.kind()) {
    case core::Kind::kHost:
      return Py_NewRef(static_cast<const PyBox*>(value.as_host())->object());
    case core::Kind::kInt:
      return PyLong_FromLongLong(value.as_int());
    case core::Kind::kFloat:
      return PyFloat_FromDouble(value.as_float());
    case core::Kind::kNull:
      return Py_NewRef(Py_None);
    case core::Kind::kBool:
      return Py_NewRef(value.as_bool() ? Py_True : Py_False);
    default:
      return from_value(value);
  }
}

void begin_interpreter_end() {
  ending_thread.store(PyThread_get_thread_ident(), std::memory_order_relaxed);
}

bool is_interpreter_ending() {
  return ending_thread.load(std::memory_order_relaxed) != 0;
}

bool ends_interpreter() {
  return ending_thread.load(std::memory_order_relaxed) == PyThread_get_thread_ident();
}

void stay() {
  while (true) {
    ::pause();
  }
}

void install_python_bridge() {
  static const PythonBridge bridge;
  core::install_host_bridge(&bridge);
}

namespace {

base::Error interruption() {
  return {base::ErrorCode::kCancelled, "interrupted"};
}

}  // namespace

base::Error take_python_error() {
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  if (trace != nullptr) {
    PyException_SetTraceback(value, trace);
  }
  base::Error error(base::ErrorCode::kInternal, "unknown Python error");
  if (type != nullptr && PyErr_GivenExceptionMatches(type, PyExc_KeyboardInterrupt) != 0) {
    error = interruption();
  } else if (value != nullptr) {
    // The text is made in Python (penstock._errors), where tracebacks are easy to take apart.
    PyObject* module = PyImport_ImportModule("penstock._errors");
    PyObject* parts =
        module != nullptr ? PyObject_CallMethod(module, "describe_exception", "O", value) : nullptr;
    const char *message = nullptr, *text = nullptr, *id = nullptr, *help = nullptr;
    const char* code = nullptr;
    if (parts != nullptr &&
        PyArg_ParseTuple(parts, "zzzzs", &message, &text, &id, &help, &code) != 0) {
      error = base::Error(base::error_code_of(code).value_or(base::ErrorCode::kInternal),
                          message != nullptr ? message : "")
                  .with_trace(text != nullptr ? text : "")
                  .with_id(id != nullptr ? id : "")
                  .with_help(help != nullptr ? help : "");
    }
    // The user may ask to stop while the text is made.
    bool interrupted = false;
    if (PyErr_Occurred() != nullptr) {
      interrupted = PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) != 0;
      PyErr_Clear();
      error = base::Error(base::ErrorCode::kInternal, Py_TYPE(value)->tp_name);
    }
    Py_XDECREF(parts);
    Py_XDECREF(module);
    error = interrupted ? interruption() : error.with_cause(keep_exception(value));
  }
  Py_XDECREF(type);
  Py_XDECREF(value);
  Py_XDECREF(trace);
  return error;
}

}  // namespace penstock::bindings
