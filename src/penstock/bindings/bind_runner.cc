// Plans and runners for Python. Shapes and docs are in python/penstock/_tube.py and _runners.py.
#include <algorithm>
#include <iterator>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "penstock/bindings/bind.h"
#include "penstock/bindings/call_gate.h"
#include "penstock/bindings/engine.h"
#include "penstock/bindings/event_sink.h"
#include "penstock/bindings/event_store_keys.h"
#include "penstock/bindings/pipeline_file.h"
#include "penstock/bindings/py_error.h"
#include "penstock/bindings/py_host.h"
#include "penstock/bindings/py_loop.h"
#include "penstock/bindings/py_value.h"
#include "penstock/cli/python.h"
#include "penstock/core/identity.h"
#include "penstock/flow/event_recorder.h"
#include "penstock/flow/history.h"
#include "penstock/flow/metrics.h"
#include "penstock/flow/policy.h"
#include "penstock/flow/result_cache.h"
#include "penstock/flow/run_limits.h"
#include "penstock/flow/runner.h"
#include "penstock/flow/spec_link.h"
#include "penstock/flow/spec_sources.h"
#include "penstock/flow/spec_yaml.h"
#include "penstock/report/html_report.h"
#include "penstock/report/plot_check.h"

namespace penstock::bindings {
namespace {

namespace nb = nanobind;

/// A compiled tube with what made it, so that workers can compile the same.
struct PyPlan {
  std::shared_ptr<const flow::Plan> plan;
  core::Value tube_inputs;
};

/// Hands every event to one Python callable as a dict.
class CallbackObserver final : public flow::Observer {
 public:
  explicit CallbackObserver(nb::callable callback) : callback_(std::move(callback)) {}
  ~CallbackObserver() override {
    const core::HostLock lock;
    callback_.reset();
  }
  std::uint32_t detail() const override { return kEvents; }

  /// For the garbage collector: a callback may refer to the runner that holds it.
  PyObject* callback() const { return callback_.ptr(); }
  void forget() { callback_.reset(); }

  base::Status on_event(const flow::Event& event) override {
    const core::HostLock lock;
    if (!callback_.is_valid()) {
      return {};
    }
    try {
      nb::list path;
      for (const auto& [map, index] : event.epoch->path) {
        path.append(nb::make_tuple(map, index));
      }
      if (!make_event_.is_valid()) {
        make_event_ = nb::module_::import_("penstock._events").attr("make_event");
      }
      const nb::object made = make_event_(event.id, event.timestamp_us,
                                          nb::str(event.node_id.data(), event.node_id.size()),
                                          nb::str(event.signal.data(), event.signal.size()),
                                          event.epoch->root, path, nb::steal(unbox(*event.value)));
      const nb::object ignored =
          nb::steal(call_python([&] { return PyObject_CallOneArg(callback_.ptr(), made.ptr()); }));
      if (!ignored.is_valid()) {
        return base::fail(take_python_error().with_context("callback"));
      }
      return {};
    } catch (nb::python_error& e) {
      e.restore();
      return base::fail(take_python_error().with_context("callback"));
    }
  }

 private:
  nb::object callback_;
  nb::object make_event_;
};

/// Each object in a store has a box of its own: what it refers to is the store's for the garbage
/// collector.
class PyEventRecorder final : public flow::EventRecorder {
 public:
  using EventRecorder::EventRecorder;

