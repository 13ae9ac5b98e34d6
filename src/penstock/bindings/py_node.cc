#include "penstock/bindings/py_node.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "penstock/bindings/py_emit.h"
#include "penstock/bindings/py_host.h"
#include "penstock/bindings/py_inject.h"
#include "penstock/bindings/py_log.h"
#include "penstock/bindings/py_loop.h"
#include "penstock/bindings/py_ref.h"
#include "penstock/bindings/py_value.h"
#include "penstock/core/identity.h"

namespace penstock::bindings {
namespace {

bool is_finalizing() {
#if PY_VERSION_HEX >= 0x030d0000
  return Py_IsFinalizing() != 0;
#else
  return _Py_IsFinalizing() != 0;
#endif
}

/// init() and deinit() of an object that is a penstock.Node. Lock held.
class NodeLifecycle final : public core::Lifecycle {
 public:
  explicit NodeLifecycle(Ref instance) : instance_(std::move(instance)) {}

  base::Status start(core::State* /*state*/, const core::Session& session) const override {
    const Ref inputs(unbox(*session.inputs));
    if (!inputs) {
      return base::fail(take_python_error());
    }
    const Ref context(Py_BuildValue("{s:s,s:O}", "runner", std::string(session.runner).c_str(),
                                    "inputs", inputs.get()));
    return call("start_node", context.get(), session);
  }
  base::Status stop(core::State* /*state*/, const core::Session& session) const override {
    if (is_finalizing()) {
      return {};  // the interpreter ends, and with it everything deinit() could call
    }
    return call("stop_node", nullptr, session);
  }

 private:
  base::Status call(const char* function, PyObject* context, const core::Session& session) const {
    const CallScope scope(session.context);
    const Ref module(PyImport_ImportModule("penstock._kinds"));
    Ref result(module ? PyObject_CallMethod(module.get(), function, context != nullptr ? "OO" : "O",
                                            instance_.get(), context)
                      : nullptr);
    if (result && PyCoro_CheckExact(result.get())) {
      auto* const loop = static_cast<PyLoop*>(session.context->loop);
      result = Ref(loop->run(result.release()));
    }
    if (!result) {
      return base::fail(take_python_error());
    }
    return {};
  }

  Ref instance_;
};

/// What describe() tells of a Python node besides its signature. Immutable.
struct PythonKind {
  bool is_async = false;
  std::vector<Injection> injections;
  std::unique_ptr<const NodeLifecycle> lifecycle;  ///< of a penstock.Node
};

/// Calls `callable` with the node's inputs and its fixed keyword arguments.
class CallableOperator final : public core::Operator {
 public:
  CallableOperator(Ref callable, PyObject* params, std::span<const core::Binding> bindings,
                   std::vector<std::string> signals, std::shared_ptr<const PythonKind> kind)
      : callable_(std::move(callable)), signals_(std::move(signals)), kind_(std::move(kind)) {
    for (std::size_t i = 0; i < bindings.size(); ++i) {
      if (bindings[i].position >= 0) {
        positional_.push_back(i);
      } else {
        keyword_.push_back(
            {Ref(PyUnicode_InternFromString(bindings[i].name.c_str())), i, Ref(), nullptr});
      }
      if (!kind_->injections.empty()) {
        slots_.push_back(Ref(bindings[i].name.empty()
                                 ? PyLong_FromLong(bindings[i].position)
                                 : PyUnicode_InternFromString(bindings[i].name.c_str())));
      }
    }
    for (const Injection& injection : kind_->injections) {
      keyword_.push_back(
          {Ref(PyUnicode_InternFromString(injection.name.c_str())), kNoInput, Ref(), &injection});
    }
    PyObject *key = nullptr, *value = nullptr;
    Py_ssize_t at = 0;
    while (params != nullptr && PyDict_Next(params, &at, &key, &value) != 0) {
      const auto same = std::ranges::find_if(keyword_, [&](const Keyword& keyword) {
        return PyUnicode_Compare(keyword.name.get(), key) == 0;
      });
      if (same != keyword_.end()) {
        same->fallback = Ref(Py_NewRef(value));
      } else {
        keyword_.push_back({Ref(Py_NewRef(key)), kNoInput, Ref(Py_NewRef(value)), nullptr});
      }
    }
    PyObject* names = PyTuple_New(static_cast<Py_ssize_t>(keyword_.size()));
    for (std::size_t i = 0; i < keyword_.size(); ++i) {
      PyTuple_SET_ITEM(names, static_cast<Py_ssize_t>(i), keyword_[i].name.share());
    }
    all_names_ = Ref(names);
  }

