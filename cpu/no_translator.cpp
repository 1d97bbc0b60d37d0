/// For hosts without a translator: see cpu/CMakeLists.txt.
#include "cpu/translator.h"

namespace reprise {

std::string_view why_no_translator(const Cpu&) { return "this build has no translator for this host"; }

std::unique_ptr<Translator> make_translator(Cpu&, u32) { return nullptr; }

}  // namespace reprise
