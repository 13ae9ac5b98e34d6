// See packs.h.
#include "penstock/flow/packs.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <mutex>
#include <optional>

#include <fmt/format.h>

namespace penstock::flow {
namespace {

using base::ErrorCode;

constexpr std::array<std::string_view, 1> kPacks{"table"};

struct Pack {
  std::once_flag once;
  core::Registry registry;  ///< built under `once`, then never changed
  std::optional<base::Error> error;
  bool loaded = false;
};

/// One per name in kPacks; made on first use and never destroyed, because plans point into it.
std::array<Pack, kPacks.size()>& packs() {
  static auto* const all = new std::array<Pack, kPacks.size()>();
  return *all;
}

std::string_view prefix(std::string_view type) {
  return type.substr(0, type.find('.'));
}

std::optional<std::size_t> find_pack(std::string_view name) {
  const auto found = std::ranges::find(kPacks, name);
  if (found == kPacks.end()) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - kPacks.begin());
}

base::Error missing(std::string_view name, std::string_view reason) {
  return base::Error(ErrorCode::kNotFound,
                     fmt::format("the operator pack '{}' cannot be loaded: {}", name, reason))
      .with_id("PS0207")
      .with_help(fmt::format("pip install 'penstock[{}]'", name));
}

void load(std::string_view name, Pack& pack) {
  const std::string file = fmt::format("libpenstock_{}.so", name);
  std::filesystem::path path(library_folder());
  path /= file;
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const reason = dlerror();
    pack.error = missing(name, reason == nullptr ? "unknown reason" : reason);
    return;
  }
  // dlsym has no other type to offer; the symbol's type is the pack's side of packs.h.
  const auto entry = reinterpret_cast<PackEntry>(dlsym(library, "penstock_register_pack"));
  if (entry == nullptr) {
    pack.error = missing(name, fmt::format("{} has no penstock_register_pack", path.string()));
    return;
  }
  if (const char* const reason = entry(&pack.registry); reason != nullptr) {
    pack.error = missing(name, reason);
    return;
  }
  pack.loaded = true;
}

}  // namespace

std::span<const std::string_view> pack_names() {
  return kPacks;
}

bool is_pack_type(std::string_view type) {
  return type.contains('.') && find_pack(prefix(type)).has_value();
}

base::Result<const core::Registry*> load_pack(std::string_view name) {
  const auto index = find_pack(name);
  if (!index) {
    return base::fail(ErrorCode::kNotFound, fmt::format("unknown operator pack '{}'", name));
  }
  Pack& pack = packs()[*index];
  std::call_once(pack.once, [&] { load(name, pack); });
  if (pack.error) {
    return base::fail(*pack.error);
  }
  return &pack.registry;
}

base::Result<std::unique_ptr<core::NodeType>> PackResolver::resolve(
    const NodeSpec& node, const core::Value& params) const {
  if (!is_pack_type(node.type)) {
    return std::unique_ptr<core::NodeType>();
  }
  PENSTOCK_ASSIGN_OR_RETURN(const core::Registry* registry, load_pack(prefix(node.type)));
  if (registry->find(node.type) == nullptr) {
    std::vector<std::string> names;
    for (const core::Registry::Entry& entry : registry->entries()) {
      names.push_back(entry.spec.name);
    }
    const std::string guess = core::nearest_name(node.type, names);
    return base::fail(
        base::Error(ErrorCode::kNotFound,
                    fmt::format("unknown operator '{}' of node '{}'", node.type, node.id))
            .with_id("PS0201")
            .with_help(guess.empty() ? fmt::format("'penstock ops list' shows what '{}' has",
                                                   prefix(node.type))
                                     : fmt::format("did you mean '{}'?", guess)));
  }
  return registry->make_type(node.type, params);
}

std::vector<std::string> PackResolver::known_names() const {
  std::vector<std::string> names;
  for (Pack& pack : packs()) {
    if (pack.loaded) {
      for (const core::Registry::Entry& entry : pack.registry.entries()) {
        names.push_back(entry.spec.name);
      }
    }
  }
  return names;
}

std::string library_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&library_folder), &info) == 0 ||
      info.dli_fname == nullptr) {
    return {};
  }
  std::error_code failed;
  const auto path = std::filesystem::canonical(info.dli_fname, failed);
  return failed ? std::string() : path.parent_path().string();
}

}  // namespace penstock::flow
