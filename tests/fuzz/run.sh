#!/usr/bin/env bash
# Gives each fuzz target a fixed number of inputs, always the same:  tests/fuzz/run.sh [RUNS [TARGET...]]
#
# Without a TARGET (icr_*_fuzz) it takes all. What makes a target fail is left in build/sanitize/found/.
set -euo pipefail
cd "$(dirname "$0")/../.."
runs=${1:-20000}
targets=("${@:2}")
if [ ${#targets[@]} = 0 ]; then
  for source in tests/fuzz/*_fuzz.cpp; do targets+=("icr_$(basename "$source" .cpp)"); done
  lab/build sanitize "${targets[@]}"
fi
build=build/sanitize
mkdir -p "$build/found"
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
