#include "frontend/script_words.h"

#include <fmt/format.h>

#include <algorithm>

#include "frontend/errors.h"

namespace reprise {

namespace {

std::string expand(std::string_view text, const Environment& environment)
{
    std::string result;
    for (;;) {
        const std::size_t start = text.find("${");
        result += text.substr(0, start);
        if (start == text.npos) return result;
        const std::size_t end = text.find('}', start);
        if (end == text.npos) throw UsageError("'${' without '}'");
        const std::string_view inside = text.substr(start + 2, end - start - 2);
        const std::size_t separator = inside.find(":-");
        const std::string name(inside.substr(0, separator));
        const std::optional<std::string> value = environment(name);
        if (value && !value->empty()) result += *value;
        else if (separator != inside.npos) result += inside.substr(separator + 2);
        else throw UsageError(fmt::format("${{{0}}} is not set; write ${{{0}:-default}}", name));
        text.remove_prefix(end + 1);
    }
}

/// The end of the quoted word whose opening quote is at `start`.
std::size_t closing_quote(std::string_view line, std::size_t start)
{
    for (std::size_t i = start + 1; i < line.size(); ++i) {
        if (line[i] == line[start]) return i;
        if (line[i] == '\\' && line[start] == '"') ++i;
    }
    throw UsageError(fmt::format("the quote {} is not closed", line.substr(start)));
}

}  // namespace

std::string Word::value() const
{
    if (quote != '"') return text;
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            result += text[i];
            continue;
        }
        switch (const char c = ++i < text.size() ? text[i] : '\0') {
        case 'n': result += '\n'; break;
        case 'r': result += '\r'; break;
        case 't': result += '\t'; break;
        case 'e': result += '\x1B'; break;
        case '"':
        case '\\': result += c; break;
        default:
            throw UsageError(
                fmt::format("'\\{}' is not an escape; write \\\\ for a backslash, or "
                            "use single quotes",
                            c));
        }
    }
    return result;
}

std::vector<Word> split_words(std::string_view line, const Environment& environment)
{
    std::vector<Word> words;
    std::size_t at = 0;
    for (;;) {
        at = line.find_first_not_of(" \t\r", at);
        if (at == line.npos || line[at] == '#') return words;
        if (line[at] == '"' || line[at] == '\'') {
            const std::size_t end = closing_quote(line, at);
            const std::string_view inside = line.substr(at + 1, end - at - 1);
            const bool expanded = line[at] == '"';
            words.push_back(
                {expanded ? expand(inside, environment) : std::string(inside), line[at]});
            at = end + 1;
        } else {
            const std::size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
            words.push_back({expand(line.substr(at, end - at), environment)});
            at = end;
        }
    }
}

}  // namespace reprise
