-- Adds a message to a mailbox; whoever does counts it in the record, and sees to it that the process is woken: now, or, where
-- `delay` (ms) is more than 0, by the partition's due index. That has one entry for each process, the earliest; the fetch that
-- finds nothing more to hand out enters the next one.

-- How many more delayed messages a mailbox holds than waiting ones.
local MORE_DELAYED = 10
local JOB_OPTIONS = cmsgpack.pack({ attempts = 1 })

local function addMessage(queue, id, kind, envelope, delay, now)
  local args = cmsgpack.pack({ queue, id, kind, now })
  if delay == 0 then
    --@bullmq addStandardJob
    addStandardJob({
      queue .. "wait", queue .. "paused", queue .. "meta", queue .. "id", queue .. "completed", queue .. "delayed",
      queue .. "active", queue .. "events", queue .. "marker",
    }, { args, envelope, JOB_OPTIONS })
  else
    --@bullmq addDelayedJob
    addDelayedJob({
      queue .. "marker", queue .. "meta", queue .. "id", queue .. "delayed", queue .. "completed", queue .. "events",
    }, { args, envelope, cmsgpack.pack({ attempts = 1, delay = delay }) })
  end
end

-- What is known of an id already: `q|hash|queue` while it waits, `o|hash|outcome` once it is settled. The first to ask
-- reserves it. Kept for a day and the delay, so that a message nobody ever handles does not stay for ever.
local function reserve(id, hash, name, delay)
  return call("SET", outcomeKey(id), "q|" .. hash .. "|" .. name, "NX", "GET", "PX", 86400000 + delay)
end
