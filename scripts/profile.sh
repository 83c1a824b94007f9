#!/usr/bin/env bash
# Takes profiles of a running hub and shows what they hold. From the environment:
#   ADMIN  the hub's admin address (http://127.0.0.1:3001)
#   DIR    where profiles are kept (./profiles)
#   TOP    how many functions are shown (15)
#
# profile.sh take [heap|goroutine|cpu|mutex|block] [SECONDS]   take one (heap) and show its top functions
# profile.sh diff BASE PROFILE                                 what PROFILE has more than BASE, by function
# profile.sh diff heap|goroutine                               the same of the two newest of a kind
# profile.sh lines BASE PROFILE, profile.sh lines KIND         the same as diff, by line of code
#
# Files are named by kind and time (UTC), so that names in order are profiles in order.
set -euo pipefail

admin=${ADMIN:-http://127.0.0.1:3001}
dir=${DIR:-profiles}
top=${TOP:-15}

usage() {
	sed -n '7,10s/^# //p' "$0" >&2
	exit 2
}

# pprof ARGUMENT...: go tool pprof, whose "Main binary filename not available" is no news here.
pprof() { go tool pprof "$@" 2> >(grep -v '^Main binary' >&2); }

# fetch KIND SECONDS: prints the file that the profile was written to.
fetch() {
	local path file
	case $1 in
	heap) path="heap?gc=1" ;; # after a collection: what is left is in use
	goroutine) path=goroutine ;;
	cpu) path="profile?seconds=$2" ;;
	mutex | block) path="$1?seconds=$2" ;;
	*) usage ;;
	esac
	mkdir -p "$dir"
	file="$dir/$1-$(date -u +%Y%m%dT%H%M%SZ).pb.gz"
	if ! curl -fsS --max-time "$(($2 + 60))" -o "$file.part" "$admin/debug/pprof/$path"; then
		rm -f "$file.part"
		echo "profile: no $1 profile from $admin; is ADMIN the hub's admin-listen?" >&2
		return 1
	fi
	mv "$file.part" "$file"
	echo "$file"
}

# newest KIND: the two newest profiles of a kind, the older one first.
newest() {
	local found
	found=$(find "$dir" -maxdepth 1 -name "$1-*.pb.gz" 2>/dev/null | sort | tail -n 2)
	if [ "$(grep -c . <<<"$found")" -lt 2 ]; then
		echo "profile: $dir has not two $1 profiles; take them first" >&2
		return 1
	fi
	echo "$found"
}

case ${1:-} in
take)
	kind=${2:-heap} seconds=${3:-10}
	[[ $seconds =~ ^[1-9][0-9]*$ ]] || usage
	file=$(fetch "$kind" "$seconds")
	echo "$file"
	pprof -top -cum -nodecount="$top" "$file"
	;;
diff | lines)
	if [ $# -eq 2 ]; then
		found=$(newest "$2")
		mapfile -t files <<<"$found"
	elif [ $# -eq 3 ]; then
		files=("$2" "$3")
	else
		usage
	fi
	echo "${files[1]} less ${files[0]}"
	options=(-top -nodecount="$top" -diff_base="${files[0]}")
	# A goroutine that waits is in the runtime itself, so what it was called by tells more.
	case $(basename "${files[1]}") in *goroutine*) options+=(-cum) ;; esac
	if [ "$1" = lines ]; then options+=(-lines); fi
	pprof "${options[@]}" "${files[1]}"
	;;
*) usage ;;
esac
