/// Numbers as people write them: 16M, 250ms, 615/4/17, 2001-09-09T01:46:40.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "devices/block_device.h"
#include "machine/base/scheduler.h"

namespace reprise {

/// A size in bytes with an optional K, M or G; without one `unit` applies.
std::optional<u64> parse_size(std::string_view text, u64 unit);

/// A length of guest time: "5s", "250ms", "20us", "1.5m", "2h"; a plain number is seconds.
std::optional<Time> parse_time(std::string_view text);

/// "C/H/S".
std::optional<Geometry> parse_geometry(std::string_view text);

/// A decimal such as "4.77" as an exact fraction.
struct Fraction {
    u64 numerator = 0, denominator = 1;
};
std::optional<Fraction> parse_fraction(std::string_view text);

/// What the RTC shows, in seconds since 1970: a number, or "2001-09-09[T01:46[:40]]".
std::optional<i64> parse_date(std::string_view text);

/// The host's wall clock (local time) in seconds since 1970, as an RTC would show it.
i64 host_wall_clock();

/// "1.250 s", for messages.
std::string time_text(Time time);

/// The candidate that `word` was probably meant to be, or nothing.
std::optional<std::string> closest(std::string_view word,
                                   const std::vector<std::string>& candidates);

/// " (did you mean --foo?)", or nothing.
std::string suggestion(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace reprise
