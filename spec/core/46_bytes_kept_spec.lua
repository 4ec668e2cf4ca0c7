--- Messages that are kept for whoever decides: a peer cannot make the router keep many bytes.
-- SPDX-License-Identifier: MIT
local asking = require "asking"
local core = require "core"

local too_long = ("x"):rep(65537)
local quarter = ("x"):rep(262144)

core.describe("Bytes that wait for a decision", function(router)
  it("are those of a short HELLO", function()
    local r = router(asking.join())
    local alice = r:open()
    assert.actions(asking.aborted(alice, "wamp.error.not_authorized", "bytes"),
      alice:hello { authextra = { proof = too_long } })
    assert.equal(0, asking.claimed(r))
    assert.is_nil(r:wakes_in())
    asking.enter(r)
  end)

  it("are of no account where nobody is asked", function()
    assert.not_nil(router():join({ authextra = { proof = too_long } }).session)
  end)

  it("are those of a short AUTHENTICATE", function()
    local r = router(asking.join())
    local alice, question = asking.knock(r)
    asking.challenge(r, question)
    assert.actions(asking.aborted(alice, "wamp.error.authentication_failed", "bytes"),
      alice:send { core.AUTHENTICATE, too_long, {} })
    asking.gone(r, question)
  end)

  it("are 1 MiB for one session: then it is not read, until half of that is gone", function()
    local r = router(asking.requests())
    local alice = r:join()
    local questions = { asking.subscribe(alice) }
    for _ = 1, 3 do
      assert.actions({}, alice:publish("ask.x", { quarter }))
    end
    assert.actions({ { alice, hold = true } }, alice:publish("ask.x", { quarter }))
    assert.actions({}, alice:publish("com.x", { quarter }))
    for i = 1, 5 do
      local actions = asking.allow(r, questions[i])
      assert.equal(i == 4, actions[#actions] ~= nil and actions[#actions].hold == false, i)
      questions[i + 1] = core.asked(actions)
    end
    assert.equal(5, #questions)
  end)

  it("are free when the session ends", function()
    local r = router(asking.requests())
    local alice = r:join()
    asking.subscribe(alice)
    for _ = 1, 4 do
      alice:publish("com.x", { quarter })
    end
    local actions = alice:send { core.GOODBYE, {}, "wamp.close.normal" }
    local is_free = false
    for _, action in ipairs(actions) do
      is_free = is_free or action.hold == false
    end
    assert.is_true(is_free)
  end)
end)