 private:
  core::Value keep(const core::Value& value) const override {
    if (!value.is(core::Kind::kHost)) {
      return value;
    }
    const core::HostLock lock;
    return box_by_identity(Py_NewRef(static_cast<const PyBox*>(value.as_host())->object()));
  }
};

/// A nanobind-owned value of `result` that may be absent.
nb::object to_python(const core::Value& value) {
  if (value.is_absent()) {
    return nb::none();
  }
  PyObject* object = unbox(value);
  if (object == nullptr) {
    throw nb::python_error();
  }
  return nb::steal(object);
}

core::Value inputs_from(const nb::dict& inputs) {
  static const core::Value none = core::Value::map({});
  if (inputs.size() == 0) {
    return none;
  }
  std::vector<core::MapEntry> entries;
  for (const auto& [key, value] : inputs) {
    entries.emplace_back(nb::cast<std::string>(key), box(Py_NewRef(value.ptr())));
  }
  return core::Value::map(std::move(entries));
}

core::Value native_inputs_from(const nb::dict& inputs) {
  return value_or_throw(core::to_native(inputs_from(inputs)));
}

/// Values of tube-scoped inputs. An object that has no encoding stays what it is: it can be given
/// to the nodes of this process.
core::Value tube_inputs_from(const nb::dict& inputs) {
  std::vector<core::MapEntry> entries = inputs_from(inputs).as_map();
  for (core::MapEntry& entry : entries) {
    if (auto native = core::to_native(entry.second); native.has_value()) {
      entry.second = std::move(*native);
    }
  }
  return core::Value::map(std::move(entries));
}

/// While it lives, types named after a file of functions are found in it.
struct PipelineFileScope {
  PipelineFileScope() = default;
  PipelineFileScope(const PipelineFileScope&) = delete;
  PipelineFileScope& operator=(const PipelineFileScope&) = delete;
  ~PipelineFileScope() {
    if (active) {
      close_pipeline_file();
    }
  }
  bool active = false;
};

std::expected<flow::Spec, flow::Diagnostics> load_functions(const std::string& path) {
  flow::ParsedSpec parsed = read_pipeline_file(path, true);
  if (!parsed.diagnostics.empty()) {
    return std::unexpected(std::move(parsed.diagnostics));
  }
  return std::move(parsed.spec);
}

PyPlan load_plan(const std::string& source, bool is_path, const nb::dict& inputs,
                 const std::string& name) {
  const bool is_functions = is_path && cli::is_pipeline_file(source);
  PipelineFileScope scope;
  scope.active = is_functions;
  auto spec = is_functions ? load_functions(source)
              : is_path    ? flow::load_spec(source)
                           : flow::parse_spec(source, name);
  if (!spec.has_value()) {
    throw_diagnostics(spec.error());
  }
  flow::Diagnostics problems = report::check_report(*spec);
  PyPlan out;
  out.tube_inputs = tube_inputs_from(inputs);
  auto plan = flow::Plan::compile(std::make_shared<const flow::Spec>(std::move(*spec)), resolvers(),
                                  out.tube_inputs);
  if (!plan.has_value()) {
    std::ranges::move(problems, std::back_inserter(plan.error()));
    throw_diagnostics(plan.error());
  }
  if (!problems.empty()) {
    throw_diagnostics(problems);
  }
  out.plan = std::move(*plan);
  return out;
}

/// A tube as a dict, with what it extends and contains, before any of its names is looked up.
nb::object read_spec(const std::string& source, bool is_path, const std::string& name) {
  auto spec = is_path ? flow::load_spec(source) : flow::parse_spec(source, name);
  if (!spec.has_value()) {
    throw_diagnostics(spec.error());
  }
  if (const flow::Diagnostics problems = flow::link_spec(*spec); !problems.empty()) {
    throw_diagnostics(problems);
  }
  return to_python(flow::to_value(*spec));
}

nb::list describe_inputs(const PyPlan& self) {
  nb::list out;
  for (const flow::PlanInput& input : self.plan->inputs()) {
    out.append(nb::make_tuple(input.id, input.scope == flow::Scope::kTube ? "tube" : "process",
                              input.required));
  }
  return out;
}

nb::list describe_nodes(const PyPlan& self) {
  nb::list out;
  for (const flow::PlanNode& node : self.plan->nodes().subspan(1)) {
    nb::list signals;
    for (std::int32_t s = 0; s < node.num_signals; ++s) {
      signals.append(self.plan->signal_names()[static_cast<std::size_t>(node.first_signal + s)]);
    }
    if (node.kind == flow::NodeKind::kMap) {
      signals.append("value");
    }
    out.append(nb::make_tuple(node.id, node.type, signals, node.stateful, node.enabled));
  }
  return out;
}

/// By node: the nodes whose signals it uses. In order, and each once.
nb::dict describe_depends(const PyPlan& self) {
  const flow::Plan& plan = *self.plan;
  nb::dict out;
  for (const flow::PlanNode& node : plan.nodes().subspan(1)) {
    std::vector<std::int32_t> producers;
    nb::list ids;
    for (const flow::InEdge& edge : plan.in_edges().subspan(
             static_cast<std::size_t>(node.first_edge), static_cast<std::size_t>(node.num_edges))) {
      const std::int32_t from =
          edge.signal == flow::kNone ? flow::Plan::kInputNode : plan.producer(edge.signal);
      if (from != flow::Plan::kInputNode && std::ranges::find(producers, from) == producers.end()) {
        producers.push_back(from);
        ids.append(plan.nodes()[static_cast<std::size_t>(from)].id);
      }
    }
    out[node.id.c_str()] = ids;
  }
  return out;
}

/// An event loop lives as long as its runner; threads and workers from init() to deinit().
CallGate::Movable movable(const flow::Plan& plan, std::string_view runner) {
  const auto is_async = [](const flow::PlanNode& node) {
    return node.op != nullptr && node.op->is_async();
  };
  if (runner == kAsyncRunner || std::ranges::any_of(plan.nodes(), is_async)) {
    return CallGate::Movable::kNever;
  }
  const bool is_plain =
      runner == "sync" && std::ranges::none_of(plan.nodes(), flow::needs_isolation);
  return is_plain ? CallGate::Movable::kBetweenCalls : CallGate::Movable::kWhenClosed;
}

/// Runner with the interpreter lock handled: released for the whole call unless nodes that need it
/// run on this very thread.
class PyRunner {
  template <class Call>
  auto unlocked(Call call) {
    if (keep_lock_) {
      return call();
    }
    const core::HostUnlock unlock;
    return call();
  }

