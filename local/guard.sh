#!/bin/sh
# Ends what a cluster has running when its npm start died without stopping it (SIGKILL, out of memory).
#
# Standard input is a pipe from npm start, and ends with it, however that ends. Each line on it is all that runs at that
# moment, as words `pid:name`; the last whole line counts, and after a proper stop it is empty. Nothing is read from the
# cluster's folder, which may be gone. Redis is last, and is never killed: it writes out what it has.
trap '' HUP INT TERM
running=
while IFS= read -r line; do running=$line; done
[ -n "$running" ] || exit 0
nodes=
redis=
for child in $running; do
  case $child in
    *:redis) redis=${child%%:*} ;;
    *) nodes="$nodes ${child%%:*}" ;;
  esac
done
for pid in $nodes; do kill -TERM "$pid"; done 2>/dev/null
sleep 2
for pid in $nodes; do kill -KILL "$pid"; done 2>/dev/null
for pid in $redis; do kill -TERM "$pid"; done 2>/dev/null
exit 0
