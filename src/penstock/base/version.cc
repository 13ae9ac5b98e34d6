// See version.h. The text is generated, so that a new version rebuilds one small file.
#include "penstock/base/version.h"

extern const char penstock_version_text[];

namespace penstock::base {

std::string_view version() {
  return penstock_version_text;
}

}  // namespace penstock::base
