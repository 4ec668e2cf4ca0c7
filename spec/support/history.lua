--- What a log of events answers, written a second time: a plain list and eleven conditions.
--
--   local log = history.new { limit = 3 }
--   log:add { publication = 5, wall = 1700000000000, topic = "com.x" }
--   log:query { reverse = true, limit = 2 }  -->  { 5 }, { is_limit_reached = false, more = false }
--
-- SPDX-License-Identifier: MIT
local history = {}

local Log = {}
Log.__index = Log

--- `limits`: limit, the number of events that are kept; max_result, in one answer.
function history.new(limits)
  limits = limits or {}
  return setmetatable({
    entries = {}, limit = limits.limit or 1000, max_result = limits.max_result or 1000,
    has_dropped = false,
  }, Log)
end

--- Milliseconds since 1970 as text; `offset` in minutes.
function history.timestamp(wall, offset)
  offset = offset or 0
  local zone = "Z"
  if offset ~= 0 then
    local minutes = math.abs(offset)
    zone = ("%s%02d:%02d"):format(offset < 0 and "-" or "+", minutes // 60, minutes % 60)
  end
  local shown = wall + offset * 60000
  return os.date("!%Y-%m-%dT%H:%M:%S", shown // 1000) .. (".%03d"):format(shown % 1000) .. zone
end

function Log:add(entry)
  self.entries[#self.entries + 1] = entry
  if #self.entries > self.limit then
    table.remove(self.entries, 1)
    self.has_dropped = true
  end
end

function Log:position(publication)
  for i, entry in ipairs(self.entries) do
    if entry.publication == publication then
      return i
    end
  end
end

-- The first and the last position that the four publication ids allow.
local function bounds(log, query)
  local first, last = 1, #log.entries
  for key, step in pairs { from_publication = 0, after_publication = 1 } do
    if query[key] then
      first = math.max(first, (log:position(query[key]) or math.huge) + step)
    end
  end
  for key, step in pairs { until_publication = 0, before_publication = 1 } do
    if query[key] then
      last = math.min(last, (log:position(query[key]) or math.huge) - step)
    end
  end
  return first, last
end

local function is_wanted(entry, query)
  return (not query.from_time or entry.wall >= query.from_time)
    and (not query.after_time or entry.wall > query.after_time)
    and (not query.until_time or entry.wall <= query.until_time)
    and (not query.before_time or entry.wall < query.before_time)
    and (not query.topic or entry.topic == query.topic)
end

--- Publication ids, and the keyword arguments that come with them. Times of the query are numbers.
function Log:query(query)
  local first, last = bounds(self, query)
  local found = {}
  for i, entry in ipairs(self.entries) do
    if i >= first and i <= last and is_wanted(entry, query) then
      table.insert(found, query.reverse and 1 or #found + 1, entry.publication)
    end
  end
  local most = math.min(query.limit or self.max_result, self.max_result)
  return { table.unpack(found, 1, math.min(most, #found)) },
    { is_limit_reached = self.has_dropped, more = #found > most }
end

return history
