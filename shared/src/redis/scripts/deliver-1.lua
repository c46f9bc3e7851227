-- Takes what a stream of messages – the outbox of one mailbox – has for this partition, in its order: a message into a
-- mailbox, a start, a watcher's name, a place in a group, the answer of a deferred call. What is numbered at or below the
-- last that was taken is passed over.
--
-- Atomic because: a message that is in and not yet counted would come in again.
-- The answer is lost, or two nodes empty one outbox: numbers only rise, so a repeat changes nothing. That rests on nobody
-- sending a later entry of a stream to a partition before an earlier one is known to be in: one script at a time per stream
-- and partition, and whoever takes an outbox over begins at its head.
-- The last number is kept for `STREAM_MS` after its last use; entries older than that, less an hour, are dropped
-- (`expired`), for whether they were taken is no longer known.
--
-- An entry that cannot be done – its message is no JSON that Lua reads, another tool has made something else of a key – is
-- dropped (`invalid`) and costs no other one: where the script failed instead, what it had done until then would stay and its
-- number would not, and every repeat would do it again. The acts read before they write, so what cannot be read leaves nothing.
--
-- A target that is not there: its message is dropped and named in the answer; a monitor gets its DOWN and a link its exit
-- signal, reason noproc, through this partition's own outbox. An exit signal `kill` is no mail: it ends its target here.
--
-- KEYS[1] the last number that was taken of the stream
-- ARGV base, stream, sender pid, sender's partition, entries … (lib/outbox.lua)
-- Returns {{target, id, why, …}, {name, …}, {pid, reference, …}}: what was dropped, which outboxes of this partition gained
--   something, and of whom a state lies in a store of its own that no record names any more
--@include partition
--@include queue
--@include add
--@include fetch
--@include begin
--@include accept
--@include outbox
--@include death
--@include sweep
--@include hold
--@include end

local STREAM_MS = 86400000
local EXPIRES_MS = STREAM_MS - 3600000
local LINE = "([^\n]*)\n"
local ENTRY = "^" .. string.rep(LINE, 7) .. "(.*)$"
local stream, sender, senderPartition = ARGV[2], ARGV[3], ARGV[4]
local now = clock()
local last = tonumber(call("GET", KEYS[1]) or 0)
local dropped, filled, wiped = {}, {}, {}

local function drop(target, id, why)
  dropped[#dropped + 1] = target
  dropped[#dropped + 1] = id
  dropped[#dropped + 1] = why
end

local function recordOf(target)
  return base .. "proc:" .. target
end

local function isThere(target)
  local status = call("HGET", recordOf(target), "s")
  return status and status ~= "stopped"
end

local function tellNoproc(kind, facts)
  filled["!"] = true
  sendFromPartition(now, kind, senderPartition, sender, cjson.encode(facts))
end

-- The message in an envelope, JSON text; it stands last.
local function contentOf(envelope)
  return string.match(envelope, '"m":(.*)}$')
end

local function mail(kind, target, id, delay, options, envelope)
  local startId, startEnvelope = string.match(options, "^(%S+) (.+)$")
  local start = startId and { startId, startEnvelope }
  local verdict = accept(recordOf(target), target, id, kind, envelope, "", tonumber(delay), false, false, start)
  if verdict[1] ~= "queued" and verdict[1] ~= "known" then
    drop(target, id, verdict[1])
    return false
  end
  return true
end

local DO = {
  cast = mail,
  info = mail,
  stop = mail,
  exit = function(kind, target, id, delay, options, envelope)
    local signal = cjson.decode(contentOf(envelope))
    if signal.refs or signal.reason ~= "kill" then
      mail(kind, target, id, delay, options, envelope)
    elseif isThere(target) then
      local name, _, _, reference = endLife(recordOf(target), target, "killed", options ~= "forget", now)
      filled[name] = true
      if reference ~= "" then
        wiped[#wiped + 1] = target
        wiped[#wiped + 1] = reference
      end
    else
      drop(target, id, "no_process")
    end
  end,
  down = mail,
  unlink = mail,
  link = function(kind, target, id, delay, options, envelope)
    local ref = cjson.decode(contentOf(envelope)).ref
    if isThere(target) then
      --@include links
      -- Noted at once: it may end before it handles the message.
      watchLink(target, senderPartition, sender, ref)
      mail(kind, target, id, delay, options, envelope)
    else
      tellNoproc("exit", { pid = target, reason = "noproc", refs = { ref } })
    end
  end,
  start = function(_, target, id, _, options, envelope)
    local key = recordOf(target)
    local stored = call("HGET", key, "s")
    if stored and stored ~= "stopped" or call("GET", outcomeKey(id)) then
      return
    end
    begin(key, target, id, envelope, "", options, stored, pickWorker(moduleOf(target)), now)
  end,
  monitor = function(_, target, _, _, _, envelope)
    local ref = cjson.decode(contentOf(envelope))
    if isThere(target) then
      call("HSET", base .. "watch:" .. target, ref, senderPartition .. " " .. sender)
    else
      tellNoproc("down", { type = "DOWN", pid = target, reason = "noproc", ref = ref })
    end
  end,
  demonitor = function(_, target, _, _, _, envelope)
    call("HDEL", base .. "watch:" .. target, cjson.decode(contentOf(envelope)))
  end,
  join = function(_, group)
    call("HSET", base .. "group:" .. group, sender, senderPartition .. " " .. stream)
  end,
  leave = function(_, group)
    local key = base .. "group:" .. group
    -- The sender's next life may have joined meanwhile.
    if call("HGET", key, sender) == senderPartition .. " " .. stream then
      call("HDEL", key, sender)
    end
  end,
  publish = function(_, group, _, _, _, envelope)
    local members = call("HGETALL", base .. "group:" .. group)
    for at = 1, #members, 2 do
      local number = call("INCR", base .. "sent")
      local partition = string.match(members[at + 1], "^%d+")
      appendTo("!", number, now, "info", members[at], deriveId(partition, base .. "! " .. number), 0, "", envelope)
    end
    if #members > 0 then
      filled["!"] = true
      noteOutbox("!", now)
    end
  end,
  reply = function(_, target, id, _, options, envelope)
    if isThere(target) then
      answerDeferred(queueName(target, call("HGET", recordOf(target), "i")), options, contentOf(envelope))
    end
  end,
}

for index = 5, #ARGV do
  local number, kind, target, id, delay, at, options, envelope = string.match(ARGV[index], ENTRY)
  number = tonumber(number)
  if number > last then
    last = number
    if now - tonumber(at) > EXPIRES_MS then
      drop(target, id, "expired")
    else
      if not pcall(DO[kind], kind, target, id, delay, options, envelope) then
        drop(target, id, "invalid")
      end
    end
  end
end
call("SET", KEYS[1], last, "PX", STREAM_MS)
sendReplies()
local names = {}
for name in pairs(filled) do
  names[#names + 1] = name
end
return { dropped, names, wiped }
