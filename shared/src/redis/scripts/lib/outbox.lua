-- The outbox: what a mailbox's process wants sent, numbered, in the order in which it was committed. `!` is the partition's
-- own, for what nobody's turn sends: a DOWN for a process that is not there, the copies of a publication.
--
-- An entry is eight lines: number, kind, target, id, delayMs, when (ms), options, envelope. The target is a pid, or a
-- group's name for join, leave and publish.
local function outboxOf(name)
  return base .. "out:" .. name
end

local function appendTo(name, number, now, kind, target, id, delay, options, envelope)
  call("RPUSH", outboxOf(name), table.concat({ number, kind, target, id, delay, string.format("%.0f", now), options, envelope }, "\n"))
end

-- Enters that a mailbox's outbox is to be emptied; whoever appended does it at once, and the chores of others later.
local function noteOutbox(name, now)
  call("ZADD", base .. "outs", "NX", now, name)
end

-- An id for a message that a script composes: of the target's partition, and the same whenever the same script runs again.
local function deriveId(partition, text)
  local hex = redis.sha1hex(text)
  return partition .. "-" .. string.sub(hex, 1, 8) .. "-" .. string.sub(hex, 9, 12) .. "-8" .. string.sub(hex, 14, 16)
    .. "-8" .. string.sub(hex, 18, 20) .. "-" .. string.sub(hex, 21, 32)
end

local function compose(content)
  return '{"f":"","h":"","k":60000,"m":' .. content .. "}"
end

-- A message from the partition itself.
local function sendFromPartition(now, kind, partition, target, content)
  local number = call("INCR", base .. "sent")
  appendTo("!", number, now, kind, target, deriveId(partition, base .. "! " .. number), 0, "", compose(content))
  noteOutbox("!", now)
end