 public:
  PyRunner(const PyPlan& plan, const ExecutorChoice& choice, std::uint64_t seed,
           std::optional<std::uint64_t> shuffle, std::int32_t max_epochs_in_flight, nb::object loop,
           bool cache, const nb::dict& resources, std::vector<std::string> tags)
      : plan_(plan.plan),
        keep_lock_(choice.runner == "sync" && plan.plan->needs_host()),
        gate_(&cancel_, movable(*plan.plan, choice.runner)) {
    flow::RunnerOptions options;
    options.name = choice.runner;
    options.seed = seed;
    options.shuffle = shuffle;
    options.max_epochs_in_flight = max_epochs_in_flight;
    options.cancel = &cancel_;
    if (cache && plan.plan->reuse() != nullptr) {
      options.cache = value_or_throw(flow::open_user_cache());
    }
    options.resources =
        value_or_throw(flow::run_resources(native_inputs_from(resources), choice.num_workers));
    options.tags = std::move(tags);
    options.isolation = value_or_throw(make_isolation(*plan.plan, choice.runner, plan.tube_inputs));
    if (!loop.is_none()) {
      options.loop = std::make_shared<PyLoop>(Ref(loop.release().ptr()));
    }
    auto executor = value_or_throw(make_executor(*plan.plan, choice, plan.tube_inputs));
    runner_ = std::make_unique<flow::Runner>(plan.plan, std::move(executor), std::move(options));
  }
  ~PyRunner() {
    if (gate_.is_copied()) {
      // To end it would end the workers of the process that it runs in, and wait for threads that
      // are not here.
      (void)runner_.release();
      return;
    }
    const core::HostUnlock unlock;
    runner_.reset();
  }

