#!/usr/bin/env bash
# Installs what the tests need beside Go: a Chromium for the tests of pages, from Debian's packages.
set -euo pipefail

for name in chromium chromium-browser google-chrome headless-shell; do
	if command -v "$name" >/dev/null; then
		exit 0
	fi
done

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "test-deps: no Chromium on PATH; the tests of pages need one: apt-get install chromium" >&2
	exit 0
fi

echo "test-deps: installing Debian's chromium for the tests of pages"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
echo "test-deps: installed $(chromium --version)"
