#!/usr/bin/env bash
# Latency of `sparkkit serve` on loopback: one record a request, two workers, 300 requests a second, by wrk. Prints JSON.
#   scripts/serve_bench.sh MODEL [RECORD_JSON] [REQUESTS_A_SECOND] [SECONDS]
# Server and load generator share this machine's cores. wrk waits on each of its connections between two requests (a random time, so
# that arrivals are spread); times are from the sending of a request to the end of its answer.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
. "$root/scripts/lib.sh"
model="${1:?usage: scripts/serve_bench.sh MODEL [RECORD_JSON] [REQUESTS_A_SECOND] [SECONDS]}"
record="${2:-{\"text\": \"The food was good, but the service was slow and the room far too loud.\"\}}"
rate="${3:-300}" seconds="${4:-30}" connections=30 port="${PORT:-18080}"
command -v wrk >/dev/null || { echo "serve_bench.sh: wrk is missing. Type: apt-get install -y wrk" >&2; exit 2; }
use_python
folder=$(mktemp -d)
"$python" -m sparkkit serve "$model" --port "$port" --workers 2 --log "$folder/log" 2>"$folder/said" & server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null; rm -rf "$folder"' EXIT
for _ in $(seq 300); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    kill -0 $server 2>/dev/null || { cat "$folder/said" >&2; exit 1; }
    sleep 0.1
done
cat >"$folder/load.lua" <<'LUA'
local pause
function init(args)
    math.randomseed(17)
    pause = 2 * args[2] * 1000 / args[1]
    wrk.method, wrk.body, wrk.headers["Content-Type"] = "POST", args[3], "application/json"
end
function delay() return math.random(0, math.floor(pause)) end
function done(summary, latency)
    local e = summary.errors
    io.write(string.format('{"requests": %d, "requests_per_second": %.1f, "p50_ms": %.3f, "p90_ms": %.3f, "p99_ms": %.3f, "p99_9_ms": %.3f, '
        .. '"max_ms": %.3f, "not_200": %d, "socket_errors": %d, ', summary.requests, summary.requests / summary.duration * 1e6,
        latency:percentile(50) / 1000, latency:percentile(90) / 1000, latency:percentile(99) / 1000, latency:percentile(99.9) / 1000,
        latency.max / 1000, e.status, e.connect + e.read + e.write + e.timeout))
end
LUA
load() { wrk -t1 -c"$connections" -d"$1"s -s "$folder/load.lua" "http://127.0.0.1:$port/predict" -- "$rate" "$connections" "$record"; }
load 3 >/dev/null   # the first requests load what is loaded once
load "$seconds" | grep '^{' | tr -d '\n'
printf '"asked_per_second": %s, "seconds": %s, "connections": %s, "workers": 2, "cores": %s, "load_average": "%s", "generator": "%s"}\n' \
    "$rate" "$seconds" "$connections" "$(nproc)" "$(cut -d' ' -f1-3 /proc/loadavg)" "wrk on the same cores"
