#!/usr/bin/env bash
# Builds the fuzz targets and gives each of them a fixed number of inputs, always the same:  tests/fuzz/run.sh [RUNS]
#
# What makes a target fail is left in build/fuzz/found/. BUILD_FOLDER names another build folder than build/fuzz.
set -euo pipefail
cd "$(dirname "$0")/../.."
runs=${1:-20000}
build=${BUILD_FOLDER:-build/fuzz}
mkdir -p "$build/found"
cmake --preset fuzz -B "$build" >"$build/configure.log" || { cat "$build/configure.log" >&2; exit 1; }
targets=()
for source in tests/fuzz/*_fuzz.cpp; do targets+=("icr_$(basename "$source" .cpp)"); done
cmake --build "$build" --target "${targets[@]}"
failed=0
for target in "${targets[@]}"; do
  # Inputs that are found on the way are kept in a folder of their own, which begins empty: the run is repeatable.
  work=$(mktemp -d)
  log=$build/found/$target.log
  seeds=("tests/fuzz/seeds/$target")
  [ "$target" != icr_cluster_file_fuzz ] || seeds+=(cluster-configs)
  if "$build/bin/$target" "$work" "${seeds[@]}" -runs="$runs" -seed=1 -max_len=4096 -timeout=20 \
    -verbosity=0 -print_funcs=0 -artifact_prefix="$build/found/$target-" >"$log" 2>&1; then
    echo "fuzz: $target: $runs inputs"
  else
    failed=1
    cat "$log"
    echo "fuzz: $target: failed"
  fi
  rm -rf "$work"
done
exit $failed
