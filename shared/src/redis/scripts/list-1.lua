-- Reads a part of a partition's index, and some fields of the record of each process there whose record contains what is asked for.
--
-- Atomic because: it need not be. It is one command where a long list would be thousands, and it writes nothing.
--
-- KEYS[1] the index
-- ARGV base, least, most (as ZRANGEBYLEX takes them), how many to look at, how many to find, fields (comma-separated), then
--   field, text, …: what a field must contain
-- Returns how many were looked at, the last of them or "" where there are no more, then pid, values, pid, values, …
local fields, looked, texts = {}, {}, {}
for field in string.gmatch(ARGV[6], "[^,]+") do
  fields[#fields + 1] = field
end
for at = 7, #ARGV, 2 do
  looked[#looked + 1] = ARGV[at]
  texts[#texts + 1] = ARGV[at + 1]
end

local function isAskedFor(key)
  if #looked == 0 then
    return true
  end
  for at, value in ipairs(redis.call("HMGET", key, unpack(looked))) do
    if not value or not string.find(value, texts[at], 1, true) then
      return false
    end
  end
  return true
end

local pids = redis.call("ZRANGEBYLEX", KEYS[1], ARGV[2], ARGV[3], "LIMIT", 0, ARGV[4])
local most = 2 + 2 * tonumber(ARGV[5])
local found = { 0, "" }
for at, pid in ipairs(pids) do
  local key = ARGV[1] .. "proc:" .. pid
  found[1], found[2] = at, pid
  if isAskedFor(key) then
    found[#found + 1] = pid
    found[#found + 1] = redis.call("HMGET", key, unpack(fields))
    if #found == most then
      break
    end
  end
end
if #pids < tonumber(ARGV[4]) and found[1] == #pids then
  found[2] = ""
end
return found
