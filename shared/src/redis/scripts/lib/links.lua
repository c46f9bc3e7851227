-- Links by their references. Whoever makes a link gives it a reference that nobody else has, and either side keeps a set of
-- them, words separated by spaces: in its tie, `own:<mailbox>` `l:<other>` → `<ref> …`, those that count for it; in
-- `watch:<pid>` `l:<other>` → `<partition> <other> <ref> …`, those that its end is told with. An unlink, and an end, name the
-- references that they are about, and whoever hears of it takes away just these.
--
-- Two that link each other at once: both sides come to have both references, an end tells both, and the first message that
-- does removes both: one link. One that unlinks while the other's link is on its way: it takes back its own reference, the
-- other's comes after, and both sides keep that one: linked, as whoever linked last wanted. The exit signal of an earlier
-- life that comes late: it names references of that life, and where the link was undone and made anew the tie has another.
-- Weaker: with a mark in place of the set the second case leaves half a link, and the third ends what should live.

-- The words of a text that another text does not have.
local function without(words, others)
  local left = {}
  for word in string.gmatch(words, "%S+") do
    if not string.find(" " .. others .. " ", " " .. word .. " ", 1, true) then
      left[#left + 1] = word
    end
  end
  return table.concat(left, " ")
end

-- From now on `other` is told of the end of `pid` with this reference.
local function watchLink(pid, partition, other, ref)
  local key, field = base .. "watch:" .. pid, "l:" .. other
  local refs = without(string.match(call("HGET", key, field) or "", "^%d+ %S+ (.+)$") or "", ref)
  call("HSET", key, field, partition .. " " .. other .. " " .. (refs == "" and ref or refs .. " " .. ref))
end

-- And no longer with these.
local function unwatchLink(pid, other, refs)
  local key, field = base .. "watch:" .. pid, "l:" .. other
  local whom, known = string.match(call("HGET", key, field) or "", "^(%d+ %S+) (.+)$")
  local left = without(known or "", refs)
  if left == "" then
    call("HDEL", key, field)
  else
    call("HSET", key, field, whom .. " " .. left)
  end
end
