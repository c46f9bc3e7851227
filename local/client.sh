#!/usr/bin/env bash
# Posts every few seconds: leaves the date as work, adds 1 to a counter, and shows what came back and which api node answered.
#
#   bash local/client.sh [http://127.0.0.1:8080]
set -euo pipefail

url=${1:-http://127.0.0.1:8080}
every_s=${EVERY_S:-3}
headers=(-H 'content-type: application/json')
[ -n "${API_TOKEN:-}" ] && headers+=(-H "authorization: Bearer $API_TOKEN")

# $1 path, $2 body: status, api node and answer.
post() {
  echo "$(date +%T) POST $1 $2"
  curl -sS --max-time 10 -D - "${headers[@]}" -d "$2" "$url$1" | tr -d '\r' |
    awk 'body { print; next } /^HTTP/ { print $0 } tolower($1) == "x-served-by:" { print $0 } /^$/ { body = 1 }' |
    while IFS= read -r line; do
      case $line in '{'*) printf '%s' "$line" | jq . ;; *) printf '%s\n' "$line" ;; esac
    done
}

until curl -sf -o /dev/null --max-time 2 "$url/ready"; do
  echo "$(date +%T) waiting for $url/ready"
  sleep 1
done
post /v1/processes '{"module":"accumulator","key":"dashboard","args":0,"ifExists":"return"}' || true
while sleep "$every_s"; do
  post /api/v1/work "{\"data\":\"$(date)\"}" || true
  post /v1/processes/accumulator/dashboard/call '{"message":{"add":1}}' || true
done
