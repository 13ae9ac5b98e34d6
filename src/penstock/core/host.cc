#include "penstock/core/host.h"

#include <atomic>

#include "penstock/core/identity.h"

namespace penstock::core {
namespace {

std::atomic<const HostBridge*> installed_bridge{nullptr};

base::Result<bool> holds_host(const Value& value, int depth) {
  if (depth > kMaxDepth) {
    return base::fail(base::ErrorCode::kResourceExhausted,
                      "value is nested too deeply: limit=" + std::to_string(kMaxDepth));
  }
  switch (value.kind()) {
    case Kind::kHost:
      return true;
    case Kind::kList:
    case Kind::kTuple:
      for (const Value& item : value.as_list()) {
        PENSTOCK_ASSIGN_OR_RETURN(const bool found, holds_host(item, depth + 1));
        if (found) {
          return true;
        }
      }
      return false;
    case Kind::kMap:
      for (const MapEntry& entry : value.as_map()) {
        PENSTOCK_ASSIGN_OR_RETURN(const bool found, holds_host(entry.second, depth + 1));
        if (found) {
          return true;
        }
      }
      return false;
    case Kind::kExtension:
      return holds_host(value.extension_payload(), depth + 1);
    default:
      return false;
  }
}

// The depth was checked by holds_host(); what the bridge returns holds no host objects.
base::Result<Value> convert(const Value& value, const HostBridge& bridge) {
  switch (value.kind()) {
    case Kind::kHost:
      return bridge.to_native(*value.as_host());
    case Kind::kList:
    case Kind::kTuple: {
      std::vector<Value> items;
      items.reserve(value.as_list().size());
      for (const Value& item : value.as_list()) {
        PENSTOCK_ASSIGN_OR_RETURN(Value native, convert(item, bridge));
        items.push_back(std::move(native));
      }
      return value.is(Kind::kList) ? Value::list(std::move(items)) : Value::tuple(std::move(items));
    }
    case Kind::kMap: {
      std::vector<MapEntry> entries;
      entries.reserve(value.as_map().size());
      for (const MapEntry& entry : value.as_map()) {
        PENSTOCK_ASSIGN_OR_RETURN(Value native, convert(entry.second, bridge));
        entries.emplace_back(entry.first, std::move(native));
      }
      return Value::map(std::move(entries));
    }
    case Kind::kExtension: {
      PENSTOCK_ASSIGN_OR_RETURN(Value native, convert(value.extension_payload(), bridge));
      return Value::extension(value.extension_type(), std::move(native));
    }
    default:
      return value;
  }
}

}  // namespace

// Release pairs with acquire: a thread that sees the pointer sees the bridge it points to.
const HostBridge* host_bridge() {
  return installed_bridge.load(std::memory_order_acquire);
}

void install_host_bridge(const HostBridge* bridge) {
  installed_bridge.store(bridge, std::memory_order_release);
}

HostLock::HostLock() : taken_(false) {
  if (const HostBridge* bridge = host_bridge(); bridge != nullptr && !bridge->is_locked()) {
    bridge->lock();
    taken_ = true;
  }
}

HostLock::~HostLock() {
  if (taken_) {
    host_bridge()->unlock();
  }
}

HostUnlock::HostUnlock() : given_(false) {
  if (const HostBridge* bridge = host_bridge(); bridge != nullptr && bridge->is_locked()) {
    bridge->unlock();
    given_ = true;
  }
}

HostUnlock::~HostUnlock() {
  if (given_) {
    host_bridge()->lock();
  }
}

base::Result<Value> to_native(const Value& value) {
  PENSTOCK_ASSIGN_OR_RETURN(const bool found, holds_host(value, 0));
  if (!found) {
    return value;
  }
  const HostBridge* bridge = host_bridge();
  if (bridge == nullptr) {
    return base::fail(base::ErrorCode::kFailedPrecondition,
                      "a host object has no meaning in a program without a host language");
  }
  const HostLock lock;
  return convert(value, *bridge);
}

}  // namespace penstock::core
