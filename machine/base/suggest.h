/// "Did you mean ...?" for words that a person typed.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reprise {

namespace detail {

/// How many letters must be inserted, removed, replaced or swapped with a neighbour to turn one
/// word into the other (Damerau-Levenshtein distance, optimal string alignment).
inline std::size_t edit_distance(std::string_view a, std::string_view b)
{
    std::vector<std::vector<std::size_t>> cost(a.size() + 1,
                                               std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) {
        for (std::size_t j = 0; j <= b.size(); ++j) {
            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            const std::size_t replaced = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1] ? 1 : 0);
            cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, replaced});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[a.size()][b.size()];
}

}  // namespace detail

/// The candidate nearest to `word`, if one is near enough to be what was meant.
template <class Candidates>
std::optional<std::string> closest_match(std::string_view word, const Candidates& candidates)
{
    constexpr std::size_t kLongestWord = 64;
    if (word.size() > kLongestWord) return std::nullopt;
    std::size_t nearest = std::max<std::size_t>(1, word.size() / 3) + 1;
    std::optional<std::string> match;
    for (const std::string_view candidate : candidates) {
        const std::size_t distance = detail::edit_distance(word, candidate);
        if (distance >= nearest) continue;
        nearest = distance;
        match = std::string(candidate);
    }
    return match;
}

/// "; did you mean 'geometry'?", or nothing.
template <class Candidates>
std::string did_you_mean(std::string_view word, const Candidates& candidates)
{
    const auto match = closest_match(word, candidates);
    return match ? "; did you mean '" + *match + "'?" : "";
}

}  // namespace reprise
