# Starts a server when it is told to, and ends it when nobody is left to tell it anything: standard input is a
# pipe that ends with the test process, however that one ends.
#
# Arguments: the directory to remove at the end, and the server's command. Every order, a line, is answered by one.

directory=$1
shift
server=

# PIPE: the answer may find nobody. HUP: the kernel sends it to a group that has a stopped process in it and
# loses its parent. The others are for the tests, not for their servers.
trap '' PIPE HUP INT TERM

# One letter (T stopped, Z dead and not yet waited for), nothing when there is no such process.
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

# The children of these processes.
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

# All that the server has forked, and what that has forked in its turn.
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

# Stops all of them, the parent first, so that it has no child that is not seen. PostgreSQL's children are in
# groups of their own, which is why they are counted one by one.
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
# The small System V segment by which PostgreSQL knows its own kind is not freed when it is killed.
segment=$(sed -n '7s/.*[[:space:]]//p' "$directory/data/postmaster.pid" 2>/dev/null)
if [ -n "$segment" ]; then ipcrm -m "$segment" 2>/dev/null; fi
rm -rf "$directory" || { sleep 0.5; rm -rf "$directory"; }
