--- An archive: results in portions, sums over portions, two questions at once.
-- SPDX-License-Identifier: MIT
local nexus <const> = require "nexus"

local policy <const> = nexus.policy{ api = 1 }

function policy.authenticate.tls(hello)
  return { authrole = "program", authid = hello.transport.tls.subject }
end

policy.roles.program = { { allow = "*", uri = "com.archive.**" } }

local db <const> = nexus.sqlite "archive.db"
local open_reads <const> = nexus.metrics.gauge "archive_reads"

--- Counts until it is closed, however that comes about: an error, a timeout, a caller who cancels.
local function counting()
  open_reads:inc()
  return setmetatable({}, { __close = function() open_reads:dec() end })
end

policy.procedures["com.archive.read"] = {
  concurrency = 4, timeout = 20,
  handler = function(call)
    local _ <close> = counting()
    local series <const>, sent = call.args[1], 0
    local rows <const> =
      db:rows("SELECT at, value FROM points WHERE series = ? ORDER BY at", series)
    for portion in rows:batches(100) do
      call:progress(nexus.list(portion), sent)
      sent = sent + #portion
    end
    return nexus.result({ sent }, { series = series })
  end,
}

policy.procedures["com.archive.total"] = function(call)
  local total = 0
  for args in call:chunks() do
    for _, number in ipairs(args) do total = total + number end
  end
  return total
end

policy.procedures["com.archive.about"] = function(call)
  local who <const> = call.caller.authid
  local mine <const>, weather <const> = nexus.timeout(3, nexus.parallel, {
    function() return nexus.realm:call("com.archive.of", who) end,
    function() return nexus.http.get(nexus.config.weather_url, { timeout = 1 }).body end,
  })
  return nexus.result({}, { mine = mine, weather = nexus.json.decode(weather) })
end

return policy
