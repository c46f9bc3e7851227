-- What follows from the end of an incarnation: those who watched it are told, in its own outbox, after all that it sent,
-- and whom it was linked to with all references of the link (lib/links.lua); it leaves its groups and ends its monitors;
-- calls that it had not answered get their answer. Returns how many entries the outbox gained.
local NEVER_ANSWERED =
  '{"status":"dropped","error":{"code":"no_process","detail":"the process stopped before it answered this call"}}'

local function announceDeath(key, pid, name, reason, now)
  local followed = call("HGET", key, "m")
  if followed then
    --@include history
    tellFollowers(key, pid, followed, now, { "i", string.match(name, "@(%d+)$"), "e", reason })
  end
  local number = tonumber(call("HGET", key, "l") or 0)
  local before = number
  local function send(kind, partition, target, content)
    number = number + 1
    appendTo(name, number, now, kind, target, deriveId(partition, base .. name .. " " .. number), 0, "", compose(content))
  end

  local watch = base .. "watch:" .. pid
  local watchers = call("HGETALL", watch)
  for at = 1, #watchers, 2 do
    local ref = watchers[at]
    local partition, watcher, links = string.match(watchers[at + 1], "^(%d+) (%S+) ?(.*)$")
    local facts = { pid = pid, reason = reason }
    if string.sub(ref, 1, 2) == "l:" then
      facts.refs = {}
      for link in string.gmatch(links, "%S+") do
        facts.refs[#facts.refs + 1] = link
      end
      send("exit", partition, watcher, cjson.encode(facts))
    else
      facts.ref = ref
      facts.type = "DOWN"
      send("down", partition, watcher, cjson.encode(facts))
    end
  end

  local own = base .. "own:" .. name
  local ties = call("HGETALL", own)
  for at = 1, #ties, 2 do
    local kind, what = string.match(ties[at], "^(.):(.+)$")
    if kind == "g" then
      send("leave", "0", what, '"' .. pid .. '"')
    elseif kind == "m" then
      send("demonitor", "0", ties[at + 1], '"' .. what .. '"')
    end
  end
  call("DEL", watch, own)

  local defer = base .. "defer:" .. name
  local unanswered = call("HGETALL", defer)
  for at = 1, #unanswered, 2 do
    local session, hash, keepMs = string.match(unanswered[at + 1], "^([^|=]*)|([^|]*)|(.+)$")
    if session then
      settle(unanswered[at], session, hash, keepMs, NEVER_ANSWERED)
    end
  end
  call("DEL", defer)
  if number > before then
    noteOutbox(name, now)
  end
  return number - before
end
