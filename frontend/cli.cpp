#include "frontend/cli.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "frontend/conformance_command.h"
#include "frontend/cpu_command.h"
#include "frontend/disk_command.h"
#include "frontend/errors.h"
#include "frontend/options.h"
#include "frontend/lockstep_command.h"
#include "frontend/run_command.h"
#include "frontend/test_command.h"
#include "frontend/units.h"
#include "machine/base/error.h"

#ifndef REPRISE_VERSION
#define REPRISE_VERSION "0.1.0"
#endif

namespace reprise {

namespace {

constexpr const char* kHelp =
    "Reprise: a PC that runs the same way every time\n"
    "\n"
    "  reprise run [IMAGE...] [options]   run a PC; IMAGE is a floppy, CD or disk image, or a\n"
    "                                     saved machine; none: the demo disk\n"
    "  reprise test FILE...               run guest test scripts\n"
    "  reprise conformance DIR...         run hardware-captured tests of single instructions\n"
    "  reprise cpu run FILE               execute machine code on a bare processor; JSON\n"
    "  reprise cpu models                 the processors that there are\n"
    "  reprise disk info FILE             what an image is and how it is used\n"
    "  reprise lockstep IMAGE...          both engines side by side, compared\n"
    "  reprise version                    the version\n"
    "  reprise help                       this\n"
    "\n"
    "'reprise run --help' and 'reprise test --help' list their options. In the window the right\n"
    "Ctrl key is the host key: with F full screen, P pause, R reset, S save, Q quit.\n";

using Arguments = std::vector<std::string>;

int disk_command(const Arguments& arguments)
{
    if (arguments.size() != 2 || arguments[0] != "info")
        throw UsageError("write: reprise disk info FILE");
    fmt::print("{}", describe_image(arguments[1]));
    return kSuccess;
}

int dispatch(Arguments arguments)
{
    if (arguments.empty()) {
        fmt::print("{}", kHelp);
        return kUsage;
    }
    const std::string command = arguments[0];
    const Arguments rest(arguments.begin() + 1, arguments.end());
    if (command == "run") return run_command(parse_run(rest));
    if (command == "test") return test_command(parse_test(rest));
    if (command == "conformance") return conformance_command(rest);
    if (command == "cpu") return cpu_command(rest);
    if (command == "lockstep") return lockstep_command(rest);
    if (command == "disk") return disk_command(rest);
    if (command == "version" || command == "--version") {
        fmt::print("reprise {}\n", REPRISE_VERSION);
        return kSuccess;
    }
    if (command == "help" || command == "--help" || command == "-h") {
        if (rest.size() == 1 && (rest[0] == "run" || rest[0] == "test" || rest[0] == "conformance" || rest[0] == "lockstep"))
            return dispatch({rest[0], "--help"});
        fmt::print("{}", kHelp);
        return kSuccess;
    }
    std::error_code ignored;
    if (command.starts_with('-') || std::filesystem::is_regular_file(command, ignored))
        return run_command(parse_run(arguments));
    throw UsageError(fmt::format("there is no command '{}'{}; see 'reprise help'", command,
                                 suggestion(command, {"run", "test", "conformance", "cpu", "lockstep", "disk", "version", "help"})));
}

}  // namespace

int run_cli(int argc, char** argv)
{
    try {
        return dispatch(Arguments(argv + std::min(argc, 1), argv + argc));
    } catch (const HelpRequested& help) {
        fmt::print("{}", help.text);
        return kSuccess;
    } catch (const UsageError& error) {
        fmt::print(stderr, "reprise: {}\n", error.what());
        return kUsage;
    } catch (const HostError& error) {
        fmt::print(stderr, "reprise: {}\n", error.what());
    } catch (const std::bad_alloc&) {
        fmt::print(stderr, "reprise: the host has not enough memory: try a smaller --memory\n");
    } catch (const std::exception& error) {
        fmt::print(stderr, "reprise: {}\n", error.what());
    }
    return kFailure;
}

}  // namespace reprise
