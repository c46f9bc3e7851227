#!/usr/bin/env bash
# The cluster on one screen, in tmux: api log, sysmon, workers' log, and a client that posts every few seconds.
#
#   bash dashboard.sh            with docker-compose; starts the cluster when it is not running
#   bash dashboard.sh --local    with npm start; starts it in a second window when it is not running
#   bash dashboard.sh --help
#
# LB_PORT, DATA_DIR, API_TOKEN and EVERY_S (seconds between posts) are those of the cluster. Other tmux sessions are left
# alone; `tmux kill-session -t genserverless` closes this one, and the containers go on.
set -euo pipefail
cd "$(dirname "$0")"

session=genserverless
url=http://127.0.0.1:${LB_PORT:-8080}
logs=${DATA_DIR:-.data}/logs
mode=compose
case ${1:-} in
  '') ;;
  --local) mode=local ;;
  -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
  *) echo "dashboard.sh: unknown argument $1 (try --help)" >&2; exit 1 ;;
esac

has() { command -v "$1" >/dev/null; }

compose() { if has docker-compose; then docker-compose "$@"; else docker compose "$@"; fi; }

require_tools() {
  local missing=() tool
  for tool in tmux curl jq; do has "$tool" || missing+=("$tool"); done
  if [ $mode = compose ] && ! compose version >/dev/null 2>&1; then missing+=(docker-compose); fi
  [ ${#missing[@]} -eq 0 ] && return
  echo "dashboard.sh needs ${missing[*]}" >&2
  if has apt-get; then echo "get it with: sudo apt-get install ${missing[*]}" >&2; fi
  if has brew; then echo "get it with: brew install ${missing[*]}" >&2; fi
  exit 1
}

# JSON lines as "time node message fields"; anything else as it is.
readable='. as $line | try (fromjson | "\(.time[11:19]) \(.node) \(.msg) \(del(.time, .node, .msg, .level, .pid, .hostname) | tojson)") catch $line'

# $1 service: a command that follows its log.
follow() {
  if [ $mode = local ]; then
    printf 'tail -q -n 30 -F %q/%s*.log 2>/dev/null' "$logs" "$1"
  else
    printf '%s logs -f --tail 30 --no-log-prefix --no-color %s' "$(has docker-compose && echo docker-compose || echo docker compose)" "$1"
  fi
}

pane() { # $1 title, $2 command
  local id
  id=$(tmux split-window -t "=$session:0" -P -F '#{pane_id}' "$2")
  tmux select-pane -t "$id" -T "$1"
  tmux select-layout -t "=$session:0" tiled >/dev/null
}

start_cluster() {
  if [ $mode = compose ]; then
    compose up -d
  elif ! curl -sf -o /dev/null --max-time 2 "$url/health"; then
    tmux new-window -d -t "=$session:1" -n 'npm start' 'npm start'
  fi
}

open_session() {
  tmux new-session -d -s $session -n cluster -x 200 -y 50 "$(follow api) | jq -Rr --unbuffered '$readable'"
  tmux set-option -t "=$session:" remain-on-exit on >/dev/null
  tmux set-option -w -t "=$session:0" pane-border-status top >/dev/null
  tmux select-pane -t "=$session:0.0" -T 'api log'
  pane sysmon "$(follow sysmon)"
  pane workers "$(follow worker) | jq -Rr --unbuffered '$readable'"
  pane client "$(printf 'bash local/client.sh %q' "$url")"
}

require_tools
if tmux has-session -t "=$session" 2>/dev/null; then
  echo "the tmux session $session is open already"
else
  [ $mode = compose ] && start_cluster
  open_session
  [ $mode = local ] && start_cluster
fi

if [ ! -t 0 ] || [ ! -t 1 ]; then
  echo "attach with: tmux attach -t $session"
elif [ -n "${TMUX:-}" ]; then
  tmux switch-client -t "=$session"
else
  tmux attach -t "=$session"
fi
