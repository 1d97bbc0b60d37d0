#include "tests/bench/plot.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace reprise::bench {

namespace {

constexpr double kRow = 18, kLeft = 140, kWidth = 640, kTop = 60, kMargin = 24;
constexpr double kLegendStep = 110, kMark = 5;
// Okabe and Ito's colours, which people of any colour vision can tell apart.
constexpr std::array kColours = {"#000000", "#D55E00", "#0072B2", "#009E73",
                                 "#CC79A7", "#E69F00", "#56B4E9"};

struct Row {
    std::string name;
    std::vector<std::pair<std::size_t, double>> marks;  // program, times the first one's time
};

struct Chart {
    std::vector<std::string> programs;
    std::vector<Row> rows;
    int low = 0, high = 0;  // powers of ten

    double x(double times) const
    {
        return kLeft + kWidth * (std::log10(times) - low) / (high - low);
    }
    double bottom() const { return kTop + kRow * static_cast<double>(rows.size()); }
};

std::size_t number_of(Chart& chart, const std::string& program)
{
    const auto found = std::ranges::find(chart.programs, program);
    const std::size_t number = static_cast<std::size_t>(found - chart.programs.begin());
    if (found == chart.programs.end()) chart.programs.push_back(program);
    return number;
}

Chart chart_of(const std::vector<ClassResult>& classes)
{
    Chart chart;
    double least = 1, most = 1;
    for (const ClassResult& one : classes) {
        if (one.programs.empty() || !one.programs.front().failure.empty()) continue;
        Row& row = chart.rows.emplace_back();
        row.name = one.name;
        for (const ProgramResult& result : one.programs) {
            if (!result.failure.empty()) continue;
            const double times = result.median() / one.programs.front().median();
            least = std::min(least, times);
            most = std::max(most, times);
            row.marks.emplace_back(number_of(chart, result.program), times);
        }
    }
    chart.low = static_cast<int>(std::floor(std::log10(least)));
    chart.high = std::max(chart.low + 1, static_cast<int>(std::ceil(std::log10(most))));
    return chart;
}

std::string mark_at(double x, double y, std::size_t program)
{
    const char* colour = kColours[program % kColours.size()];
    if (program == 0)
        return fmt::format(
            "<line x1='{0:.1f}' x2='{0:.1f}' y1='{1:.1f}' y2='{2:.1f}' stroke='{3}' "
            "stroke-width='3'/>\n",
            x, y - kRow / 2, y + kRow / 2, colour);
    return fmt::format("<circle cx='{:.1f}' cy='{:.1f}' r='{}' fill='{}'/>\n", x, y, kMark, colour);
}

std::string text_at(double x, double y, const char* anchor, const std::string& text)
{
    return fmt::format("<text x='{:.1f}' y='{:.1f}' text-anchor='{}'>{}</text>\n", x, y, anchor,
                       text);
}

std::string scale_of(const Chart& chart)
{
    std::string svg;
    for (int power = chart.low; power <= chart.high; ++power) {
        const double x = chart.x(std::pow(10, power));
        svg +=
            fmt::format("<line x1='{0:.1f}' x2='{0:.1f}' y1='{1}' y2='{2:.1f}' stroke='#ccc'/>\n",
                        x, kTop, chart.bottom());
        svg +=
            text_at(x, chart.bottom() + kRow, "middle", fmt::format("{:g}", std::pow(10, power)));
    }
    return svg;
}

std::string legend_of(const Chart& chart)
{
    std::string svg;
    double x = kLeft;
    for (std::size_t i = 0; i < chart.programs.size(); ++i, x += kLegendStep) {
        svg += mark_at(x, kTop - kRow, i);
        svg += text_at(x + 2 * kMark, kTop - kRow + kMark, "start", chart.programs[i]);
    }
    return svg;
}

}  // namespace

std::string plot_of(const std::vector<ClassResult>& classes)
{
    const Chart chart = chart_of(classes);
    std::string svg = fmt::format(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{0}' height='{1}' font-family='sans-serif' "
        "font-size='12'>\n<rect width='{0}' height='{1}' fill='white'/>\n",
        kLeft + kWidth + 2 * kMargin, chart.bottom() + 2 * kMargin);
    const std::string first = chart.programs.empty() ? "" : chart.programs.front();
    svg += text_at(kLeft, kTop - 2 * kRow, "start",
                   fmt::format("Host CPU time, {} = 1; to the left is faster", first));
    svg += scale_of(chart) + legend_of(chart);
    double y = kTop + kRow / 2;
    for (const Row& row : chart.rows) {
        svg += text_at(kLeft - kMargin / 2, y + kMark, "end", row.name);
        for (const auto& [program, times] : row.marks) svg += mark_at(chart.x(times), y, program);
        y += kRow;
    }
    return svg + "</svg>\n";
}

}  // namespace reprise::bench
