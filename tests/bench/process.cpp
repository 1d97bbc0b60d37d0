#include "tests/bench/process.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "machine/base/error.h"

namespace reprise::bench {

namespace {

constexpr int kNotStarted = 127;

[[noreturn]] void become(const std::vector<std::string>& command, const std::string& folder,
                         const std::string& output_path)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // no emulator outlives an interrupted benchmark
    const int input = open("/dev/null", O_RDONLY);
    const int output = open(output_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (input < 0 || output < 0 || chdir(folder.c_str()) != 0) _exit(kNotStarted);
    dup2(input, 0);
    dup2(output, 1);
    dup2(output, 2);
    std::vector<char*> arguments;
    for (const std::string& argument : command)
        arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    _exit(kNotStarted);
}

double seconds(const timeval& time)
{
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

/// Waits for the child, and kills it at the limit or when it has done enough.
int wait_for(pid_t child, int limit_seconds, const std::function<bool()>& enough, rusage& usage,
             bool& timed_out)
{
    bool killed = false;
    constexpr int kPollMicroseconds = 2000;
    int status = 0;
    for (long waited = 0;; waited += kPollMicroseconds) {
        const pid_t ended = wait4(child, &status, WNOHANG, &usage);
        if (ended == child) return status;
        if (ended < 0 && errno != EINTR)
            throw HostError(fmt::format("waiting for a program failed: {}", std::strerror(errno)));
        if (!killed) {
            timed_out = waited > limit_seconds * 1'000'000L;
            killed = timed_out || (enough && enough());
            if (killed) kill(child, SIGKILL);
        }
        usleep(kPollMicroseconds);
    }
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& command, const std::string& folder,
                          int limit_seconds, const std::function<bool()>& enough)
{
    const std::string output_path = folder + "/output.txt";
    const pid_t child = fork();
    if (child < 0) throw HostError(fmt::format("cannot fork: {}", std::strerror(errno)));
    if (child == 0) become(command, folder, output_path);

    ProcessResult result;
    rusage usage{};
    const int status = wait_for(child, limit_seconds, enough, usage, result.timed_out);
    if (WIFEXITED(status) && WEXITSTATUS(status) == kNotStarted)
        throw HostError(fmt::format("cannot start '{}'", command[0]));
    result.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    result.output = read_text(output_path);
    return result;
}

std::string find_program(const std::string& name)
{
    if (name.find('/') != std::string::npos)
        return access(name.c_str(), X_OK) == 0 ? std::filesystem::absolute(name).string() : "";
    const char* path = std::getenv("PATH");
    std::istringstream folders(path ? path : "");
    for (std::string folder; std::getline(folders, folder, ':');) {
        const std::string candidate = folder + "/" + name;
        if (access(candidate.c_str(), X_OK) == 0) return candidate;
    }
    return "";
}

Workspace::Workspace()
{
    path_ = (std::filesystem::temp_directory_path() / "reprise-bench-XXXXXX").string();
    if (!mkdtemp(path_.data()))
        throw HostError(fmt::format("cannot make the folder {}: {}", path_, std::strerror(errno)));
}

Workspace::~Workspace()
{
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string read_text(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) throw HostError(fmt::format("cannot read {}", path));
    return text.str();
}

void write_text(const std::string& path, const std::string& text)
{
    std::ofstream file(path, std::ios::binary);
    file << text;
    if (!file.flush()) throw HostError(fmt::format("cannot write {}", path));
}

}  // namespace reprise::bench
