/// SIGINT, SIGTERM and SIGHUP as a polite request to finish.
#pragma once

namespace reprise {

/// From here on these signals only set a flag. A second one ends the program at once.
void catch_stop_signals();
bool stop_requested();

}  // namespace reprise
