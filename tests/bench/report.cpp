#include "tests/bench/report.h"

#include <fmt/core.h>

#include <cmath>
#include <map>

namespace reprise::bench {

namespace {

constexpr double kUnitInstructions = 1e8;  // what the seconds of a kernel are stated for

/// Seconds for 100 million instructions, or as measured where these are not counted.
double stated(const ClassResult& one, double seconds)
{
    return one.instructions ? seconds * kUnitInstructions / static_cast<double>(one.instructions)
                            : seconds;
}

double mips(const ClassResult& one, const ProgramResult& result)
{
    return static_cast<double>(one.instructions) / result.median() * 1e-6;
}

/// How many times faster the first program is; 0: not known.
double ratio(const ClassResult& one, const ProgramResult& result)
{
    const ProgramResult& first = one.programs.front();
    if (!first.failure.empty() || !result.failure.empty()) return 0;
    return result.median() / first.median();
}

std::string quoted(const std::string& text)
{
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') result += '\\';
        result += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
    return result + "\"";
}

std::string json_object(const ClassResult& one, const ProgramResult& result)
{
    std::string text =
        fmt::format("  {{\"class\": {}, \"program\": {}", quoted(one.name), quoted(result.program));
    if (!result.failure.empty())
        return text + fmt::format(", \"failure\": {}}}", quoted(result.failure));
    text += fmt::format(", \"instructions_per_step\": {}, \"steps\": {}, \"ratio\": {:.4f}",
                        one.instructions, result.steps, ratio(one, result));
    text += one.instructions ? ", \"seconds_per_step\": [" : ", \"seconds\": [";
    for (std::size_t i = 0; i < result.seconds.size(); ++i)
        text += fmt::format("{}{:.9g}", i ? ", " : "", result.seconds[i]);
    return text + "]}";
}

}  // namespace

std::string table_heading()
{
    return fmt::format("{:<16} {:<10} {:>10} {:>9} {:>20}  {}\n", "class", "program", "seconds",
                       "M instr/s", "min - max", "how many times faster the first is");
}

std::string table_of(const ClassResult& one)
{
    std::string text;
    for (const ProgramResult& result : one.programs) {
        const bool first = &result == &one.programs.front();
        text += fmt::format("{:<16} {:<10} ", first ? one.name : "", result.program);
        if (!result.failure.empty()) {
            text += result.failure + "\n";
            continue;
        }
        text += fmt::format("{:>10.4f} {:>9} {:>9.4f} -{:>9.4f}", stated(one, result.median()),
                            one.instructions ? fmt::format("{:.1f}", mips(one, result)) : "",
                            stated(one, result.minimum()), stated(one, result.maximum()));
        if (const double times = ratio(one, result); !first && times > 0)
            text += fmt::format("  {:.2f}", times);
        text += "\n";
    }
    for (const std::string& remark : one.remarks) text += fmt::format("! {}\n", remark);
    return text;
}

std::string summary_of(const std::vector<ClassResult>& classes)
{
    struct Sum {
        double logarithms = 0;
        int count = 0;
    };
    std::map<std::string, Sum> sums;
    for (const ClassResult& one : classes) {
        for (const ProgramResult& result : one.programs) {
            const double times = one.instructions ? ratio(one, result) : 0;
            if (times <= 0 || &result == &one.programs.front()) continue;
            sums[result.program].logarithms += std::log(times);
            ++sums[result.program].count;
        }
    }
    std::string text;
    for (const auto& [program, sum] : sums)
        text += fmt::format("geometric mean of {} kernels: {:.2f} times as fast as {}\n", sum.count,
                            std::exp(sum.logarithms / sum.count), program);
    return text;
}

std::string csv_of(const std::vector<ClassResult>& classes)
{
    std::string text =
        "class,program,instructions_per_step,steps,median_s,min_s,max_s,mips,ratio,failure\n";
    for (const ClassResult& one : classes) {
        for (const ProgramResult& result : one.programs) {
            text += fmt::format("{},{},{},{},", one.name, result.program, one.instructions,
                                result.steps);
            if (result.failure.empty())
                text += fmt::format("{:.9g},{:.9g},{:.9g},{:.2f},{:.4f},\n", result.median(),
                                    result.minimum(), result.maximum(), mips(one, result),
                                    ratio(one, result));
            else text += fmt::format(",,,,,{}\n", quoted(result.failure));
        }
    }
    return text;
}

std::string json_of(const std::vector<ClassResult>& classes)
{
    std::string text = "[\n";
    for (const ClassResult& one : classes)
        for (const ProgramResult& result : one.programs)
            text += (text.size() > 2 ? ",\n" : "") + json_object(one, result);
    return text + "\n]\n";
}

}  // namespace reprise::bench
