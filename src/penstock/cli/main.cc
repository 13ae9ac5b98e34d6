// The native executable `penstock`.
#include <string>
#include <vector>

#include "penstock/cli/cli.h"

int main(int argc, char** argv) {
  const std::vector<std::string> args(argc > 0 ? argv + 1 : argv, argv + argc);
  return penstock::cli::main(args, penstock::cli::CliHost{});
}
