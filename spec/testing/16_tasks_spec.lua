--- policy.tasks: what is done at times.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local testing = require "nexus.testing"

local head <const> = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
policy.roles.user = { { allow = "*", uri = "com.acme.**" } }
function policy.authenticate.anonymous() return { authrole = "user" } end
local times = {}
local function note() times[#times + 1] = nexus.now() end
policy.procedures["com.acme.times"] = function()
  local all <const> = times
  times = {}
  return nexus.list(all)
end
]]

describe("a task", function()
  local router, alice, folder

  local function open(text, now)
    folder = policies.write(head .. text .. "\nreturn policy\n")
    router = testing.router { policy = folder, now = now or 1000000 }
    alice = router:join { method = "anonymous" }
  end

  after_each(function()
    router:close()
  end)

  --- When it ran, in seconds since the test began.
  local function times()
    local all, began = {}, router:now() - router:elapsed()
    for i, at in ipairs(alice:call "com.acme.times") do all[i] = at - began end
    return all
  end

  it("is counted from the end of a run, so it never overlaps itself", function()
    open 'policy.tasks.t = { every = 10, run = function() note() nexus.sleep(25) end }'
    router:advance(100)
    assert.same({ 10, 45, 80 }, times())
  end)

  it("is late by the jitter at most", function()
    open 'policy.tasks.t = { every = 10, jitter = 5, run = note }'
    router:advance(1000)
    local all, distinct = times(), {}
    for i, at in ipairs(all) do
      local waited = at - (all[i - 1] or 0)
      assert.is_true(waited >= 10 and waited <= 15)
      distinct[waited] = true
    end
    assert.is_true(#all > 60 and #all < 100)
    assert.truthy(next(distinct, next(distinct)))
  end)

  it("that fails or takes too long is done again", function()
    open [[
policy.budgets = { task = { wall = 5 } }
policy.tasks.fails = { every = 10, run = function() note() error("not today") end }
policy.tasks.sleeps = { every = 20, run = function() nexus.sleep(600) note() end }]]
    router:advance(65)
    assert.same({ 10, 20, 30, 40, 50, 60 }, times())
    assert.equal(1, #router:log { id = "policy-failed", msg = "not today" })
    assert.truthy(#router:log { id = "policy-failed", msg = "not done after 5 s" } > 0)
  end)

  it("ends with its version, and a run that is under way is finished", function()
    open [[
policy.tasks.old = { every = 10, run = function() nexus.sleep(5) nexus.log.info("old") end }]]
    router:advance(11)
    local file <close> = assert(io.open(folder .. "/policy.lua", "w"))
    file:write(head .. 'policy.tasks.new = { every = 10, run = note }\nreturn policy\n')
    file:flush()
    router:reload()
    router:advance(30)
    assert.same({ 21, 31, 41 }, times())
    assert.equal(1, #router:log { msg = "old" })
  end)

  --- The local times at which one with that line of crontab ran.
  local function cron(line, now, days)
    open(('policy.tasks.t = { cron = %q, run = note }'):format(line), now)
    router:advance(days * 86400)
    local all = {}
    for i, at in ipairs(times()) do
      all[i] = os.date("%a %d %H:%M:%S", math.floor(now + at))
    end
    router:close()
    return all
  end

  it("is done at the times of a crontab, by the clock of the machine, once for each", function()
    -- a Thursday, some seconds after six
    local now <const> = os.time { year = 2026, month = 1, day = 1, hour = 6, min = 0, sec = 20 }
    assert.same({ "Fri 02 06:00:00", "Mon 05 06:00:00", "Tue 06 06:00:00" },
      cron("0 6 * * 1-5", now, 5.5))
    assert.same({ "Thu 01 06:20:00", "Thu 01 06:40:00", "Thu 01 07:00:00" },
      cron("*/20 * * * *", now, 0.05))
    assert.same({ "Sun 04 00:30:00" }, cron("30 0 * * 0", now, 8))
    assert.same({ "Sun 04 00:30:00" }, cron("30 0 * * 7", now, 8))
    assert.same({ "Mon 05 12:00:00", "Thu 15 12:00:00" }, cron("0 12 5,15 1 *", now, 40))
    -- one of the two is enough where both are said
    assert.same({ "Mon 05 12:00:00", "Fri 09 12:00:00", "Mon 12 12:00:00" },
      cron("0 12 9 * 1", now, 14))
    open("")
  end)
end)
