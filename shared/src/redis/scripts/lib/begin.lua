-- Begins an incarnation: the record, its place in the index, and `start` as the first message of a new mailbox. `stored` is
-- the record's status before, nil where there is none; `worker` false where none runs the module yet. A stopped process whose state was kept begins again with it.
local function begin(key, pid, id, envelope, hash, options, stored, worker, now)
  local incarnation = call("INCR", base .. "seq")
  local name = queueName(pid, incarnation)
  reserve(id, hash, name, 0)
  if stored then
    count("stopped", -1)
  else
    call("ZADD", base .. "index", 0, pid)
    call("HSET", key, "r", 0, "t", 0)
  end
  call("HSET", key, "s", "starting", "i", incarnation, "o", worker or "", "b", "1", "n", 1, "z", #envelope, "y", id,
    "a", now, "u", now)
  call("HDEL", key, "w", "x", "k", "q", "j", "c", "g", "p", "f", "l", "h", "E")
  if options ~= "" then
    call("HSET", key, "g", options)
  end
  count("starting", 1)
  count("queued", 1)
  local queue = queueOf(name)
  call("HSET", queue .. "meta", "opts.maxLenEvents", 0)
  addMessage(queue, id, "start", envelope, 0, now)
  giveTo(worker, pid)
end
