#!/usr/bin/env bash
# Installs what the tests need beside Go, from Debian's packages: a Chromium for the tests of pages, Node
# with npm for the test of the npm package "eventsource", Prometheus for those of rules and dashboards, and iproute2 for
# those of clients that vanish.
set -euo pipefail

packages=()

command -v chromium >/dev/null || packages+=(chromium)
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)
command -v ip >/dev/null || packages+=(iproute2)
{ command -v prometheus && command -v promtool; } >/dev/null || packages+=(prometheus)

if [ "${#packages[@]}" -eq 0 ]; then
	exit 0
fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "test-deps: some tests need what is not on PATH: apt-get install ${packages[*]}" >&2
	exit 0
fi

echo "test-deps: installing from Debian: ${packages[*]}"
apt-get update -qq
# The tests start Prometheus themselves. Without its unit and its script the package brings no service that would run
# now and at every boot.
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	-o DPkg::Options::=--path-exclude=/lib/systemd/system/prometheus.service \
	-o DPkg::Options::=--path-exclude=/usr/lib/systemd/system/prometheus.service \
	-o DPkg::Options::=--path-exclude=/etc/init.d/prometheus \
	"${packages[@]}" >/dev/null
for package in "${packages[@]}"; do
	echo "test-deps: installed $package $(dpkg-query -W -f '${Version}' "$package")"
done
