#pragma once

namespace reprise {

/// The whole program: returns the process's exit code and throws nothing.
int run_cli(int argc, char** argv);

}  // namespace reprise
