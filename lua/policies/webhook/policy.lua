--- webhook: events go to programs that speak HTTP, again and again until these have them.
--
--   ["com.acme"] = {
--     policy = "webhook",
--     settings = {
--       file = "users.lua",             -- logins and roles as in "users"; without it see below
--       hooks = { ["com.acme.order.**"] = "https://orders.acme/hook" },   -- topics and URLs
--       attempts = 10,                  -- default; after that an event is given up
--       max_waiting = 10000,            -- default; more than that are not taken
--     },
--     http_hosts = { "orders.acme" },
--     secrets = { webhook_key = { env = "WEBHOOK_KEY" } },   -- optional: signs what is sent
--   },
--
-- What is sent is a POST of JSON: { id, topic, publication, time, args, kwargs }. An answer from
-- 200 to 299 says that it has come; after anything else it is sent again in 1 s, 2 s, 4 s, ... up
-- to 5 minutes. So it comes at least once, and not always in order; `id` is the same each time.
-- With a key the header X-Nexus-Signature is "sha256=" and the HMAC of the body in hexadecimal
-- digits.
--
-- What waits is in a store (data_folder), and goes on after the router was started again. What is
-- given up is logged, counted (webhook_lost_total) and published: webhook.failed, { id, topic,
-- url, why }.
--
-- Without settings.file it is for policies of one's own:
-- nexus.merge(require "policies.webhook", policy)
-- SPDX-License-Identifier: MIT
local nexus <const> = require "nexus"

local config <const> = nexus.config
local attempts <const>, max_waiting <const> = config.attempts or 10, config.max_waiting or 10000
local TIMEOUT <const>, MAX_PAUSE <const>, AT_ONCE <const> = 5, 300, 20

if type(config.hooks) ~= "table" or next(config.hooks) == nil then
  error('policy "webhook": settings.hooks is missing; allowed: { ["topic.**"] = "http://..." }', 0)
end

local policy <const> = nexus.policy{ api = 1 }

local waiting <const> = nexus.kv("webhook", { persist = true, max_entries = max_waiting })

local function count(what)
  nexus.metrics.counter("webhook_" .. what .. "_total"):inc()
end

local function give_up(entry, why)
  count "lost"
  nexus.log.error("an event was given up", { id = entry.id, url = entry.url, why = why })
  nexus.realm:publish("webhook.failed", {},
    { id = entry.id, topic = entry.topic, url = entry.url, why = why })
end

--- Ids are in the order in which events came, also when they are sorted as texts.
local function new_id()
  return ("%015d-%s"):format(math.floor(nexus.now() * 1000), nexus.crypto.token(6))
end

local function take(url)
  return function(event)
    local entry <const> = { id = new_id(), url = url, topic = event.topic, tries = 0, due = 0 }
    local is_text <const>, body = pcall(nexus.json.encode, {
      id = entry.id, topic = event.topic, publication = event.publication, time = nexus.now(),
      args = nexus.list(event.args or {}), kwargs = nexus.dict(event.kwargs or {}),
    })
    if not is_text then return give_up(entry, tostring(body)) end
    entry.body = body
    local is_kept <const>, why = pcall(waiting.set, waiting, entry.id, entry)
    if not is_kept then give_up(entry, tostring(why)) end
  end
end

for topic, url in pairs(config.hooks) do
  policy.subscriptions[topic] = take(url)
end

--- nil when it has come, or why not.
local function send(entry)
  local headers <const> = { ["Content-Type"] = "application/json" }
  local has_key <const>, key <const> = pcall(nexus.secret, "webhook_key")
  if has_key and key then
    headers["X-Nexus-Signature"] = "sha256=" .. nexus.crypto.hex(nexus.crypto.hmac(key, entry.body))
  end
  local is_answered <const>, answer <const> = pcall(nexus.http.post, entry.url, entry.body,
    { headers = headers, timeout = TIMEOUT })
  if not is_answered then return tostring(answer) end
  if answer.status >= 200 and answer.status < 300 then return nil end
  return ("status %d"):format(answer.status)
end

local function try(entry)
  local why <const> = send(entry)
  if not why then
    count "sent"
    waiting:delete(entry.id)
  elseif entry.tries + 1 >= attempts then
    waiting:delete(entry.id)
    give_up(entry, why)
  else
    count "retries"
    entry.due = nexus.now() + math.min(2 ^ entry.tries, MAX_PAUSE)
    entry.tries = entry.tries + 1
    waiting:set(entry.id, entry)
  end
end

policy.tasks.webhook = {
  every = 1,
  run = function()
    local now <const> = nexus.now()
    local due <const> = {}
    waiting:each("", function(_, entry)
      if entry.due <= now and #due < AT_ONCE then
        due[#due + 1] = function() try(entry) end
      end
    end)
    nexus.parallel(due)
  end,
}

return config.file and nexus.merge(require "policies.users", policy) or policy
