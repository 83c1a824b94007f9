#!/usr/bin/env bash
# Installs what the tests need beside Go, from Debian's packages: a Chromium for the tests of pages, and
# Node with npm for the test of the npm package "eventsource".
set -euo pipefail

packages=()

command -v chromium >/dev/null || packages+=(chromium)
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)

if [ "${#packages[@]}" -eq 0 ]; then
	exit 0
fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "test-deps: some tests need what is not on PATH: apt-get install ${packages[*]}" >&2
	exit 0
fi

echo "test-deps: installing from Debian: ${packages[*]}"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
for package in "${packages[@]}"; do
	echo "test-deps: installed $package $(dpkg-query -W -f '${Version}' "$package")"
done
