#!/usr/bin/env bash
# Runs the Go benchmarks of two commits in turn and prints with benchstat what differs. From the environment:
#   BASE       the commit to compare with (HEAD~1)
#   HEAD       the commit to compare, or empty for the work tree as it stands (empty)
#   BENCH      which benchmarks, a regular expression (.)
#   PKG        which packages (./...)
#   COUNT      how often each is run, at least 6 (6)
#   BENCHTIME  for how long each time (0.5s)
#   BENCHSTAT  the program
set -euo pipefail
cd "$(dirname "$0")/.."

base=${BASE:-HEAD~1}
head=${HEAD:-}
count=${COUNT:-6}
read -ra packages <<<"${PKG:-./...}"

if [ "$count" -lt 6 ]; then
	echo "bench-compare: COUNT is $count; fewer than 6 runs tell nothing" >&2
	exit 2
fi

scratch=$(mktemp -d)
trees=()

cleanup() {
	for tree in "${trees[@]}"; do
		if [ -e "$tree" ]; then git worktree remove --force "$tree" || true; fi
	done
	rm -rf "$scratch"
}
trap cleanup EXIT

# checkout NAME COMMIT: a work tree of the commit in scratch/NAME.
checkout() {
	trees+=("$scratch/$1")
	git worktree add --quiet --detach "$scratch/$1" "$2"
}

# compile NAME ROOT: test programs of the packages that have benchmarks, and a list of where to run them.
compile() {
	local n=0 dir package list
	list=$(cd "$2" && go list -f '{{.Dir}} {{.ImportPath}}' "${packages[@]}")
	: >"$scratch/$1.list"
	while read -r dir package; do
		grep -qs '^func Benchmark' "$dir"/*_test.go || continue
		n=$((n + 1))
		(cd "$2" && go test -c -o "$scratch/$1-$n.test" "$package")
		echo "$dir $scratch/$1-$n.test" >>"$scratch/$1.list"
	done <<<"$list"
	if [ "$n" -eq 0 ]; then
		echo "bench-compare: $1 has no benchmarks in ${packages[*]}" >&2
		exit 1
	fi
}

# run NAME: every benchmark once, in the directory of its package, where its test data is.
run() {
	local dir program
	while read -r dir program; do
		(cd "$dir" && "$program" -test.run '^$' -test.bench "${BENCH:-.}" -test.benchmem -test.benchtime "${BENCHTIME:-0.5s}") </dev/null >>"$scratch/$1.txt"
	done <"$scratch/$1.list"
}

checkout base "$base"
compile base "$scratch/base"
if [ -n "$head" ]; then
	checkout head "$head"
	compile head "$scratch/head"
else
	compile head "$PWD"
fi

echo "bench-compare: $base against ${head:-the work tree}, $count times in turn" >&2
for ((i = 1; i <= count; i++)); do
	echo "bench-compare: $i of $count" >&2
	run base
	run head
done
"${BENCHSTAT:-benchstat}" "base=$scratch/base.txt" "head=$scratch/head.txt"
