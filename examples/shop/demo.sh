#!/bin/bash
# demo.sh - runs the shop under tagalong, sends it requests, and prints what happened to each.
#
#   examples/shop/demo.sh [BUILD]      with the programs of BUILD, by default build/ (see `make demo`)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-$here/../../build}" && pwd)
tagalong=$build/tagalong
store=$build/demo/traces.db
directory=$(mktemp -d)
chmod 755 "$directory" # nginx's workers are another user
servers=()
stores=()

finish() {
	for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done
	for pid in "${servers[@]}"; do wait "$pid" 2>/dev/null || true; done
	servers=()
}
stop_stores() {
	# PostgreSQL takes it for a fast shutdown: both have handlers of their own.
	for pid in "${stores[@]}"; do kill -INT "$pid" 2>/dev/null || true; done
	for pid in "${stores[@]}"; do wait "$pid" 2>/dev/null || true; done
}
trap 'finish; stop_stores; rm -rf "$directory"' EXIT
trap 'exit 1' INT TERM

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# Three ports that nobody uses.
read -r gateway_port shop_port stock_port < <(/usr/bin/python3 -c '
import socket
probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(probe.getsockname()[1] for probe in probes))')

# serve NAME PORT COMMAND...: starts it under tagalong and waits until it listens.
serve() {
	local name=$1 port=$2 try
	shift 2
	"$tagalong" run --service "$name" --store "$store" -- "$@" >"$directory/$name.log" 2>&1 &
	servers+=($!)
	for try in $(seq 200); do
		if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			printf '  %-8s %s\n' "$name" "$*"
			return
		fi
		kill -0 $! 2>/dev/null || break
		sleep 0.05
	done
	echo "$name does not listen on port $port (after $try attempts):" >&2
	cat "$directory/$name.log" >&2
	exit 1
}

# ask WHAT CURL_ARGUMENTS...: sends one request and notes the request ID that came back.
declare -a asked=()
ask() {
	local what=$1 status id
	shift
	status=$(curl -sS -o /dev/null -D "$directory/head" -w '%{http_code}' "$@")
	id=$(tr -d '\r' <"$directory/head" | sed -n 's/^[Xx]-[Rr]equest-[Ii][Dd]: //p')
	printf '  %s  %-42s X-Request-ID: %s\n' "$status" "$what" "${id:-(none)}"
	[ -n "$id" ] || {
		echo "The answer has no X-Request-ID, so the gateway is not traced:" >&2
		cat "$directory/gateway.log" >&2
		exit 1
	}
	asked+=("$id	$what")
}

# PostgreSQL refuses to run as root.
drop=()
[ "$(id -u)" != 0 ] || drop=(setpriv --reuid=nobody --regid=nogroup --clear-groups)

# start_stores: PostgreSQL and Redis on Unix sockets in the directory, untouched by tagalong.
start_stores() {
	local bin try
	bin=$(echo /usr/lib/postgresql/*/bin)
	mkdir "$directory/db"
	[ "${#drop[@]}" = 0 ] || chown nobody:nogroup "$directory/db"
	${drop[@]+"${drop[@]}"} "$bin/initdb" -D "$directory/db/data" -U shop -A trust --no-sync >"$directory/initdb.log"
	${drop[@]+"${drop[@]}"} "$bin/postgres" -D "$directory/db/data" -k "$directory/db" -c listen_addresses= \
		>"$directory/postgres.log" 2>&1 &
	stores+=($!)
	/usr/bin/redis-server --port 0 --unixsocket "$directory/redis.sock" --save '' --dir "$directory" \
		>"$directory/redis.log" 2>&1 &
	stores+=($!)
	for try in $(seq 200); do
		if psql -qX -h "$directory/db" -U shop -d postgres -c 'SELECT 1' >/dev/null 2>&1 &&
			[ -S "$directory/redis.sock" ]; then
			psql -qX -h "$directory/db" -U shop -d postgres -f "$here/schema.sql"
			return
		fi
		sleep 0.05
	done
	echo "the stores don't start (after $try attempts):" >&2
	cat "$directory/postgres.log" "$directory/redis.log" >&2
	exit 1
}

rm -rf "$build/demo"
mkdir -p "$build/demo"
sed -e "s|DIRECTORY|$directory|; s|GATEWAY_PORT|$gateway_port|; s|SHOP_PORT|$shop_port|" \
	"$here/nginx.conf" >"$directory/nginx.conf"

say 'PostgreSQL and Redis as they are, and three unmodified programs, each started by: tagalong run --service NAME -- COMMAND'
start_stores
export DATABASE="host=$directory/db user=shop dbname=postgres" CACHE=$directory/redis.sock
PORT=$stock_port serve stock "$stock_port" /usr/bin/python3 "$here/stock.py"
STOCK=http://127.0.0.1:$stock_port serve shop "$shop_port" /usr/bin/gunicorn --log-level warning \
	--workers 2 --chdir "$here" --bind "127.0.0.1:$shop_port" shop:app
serve gateway "$gateway_port" /usr/sbin/nginx -e "$directory/nginx.log" -c "$directory/nginx.conf"

say 'Requests to the gateway'
url=http://127.0.0.1:$gateway_port
ask 'a product' "$url/products/apple"
ask 'an order of two products' "$url/orders" --json '{"apple": 2, "bread": 1}'
ask 'a slow product, with an ID of our own' "$url/products/cheese" -H 'X-Request-ID: demo-slow-1'
ask 'a report with a query for each of its lines' "$url/report"
ask 'a page with a wrong statement' "$url/customers/jane"
ask 'an order that fails two services further' "$url/orders" --json '{"bread": 50}'
ask 'a product that does not exist' "$url/products/caviar"
printf '  and 24 more, 8 at a time\n'
seq 24 | xargs -P 8 -I N curl -sS -o /dev/null "$url/products/apple?visitor=N"

finish # each `tagalong run` ships what is left before it ends

for one in "${asked[@]}"; do
	say "${one#*	}: tagalong traces ${one%%	*}"
	TAGALONG_STORE=$store "$tagalong" traces "${one%%	*}"
done
say 'Everything with an error: tagalong traces --errors'
TAGALONG_STORE=$store "$tagalong" traces --errors
say 'All is in the local store. Look further:'
echo "  export TAGALONG_STORE=$store"
echo "  $tagalong traces                          # the newest traces"
echo "  $tagalong traces --slower 100ms           # the slow ones"
echo "  $tagalong traces demo-slow-1              # one, by request ID or trace ID"
say 'The demo is over: nothing is left running.'
