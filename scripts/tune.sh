#!/usr/bin/env bash
# Shows whether this machine's limits hold N streams (10,000), and what to change where they do not.
#
#   scripts/tune.sh [--proxy] [N]
#
# --proxy counts a reverse proxy on this machine in: it has two connections for each stream, one of them from a port of
# its own. Nothing is changed. The exit status is 0 if N streams fit, 1 if they do not, 2 for wrong arguments.
# For limits of a running hub see also: hubd doctor --admin URL
set -euo pipefail

usage() {
	echo "usage: scripts/tune.sh [--proxy] [N]" >&2
	exit 2
}

proxy=0
streams=
for argument in "$@"; do
	case $argument in
	--proxy) proxy=1 ;;
	'' | *[!0-9]*) usage ;;
	*)
		if [ -n "$streams" ] || [ "${#argument}" -gt 9 ]; then usage; fi
		streams=$((10#$argument))
		;;
	esac
done
: "${streams:=10000}"
[ "$streams" -gt 0 ] || usage

# Where the kernel tells its limits; a test has others.
proc=${TUNE_PROC:-/proc}
cgroup=${TUNE_CGROUP:-/sys/fs/cgroup}

# An idle stream in the hub, from BENCHMARKS.md (3.4 KB), rounded up; and its socket in the kernel, half of what Slab in
# /proc/meminfo grew by for each of 8,000 idle streams on loopback (10.1 KB for both ends).
hub_bytes=4096
socket_bytes=5120
# What the hub has without streams: caches and rings at their defaults, the program, and room for the garbage collector.
hub_base=$((256 << 20))
# Store, probes, publishers.
spare_files=1000

failed=0

# report NAME HAVE NEED ADVICE
report() {
	local have=$2
	[ "$have" = unlimited ] && have=9223372036854775807
	if [ "${#have}" -ge 19 ] || [ "$have" -ge "$3" ]; then
		printf 'ok    %-34s %20s   needed: %s\n' "$1" "$2" "$3"
	else
		printf 'FAIL  %-34s %20s   needed: %s\n      -> %s\n' "$1" "$2" "$3" "$4"
		failed=1
	fi
}

sysctl_advice() { echo "echo '$1 = $2' >>/etc/sysctl.d/90-hubd.conf && sysctl --system"; }

# setting PATH [FIELD]: a number of the kernel's, empty if it has none.
setting() {
	[ -r "$proc/sys/$1" ] || return 0
	awk -v n="${2:-1}" '{ print $n; exit }' "$proc/sys/$1"
}

files=$((streams + spare_files))
connections=$((streams * (1 + 2 * proxy)))
all_files=$((files + proxy * (2 * streams + spare_files)))
way=
if [ "$proxy" = 1 ]; then way=" through a proxy on it"; fi
echo "limits of this machine for $streams streams$way"
echo

largest=$((proxy ? 2 * streams + spare_files : files))
report "descriptors of a process (hard)" "$(ulimit -Hn)" "$largest" \
	"systemd: LimitNOFILE=$largest; container: --ulimit nofile=$largest:$largest; shell: * hard nofile $largest in /etc/security/limits.conf"
soft=$(ulimit -Sn)
if [ "$soft" != unlimited ] && [ "$soft" -lt "$files" ]; then
	echo "note  the soft limit is $soft; hubd raises it to the hard one by itself, a proxy may not"
fi

value=$(setting fs/nr_open)
[ -z "$value" ] || report "fs.nr_open" "$value" "$largest" "$(sysctl_advice fs.nr_open "$largest")"
value=$(setting fs/file-max)
[ -z "$value" ] || report "fs.file-max" "$value" "$((all_files + 10000))" "$(sysctl_advice fs.file-max "$((all_files * 2))")"

# Clients that reconnect together wait here; hubd asks for as much as the kernel allows.
backlog=$((streams < 4096 ? streams : 4096))
value=$(setting net/core/somaxconn)
[ -z "$value" ] || report "net.core.somaxconn" "$value" "$backlog" "$(sysctl_advice net.core.somaxconn "$backlog")"
syn=$((streams < 1024 ? streams : 1024))
value=$(setting net/ipv4/tcp_max_syn_backlog)
[ -z "$value" ] || report "net.ipv4.tcp_max_syn_backlog" "$value" "$syn" "$(sysctl_advice net.ipv4.tcp_max_syn_backlog "$syn")"

if [ "$proxy" = 1 ]; then
	low=$(setting net/ipv4/ip_local_port_range 1)
	high=$(setting net/ipv4/ip_local_port_range 2)
	if [ -n "$low" ]; then
		report "ports towards the hub" "$((high - low + 1))" "$((streams + 1000))" \
			"$(sysctl_advice net.ipv4.ip_local_port_range '1024 65535') gives 63,000; for more let the proxy name the hub by several addresses, 127.0.0.1, 127.0.0.2 and so on, with --listen=0.0.0.0:3000"
	fi
fi

value=$(setting net/netfilter/nf_conntrack_max)
[ -z "$value" ] || report "net.netfilter.nf_conntrack_max" "$value" "$((connections + 10000))" "$(sysctl_advice net.netfilter.nf_conntrack_max "$((connections * 2 + 10000))")"

# A page of buffers for each socket, when all are written to at once.
value=$(setting net/ipv4/tcp_mem 2)
[ -z "$value" ] || report "net.ipv4.tcp_mem, pages" "$value" "$connections" \
	"$(sysctl_advice net.ipv4.tcp_mem "$((connections * 3 / 4)) $connections $((connections * 2))")"

need=$((hub_base + streams * hub_bytes + connections * socket_bytes))
mib() { echo $((($1 + (1 << 20) - 1) >> 20)); }
value=$(awk '/^MemAvailable:/ { print $2 }' "$proc/meminfo" 2>/dev/null || true)
[ -z "$value" ] || report "memory available, MiB" "$(mib $((value * 1024)))" "$(mib "$need")" \
	"more memory, or fewer streams; --ring-bytes and --selector-cache-bytes bound what the hub keeps besides"
if [ -r "$cgroup/memory.max" ]; then
	value=$(cat "$cgroup/memory.max")
	[ "$value" = max ] || report "memory of this control group, MiB" "$(mib "$value")" "$(mib "$need")" "systemd: MemoryMax=$(mib "$need")M; container: --memory $(mib "$need")m"
fi

echo
if [ "$failed" = 0 ]; then
	echo "$streams streams fit. Bursts of updates need CPU and socket buffers besides: see BENCHMARKS.md."
else
	echo "$streams streams do not fit."
fi
exit "$failed"
