#!/bin/sh
# lint.sh - style that no compiler checks: clang-tidy, cppcheck, shellcheck, sizes, first lines.
#
#   tests/lint.sh JOBS COMPILER-FLAGS...
set -u
cd "$(dirname "$0")/.." || exit 2
jobs=$1
shift
failed=0

# What git knows, or would: not what was built or installed here.
files() {
	git ls-files --cached --others --exclude-standard -- "$@" | sort -u | while read -r file; do
		[ ! -e "$file" ] || echo "$file"
	done
}

complain() {
	echo "lint: $*" >&2
	failed=1
}

# segment.h is the one contract between the rooms, and is to be read in one piece.
limit_of() {
	case $1 in
	preload/segment.h) echo 450 ;;
	*.h) echo 120 ;;
	*.c) echo 500 ;;
	*) echo 100000 ;;
	esac
}

for file in $(files '*.c' '*.h' '*.def' '*.sh' '*.py' '*.js' '*.cjs'); do
	lines=$(wc -l <"$file")
	[ "$lines" -le "$(limit_of "$file")" ] || complain "$file has $lines lines"
	# Scripts have theirs below the line that names the interpreter.
	head -n2 "$file" | grep -qF -- "${file##*/} - " ||
		complain "$file does not begin by saying what it is"
done

c_files=$(files '*.c' ':!*.bpf.c')
scripts=$(files '*.sh')

# shellcheck disable=SC2086
if [ -n "$scripts" ]; then
	shellcheck $scripts || complain "shellcheck"
fi

# uninitvar: takes what a function in another file fills in for uninitialised.
# shellcheck disable=SC2086
cppcheck -q -j"$jobs" --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	--suppress=uninitvar --std=c11 --library=posix -D__x86_64__ -D_GNU_SOURCE '-DElfW(t)=Elf64_##t' -I. $c_files ||
	complain "cppcheck"

# clang-tidy counts the warnings that it was told not to show; anything else that it says is one.
export TIDY_FLAGS="$*"
# shellcheck disable=SC2016
printf '%s\n' "$c_files" | nice xargs -P"$jobs" -n4 sh -c '
	said=$(clang-tidy --quiet "$@" -- $TIDY_FLAGS 2>&1 | grep -vE "^[0-9]+ warnings? ")
	[ -z "$said" ] || { echo "$said"; exit 1; }
' sh || complain "clang-tidy"

[ $failed = 1 ] || echo "lint: nothing to complain about"
exit $failed
