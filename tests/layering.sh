#!/bin/sh
# Fails if a folder includes one it must not know about, or if anything below the frontend could
# behave differently on another day or another host.
#   tests/layering.sh [root of the source tree]
cd "${1:-.}" || exit 1
status=0

# report <message> <matches>
report() {
    [ -z "$2" ] && return
    printf '%s\n%s\n\n' "$1" "$2"
    status=1
}

# forbid <folder> <folders it must not include> [headers that it may nevertheless [subfolder with its own rule]]
forbid() {
    [ -d "$1" ] || { report "no folder $1 here" "$(pwd)"; return; }
    report "$1 must not include $2:" \
        "$(grep -rnE --include='*.h' --include='*.cpp' --exclude-dir="${4:-none}" "#include \"($2)/" "$1" | grep -vE "\"(machine/base/${3:+|$3})")"
}
forbid machine/base 'cpu|devices|frontend|machine'
forbid cpu          'devices|frontend|machine'
forbid devices      'cpu|frontend|machine'
forbid machine      'frontend'
# Tools for the bare CPU, which has no machine around it.
forbid frontend/cpu_tools 'devices|frontend|machine' 'frontend/cpu_tools/'
# What the machine hands out and takes in: pictures and disks.
forbid frontend     'cpu|devices' 'devices/vga/frame\.h|devices/block_device\.h' cpu_tools

# Lines of code in the given folders that match, without comments to the end of the line.
code_with() {
    pattern=$1
    shift
    grep -rnE --include='*.h' --include='*.cpp' "$pattern" "$@" |
        sed -E 's,^([^:]*:[0-9]*:.*)//.*$,\1,' | grep -E "^[^:]*:[0-9]+.*($pattern)"
}

report 'no extern: what a file needs, it includes:' "$(code_with '(^|[^[:alnum:]_])extern[^[:alnum:]_]' cpu devices machine frontend)"

# Guest time comes from the scheduler alone (machine/base/scheduler.h), and nothing else may vary
# between two runs. The host channel is the one place where host threads hand in input; a signal's handler
# learns from the thread that it interrupts whose code that executes.
below_frontend() {
    report "below the frontend there is no $1:" "$(code_with "$2" cpu devices machine | grep -vE '^(machine/host_channel|cpu/jit/host_faults)\.')"
}
below_frontend 'host clock' 'std::chrono|<chrono>|<ctime>|<time\.h>|<sys/time\.h>|(^|[^[:alnum:]_.>])(time|clock|clock_gettime|gettimeofday|localtime|gmtime) ?\(|__rdtsc|__DATE__|__TIME__'
below_frontend 'randomness' '<random>|std::(random_device|mt19937|default_random_engine)|(^|[^[:alnum:]_.>])(s?rand|random|arc4random|getrandom|getentropy) ?\('
below_frontend 'host thread' '<(thread|mutex|shared_mutex|condition_variable|future|atomic|semaphore|barrier|latch|stop_token)>|<pthread\.h>|std::(thread|jthread|mutex|atomic|async)|thread_local'
below_frontend 'waiting for the host' 'std::this_thread|(^|[^[:alnum:]_.>])(sleep|usleep|nanosleep) ?\('
exit $status
