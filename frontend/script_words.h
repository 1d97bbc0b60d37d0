/// Lines of a script, divided into words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "frontend/script.h"

namespace reprise {

struct Word {
    std::string text;   // between the quotes, escapes as written
    char quote = '\0';  // \0, " or '
    bool operator==(const Word&) const = default;

    /// With the escapes \n \t \e \" and \\ of double quotes resolved. Throws UsageError.
    std::string value() const;
};

/// Words are divided by blanks and may be quoted; # starts a comment. ${NAME} and ${NAME:-default}
/// are replaced except in single quotes. Throws UsageError.
std::vector<Word> split_words(std::string_view line, const Environment& environment);

}  // namespace reprise
