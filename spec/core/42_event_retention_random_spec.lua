--- event_retention: random steps, each predicted by a model of lists.
--
-- NEXUS_SEED=n repeats the run that the name of a test gives the number of.
-- SPDX-License-Identifier: MIT
local core = require "core"

local STEPS, MOST_PEERS, MOST_RESTRICTED = 1500, 6, 16
local random = math.random

local function pick(list)
  return list[random(#list)]
end

local Run = {}
Run.__index = Run

local function new_run(seed)
  math.randomseed(seed)
  local self = setmetatable({ router = core.router { seed = seed, retained_max_topics = 12 },
    peers = {}, topics = {}, order = {}, number = 0 }, Run)
  for i = 1, MOST_PEERS do
    self.peers[i] = self.router:join(nil, { codec = pick(core.codec_names) })
  end
  return self
end

local function random_topic()
  return pick { "a", "b", "ab" } .. "." .. pick { "a", "b", "ab", "b.a" }
end

--- Sessions that a publication is for, and the options that say so; nil when it is for all.
function Run:random_filter()
  if random(2) == 1 then
    return nil, {}
  end
  local key = pick { "eligible", "exclude", "eligible_authid", "exclude_authid" }
  local list, named = core.list {}, {}
  for _ = 1, random(0, 3) do
    local peer = pick(self.peers)
    list[#list + 1] = key:find "authid" and peer.welcome.authid or peer.session
    named[peer.session] = true
  end
  local is_eligible = key:find "^eligible" ~= nil
  if #list == 0 and not is_eligible then
    return nil, { [key] = list } -- it excludes nobody
  end
  return { named = named, is_eligible = is_eligible }, { [key] = list }
end

local function components(uri)
  local list = {}
  for component in (uri .. "."):gmatch "([^.]*)%." do
    list[#list + 1] = component
  end
  return list
end

local function is_match(match, pattern, topic)
  if match == "exact" then
    return pattern == topic
  elseif match == "prefix" then
    return topic:sub(1, #pattern) == pattern
  end
  local wanted, given = components(pattern), components(topic)
  for i = 1, math.max(#wanted, #given) do
    if not given[i] or not wanted[i] or wanted[i] ~= "" and wanted[i] ~= given[i] then
      return false
    end
  end
  return true
end

local function is_for(entry, peer)
  local filter = entry.filter
  if entry.publisher == peer.session and not entry.includes_me then
    return false
  end
  return filter == nil or (filter.named[peer.session] or false) == filter.is_eligible
end

function Run:remove(topic)
  for i, name in ipairs(self.order) do
    if name == topic then
      table.remove(self.order, i)
    end
  end
end

-- What the topic has afterwards: the newest first; of the restricted ones the oldest goes.
function Run:keep(topic, entry)
  local entries = entry.filter and self.topics[topic] or {}
  if not self.topics[topic] and #self.order == 12 then
    return
  end
  table.insert(entries, 1, entry)
  local restricted = 0
  for i, old in ipairs(entries) do
    restricted = restricted + (old.filter and 1 or 0)
    if restricted > MOST_RESTRICTED then
      table.remove(entries, i)
      break
    end
  end
  self:remove(topic)
  self.topics[topic] = entries
  self.order[#self.order + 1] = topic
end

function Run:publish()
  local peer, topic = pick(self.peers), random_topic()
  local filter, options = self:random_filter()
  options.retain = true
  options.exclude_me = pick { false, true, nil }
  if random(6) == 1 then
    peer:publish(topic, nil, nil, options)
    self.topics[topic] = nil
    self:remove(topic)
    return
  end
  self.number = self.number + 1
  peer:publish(topic, { self.number }, nil, options)
  self:keep(topic, { number = self.number, filter = filter, publisher = peer.session,
    includes_me = options.exclude_me == false })
end

function Run:subscribe()
  local peer, match = pick(self.peers), pick { "exact", "prefix", "wildcard" }
  local uri = random_topic()
  if match == "wildcard" then
    uri = uri:gsub(pick { "^%a+", "%a+$", "%.%a+%." }, pick { "", "." })
  elseif match == "prefix" then
    uri = uri:sub(1, random(#uri))
  end
  local expected, got = {}, {}
  for _, topic in ipairs(self.order) do
    for _, entry in ipairs(is_match(match, uri, topic) and self.topics[topic] or {}) do
      if is_for(entry, peer) then
        expected[#expected + 1] = topic .. " " .. entry.number
        break
      end
    end
  end
  local request = peer:next_request()
  local actions = peer:send { core.SUBSCRIBE, request, { match = match, get_retained = true }, uri }
  for i, message in ipairs(peer:messages(actions)) do
    if i > 1 then
      assert.is_true(message[4].retained)
      got[i - 1] = (message[4].topic or uri) .. " " .. message[5][1]
    end
  end
  assert.same(expected, got, match .. " " .. uri)
  peer:unsubscribe(peer:messages(actions)[1][3])
end

function Run:replace()
  local i = random(#self.peers)
  self.peers[i]:drop()
  self.peers[i] = self.router:join(nil, { codec = pick(core.codec_names) })
end

describe("Retained events at random", function()
  local first = tonumber(os.getenv "NEXUS_SEED")
  for seed = first or 1, first or 4 do
    it(("are those that the model has (seed %d)"):format(seed), function()
      local run = new_run(seed)
      for _ = 1, STEPS do
        local step = random(20)
        if step <= 10 then
          run:publish()
        elseif step <= 19 then
          run:subscribe()
        else
          run:replace()
        end
      end
      assert.is_true(run.number > 100)
    end)
  end
end)