  /// For a run of one epoch, before init().
  void skip_known(const nb::dict& inputs) {
    const CallGate::Pass pass(gate_);
    unlocked([&, values = inputs_from(inputs)] { runner_->skip_known(values); });
  }
  void init() {
    const CallGate::Pass pass(gate_);
    value_or_throw(unlocked([&] { return runner_->init(); }));
  }
  /// In a copy of the process that it runs in: nothing.
  void deinit() {
    if (gate_.is_copied()) {
      return;
    }
    const CallGate::Pass pass(gate_, true);
    auto ended = unlocked([&] { return runner_->deinit(); });
    drop_deferred();
    value_or_throw(std::move(ended));
  }
  /// Is this a copy, made by fork(), of the process that it runs in?
  bool is_copied() const { return gate_.is_copied(); }
  /// Asks what runs now to end. From any thread.
  void cancel() { gate_.cancel(); }

  /// One epoch's result; None when there is none.
  nb::object process(const nb::dict& inputs) { return to_python(run_epoch(inputs).value); }
  /// The same with whether there is one, and whether there can be another.
  nb::tuple step(const nb::dict& inputs) {
    const flow::EpochResult epoch = run_epoch(inputs);
    return nb::make_tuple(to_python(epoch.value), !epoch.value.is_absent(), epoch.exhausted);
  }

  nb::list run(std::optional<std::int64_t> num_epochs, const nb::dict& inputs) {
    const CallGate::Pass pass(gate_);
    nb::list results;
    auto status = unlocked([&, values = inputs_from(inputs)] {
      return runner_->run(num_epochs, values, [&](flow::EpochResult epoch) -> base::Status {
        if (epoch.value.is_absent()) {
          return {};
        }
        const core::HostLock lock;
        try {
          results.append(to_python(epoch.value));
          return {};
        } catch (nb::python_error& e) {
          e.restore();
          return base::fail(take_python_error());
        }
      });
    });
    drop_deferred();
    value_or_throw(std::move(status));
    return results;
  }

  void set_enabled(const std::string& id, bool enabled) {
    if (gate_.is_busy() && !gate_.is_copied()) {
      throw_error(flow::Runner::switch_while_running(id));
    }
    const CallGate::Pass pass(gate_);
    auto done =
        unlocked([&] { return enabled ? runner_->enable_node(id) : runner_->disable_node(id); });
    drop_deferred();
    value_or_throw(std::move(done));
  }

  void add_callback(nb::callable callback) {
    gate_.check_free();
    callbacks_.push_back(std::make_shared<CallbackObserver>(std::move(callback)));
    runner_->add_observer(callbacks_.back());
  }
  std::span<const std::shared_ptr<CallbackObserver>> callbacks() const { return callbacks_; }

  /// Keeps every event of the run in an event store.
  void record_events(const nb::object& store) {
    gate_.check_free();
    runner_->add_observer(std::make_shared<PyEventRecorder>(store_of(store.ptr())));
  }

  /// Hands every record of the run to `callable`, see event_sink.h.
  void add_sink(nb::callable callable) {
    gate_.check_free();
    sinks_.push_back(std::make_shared<EventSink>(Ref(callable.release().ptr()), plan_));
    runner_->add_observer(sinks_.back());
  }
  std::span<const std::shared_ptr<EventSink>> sinks() const { return sinks_; }

  /// Records the run in the user's history, with its results.
  void add_history(const nb::dict& inputs) {
    gate_.check_free();
    gate_.bind_to_process();
    auto history = std::make_shared<flow::HistoryObserver>(flow::user_data_folder());
    history->set_inputs(native_inputs_from(inputs).as_map());
    runner_->add_observer(std::move(history));
  }

  /// Writes a page about the run while it runs.
  void add_report(const std::string& path, const nb::dict& inputs) {
    gate_.check_free();
    gate_.bind_to_process();
    runner_->add_observer(value_or_throw(report::HtmlReport::create(
        {.path = path, .name = {}, .command = {}, .inputs = native_inputs_from(inputs).as_map()})));
  }