  base::Result<core::Step> call(core::Call& call) const override {
    // Slot 0 is scratch for the callee (PY_VECTORCALL_ARGUMENTS_OFFSET). Borrowed references stay
    // borrowed; converted ones are owned until the call is over.
    PyObject* small[kSmallCall];
    PyObject* owned_small[kSmallCall];
    std::vector<PyObject*> large;
    PyObject** args = small;
    PyObject** owned = owned_small;
    const std::size_t most = positional_.size() + keyword_.size() + 1;
    if (most > kSmallCall) {
      large.resize(2 * most);
      args = large.data();
      owned = large.data() + most;
    }
    std::size_t num_owned = 0, count = 1;
    bool failed = false;
    const auto put = [&](const core::Value& value) {
      PyObject* object = nullptr;
      if (value.is(core::Kind::kHost)) {
        object = static_cast<const PyBox*>(value.as_host())->object();
      } else {
        object = unbox(value);
        failed |= object == nullptr;
        if (object != nullptr) {
          owned[num_owned++] = object;
        }
      }
      args[count++] = object;
    };
    for (const std::size_t input : positional_) {
      put(*call.inputs[input]);
    }
    const std::size_t num_positional = positional_.size();
    Ref fewer_names;
    PyObject* names = keyword_.empty() ? nullptr : all_names_.get();
    bool all_present = true;
    for (const Keyword& keyword : keyword_) {
      all_present &= keyword.input == kNoInput || !call.inputs[keyword.input]->is_absent() ||
                     static_cast<bool>(keyword.fallback);
    }
    if (!all_present) [[unlikely]] {
      fewer_names = present_names(call);
      names = fewer_names.get();
    }
    for (const Keyword& keyword : keyword_) {
      if (keyword.input != kNoInput && !call.inputs[keyword.input]->is_absent()) {
        put(*call.inputs[keyword.input]);
      } else if (keyword.fallback) {
        args[count++] = keyword.fallback.get();
      } else if (keyword.injection != nullptr) {
        PyObject* object = make_injected(*keyword.injection, call, slots_);
        failed |= object == nullptr;
        args[count++] = object;
        if (object != nullptr) {
          owned[num_owned++] = object;
        }
      }
    }
    const CallScope scope(call.context);
    PyObject* result = failed ? nullptr : call_python([&] {
      return PyObject_Vectorcall(callable_.get(), args + 1,
                                 num_positional | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
    });
    base::Result<core::Step> step = core::Step::kDone;
    if (result == nullptr) {
      step = base::fail(take_python_error());
    } else if (PyCoro_CheckExact(result) || kind_->is_async) [[unlikely]] {
      step = await_result(result, call, signals_);
    } else {
      step = emit(result, call.outputs, signals_);
    }
    for (std::size_t i = 0; i < num_owned; ++i) {
      Py_DECREF(owned[i]);
    }
    return step;
  }

  bool is_async() const override { return kind_->is_async; }
  const core::Lifecycle* lifecycle() const override { return kind_->lifecycle.get(); }

 private:
  static constexpr std::size_t kSmallCall = 12;
  static constexpr std::size_t kNoInput = static_cast<std::size_t>(-1);

  struct Keyword {
    Ref name;
    std::size_t input;           ///< kNoInput: a parameter only
    Ref fallback;                ///< the parameter's value, if there is one
    const Injection* injection;  ///< null: not made for the call
  };

  Ref present_names(const core::Call& call) const {
    PyObject* list = PyList_New(0);
    for (const Keyword& keyword : keyword_) {
      if (keyword.input == kNoInput || keyword.fallback ||
          !call.inputs[keyword.input]->is_absent()) {
        PyList_Append(list, keyword.name.get());
      }
    }
    PyObject* names = PyList_AsTuple(list);
    Py_DECREF(list);
    return Ref(names);
  }

  Ref callable_;
  std::vector<std::size_t> positional_;
  std::vector<Keyword> keyword_;
  Ref all_names_;
  std::vector<std::string> signals_;
  std::vector<Ref> slots_;  ///< with injections, per input: its name, else its position
  std::shared_ptr<const PythonKind> kind_;
};

/// Advances a generator made once.
class GeneratorOperator final : public core::Operator {
 public:
  GeneratorOperator(Ref generator, std::vector<std::string> signals,
                    std::shared_ptr<const PythonKind> kind)
      : generator_(std::move(generator)), signals_(std::move(signals)), kind_(std::move(kind)) {}

