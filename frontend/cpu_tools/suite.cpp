#include "frontend/cpu_tools/suite.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "frontend/cpu_tools/suite_metadata.h"
#include "machine/base/error.h"

namespace reprise {

namespace fs = std::filesystem;

namespace {

std::string file_name(const std::string& path) { return fs::path(path).filename().string(); }

/// "F6.4" of "…/F6.4.MOO.gz"; empty: not the name of a MOO file.
std::string opcode_of(const std::string& path)
{
    std::string name = file_name(path);
    if (name.ends_with(".gz")) name.resize(name.size() - 3);
    if (!name.ends_with(".MOO") && !name.ends_with(".moo")) return "";
    name.resize(name.size() - 4);
    return name;
}

std::vector<std::string> moo_files(const SuiteOptions& options)
{
    std::vector<std::string> files;
    for (const std::string& path : options.paths) {
        std::error_code error;
        if (!fs::is_directory(path, error)) {
            if (!fs::exists(path, error)) throw HostError(fmt::format("there is no '{}'", path));
            files.push_back(path);
            continue;
        }
        fs::recursive_directory_iterator entry(path, error);
        for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
            std::error_code ignored;  // what it is cannot be known: not a file to test
            if (entry->is_regular_file(ignored) && !opcode_of(entry->path().string()).empty())
                files.push_back(entry->path().string());
        }
        if (error) throw HostError(fmt::format("cannot read '{}': {}", path, error.message()));
    }
    std::ranges::sort(files);
    std::erase_if(files, [&](const std::string& file) {
        return file_name(file).find(options.filter) == std::string::npos;
    });
    if (files.empty())
        throw HostError(options.filter.empty()
                            ? fmt::format("there are no MOO files (*.MOO, *.MOO.gz) in '{}'",
                                          options.paths.front())
                            : fmt::format("no MOO file has '{}' in its name", options.filter));
    std::vector<std::string> mine;
    for (std::size_t i = options.shard - 1; i < files.size(); i += options.shards)
        mine.push_back(files[i]);
    if (mine.empty())
        throw HostError(fmt::format("nothing is left for shard {} of {}: there are {} files",
                                    options.shard, options.shards, files.size()));
    return mine;
}

/// One runner for each model that turns up, since making one costs 16 MB.
class Worker {
public:
    TestRunner& runner(const CpuModel& model)
    {
        auto& known = runners_[&model];
        if (!known) known = std::make_unique<TestRunner>(model);
        return *known;
    }

private:
    std::map<const CpuModel*, std::unique_ptr<TestRunner>> runners_;
};

class SuiteRun {
public:
    explicit SuiteRun(const SuiteOptions& options) : options_(options)
    {
        for (const std::string& file : moo_files(options)) {
            const std::string folder = fs::path(file).parent_path().string();
            if (!metadata_.contains(folder))
                metadata_.emplace(folder, SuiteMetadata::of_folder(folder));
            OpcodeResult opcode;
            opcode.path = file;
            opcode.opcode = opcode_of(file);
            result_.opcodes.push_back(std::move(opcode));
        }
    }

    SuiteResult run()
    {
        const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
        const std::size_t wanted = options_.threads ? options_.threads : cores;
        std::vector<std::thread> threads;
        for (std::size_t i = 1; i < std::min(wanted, result_.opcodes.size()); ++i)
            threads.emplace_back([this] { work(); });
        work();
        for (std::thread& thread : threads) thread.join();
        result_.notes.assign(notes_.begin(), notes_.end());
        return std::move(result_);
    }

private:
    void work()
    {
        Worker worker;
        for (std::size_t i; (i = next_++) < result_.opcodes.size() && !enough();) {
            OpcodeResult& opcode = result_.opcodes[i];
            const auto begin = std::chrono::steady_clock::now();
            try {
                opcode.complete = run_file(worker, opcode);
            } catch (const std::exception& error) {
                opcode.error = error.what();
            }
            opcode.host_seconds =
                std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
            const std::lock_guard lock(mutex_);
            ++done_;
            if (options_.on_progress) options_.on_progress(done_, result_.opcodes.size());
        }
    }

    bool enough() const
    {
        return (options_.max_failures && failures_ >= options_.max_failures) ||
               (options_.stop && options_.stop());
    }

    const CpuModel& model_for(const std::string& moo_cpu)
    {
        if (options_.model) return *options_.model;
        const MooModel found = model_of_moo(moo_cpu);
        if (!found.note.empty()) {
            const std::lock_guard lock(mutex_);
            notes_.insert(found.note);
        }
        return *found.model;
    }

    /// False: stopped before the end.
    bool run_file(Worker& worker, OpcodeResult& opcode)
    {
        const MooFile file = read_moo_file(opcode.path);
        const SuiteMetadata& metadata = metadata_.at(fs::path(opcode.path).parent_path().string());
        const u32 defined = metadata.defined_flags(opcode.opcode);
        opcode.moo_cpu = file.cpu;
        opcode.model = &model_for(file.cpu);
        TestRunner& runner = worker.runner(*opcode.model);
        for (const MooTest& test : file.tests) {
            if (enough()) return false;
            if (metadata.is_revoked(test.hash)) {
                ++opcode.revoked;
                continue;
            }
            if (opcode.mnemonic.empty()) opcode.mnemonic = mnemonic_of(test.name);
            count(opcode, test, runner.run(test, file.cpu, file.wide, defined));
        }
        return true;
    }

    void count(OpcodeResult& opcode, const MooTest& test, Outcome outcome)
    {
        ++opcode.tests;
        opcode.equal += outcome.equal();
        opcode.equal_where_defined += outcome.equal_where_defined();
        if (options_.all_flags ? outcome.equal() : outcome.equal_where_defined()) return;
        ++opcode.failed;
        ++failures_;
        if (opcode.failures.size() < options_.keep_failures)
            opcode.failures.push_back({test, std::move(outcome)});
    }

    /// The first word that is no prefix.
    static std::string mnemonic_of(const std::string& name)
    {
        static const std::set<std::string> prefixes = {
            "rep", "repe", "repne", "repz", "repnz", "lock", "es", "cs", "ss", "ds", "fs", "gs"};
        std::size_t at = 0;
        while (at < name.size()) {
            const std::size_t end = std::min(name.find(' ', at), name.size());
            const std::string word = name.substr(at, end - at);
            if (!word.empty() && !prefixes.contains(word)) return word;
            at = end + 1;
        }
        return name;
    }

    const SuiteOptions& options_;
    SuiteResult result_;
    std::map<std::string, SuiteMetadata> metadata_;
    std::atomic<std::size_t> next_ = 0;
    std::atomic<u64> failures_ = 0;
    std::mutex mutex_;  // of what follows
    std::size_t done_ = 0;
    std::set<std::string> notes_;
};

}  // namespace

u64 SuiteResult::sum(u64 OpcodeResult::*count) const
{
    u64 total = 0;
    for (const OpcodeResult& opcode : opcodes) total += opcode.*count;
    return total;
}

bool SuiteResult::has_errors() const
{
    return std::ranges::any_of(opcodes, [](const OpcodeResult& o) { return !o.error.empty(); });
}

bool SuiteResult::stopped_early() const
{
    return std::ranges::any_of(
        opcodes, [](const OpcodeResult& o) { return !o.complete && o.error.empty(); });
}

SuiteResult run_suite(const SuiteOptions& options) { return SuiteRun(options).run(); }

}  // namespace reprise
