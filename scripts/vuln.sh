#!/usr/bin/env bash
# Looks for known vulnerabilities in what the hub is built from, as far as it calls them. The database is fetched from
# vuln.go.dev, or from the address in GOVULNDB, which may be a directory: file:///path. Where it cannot be reached,
# nothing has been checked, and the exit status says so.
set -uo pipefail

output=$("${GOVULNCHECK:?is set by make vuln}" ${GOVULNDB:+-db "$GOVULNDB"} ./... 2>&1)
status=$?
printf '%s\n' "$output"
if [ "$status" -ne 0 ] && grep -q 'fetching vulnerabilities' <<<"$output"; then
    echo "make vuln: the vulnerability database ${GOVULNDB:-https://vuln.go.dev} cannot be reached from here: nothing was checked." >&2
    echo "Run it where the database can be reached, or set GOVULNDB to a copy of it." >&2
    exit 3
fi
exit "$status"
