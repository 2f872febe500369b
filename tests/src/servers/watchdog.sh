# Starts a server on request, and ends it when its standard input closes. Standard input is a pipe that closes with
# the test process, however that process ends.
#
# Arguments: the directory to remove at the end, and the server's command. Each order is a line, answered by one line.

directory=$1
shift
server=

# PIPE: nobody may read the answer. HUP: the kernel sends it to a group that contains a stopped process and loses its
# parent. INT and TERM are meant for the tests, not for their servers.
trap '' PIPE HUP INT TERM

# Prints one letter (T: stopped, Z: a zombie), or nothing if the process does not exist.
state() {
    if [ -r /proc/self/status ]; then
        sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null
    else
        ps -o state= -p "$1" 2>/dev/null | cut -c1
    fi
}

alive() {
    case $(state "$1") in '' | Z | X) return 1 ;; esac
}

# Prints the children of these processes.
children() {
    if [ -r /proc/self/status ]; then
        parents=$(echo "$@" | tr ' ' '|')
        grep -lE "^PPid:[[:space:]]*($parents)\$" /proc/[0-9]*/status 2>/dev/null | cut -d/ -f3
    else
        ps -A -o ppid= -o pid= | while read -r parent child; do
            case " $* " in *" $parent "*) echo "$child" ;; esac
        done
    fi
}

# Prints all descendants of the server.
descendants() {
    generation=$(children "$server")
    while [ -n "$generation" ]; do
        echo "$generation"
        generation=$(children $generation)
    done
}

# Waits for the end of a process, in steps of 20 ms.
gone() {
    steps=$2
    while alive "$1"; do
        [ "$steps" -gt 0 ] || return 1
        steps=$((steps - 1))
        sleep 0.02
    done
}

# Stops all of them, the parent first, so that it cannot fork another child. PostgreSQL's children have their own
# process groups, so a signal to the group would not reach them.
pause() {
    kill -STOP "$server"
    steps=100
    while alive "$server" && [ "$(state "$server")" != T ] && [ "$steps" -gt 0 ]; do
        steps=$((steps - 1))
        sleep 0.02
    done
    family="$server $(descendants)"
    kill -STOP $family
}

resume() {
    kill -CONT $(descendants) "$server"
}

end() {
    [ -n "$server" ] || return 0
    pause
    kill -KILL $family
    for process in $family; do gone "$process" 250; done
    wait "$server"
    server=
}

while read -r order signal; do
    case $order in
    start)
        "$@" </dev/null >>"$directory/log" 2>&1 &
        server=$!
        echo "$server"
        ;;
    alive) if alive "$server"; then echo yes; else echo no; fi ;;
    pause) pause; echo done ;;
    resume) resume; echo done ;;
    kill) end; echo done ;;
    stop)
        resume
        kill "-$signal" "$server"
        if gone "$server" 1000; then echo done; else echo "it does not stop"; fi
        end
        ;;
    esac
done

end
# PostgreSQL has a small System V segment to detect other servers. A kill does not free it.
segment=$(sed -n '7s/.*[[:space:]]//p' "$directory/data/postmaster.pid" 2>/dev/null)
if [ -n "$segment" ]; then ipcrm -m "$segment" 2>/dev/null; fi
rm -rf "$directory" || { sleep 0.5; rm -rf "$directory"; }
