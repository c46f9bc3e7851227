#!/usr/bin/env bash
# The cluster on one screen, in tmux: sysmon's dashboard, the apis' log, the workers' log, and a client that posts every few
# seconds.
#
#   bash dashboard.sh            with docker-compose; starts the cluster where it does not run
#   bash dashboard.sh --local    with npm start; starts it in a second window where it does not run
#   bash dashboard.sh --help
#
# Every setting is the cluster's own: LB_PORT, DATA_DIR, API_TOKEN …, and EVERY_S, the seconds between two posts. Other tmux
# sessions are left alone. Ctrl-b d leaves this one and lets it go on, Ctrl-b z makes a pane large and small again, and
# `tmux kill-session -t genserverless` closes it: containers go on, an npm start that began here ends.
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

compose=docker-compose
has docker-compose || ! docker compose version >/dev/null 2>&1 || compose='docker compose'

require_tools() {
  local missing=() tool
  for tool in tmux curl jq; do has "$tool" || missing+=("$tool"); done
  if [ $mode = local ]; then
    has node || missing+=(nodejs)
    has npm || missing+=(npm)
  else
    $compose version >/dev/null 2>&1 || missing+=(docker-compose)
  fi
  if [ ${#missing[@]} -gt 0 ]; then
    echo "dashboard.sh needs ${missing[*]}" >&2
    if has apt-get; then echo "get it with: sudo apt-get install ${missing[*]}" >&2; fi
    if has dnf; then echo "get it with: sudo dnf install ${missing[*]}" >&2; fi
    if has brew; then echo "get it with: brew install ${missing[*]/nodejs/node}" >&2; fi
    exit 1
  fi
  if [ $mode = compose ] && ! docker info >/dev/null 2>&1; then
    echo "dashboard.sh: docker does not answer. Start it, or do without it: bash dashboard.sh --local" >&2
    exit 1
  fi
}

# JSON lines as "time node message fields"; anything else as it is.
readable='. as $line | try (fromjson | "\(.time[11:19]) \(.node) \(.msg) \(del(.time, .node, .msg, .level) | tojson)") catch $line'

# $1 service: a command that follows its log.
follow() {
  if [ $mode = local ]; then
    printf 'tail -q -n 30 -F %q/%s-*.log 2>/dev/null' "$logs" "$1"
  else
    printf '%s logs -f --tail 30 --no-log-prefix --no-color %s' "$compose" "$1"
  fi
  printf " | jq -Rr --unbuffered '%s'" "$readable"
}

# A command that opens sysmon's dashboard; one that only looks, and is no node of the cluster.
watch() {
  if [ $mode = local ]; then
    printf 'npm run -s sysmon'
  else
    printf '%s run --rm --no-deps -e SYSMON_WEB=off -e LC_ALL=C.UTF-8 sysmon' "$compose"
  fi
}

# $1 command: the same once calls work.
once_ready() { printf 'echo waiting for %s; until curl -sf -o /dev/null --max-time 2 %q; do sleep 1; done; clear; %s' "$url" "$url/ready" "$1"; }

# $1 title, $2 command: one more pane.
pane() { tmux select-pane -t "$(tmux split-window -t "$window" -P -F '#{pane_id}' "bash -c $(printf %q "$2")")" -T "$1"; }

# Panes get what this script has in its environment, also where tmux has been running for long.
share_environment() {
  local name
  for name in $(compgen -e); do
    case $name in TMUX* | TERM | PWD | OLDPWD | SHLVL | _) ;; *) tmux set-environment -t "=$session" "$name" "${!name}" ;; esac
  done
}

open_session() {
  local columns=200 rows=50 window first
  if [ -t 1 ]; then read -r rows columns < <(stty size </dev/tty); fi
  read -r window first < <(tmux new-session -d -s $session -n cluster -x "$columns" -y "$rows" -P -F '#{window_id} #{pane_id}' 'exec sleep 60')
  share_environment
  tmux set-option -w -t "$window" remain-on-exit on
  tmux set-option -w -t "$window" pane-border-status top
  tmux set-option -w -t "$window" main-pane-width $((columns * 3 / 5))
  tmux respawn-pane -k -t "$first" "bash -c $(printf %q "$(once_ready "$(watch)")")"
  tmux select-pane -t "$first" -T sysmon
  pane 'api log' "$(once_ready "$(follow api)")"
  tmux select-layout -t "$window" main-vertical
  pane workers "$(once_ready "$(follow worker)")"
  tmux select-layout -t "$window" main-vertical
  pane client "exec bash local/client.sh $(printf %q "$url")"
  tmux select-layout -t "$window" main-vertical
  tmux select-pane -t "$first"
}

# A second `up` would undo what was scaled.
is_running() { curl -sf -o /dev/null --max-time 2 "$url/health"; }

require_tools
if tmux has-session -t "=$session" 2>/dev/null; then
  echo "the tmux session $session is open already"
else
  [ $mode = local ] || is_running || $compose up -d
  open_session
  [ $mode = compose ] || is_running || tmux new-window -d -t "=$session:" -n 'npm start' 'npm start'
fi

if [ ! -t 0 ] || [ ! -t 1 ]; then
  echo "attach with: tmux attach -t $session"
elif [ -n "${TMUX:-}" ]; then
  tmux switch-client -t "=$session"
else
  tmux attach -t "=$session"
fi
