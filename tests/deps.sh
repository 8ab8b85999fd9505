#!/bin/sh
# deps.sh - installs the Debian packages that a target needs and that are missing.
#
#   tests/deps.sh GROUP...      build, demo, test, bench, lint
#
# Nothing is upgraded, no service is started, and nothing happens if all is there.
set -eu

packages_of() {
	case $1 in
	build) echo gcc libc6-dev make pkg-config protobuf-c-compiler libprotobuf-c-dev libcurl4-openssl-dev \
		libuv1-dev libsqlite3-dev zlib1g-dev libzstd-dev libdw-dev libelf-dev libunwind-dev libyaml-dev \
		libmicrohttpd-dev clang libbpf-dev bpftool ;;
	demo) echo nginx gunicorn python3-flask python3-requests python3-psycopg2 python3-redis postgresql \
		postgresql-client redis-server curl ;;
	test) echo libcmocka-dev python3-pytest nodejs npm nginx apache2 haproxy gunicorn python3-flask \
		python3-requests python3-aiohttp python3-uvicorn python3-fastapi python3-httpx python3-uvloop python3-httptools python3-gevent \
		python3-eventlet python3-venv php-cli php-curl openjdk-17-jdk-headless ruby ruby-webrick \
		curl wget git openssl gnutls-bin libgnutls28-dev sqlite3 postgresql postgresql-client libpq-dev \
		python3-psycopg2 python3-psycopg php-pgsql ruby-pg redis-server mariadb-server memcached \
		libmemcached-tools python3-asyncpg python3-pg8000 python3-redis python3-hiredis python3-pymysql \
		python3-mysqldb python3-pymemcache python3-pylibmc php-redis php-mysql php-memcached ruby-redis \
		ruby-mysql2 puma php-fpm libpostgresql-jdbc-java g++ libevent-dev libuv1-dev libev-dev libboost-dev \
		libfuse3-dev strace linux-perf bpfcc-tools linux-headers-amd64 ;;
	bench) echo nginx wrk valgrind postgresql redis-server redis-tools ;;
	lint) echo clang libclang-rt-dev clang-format clang-tidy cppcheck shellcheck ;;
	*)
		echo "deps: no group named $1" >&2
		exit 2
		;;
	esac
}

installed() {
	case $(dpkg-query -W -f '${Status}' "$1" 2>/dev/null) in
	*' installed') return 0 ;;
	esac
	# Another source may serve as well: a Node.js that brings its npm.
	case $1 in
	nodejs) command -v node ;;
	npm) command -v npm ;;
	*) return 1 ;;
	esac >/dev/null
}

if ! command -v dpkg-query >/dev/null; then
	echo "deps: not a Debian system, so nothing is installed here; needed (Debian's names):" >&2
	for group in "$@"; do echo "  $group: $(packages_of "$group")" >&2; done
	exit 0
fi

missing=
for group in "$@"; do
	for package in $(packages_of "$group"); do
		case " $missing " in
		*" $package "*) ;;
		*) installed "$package" || missing="$missing $package" ;;
		esac
	done
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "deps: these packages are missing, and only root can install them:" >&2
	echo "  apt-get install --no-install-recommends$missing" >&2
	exit 1
fi

echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # one word a package
if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
	tail -n 30 "$log" >&2
	echo "deps: apt-get failed, see above" >&2
	exit 1
fi
