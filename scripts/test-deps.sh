#!/usr/bin/env bash
# Installs what the tests need beside Go, from Debian's packages: a Chromium for the tests of pages, Node
# with npm for the test of the npm package "eventsource" and that of the dashboard's types, Prometheus for those of rules and dashboards, iproute2 for
# those of clients that vanish, the servers of the shared stores, and the proxies, systemd's tools and shellcheck for those
# of deploy.
set -euo pipefail

packages=()

command -v chromium >/dev/null || packages+=(chromium)
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)
# The guides' programs.
command -v php >/dev/null || packages+=(php-cli)
command -v python3 >/dev/null || packages+=(python3)
command -v openssl >/dev/null || packages+=(openssl)
command -v curl >/dev/null || packages+=(curl)
command -v ip >/dev/null || packages+=(iproute2)
{ command -v prometheus && command -v promtool; } >/dev/null || packages+=(prometheus)
command -v redis-server >/dev/null || packages+=(redis-server)
{ command -v initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb'; } >/dev/null || packages+=(postgresql)
for proxy in nginx haproxy caddy apache2; do
	command -v "$proxy" >/dev/null || packages+=("$proxy")
done
command -v systemd-analyze >/dev/null || packages+=(systemd)
command -v shellcheck >/dev/null || packages+=(shellcheck)

if [ "${#packages[@]}" -eq 0 ]; then
	exit 0
fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "test-deps: some tests need what is not on PATH: apt-get install ${packages[*]}" >&2
	exit 0
fi

echo "test-deps: installing from Debian: ${packages[*]}"
apt-get update -qq
case " ${packages[*]} " in
*" postgresql "*)
	# The tests make database clusters of their own. The package would make one that runs now and at every boot.
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql-common >/dev/null
	sed -i -E 's/^#? *create_main_cluster .*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
	;;
esac
# The tests start Prometheus, Redis and the proxies themselves. Without its unit and its script a package brings no service that would
# run now and at every boot.
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	-o DPkg::Options::=--path-exclude=/lib/systemd/system/prometheus.service \
	-o DPkg::Options::=--path-exclude=/usr/lib/systemd/system/prometheus.service \
	-o DPkg::Options::=--path-exclude=/etc/init.d/prometheus \
	-o DPkg::Options::=--path-exclude=/lib/systemd/system/redis-server*.service \
	-o DPkg::Options::=--path-exclude=/usr/lib/systemd/system/redis-server*.service \
	-o DPkg::Options::=--path-exclude=/etc/init.d/redis-server \
	-o 'DPkg::Options::=--path-exclude=/lib/systemd/system/nginx*.service' \
	-o 'DPkg::Options::=--path-exclude=/lib/systemd/system/haproxy*.service' \
	-o 'DPkg::Options::=--path-exclude=/lib/systemd/system/caddy*.service' \
	-o 'DPkg::Options::=--path-exclude=/lib/systemd/system/apache2*.service' \
	-o DPkg::Options::=--path-exclude=/etc/init.d/nginx \
	-o DPkg::Options::=--path-exclude=/etc/init.d/haproxy \
	-o DPkg::Options::=--path-exclude=/etc/init.d/apache2 \
	"${packages[@]}" >/dev/null
for package in "${packages[@]}"; do
	echo "test-deps: installed $package $(dpkg-query -W -f '${Version}' "$package")"
done
