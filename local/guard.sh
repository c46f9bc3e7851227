#!/bin/sh
# Ends what a cluster has running when its npm start died without stopping it (SIGKILL, out of memory).
#
#   guard.sh <file with a "pid birth name" for each child>
#
# Standard input is a pipe that npm start holds open and never writes to: it ends with npm start, however that ends. After
# a proper stop the file is gone. Redis is last, and is never killed: it writes out what it has.
trap '' HUP INT TERM
cat >/dev/null
[ -s "$1" ] || exit 0
nodes=$(awk '$3 != "redis" { print $1 }' "$1")
redis=$(awk '$3 == "redis" { print $1 }' "$1")
for pid in $nodes; do kill -TERM "$pid"; done 2>/dev/null
sleep 2
for pid in $nodes; do kill -KILL "$pid"; done 2>/dev/null
for pid in $redis; do kill -TERM "$pid"; done 2>/dev/null
exit 0
