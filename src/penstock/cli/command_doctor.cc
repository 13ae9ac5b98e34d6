// penstock doctor: versions, backends, what the machine offers, what is missing and what mends it.
//
// Where there is a Python with penstock, it is asked too: it compares the two backends.
#include <sys/utsname.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "penstock/base/machine.h"
#include "penstock/base/version.h"
#include "penstock/cli/commands.h"
#include "penstock/cli/python.h"
#include "penstock/flow/history.h"
#include "penstock/flow/packs.h"
#include "penstock/report/json_text.h"

namespace penstock::cli {
namespace {

/// The widest instruction set of this machine that libraries of ours use.
std::string simd_level() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) {
    return "AVX-512";
  }
  return __builtin_cpu_supports("avx2") ? "AVX2" : "SSE2 (AVX2 is required)";
#else
  return "portable";
#endif
}

std::vector<Finding> findings(const CliHost& host) {
  std::vector<Finding> out;
  out.push_back({"version", std::string(base::version())});
  out.push_back({"backend", "native"});
  const std::string simd = simd_level();
  out.push_back({"simd", simd, !simd.starts_with("SSE2")});
  out.push_back({"cores", std::to_string(base::num_usable_cores())});
  out.push_back({"memory", fmt::format("{:.1f} GiB", static_cast<double>(base::memory_bytes()) /
                                                         (std::int64_t{1} << 30))});
  utsname system{};
  if (uname(&system) == 0) {
    out.push_back(
        {"system", fmt::format("{} {} {}", system.sysname, system.release, system.machine)});
  }
  out.push_back({"library", flow::library_folder()});
  if (host.has_python) {
    out.push_back({"python", host.python_version});
  } else {
    out.push_back({"python", "none that has penstock; tubes with Python nodes cannot run", false,
                   "python3 -m pip install penstock"});
  }
  for (const std::string_view name : flow::pack_names()) {
    const auto pack = flow::load_pack(name);
    if (pack.has_value()) {
      out.push_back(
          {fmt::format("pack {}", name), fmt::format("{} operators", (*pack)->entries().size())});
    } else {
      out.push_back(
          {fmt::format("pack {}", name), pack.error().message(), false, pack.error().help()});
    }
  }
  const std::string home = flow::user_data_folder();
  const auto history = flow::History::open(home);
  out.push_back(
      {"history", history.has_value() ? home : history.error().message(), history.has_value()});
  if (host.look_around) {
    for (Finding& finding : host.look_around()) {
      out.push_back(std::move(finding));
    }
  }
  return out;
}

/// What is absent and not needed has a command that brings it, too.
std::string_view word_of(const Finding& finding) {
  if (!finding.ok) {
    return "missing";
  }
  return finding.mend.empty() ? "ok     " : "absent ";
}

}  // namespace

int doctor(const DoctorCommand& command, Session& session) {
  if (!session.host.has_python && !find_python().empty()) {
    return hand_over(session);
  }
  const std::vector<Finding> all = findings(session.host);
  const bool ok = std::ranges::all_of(all, &Finding::ok);
  if (command.json) {
    report::JsonText json;
    json.begin_object();
    for (const Finding& finding : all) {
      json.key(finding.name).text(finding.value);
    }
    json.key("mend").begin_object();
    for (const Finding& finding : all) {
      json.text_field(finding.name, finding.mend);
    }
    json.end_object().key("ok").boolean(ok).end_object();
    session.terminal.out(json.take());
    return ok ? kOk : kCheckFailed;
  }
  std::size_t width = 0;
  for (const Finding& finding : all) {
    width = std::max(width, finding.name.size());
  }
  for (const Finding& finding : all) {
    session.terminal.out(
        fmt::format("{} {:<{}}  {}", word_of(finding), finding.name, width, finding.value));
    if (!finding.mend.empty()) {
      session.terminal.out(fmt::format("        {:<{}}  {}", "", width, finding.mend));
    }
  }
  return ok ? kOk : kCheckFailed;
}

}  // namespace penstock::cli
