#!/usr/bin/env bash
# scripts/same_state.sh [SCRIPT...]: whoever executes a guest, it is the same machine afterwards.
#
# Runs test scripts (tests/boot/*.test without Linux and the long ones, if none are named) to their ends
#
#   in the presets release, o3, debug and clang: gcc's -O2, -O3 and -O0, and clang's -O2; each is built if need be
#   with the interpreter, with the translator, and with the engine changed at random moments
#
# and compares the hashes of the machines' states. It takes about half an hour. Without clang its part is left out.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
say() { echo "same_state: $*" >&2; }
case ${1:-} in
-h | --help)
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit 0 ;;
esac
cd "$root"
scripts=("$@")
if [ $# = 0 ]; then
    for script in tests/boot/*.test; do
        [[ $script =~ /(memtest|linux-.*)\.test$ ]] || scripts+=("$script")
    done
fi

presets=(release o3 debug)
if command -v clang++ >/dev/null; then presets+=(clang); else say "there is no clang++: its part is left out"; fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for preset in "${presets[@]}"; do
    cmake --preset "$preset" >"$folder/log" 2>&1 && cmake --build --preset "$preset" --target reprise >"$folder/log" 2>&1 ||
        { tail -n 20 "$folder/log" >&2; say "the preset $preset cannot be built; the reason is above"; exit 1; }
    export REPRISE_DEMO=$root/build/$preset/demo.img
    for way in "--engine interpreter" "--engine translator" "--engine translator --switch-engines 1"; do
        say "$preset, $way"
        # shellcheck disable=SC2086
        "build/$preset/reprise" test $way --state-hash "${scripts[@]}" >"$folder/log" ||
            { cat "$folder/log" >&2; say "a script fails with $preset, $way"; exit 1; }
        # What remains is names and hashes: times differ, and print-hash prints the same lines.
        sed -E 's/ \(guest .*\)$//' "$folder/log" >"$folder/this"
        [ -e "$folder/first" ] || cp "$folder/this" "$folder/first"
        diff "$folder/first" "$folder/this" >&2 ||
            { say "another machine with $preset, $way; lines with < are of release, interpreter"; exit 1; }
    done
done
cat "$folder/first"
say "all ${#scripts[@]} scripts leave the same machines"