  /// Of the run so far; a callback may ask, another thread may not while a call is going on.
  nb::dict metrics() const {
    if (gate_.is_busy_elsewhere()) {
      gate_.check_free();
    }
    const flow::RunMetrics& metrics = runner_->metrics();
    const flow::RunSummary summary = runner_->summary();
    nb::dict out, nodes;
    const auto plan_nodes = runner_->plan().nodes();
    for (std::size_t i = 1; i < plan_nodes.size(); ++i) {
      const flow::NodeMetrics& node = metrics.nodes()[i];
      nb::dict entry;
      entry["runs"] = node.runs;
      entry["no_event"] = node.no_event;
      entry["skipped"] = node.skipped;
      entry["failed"] = node.failed;
      entry["retries"] = node.retries;
      entry["reused"] = node.reused;
      entry["total_ms"] = node.total_ns() * 1e-6;
      entry["p50_ms"] = static_cast<double>(node.duration.quantile_ns(0.5)) * 1e-6;
      entry["p95_ms"] = static_cast<double>(node.duration.quantile_ns(0.95)) * 1e-6;
      entry["max_ms"] = static_cast<double>(node.duration.max_ns()) * 1e-6;
      nodes[plan_nodes[i].id.c_str()] = entry;
    }
    out["backend"] = summary.backend;
    out["status"] = summary.status;
    out["elapsed_s"] = summary.elapsed_s;
    out["epochs"] = metrics.epochs_finished;
    out["results"] = metrics.results;
    out["retries"] = summary.retries;
    out["peak_rss_bytes"] = summary.peak_rss_bytes;
    out["nodes"] = nodes;
    return out;
  }

 private:
  flow::EpochResult run_epoch(const nb::dict& inputs) {
    const CallGate::Pass pass(gate_);
    auto result = unlocked([&, values = inputs_from(inputs)] { return runner_->process(values); });
    drop_deferred();
    return value_or_throw(std::move(result));
  }

  std::shared_ptr<const flow::Plan> plan_;
  core::CancelToken cancel_;
  std::vector<std::shared_ptr<CallbackObserver>> callbacks_;
  std::vector<std::shared_ptr<EventSink>> sinks_;
  bool keep_lock_;
  CallGate gate_;
  std::unique_ptr<flow::Runner> runner_;
};

int traverse_runner(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (nb::inst_ready(self)) {
    for (const auto& observer : nb::inst_ptr<PyRunner>(self)->callbacks()) {
      Py_VISIT(observer->callback());
    }
    for (const auto& sink : nb::inst_ptr<PyRunner>(self)->sinks()) {
      Py_VISIT(sink->callable());
    }
  }
  return 0;
}

int clear_runner(PyObject* self) {
  if (nb::inst_ready(self)) {
    for (const auto& observer : nb::inst_ptr<PyRunner>(self)->callbacks()) {
      observer->forget();
    }
    for (const auto& sink : nb::inst_ptr<PyRunner>(self)->sinks()) {
      sink->forget();
    }
  }
  return 0;
}

PyType_Slot runner_slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(traverse_runner)},
                              {Py_tp_clear, reinterpret_cast<void*>(clear_runner)},
                              {0, nullptr}};

}  // namespace

