#!/bin/sh
# Prints how long agents take: from a peer's new certificate to the own truststore, beside what the system takes for that
# alone, and for a rotation among 2, 10 and 50 servers. Needs Go and the products' default stores (beside the checkout in
# ../shared, or where WSO2_SHARED says).
#
#     bench/rotation.sh [ROTATIONS]
set -eu
cd "$(dirname "$0")/.."
go test -run '^$' -bench 'BenchmarkRotation|BenchmarkFromAChange' -benchtime "${1:-10}x" -timeout 60m ./internal/agent | awk '
	function value(unit,   i) { for (i = 3; i < NF; i++) if ($(i + 1) == unit) return $i; return 0 }
	/^BenchmarkFromAChange.*agent/ { agent = value("ms-beyond-quiet") }
	/^BenchmarkFromAChange.*bare/ { bare = value("ns/op") / 1e6 }
	/^BenchmarkRotation/ {
		split($1, name, /[\/_]/)
		rows = rows sprintf("| %d | %.2f s | %s | %s |\n", name[2], value("ns/op") / 1e9, value("restarts/server"), value("writes/server"))
	}
	/FAIL|panic|--- / { print; failed = 1 }
	END {
		if (failed || rows == "" || bare == 0) { print "a benchmark failed"; exit 1 }
		printf "from a change to the truststore, beyond the quiescence: %.1f ms; one event, the same bytes written and synced: %.1f ms\n\n", agent, bare
		print "| servers | rotation of one of them | restarts of each | writes of each truststore |\n|---|---|---|---|"
		printf "%s", rows
	}'
