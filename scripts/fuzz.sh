#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME each (20s by default), one after the other, because
# go test takes one at a time. Stops at the first that fails; go test says where it left the input.
set -euo pipefail
cd "$(dirname "$0")/.."

fuzztime=${FUZZTIME:-20s}
found=0

for package in $(go list ./...); do
	# What -list prints besides the names is a line about the package.
	targets=$(go test -list '^Fuzz' "$package")
	for target in $(grep '^Fuzz' <<<"$targets" || true); do
		found=$((found + 1))
		echo "== $package $target ($fuzztime)"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" "$package"
	done
done

if [ "$found" -eq 0 ]; then
	echo "fuzz: no fuzz target was found" >&2
	exit 1
fi
echo "fuzz: $found targets ran for $fuzztime each"
