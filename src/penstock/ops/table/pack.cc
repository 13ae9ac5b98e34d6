#include <string>

#include "penstock/ops/table/operators.h"

extern "C" const char* penstock_register_pack(penstock::core::Registry* registry) {
  namespace table = penstock::ops::table;
  static thread_local std::string message;
  for (const auto add :
       {table::register_read, table::register_split, table::register_sql, table::register_write}) {
    if (const auto added = add(*registry); !added.has_value()) {
      message = added.error().to_string();
      return message.c_str();
    }
  }
  return nullptr;
}
