// Python classes and functions as assets. How an object is made, entered and left is Python's
// business: penstock._assets.Factory. Everything needs the interpreter lock; callers have it.
#include <utility>

#include <fmt/format.h>

#include "penstock/bindings/py_host.h"
#include "penstock/bindings/py_node.h"
#include "penstock/bindings/py_ref.h"
#include "penstock/bindings/py_value.h"
#include "penstock/core/identity.h"

namespace penstock::bindings {
namespace {

/// The object of a run.
class AssetState final : public core::State {
 public:
  Ref object;
};

base::Status status_of(PyObject* result) {
  if (result == nullptr) {
    return base::fail(take_python_error());
  }
  Py_DECREF(result);
  return {};
}

class PythonAsset final : public core::Asset {
 public:
  PythonAsset(Ref factory, bool is_kept) : factory_(std::move(factory)), is_kept_(is_kept) {}

  base::Result<std::unique_ptr<core::State>> make_state() const override {
    return is_kept_ ? std::make_unique<AssetState>() : std::unique_ptr<core::State>();
  }

  base::Result<core::Step> call(core::Call& call) const override {
    PyObject* const object = call.state != nullptr
                                 ? static_cast<AssetState*>(call.state)->object.share()
                                 : PyObject_CallMethod(factory_.get(), "make", nullptr);
    if (object == nullptr) {
      return base::fail(take_python_error());
    }
    call.outputs[0] = box_by_identity(object);
    return core::Step::kDone;
  }

  base::Status start(core::State* state) const override {
    PyObject* const object = PyObject_CallMethod(factory_.get(), "make", nullptr);
    if (object == nullptr) {
      return base::fail(take_python_error());
    }
    static_cast<AssetState*>(state)->object = Ref(object);
    return {};
  }

  base::Status stop(core::State*) const override {
    return status_of(PyObject_CallMethod(factory_.get(), "release_all", nullptr));
  }

  base::Status replace(core::State* state, const core::Value& value, bool copy) const override {
    Ref object(unbox(value));
    if (!object) {
      return base::fail(take_python_error());
    }
    Ref kept(copy ? PyObject_CallMethod(factory_.get(), "copy", "O", object.get())
                  : object.share());
    if (!kept) {
      return base::fail(take_python_error());
    }
    static_cast<AssetState*>(state)->object = std::move(kept);
    return {};
  }

  base::Status release(const core::Value& value) const override {
    Ref object(unbox(value));
    if (!object) {
      return base::fail(take_python_error());
    }
    return status_of(PyObject_CallMethod(factory_.get(), "release", "O", object.get()));
  }

 private:
  Ref factory_;
  bool is_kept_;  ///< scope runner
};

class PythonAssetType final : public core::NodeType {
 public:
  PythonAssetType(std::string identity, Ref factory, bool is_kept)
      : identity_(std::move(identity)), factory_(std::move(factory)), is_kept_(is_kept) {
    signature_.needs_host = true;
    signature_.native = false;
  }
  const core::Signature& signature() const override { return signature_; }
  base::Result<std::shared_ptr<const core::Operator>> bind(
      std::span<const core::Binding> /*bindings*/) const override {
    const core::HostLock lock;
    return std::make_shared<PythonAsset>(Ref(factory_.share()), is_kept_);
  }
  std::string identity() const override { return identity_; }

 private:
  core::Signature signature_;
  std::string identity_;
  Ref factory_;
  bool is_kept_;
};

}  // namespace

base::Result<std::unique_ptr<core::NodeType>> PythonResolver::resolve_asset(
    const flow::AssetSpec& asset, const core::Value& params) const {
  const core::HostLock lock;
  Ref arguments(from_value(params));
  Ref module(PyImport_ImportModule("penstock._assets"));
  if (!arguments || !module) {
    return base::fail(take_python_error());
  }
  Ref factory(
      PyObject_CallMethod(module.get(), "Factory", "sO", asset.type.c_str(), arguments.get()));
  if (!factory) {
    return base::fail(take_python_error());
  }
  auto encoded = core::encode(params);
  return std::unique_ptr<core::NodeType>(
      std::make_unique<PythonAssetType>(fmt::format("python-asset:{}:", asset.type) +
                                            (encoded.has_value() ? *encoded : std::string()),
                                        std::move(factory), asset.scope == flow::Scope::kRunner));
}

}  // namespace penstock::bindings
