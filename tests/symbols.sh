#!/bin/sh
# symbols.sh - checks what the built library exports, imports and needs, and that it loads.
#
#   tests/symbols.sh build/libtagalong.so [preload/hooks.def]
#
# It lives in strangers' processes: one name too many shadows one of theirs, one library or symbol
# version too new keeps a program from starting.
set -eu
export LC_ALL=C

lib=$1
list=${2:-$(dirname "$0")/../preload/hooks.def}
floor=2.17
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints each line of the standard input as a failure of that kind.
refuse() {
	while read -r what; do
		echo "symbols: $1: $what" >&2
		echo "$what" >>"$work/failures"
	done
}

sed -nE 's/^(BEFORE|AFTER|AROUND|WAIT|CALLER|CUSTOM) *\(([^,]*,){3} *([A-Za-z0-9_]+) *,.*/\3/p' "$list" |
	sort >"$work/listed"
nm -D --defined-only "$lib" | awk '{ sub(/@.*/, "", $3); print $3 }' | sort >"$work/exported"
nm -D --undefined-only "$lib" | awk '{ print $NF }' | sort >"$work/imported"

grep -cE '^[A-Z]+ *\(' "$list" >"$work/rows" || true
if [ "$(cat "$work/rows")" != "$(wc -l <"$work/listed")" ]; then
	echo "$(cat "$work/rows") rows, $(wc -l <"$work/listed") names" | refuse "rows of $list not understood"
fi
uniq -d "$work/listed" | refuse "listed twice"
# What Node.js asks its addons for, and what such a one calls: preload/napi.h.
echo napi_register_module_v1 >"$work/addon"
for name in add_env_cleanup_hook create_arraybuffer create_buffer create_external create_function get_boolean get_cb_info get_typedarray_info \
	get_value_bool get_value_external get_value_int32 get_value_string_utf8 set_named_property; do
	echo "napi_$name"
done >"$work/weak"

# Where profilers look for a thread's context: preload/published.h.
echo otel_thread_ctx_v1 >"$work/data"

sort "$work/listed" "$work/addon" "$work/data" | comm -23 "$work/exported" - | refuse "exported, but not in $list"
comm -13 "$work/exported" "$work/addon" | refuse "not exported"
nm -D --undefined-only "$lib" | awk '$1 == "w" && $2 ~ /^napi_/ { print $2 }' | sort | comm -3 - "$work/weak" |
	refuse "of Node-API, in the library or in the list here alone"
grep '^napi_' "$work/imported" | comm -23 - "$work/weak" | refuse "of Node-API, and not weak" || true
comm -13 "$work/exported" "$work/listed" | refuse "in $list, but not exported"
sed 's/@.*//' "$work/imported" | sort -u | comm -12 - "$work/listed" |
	refuse "interposed, and used from outside as well"

# An alias that no symbol's version was given to would be found nowhere, and be NULL.
nm -D --undefined-only "$lib" | awk '$2 !~ /@|^(napi_|_ITM_|__gmon_start__$)/ { print $2 }' | refuse "found in no library"

# A name without a version that nobody has to have is bound to nothing: a reference that lost its version.
printf '%s\n' _ITM_deregisterTMCloneTable _ITM_registerTMCloneTable __gmon_start__ | sort - "$work/weak" >"$work/unbound"
nm -D --undefined-only "$lib" | awk '$1 == "w" && $2 !~ /@/ { print $2 }' | sort | comm -23 - "$work/unbound" |
	refuse "weak, without a version"

readelf -dW "$lib" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vxE 'libc\.so\.6|ld-linux.*' |
	refuse "needs a library other than libc" || true
readelf -dW "$lib" | grep -o TEXTREL | refuse "not position-independent" || true
sed -n 's/.*@//p' "$work/imported" | sort -u | while read -r version; do
	newest=$(printf '%s\nGLIBC_%s\n' "$version" "$floor" | sort -V | tail -n1)
	[ "$newest" = "GLIBC_$floor" ] || grep "@$version\$" "$work/imported"
done | refuse "newer than glibc $floor"

stack=$(readelf -lW "$lib" | awk '$1 == "GNU_STACK" { print $7 }')
[ "$stack" = RW ] || echo "GNU_STACK has flags '$stack'" | refuse "executable stack"

# The loader only complains and goes on, with status 0.
LD_BIND_NOW=1 LD_PRELOAD=$(realpath "$lib") /bin/true 2>"$work/loader" || echo "status $?" >>"$work/loader"
refuse "does not load" <"$work/loader"

[ ! -e "$work/failures" ] || failed=1
[ $failed = 1 ] || echo "symbols: $(wc -l <"$work/exported") names exported, all in the lists; needs only libc"
exit $failed