  const core::Lifecycle* lifecycle() const override { return kind_->lifecycle.get(); }

  base::Result<core::Step> call(core::Call& call) const override {
    const CallScope scope(call.context);
    PyObject* item = call_python([&] { return PyIter_Next(generator_.get()); });
    if (item == nullptr) {
      if (PyErr_Occurred() == nullptr) {
        return core::Step::kExhausted;
      }
      return base::fail(take_python_error());
    }
    return emit(item, call.outputs, signals_);
  }

 private:
  Ref generator_;
  std::vector<std::string> signals_;
  std::shared_ptr<const PythonKind> kind_;
};

std::string text_of(PyObject* object) {
  const char* text = PyUnicode_AsUTF8(object);
  return text != nullptr ? text : "";
}

class PythonType final : public core::NodeType {
 public:
  PythonType(core::Signature signature, std::string name, core::Value fixed, Ref target, Ref params,
             bool is_generator, PythonKind kind)
      : signature_(std::move(signature)),
        name_(std::move(name)),
        fixed_(std::move(fixed)),
        target_(std::move(target)),
        params_(std::move(params)),
        is_generator_(is_generator),
        kind_(std::make_shared<const PythonKind>(std::move(kind))) {}

  const core::Signature& signature() const override { return signature_; }

  base::Result<std::shared_ptr<const core::Operator>> bind(
      std::span<const core::Binding> bindings) const override {
    const core::HostLock lock;
    if (is_generator_) {
      return std::make_shared<GeneratorOperator>(Ref(target_.share()), signature_.signals, kind_);
    }
    PyObject* fixed = params_.get() == Py_None ? nullptr : params_.get();
    return std::make_shared<CallableOperator>(Ref(target_.share()), fixed, bindings,
                                              signature_.signals, kind_);
  }

  std::string identity() const override {
    const auto encoded = core::encode(fixed_);
    // With an object that has no encoding among its parameters a node is equal to no other.
    return fmt::format("python:{}:", name_) +
           (encoded.has_value() ? *encoded : fmt::format("#{}", fmt::ptr(this)));
  }

  // Whether a function always gives the same is for its author to say.
  core::Purity purity() const override {
    return kind_->injections.empty() ? core::Purity::kUnknown : core::Purity::kNever;
  }

  base::Result<std::vector<core::Part>> parts() const override {
    std::vector<core::Part> out;
    {
      const core::HostLock lock;
      const Ref module(PyImport_ImportModule("penstock._code"));
      const Ref found(module ? PyObject_CallMethod(module.get(), "parts", "s", name_.c_str())
                             : nullptr);
      if (!found) {
        return base::fail(take_python_error());
      }
      for (Py_ssize_t i = 0; i < PyList_GET_SIZE(found.get()); ++i) {
        PyObject* const part = PyList_GET_ITEM(found.get(), i);
        out.push_back({text_of(PyTuple_GET_ITEM(part, 0)), text_of(PyTuple_GET_ITEM(part, 1))});
      }
    }
    for (const auto& [name, value] : fixed_.as_map()) {
      PENSTOCK_ASSIGN_OR_RETURN(core::Part part, core::part_of("parameter " + name, value));
      out.push_back(std::move(part));
    }
    return out;
  }

