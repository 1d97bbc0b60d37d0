#include "frontend/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <numeric>

namespace reprise {

namespace {

std::optional<u64> parse_number(std::string_view text)
{
    u64 value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years start in March here, so that
/// the leap day is a year's last.
i64 days_since_1970(i64 year, i64 month, i64 day)
{
    if (month <= 2) year -= 1, month += 12;
    const i64 leap_days = year / 4 - year / 100 + year / 400;
    return 365 * year + leap_days + (153 * (month - 3) + 2) / 5 + day - 1 - 719'468;
}

int edit_distance(std::string_view a, std::string_view b)
{
    std::vector<int> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        int diagonal = row[0];
        row[0] = static_cast<int>(i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const int replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
        }
    }
    return row.back();
}

}  // namespace

std::optional<u64> parse_size(std::string_view text, u64 unit)
{
    if (text.size() > 1 && (text.back() == 'B' || text.back() == 'b')) text.remove_suffix(1);
    constexpr std::string_view kSuffixes = "KMGkmg";
    const std::size_t suffix = text.empty() ? kSuffixes.npos : kSuffixes.find(text.back());
    if (suffix != kSuffixes.npos) {
        unit = u64{1} << (10 * (suffix % 3 + 1));
        text.remove_suffix(1);
    }
    const std::optional<u64> number = parse_number(text);
    if (!number || *number > (u64{1} << 50) / unit) return std::nullopt;
    return *number * unit;
}

std::optional<Time> parse_time(std::string_view text)
{
    constexpr std::pair<std::string_view, Time> kUnits[] = {
        {"ns", 1},      {"us", kMicrosecond}, {"ms", kMillisecond},
        {"s", kSecond}, {"m", 60 * kSecond},  {"h", 3600 * kSecond},
    };
    const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    const std::string_view unit_name = text.substr(digits);
    Time unit = unit_name.empty() ? kSecond : 0;
    for (const auto& [name, length] : kUnits)
        if (name == unit_name) unit = length;
    const std::optional<Fraction> number = parse_fraction(text.substr(0, digits));
    if (!unit || !number || number->numerator > kNever / unit) return std::nullopt;
    return number->numerator * unit / number->denominator;
}

std::optional<Geometry> parse_geometry(std::string_view text)
{
    const std::size_t first = text.find('/'), second = text.find('/', first + 1);
    if (first == text.npos || second == text.npos) return std::nullopt;
    const auto cylinders = parse_number(text.substr(0, first));
    const auto heads = parse_number(text.substr(first + 1, second - first - 1));
    const auto sectors = parse_number(text.substr(second + 1));
    const auto fits = [](const std::optional<u64>& n, u64 most) { return n && *n && *n <= most; };
    if (!fits(cylinders, 65535) || !fits(heads, 255) || !fits(sectors, 255)) return std::nullopt;
    return Geometry{static_cast<u32>(*cylinders), static_cast<u32>(*heads),
                    static_cast<u32>(*sectors)};
}

std::optional<Fraction> parse_fraction(std::string_view text)
{
    const std::size_t point = std::min(text.find('.'), text.size());
    std::string digits(text.substr(0, point));
    Fraction result;
    if (point < text.size()) {
        const std::string_view decimals = text.substr(point + 1);
        if (decimals.size() > 6) return std::nullopt;
        digits += decimals;
        for (std::size_t i = 0; i < decimals.size(); ++i) result.denominator *= 10;
    }
    const std::optional<u64> number = parse_number(digits);
    if (!number) return std::nullopt;
    const u64 divisor = std::gcd(*number, result.denominator);
    return Fraction{*number / divisor, result.denominator / divisor};
}

std::optional<i64> parse_date(std::string_view text)
{
    if (const auto seconds = parse_number(text)) return static_cast<i64>(*seconds);
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, length = 0;
    char separator = 'T';
    const std::string copy(text);
    const int fields =
        std::sscanf(copy.c_str(), "%4d-%2d-%2d%n%c%2d:%2d%n:%2d%n", &year, &month, &day, &length,
                    &separator, &hour, &minute, &length, &second, &length);
    const bool whole = fields == 3 || fields == 6 || fields == 7;
    if (!whole || length != static_cast<int>(copy.size()) || (separator != 'T' && separator != ' '))
        return std::nullopt;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31) return std::nullopt;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
        return std::nullopt;
    return ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
}

i64 host_wall_clock()
{
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    return static_cast<i64>(now) + local.tm_gmtoff;
}

std::string time_text(Time time)
{
    return fmt::format("{:.3f} s", static_cast<double>(time) / 1e9);
}

std::optional<std::string> closest(std::string_view word,
                                   const std::vector<std::string>& candidates)
{
    int best = 1 + static_cast<int>(word.size()) / 3;
    std::optional<std::string> found;
    for (const std::string& candidate : candidates) {
        const int distance = edit_distance(word, candidate);
        const bool prefix = word.size() >= 4 && candidate.starts_with(word);
        if (distance <= best || (prefix && !found)) {
            best = std::min(best, distance) - (distance <= best ? 1 : 0);
            found = candidate;
        }
    }
    return found;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates)
{
    const std::optional<std::string> found = closest(word, candidates);
    return found ? fmt::format(" (did you mean {}?)", *found) : "";
}

}  // namespace reprise