void bind_runner(nb::module_& m) {
  nb::class_<PyPlan>(m, "Plan")
      .def_prop_ro("digest", [](const PyPlan& self) { return self.plan->digest().to_hex(); })
      .def_prop_ro("inputs", &describe_inputs)
      .def_prop_ro("nodes", &describe_nodes)
      .def_prop_ro("depends", &describe_depends)
      .def_prop_ro("has_return",
                   [](const PyPlan& self) { return self.plan->return_node() != flow::kNone; })
      .def_prop_ro("has_source", [](const PyPlan& self) { return self.plan->has_source(); })
      .def_prop_ro("noob_id", [](const PyPlan& self) { return self.plan->spec().noob_id; })
      .def_prop_ro("description", [](const PyPlan& self) { return self.plan->spec().description; })
      .def("to_yaml",
           [](const PyPlan& self) { return value_or_throw(flow::to_yaml(self.plan->spec())); });

  m.def("load_plan", &load_plan, nb::arg("source"), nb::arg("is_path"), nb::arg("inputs"),
        nb::arg("name"));

  m.def(
      "to_yaml",
      [](const std::string& source) {
        auto spec = flow::parse_spec(source, "<dict>");
        if (!spec.has_value()) {
          throw_diagnostics(spec.error());
        }
        return value_or_throw(flow::to_yaml(*spec));
      },
      nb::arg("source"), "The canonical YAML of a tube's text.");
  m.def("read_spec", &read_spec, nb::arg("source"), nb::arg("is_path"), nb::arg("name"));

  m.def(
      "add_config_source",
      [](const std::string& folder) { flow::SpecSources::instance().add(folder); },
      nb::arg("folder"), "Look for tubes by their noob_id in the files under a folder, first.");
  m.def(
      "find_tube",
      [](const std::string& id) { return value_or_throw(flow::SpecSources::instance().find(id)); },
      nb::arg("id"), "The path of the tube with this noob_id.");

  nb::module_::import_("atexit").attr("register")(nb::cpp_function([] { CallGate::end_all(); }));

  m.def("check_runner", [](const std::string& name) { value_or_throw(check_runner(name)); });

  nb::class_<PyRunner>(m, "Runner", nb::type_slots(runner_slots))
      .def(
          "__init__",
          [](PyRunner* self, const PyPlan& plan, const std::string& runner, std::int32_t workers,
             double task_timeout_s, std::uint64_t seed, std::optional<std::uint64_t> shuffle,
             std::int32_t max_epochs_in_flight, nb::object loop, bool cache,
             const nb::dict& resources, std::vector<std::string> tags) {
            new (self)
                PyRunner(plan, {runner, workers, task_timeout_s}, seed, shuffle,
                         max_epochs_in_flight, std::move(loop), cache, resources, std::move(tags));
          },
          nb::arg("plan"), nb::arg("runner"), nb::arg("workers"), nb::arg("task_timeout_s"),
          nb::arg("seed"), nb::arg("shuffle").none(), nb::arg("max_epochs_in_flight"),
          nb::arg("loop").none() = nb::none(), nb::arg("cache") = true,
          nb::arg("resources") = nb::dict(), nb::arg("tags") = std::vector<std::string>{"local"},
          nb::keep_alive<1, 2>())
      .def("skip_known", &PyRunner::skip_known, nb::arg("inputs"))
      .def("init", &PyRunner::init)
      .def("deinit", &PyRunner::deinit)
      .def("cancel", &PyRunner::cancel)
      .def_prop_ro("is_copied", &PyRunner::is_copied)
      .def("set_enabled", &PyRunner::set_enabled, nb::arg("id"), nb::arg("enabled"))
      .def_static(
          "refuse_switch",
          [](const std::string& id) { throw_error(flow::Runner::switch_while_running(id)); },
          nb::arg("id"))
      .def("process", &PyRunner::process)
      .def("step", &PyRunner::step)
      .def("run", &PyRunner::run, nb::arg("num_epochs").none(), nb::arg("inputs"))
      .def("add_callback", &PyRunner::add_callback)
      .def("record_events", &PyRunner::record_events)
      .def("add_sink", &PyRunner::add_sink)
      .def("add_history", &PyRunner::add_history, nb::arg("inputs"))
      .def("add_report", &PyRunner::add_report, nb::arg("path"), nb::arg("inputs"))
      .def("metrics", &PyRunner::metrics);
}

}  // namespace penstock::bindings
