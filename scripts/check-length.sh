#!/usr/bin/env bash
# Fails if a Go file has more than 400 lines, or a test more than 700. A file that has to be longer
# stands in scripts/long-files.txt with the reason; an entry that is no longer needed fails too.
set -euo pipefail
cd "$(dirname "$0")/.."

exceptions=scripts/long-files.txt
failed=0

complain() {
	echo "check-length: $1" >&2
	failed=1
}

excepted() { grep -qE "^$1 +[^ ]" "$exceptions"; }

while IFS= read -r file; do
	limit=400
	case $file in *_test.go) limit=700 ;; esac
	lines=$(wc -l <"$file")
	if [ "$lines" -gt "$limit" ]; then
		excepted "$file" || complain "$file has $lines lines, more than $limit; split it by noun, or give a reason in $exceptions"
	elif excepted "$file"; then
		complain "$file has $lines lines and needs no exception; remove it from $exceptions"
	fi
done < <(find . -name '*.go' -not -path './.tools/*' -not -path './.git/*' | sed 's,^\./,,' | sort)

while read -r file reason; do
	case $file in '#'* | '') continue ;; esac
	[ -f "$file" ] || complain "$exceptions names $file, which does not exist"
	[ -n "$reason" ] || complain "$exceptions gives no reason for $file"
done <"$exceptions"

exit "$failed"
