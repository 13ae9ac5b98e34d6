// The values of policy keys: what they may be, and what is said about any other. See policy.h.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "penstock/core/operator.h"
#include "penstock/flow/policy.h"

namespace penstock::flow {
namespace {

using core::Kind;
using core::Value;

constexpr std::int64_t kMaxAttempts = 1'000'000;
constexpr std::int64_t kMaxMs = std::int64_t{1000} * 3600 * 24 * 365;
constexpr double kMaxCores = 1e6;
constexpr double kMaxBytes = 0x1p60;

constexpr std::array<std::string_view, 5> kRetryKeys{"attempts", "backoff_ms", "max_ms", "jitter",
                                                     "on"};
constexpr std::array<std::string_view, 3> kResourceKeys{"cpu", "io", "memory"};
constexpr std::array<std::string_view, 1> kWhereKeys{"tags"};

std::string guess_of(std::string_view seen, std::span<const std::string_view> known) {
  const std::vector<std::string> names(known.begin(), known.end());
  const std::string nearest = core::nearest_name(seen, names);
  return nearest.empty() ? "" : fmt::format("did you mean '{}'?", nearest);
}

void unknown_key(std::string_view policy, const std::string& key,
                 std::span<const std::string_view> known, PolicyProblems& problems) {
  problems.push_back({.key = key,
                      .is_key = true,
                      .id = "PS0122",
                      .message = fmt::format("unknown key '{}' of {}; wanted {}", key, policy,
                                             fmt::join(known, ", ")),
                      .help = guess_of(key, known)});
}

/// What a message says was seen.
std::string seen_text(const Value& value) {
  switch (value.kind()) {
    case Kind::kInt:
      return fmt::format("{}", value.as_int());
    case Kind::kFloat:
      return fmt::format("{}", value.as_float());
    case Kind::kText:
      return fmt::format("'{}'", value.as_text());
    case Kind::kBool:
      return value.as_bool() ? "true" : "false";
    case Kind::kNull:
      return "null";
    case Kind::kMap:
      return "a map";
    default:
      return "a list";
  }
}

std::optional<double> number_of(const Value& value) {
  if (value.is(Kind::kInt)) {
    return static_cast<double>(value.as_int());
  }
  return value.is(Kind::kFloat) ? std::optional(value.as_float()) : std::nullopt;
}

/// An int of at least `least` into `out`.
bool read_int(const Value& value, std::int64_t least, std::int64_t most, std::int64_t& out) {
  if (!value.is(Kind::kInt) || value.as_int() < least || value.as_int() > most) {
    return false;
  }
  out = value.as_int();
  return true;
}

/// "2GiB", "512 MB", "4096".
std::optional<double> bytes_of(std::string_view text) {
  struct Unit {
    std::string_view name;
    double bytes;
  };
  constexpr auto kUnits = std::to_array<Unit>({{"", 1},
                                               {"B", 1},
                                               {"kB", 1e3},
                                               {"MB", 1e6},
                                               {"GB", 1e9},
                                               {"TB", 1e12},
                                               {"KiB", 0x1p10},
                                               {"MiB", 0x1p20},
                                               {"GiB", 0x1p30},
                                               {"TiB", 0x1p40}});
  double amount = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), amount, std::chars_format::fixed);
  if (error != std::errc()) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  while (text.starts_with(' ')) {
    text.remove_prefix(1);
  }
  const auto unit = std::ranges::find(kUnits, text, &Unit::name);
  return unit == kUnits.end() ? std::nullopt : std::optional(amount * unit->bytes);
}

void read_on_item(const std::string& name, std::int32_t item, base::RetryPolicy& out,
                  PolicyProblems& problems) {
  if (const auto code = base::error_code_of(name)) {
    out.on_codes.push_back(*code);
    return;
  }
  // A type has a capital letter somewhere, or is written with its module; else it is a slip.
  const bool is_type = !name.empty() && std::ranges::any_of(name, [](char c) {
    return c == '.' || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
  });
  const bool is_name = std::ranges::all_of(name, [](char c) {
    return c == '.' || c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80;
  });
  if (is_type && is_name) {
    out.on_types.push_back(name);
    return;
  }
  problems.push_back({.key = "on",
                      .item = item,
                      .id = "PS0124",
                      .message = fmt::format(
                          "'{}' in on is neither an error code nor the name of an exception", name),
                      .help = guess_of(name, base::error_code_names())});
}

void read_on(const Value& value, base::RetryPolicy& out, PolicyProblems& problems) {
  if (value.is(Kind::kText)) {
    read_on_item(std::string(value.as_text()), -1, out, problems);
    return;
  }
  const bool is_list = value.is(Kind::kList) && !value.as_list().empty();
  if (!is_list) {
    problems.push_back(
        {.key = "on",
         .id = "PS0123",
         .message = fmt::format("on of retry is {}, wanted a name or a list of names "
                                "of error codes and exceptions",
                                value.is(Kind::kList) ? "an empty list" : seen_text(value)),
         .help = {}});
    return;
  }
  for (std::size_t i = 0; i < value.as_list().size(); ++i) {
    const Value& name = value.as_list()[i];
    if (name.is(Kind::kText)) {
      read_on_item(std::string(name.as_text()), static_cast<std::int32_t>(i), out, problems);
    } else {
      problems.push_back(
          {.key = "on",
           .item = static_cast<std::int32_t>(i),
           .id = "PS0123",
           .message = fmt::format("on of retry has {}, wanted the name of an error code or of an "
                                  "exception",
                                  seen_text(name)),
           .help = {}});
    }
  }
}