  // A generator is one node's; so may be an object made for it.
  bool is_shareable() const override {
    return !signature_.stateful && !is_generator_ && kind_->lifecycle == nullptr;
  }

 private:
  core::Signature signature_;
  std::string name_;
  core::Value fixed_;  ///< parameters, a map
  Ref target_;
  Ref params_;
  bool is_generator_;
  std::shared_ptr<const PythonKind> kind_;
};

}  // namespace

base::Result<std::unique_ptr<core::NodeType>> PythonResolver::resolve(
    const flow::NodeSpec& node, const core::Value& params) const {
  const core::HostLock lock;
  Ref arguments(from_value(params));
  Ref module(PyImport_ImportModule("penstock._nodes"));
  if (!arguments || !module) {
    return base::fail(take_python_error());
  }
  // None: not a Python name. Otherwise (kind, target, params, slots, any_positional, any_keyword,
  // signals, stateful, types of the signals, is_async, injections, node); slots are (name,
  // required, has_default, positional, type), injections as in read_injections(), node is None or
  // has init() and deinit().
  Ref found(PyObject_CallMethod(module.get(), "describe", "sOs", node.type.c_str(), arguments.get(),
                                node.id.c_str()));
  if (!found) {
    return base::fail(take_python_error());
  }
  if (found.get() == Py_None) {
    return std::unique_ptr<core::NodeType>();
  }
  const char* kind = nullptr;
  PyObject *target = nullptr, *fixed = nullptr, *slots = nullptr, *signals = nullptr;
  PyObject *types = nullptr, *injections = nullptr, *instance = nullptr;
  int any_positional = 0, any_keyword = 0, stateful = 0, is_async = 0;
  if (PyArg_ParseTuple(found.get(), "sOOOppOpOpOO", &kind, &target, &fixed, &slots, &any_positional,
                       &any_keyword, &signals, &stateful, &types, &is_async, &injections,
                       &instance) == 0) {
    return base::fail(take_python_error());
  }
  core::Signature signature;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(slots); ++i) {
    PyObject* slot = PyTuple_GET_ITEM(slots, i);
    signature.slots.push_back(
        {.name = text_of(PyTuple_GET_ITEM(slot, 0)),
         .required = PyTuple_GET_ITEM(slot, 1) == Py_True,
         .has_default = PyTuple_GET_ITEM(slot, 2) == Py_True,
         .positional = PyTuple_GET_ITEM(slot, 3) == Py_True,
         .type = text_of(PyTuple_GET_ITEM(slot, 4)),
         .fixed = PyDict_Check(fixed) && PyDict_Contains(fixed, PyTuple_GET_ITEM(slot, 0)) == 1});
  }
  signature.signals.clear();
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(signals); ++i) {
    signature.signals.push_back(text_of(PyTuple_GET_ITEM(signals, i)));
  }
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(types); ++i) {
    signature.signal_types.push_back(text_of(PyTuple_GET_ITEM(types, i)));
  }
  const bool is_generator = std::string_view(kind) == "generator";
  signature.any_positional = any_positional != 0;
  signature.any_keyword = any_keyword != 0;
  signature.stateful = stateful != 0;
  signature.source = is_generator;
  signature.needs_host = true;
  signature.native = false;
  PythonKind python_kind{
      .is_async = is_async != 0, .injections = read_injections(injections), .lifecycle = nullptr};
  if (instance != Py_None) {
    python_kind.lifecycle = std::make_unique<const NodeLifecycle>(Ref(Py_NewRef(instance)));
  }
  return std::unique_ptr<core::NodeType>(
      std::make_unique<PythonType>(std::move(signature), node.type, params, Ref(Py_NewRef(target)),
                                   Ref(Py_NewRef(fixed)), is_generator, std::move(python_kind)));
}

}  // namespace penstock::bindings
