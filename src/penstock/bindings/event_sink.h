// EventSink: everything a run emits, handed to one Python callable with as little work as can be.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "penstock/bindings/py_ref.h"
#include "penstock/flow/observer.h"
#include "penstock/flow/plan.h"

namespace penstock::bindings {

/// Calls `callable` with a tuple for each record:
///
///   (node, signal, root, path, value, id, timestamp_us)   an event; the end of an epoch is one of
///                                                         node "meta"
///   (node, status, root, path)                            a call that left a signal without an
///                                                         event: "none" or "exhausted"
///
/// `path` is a tuple of (map, index). An exception of the callable ends the epoch with an error.
/// Owner thread only.
class EventSink final : public flow::Observer {
 public:
  EventSink(Ref callable, std::shared_ptr<const flow::Plan> plan);

  std::uint32_t detail() const override { return kNodeRuns | kEvents; }
  void on_node_run(const flow::NodeRun& run) override;
  base::Status on_event(const flow::Event& event) override;

  /// For the garbage collector: the callable may refer to the runner that holds it.
  PyObject* callable() const { return callable_.get(); }
  void forget() { callable_ = Ref(); }

 private:
  base::Status send(PyObject* record);
  const std::vector<std::string>& maps_of(std::int32_t node);

  Ref callable_;
  std::shared_ptr<const flow::Plan> plan_;
  std::vector<std::vector<std::string>> maps_;  ///< per region: its maps, outermost first
  base::Status failed_;  ///< of on_node_run(), which cannot fail; told at the next event
};

}  // namespace penstock::bindings