void read_retry_key(const std::string& key, const Value& value, base::RetryPolicy& out,
                    PolicyProblems& problems) {
  std::int64_t attempts = out.attempts;
  bool valid = true;
  std::string_view wanted;
  if (key == "attempts") {
    valid = read_int(value, 1, kMaxAttempts, attempts);
    out.attempts = static_cast<std::int32_t>(attempts);
    wanted = "an int from 1: calls in all, the first one counted";
  } else if (key == "backoff_ms") {
    valid = read_int(value, 0, kMaxMs, out.backoff_ms);
    wanted = "an int from 0, milliseconds";
  } else if (key == "max_ms") {
    valid = read_int(value, 0, kMaxMs, out.max_ms);
    wanted = "an int from 0, milliseconds";
  } else if (key == "jitter") {
    const double jitter = number_of(value).value_or(-1);
    valid = jitter >= 0 && jitter <= 1;
    out.jitter = valid ? jitter : out.jitter;
    wanted = "a number from 0 to 1";
  } else if (key == "on") {
    read_on(value, out, problems);
  } else {
    unknown_key("retry", key, kRetryKeys, problems);
  }
  if (!valid) {
    problems.push_back(
        {.key = key,
         .id = "PS0123",
         .message = fmt::format("{} of retry is {}, wanted {}", key, seen_text(value), wanted),
         .help = {}});
  }
}

void read_resource_key(const std::string& key, const Value& value, Resources& out,
                       PolicyProblems& problems) {
  bool valid = true;
  std::string_view wanted;
  if (key == "cpu") {
    const double cores = number_of(value).value_or(-1);
    valid = cores >= 0 && cores <= kMaxCores;
    out.cpu_milli = valid ? static_cast<std::int64_t>(std::ceil(cores * 1000)) : 0;
    wanted = "a number of cores from 0, such as 2 or 0.5";
  } else if (key == "io") {
    valid = read_int(value, 0, kMaxAttempts, out.io);
    wanted = "an int from 0, slots";
  } else if (key == "memory") {
    const auto bytes = value.is(Kind::kText) ? bytes_of(value.as_text()) : number_of(value);
    valid = bytes && *bytes >= 0 && *bytes <= kMaxBytes && !value.is(Kind::kFloat);
    out.memory_bytes = valid ? static_cast<std::int64_t>(std::ceil(*bytes)) : 0;
    wanted = "bytes, or a text such as 512MB or 2GiB";
  } else {
    unknown_key("resources", key, kResourceKeys, problems);
  }
  if (!valid) {
    problems.push_back(
        {.key = key,
         .id = "PS0125",
         .message = fmt::format("{} of resources is {}, wanted {}", key, seen_text(value), wanted),
         .help = {}});
  }
}

void bad_where(const std::string& key, std::int32_t item, const Value& value,
               PolicyProblems& problems) {
  problems.push_back(
      {.key = key,
       .item = item,
       .id = "PS0126",
       .message = fmt::format("{} is {}, wanted a tag or a list of tags",
                              item >= 0 ? "a tag of where" : "where", seen_text(value)),
       .help = {}});
}

void read_tags(const std::string& key, const Value& value, std::vector<std::string>& out,
               PolicyProblems& problems) {
  const auto is_tag = [](const Value& tag) {
    return tag.is(Kind::kText) && !tag.as_text().empty() &&
           tag.as_text().find_first_of(" \t\n,") == std::string::npos;
  };
  if (is_tag(value)) {
    out.emplace_back(value.as_text());
    return;
  }
  if (!value.is(Kind::kList)) {
    bad_where(key, -1, value, problems);
    return;
  }
  for (std::size_t i = 0; i < value.as_list().size(); ++i) {
    const Value& tag = value.as_list()[i];
    if (is_tag(tag)) {
      out.emplace_back(tag.as_text());
    } else {
      bad_where(key, static_cast<std::int32_t>(i), tag, problems);
    }
  }
}

}  // namespace

void read_retry(const Value& value, base::RetryPolicy& out, PolicyProblems& problems) {
  if (!value.is(Kind::kMap)) {
    std::int64_t attempts = 1;
    if (read_int(value, 1, kMaxAttempts, attempts)) {
      out.attempts = static_cast<std::int32_t>(attempts);
    } else {
      problems.push_back(
          {.id = "PS0123",
           .message = fmt::format("retry is {}, wanted an int from 1 (calls in all, the first one "
                                  "counted) or a map",
                                  seen_text(value)),
           .help = {}});
    }
    return;
  }
  for (const core::MapEntry& entry : value.as_map()) {
    read_retry_key(std::string(entry.first), entry.second, out, problems);
  }
  if (value.find("attempts") == nullptr) {
    problems.push_back({.id = "PS0123",
                        .message = "retry has no key 'attempts': how often it is called in all",
                        .help = "add attempts: 3"});
  }
}

void read_resources(const Value& value, Resources& out, PolicyProblems& problems) {
  if (!value.is(Kind::kMap)) {
    problems.push_back({.id = "PS0125",
                        .message = fmt::format("resources is {}, wanted a map with the keys {}",
                                               seen_text(value), fmt::join(kResourceKeys, ", ")),
                        .help = {}});
    return;
  }
  for (const core::MapEntry& entry : value.as_map()) {
    read_resource_key(std::string(entry.first), entry.second, out, problems);
  }
}

void read_where(const Value& value, std::vector<std::string>& out, PolicyProblems& problems) {
  if (!value.is(Kind::kMap)) {
    read_tags("", value, out, problems);
    return;
  }
  for (const core::MapEntry& entry : value.as_map()) {
    if (entry.first == "tags") {
      read_tags("tags", entry.second, out, problems);
    } else {
      unknown_key("where", std::string(entry.first), kWhereKeys, problems);
    }
  }
}

}  // namespace penstock::flow
