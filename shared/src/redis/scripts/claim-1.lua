-- Takes or renews a session's lease on a process and fetches its first messages.
--
-- Atomic because: whoever is told "yours" must be the one whose epoch the record carries, and messages that move to
-- `active` must belong to exactly that lease.
-- A new epoch comes from the partition's counter, never from the record, which a new incarnation begins afresh. With it
-- the messages that an earlier lease had in hand go back to the head in their old order (BullMQ pushes fetched jobs to
-- the left of `active`; walking left to right restores it) and are handed out one by one, `x` of them, so that a message
-- that ends its node is found out alone. Where the owner died with exactly one message in hand, that message gains a
-- death (`stc`, BullMQ's stalled counter); where a continuation was owed, that does (`j`).
-- The worker is paused after this: its epoch is overtaken and its commit refused. The answer is lost: the worker claims
-- again without an epoch. The lost request arrives late: `seq` rises with each claim of a session, a late one is stale.
--
-- A process that is held back is not claimed. Paused or quarantined (`held`), whoever still has it in memory ends its lease
-- with a last commit, and where nobody has, which is what a claim without an epoch says, the lease ends here. Waiting for the
-- next try of a failed message (`later`), it is rung when the time has come.
--
-- KEYS[1] the process record
-- ARGV base, pid, session, seq, epoch or "", width
-- Returns {verdict, …}: dead | gone | moved | stale | held | later |
--   ok epoch revision turns incarnation status version continue options state|false startedAt {messages} continueDeaths {ties}
--      takenOver (1: from a session that did not give it up)
--      {journal: last sequence, largest event's bytes or "", newest id, highest id ever, {entries after the snapshot}}
--@include partition
--@include queue
--@include fetch

local JOURNAL_PAGE = 512
local pid, session, seq, epoch = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local mine = base .. "busy:" .. session

if not isLive(session) then
  return { "dead" }
end
local record = call("HMGET", KEYS[1], "s", "i", "o", "e", "r", "t", "v", "q", "g", "c", "b", "x", "k", "w", "a", "j", "p", "h")
if not record[1] or record[1] == "stopped" then
  call("SREM", mine, pid)
  return { "gone" }
end
local owner = record[3]
if owner ~= session and isLive(owner) then
  if record[11] == "1" then
    giveTo(owner, pid)
  end
  call("SREM", mine, pid)
  return { "moved" }
end
local lastClaimer, lastSeq = string.match(record[10] or "", "^(.+) (%d+)$")
if lastClaimer == session and seq <= tonumber(lastSeq) then
  return { "stale" }
end
local claimed = session .. " " .. ARGV[4]
local queue = queueOf(queueName(pid, record[2]))
local suspects = tonumber(record[12] or 0)
-- A claim means that the session has nothing in hand. Where `active` says otherwise, a message was put into its hand and
-- the publication lost, or an answer was.
local inHand = call("LRANGE", queue .. "active", 0, -1)

-- Where the owner died with exactly one message in hand, or owed a continuation, that gains a death. What is in hand goes
-- back to the head.
local function takeBack()
  if record[13] or (owner ~= session and wasClaimedBy(record[10], owner)) then
    if record[8] then
      record[16] = call("HINCRBY", KEYS[1], "j", 1)
    elseif #inHand == 1 then
      local job = queue .. inHand[1]
      -- Where many died together each is hardly to blame: it takes four such deaths to make one.
      if record[13] == "1" or call("HINCRBY", job, "bystander", 1) % 4 == 0 then
        call("HINCRBY", job, "stc", 1)
      end
    end
  end
  putBack(queue, inHand)
  call("HDEL", KEYS[1], "k")
end

local now = clock()
local heldBack, untilMs = isHeldBack(record[17], now)
if heldBack then
  call("SREM", mine, pid)
  call("SREM", base .. "ready:" .. moduleOf(pid), pid)
  if untilMs then
    call("HSET", KEYS[1], "b", "0")
    noteDue(session, pid, untilMs, now)
    return { "later" }
  end
  call("HSET", KEYS[1], "b", "0")
  if epoch == "" then
    -- Nobody has the process in memory: its lease ends.
    takeBack()
    count("queued", #inHand)
    call("SREM", base .. "held:" .. session, pid)
    call("HSET", KEYS[1], "o", "", "x", suspects + #inHand)
    call("HDEL", KEYS[1], "c")
  end
  return { "held" }
elseif record[17] then
  -- The message that waited for its next try is mail again, whoever fetches it.
  call("HDEL", KEYS[1], "p")
  if record[11] ~= "1" then
    call("HSET", KEYS[1], "b", "1")
    call("SADD", mine, pid)
    record[11] = "1"
  end
end

local ties, journal = {}, {}
local takenOver = 0
local isRenewal = owner == session and record[4] == epoch and epoch ~= ""
local state = false
if isRenewal then
  putBack(queue, inHand)
  suspects = suspects + #inHand
  call("HSET", KEYS[1], "c", claimed, "x", suspects)
  -- The lease may have been ended, and the process given back, before the session noticed.
  call("SADD", base .. "held:" .. session, pid)
else
  epoch = call("INCR", base .. "epoch")
  takenOver = lastClaimer and lastClaimer ~= session and 1 or 0
  takeBack()
  suspects = suspects + #inHand
  call("HSET", KEYS[1], "o", session, "e", epoch, "c", claimed, "x", suspects)
  call("SADD", base .. "held:" .. session, pid)
  call("HSET", queue .. "meta", "opts.maxLenEvents", 0)
  call("SREM", base .. "ready:" .. moduleOf(pid), pid)
  if record[11] == "1" then
    call("SADD", mine, pid)
  end
  state = call("HGET", KEYS[1], "d")
  if state and string.sub(state, 1, 1) == "#" then
    --@include journal
    journal = readJournal(KEYS[1], pid, state, JOURNAL_PAGE)
  end
  if record[18] then
    ties = call("HGETALL", base .. "own:" .. queueName(pid, record[2]))
  end
end

local delayed = tonumber(record[14] or 0)
local width = tonumber(ARGV[6])
-- A continuation runs alone, before any mail.
if record[8] then
  width = 0
elseif suspects > 0 then
  width = math.min(width, 1)
end
local messages, promoted, nextDue = fetch(queue, queueKeys(queue), width, delayed, session, now)
if #inHand ~= #messages then
  count("queued", #inHand - #messages)
end
if promoted > 0 then
  call("HSET", KEYS[1], "w", delayed - promoted)
  count("delayed", -promoted)
end
if suspects > 0 and #messages > 0 then
  call("HSET", KEYS[1], "x", suspects - #messages)
end
if #messages > 0 and record[11] ~= "1" then
  call("HSET", KEYS[1], "b", "1")
  call("SADD", mine, pid)
elseif width > 0 and #messages == 0 and isEmpty(queue) then
  -- What another tool has removed counts no more.
  call("HSET", KEYS[1], "b", "0", "n", delayed - promoted)
  call("SREM", mine, pid)
end
if nextDue and #messages == 0 then
  noteDue(session, pid, nextDue, now)
end
return {
  "ok", tostring(epoch), tonumber(record[5] or 0), tonumber(record[6] or 0), record[2], record[1], record[7] or "", record[8] or "",
  record[9] or "", state, tonumber(record[15] or 0), messages,
  tonumber(record[16] or 0), ties, takenOver, journal,
}
