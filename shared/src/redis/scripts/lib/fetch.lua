-- Whether nothing waits or is in hand; what is delayed does not count.
local function isEmpty(queue)
  return call("EXISTS", queue .. "wait", queue .. "active", queue .. "prioritized") == 0
end

local EMPTY = '{"f":"","h":"","k":60000,"m":null}'

-- Moves up to `width` messages of a mailbox to `active`, oldest first, and returns {id, kind, envelope, deaths, blame, tries,
-- when it was queued (ms) or ""} of each; what was sent with a delay has not waited since it was queued.
-- Also returns how many delayed messages became due on the way, and when the next one will be (ms), or false.
local function fetch(queue, keys, width, delayed, session, now)
  --@bullmq moveToActive
  local messages = {}
  local args = { queue, tostring(now), cmsgpack.pack({ token = "0", name = session }) }
  local nextDue = false
  for index = 1, width do
    if delayed == 0 and call("EXISTS", keys[1], keys[3]) == 0 then
      break
    end
    local job = moveToActive(keys, args)
    if type(job[1]) ~= "table" then
      if job[4] > 0 then
        nextDue = math.floor(job[4])
      end
      break
    end
    local fields = {}
    for at = 1, #job[1], 2 do
      fields[job[1][at]] = job[1][at + 1]
    end
    -- A job that another tool has damaged still gets an outcome.
    messages[index] = {
      job[2], fields.name or "info", fields.data or EMPTY, fields.stc or "0", fields.blame or "", fields.tries or "0",
      not string.find(fields.opts or "", '"delay"', 1, true) and fields.timestamp or "",
    }
  end
  local promoted = 0
  if delayed > 0 then
    promoted = delayed - call("ZCARD", keys[7])
  end
  return messages, promoted, nextDue
end

-- Puts what is in hand back at the head in its old order: BullMQ pushes fetched jobs to the left of `active`, so walking
-- from left to right restores it.
local function putBack(queue, inHand)
  for _, id in ipairs(inHand) do
    call("LREM", queue .. "active", 1, id)
    call("RPUSH", queue .. "wait", id)
  end
end

-- Fetches the next message of a process that is idle in the memory of a live worker, and sends it along with the wake-up.
-- False where there is none: a mailbox that another tool has paused gives nothing.
local function putInHand(key, pid, queue, owner, delayed, epoch, revision, now)
  local messages, promoted = fetch(queue, queueKeys(queue), 1, delayed, owner, now)
  local message = messages[1]
  if not message then
    return false
  end
  if promoted > 0 then
    call("HSET", key, "w", delayed - promoted)
    count("delayed", -promoted)
  end
  call("SADD", base .. "busy:" .. owner, pid)
  wake(owner, table.concat({ pid, epoch, revision, message[1], message[2], message[3] }, "\n"))
  return true
end
