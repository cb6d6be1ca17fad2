#!/usr/bin/env bash
# Builds all contenders and the load generator, and runs every scenario. Needs Linux, Go, Node.js 20 or later with npm, and
# taskset if there are two processors or more. Listens on the loopback interface only.
#
#   benchmarks/run.sh                      all of it; writes docs/benchmarks.md
#   benchmarks/run.sh -short               seconds in all; writes nothing, fails only if something does not work
#   benchmarks/run.sh -only calls -runs 5  a part; writes nothing
#   benchmarks/run.sh -scale               how Socka's own costs grow; writes the tables of docs/scaling.md
#   benchmarks/run.sh -scale -short        likewise
#   benchmarks/run.sh -store               what it costs to keep rooms; writes the tables of docs/benchmarks-persistence.md
#   benchmarks/run.sh -store -short        likewise
#
# -store needs the binaries of Postgres too (Debian: postgresql), or leaves it out.
# Further flags: bin/bench -help, bin/scale -help, bin/store -help.
set -euo pipefail
cd "$(dirname "$0")"

mkdir -p bin
go build -o bin/ ./cmd/...

program=bin/bench page=../docs/benchmarks.md
case "${1:-}" in
  -scale | --scale) shift; program=bin/scale page=../docs/scaling.md ;;
  -store | --store) shift; program=bin/store page=../docs/benchmarks-persistence.md ;;
esac
if [[ $program == bin/bench && ! node/node_modules/.package-lock.json -nt node/package-lock.json ]]; then
  (cd node && npm ci --no-audit --no-fund)
fi
run=("$program")
if [[ $program != bin/store ]] && (($(nproc) >= 2)) && command -v taskset >/dev/null; then
  run=(taskset -c 1 "$program" -cpu 0)
fi
part=
for flag in "$@"; do
  case "$flag" in -short* | --short* | -only* | --only* | -who* | --who* | -write* | --write* | -profile* | --profile*) part=1 ;; esac
done
if [[ -z "$part" ]]; then
  run+=(-write "$page")
fi
exec "${run[@]}" "$@"
