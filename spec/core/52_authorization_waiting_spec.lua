--- Authorization by somebody who is asked: bounds of what waits, CANCEL, and calls in chunks.
-- SPDX-License-Identifier: MIT
local asking = require "asking"
local core = require "core"
local meta = require "meta"

local CALL, SUBSCRIBE, REGISTER, GOODBYE = core.CALL, core.SUBSCRIBE, core.REGISTER, core.GOODBYE
local not_authorized = meta.not_authorized
local acknowledged = { acknowledge = true }
local options, allow, deny = asking.requests, asking.allow, asking.deny
local ask, told = asking.subscribe, asking.told

core.describe("A session that asks for much", function(router)
  --- Sends so many more requests; the last actions.
  local function fill(alice, count)
    for _ = 1, count - 1 do
      assert.actions({}, alice:publish("com.x", {}, nil, acknowledged))
    end
    return alice:publish("com.x", {}, nil, acknowledged)
  end

  it("is not read any more when 64 requests wait, and again when all are done", function()
    local r = router(options())
    local alice = r:join()
    local question = ask(alice)
    assert.actions({}, fill(alice, 63))
    assert.actions({ { alice, hold = true } }, fill(alice, 1))
    assert.actions({}, fill(alice, 10)) -- what had been read already
    local actions = allow(r, question)
    assert.equal("33" .. (" 17"):rep(74), told(alice, actions))
    assert.actions({ { alice, hold = false } }, { actions[#actions] })
    assert.equal(76, #actions)
  end)

  it("is read again when 32 wait", function()
    local r = router(options())
    local alice = r:join()
    local questions = { ask(alice) }
    for _ = 1, 64 do
      alice:publish("ask.x", {}, nil, acknowledged)
    end
    for waiting = 63, 0, -1 do
      local actions = allow(r, questions[#questions])
      assert.equal(1, asking.count(actions))
      assert.equal(waiting == 32 and 3 or 2, #actions, waiting)
      if waiting == 32 then
        assert.actions({ { alice, hold = false } }, { actions[3] })
      end
      questions[#questions + 1] = core.asked(actions)
    end
    assert.equal(1, #allow(r, questions[#questions]))
  end)

  it("is held again when it goes on", function()
    local r = router(options())
    local alice = r:join()
    for _ = 1, 3 do
      local question = ask(alice)
      assert.actions({ { alice, hold = true } }, fill(alice, 64))
      local actions = allow(r, question)
      assert.actions({ { alice, hold = false } }, { actions[#actions] })
    end
  end)

  it("is read again after GOODBYE", function()
    local r = router(options())
    local alice = r:join()
    local question = ask(alice)
    fill(alice, 64)
    assert.actions({ { alice, { GOODBYE, {}, core.any } }, { alice, unask = question },
      { alice, hold = false }, { alice, released = true } },
      alice:send { GOODBYE, {}, "wamp.close.normal" })
  end)

  it("is read again when it is killed, since its GOODBYE must be heard", function()
    local r = router(options { anonymous_admin = true })
    local alice, boss = r:join(), r:join()
    ask(alice)
    fill(alice, 64)
    local is_read = false
    for _, action in ipairs(boss:call("wamp.session.kill", { alice.session })) do
      is_read = is_read or action[1] == alice and action.hold == false
    end
    assert.is_true(is_read)
  end)

  it("is held as long as what it canceled has its place", function()
    local r = router(options())
    local alice = r:join()
    local question = ask(alice)
    for _ = 1, 64 do
      alice:call "com.x"
    end
    for request = 2, 65 do
      assert.equal(1, #alice:cancel(request))
    end
    assert.actions({ { alice, { core.SUBSCRIBED, 1, core.id } }, { alice, hold = false } },
      allow(r, question))
  end)
end)

core.describe("CANCEL of a CALL", function(router)
  local canceled = "wamp.error.canceled"
  local modes = { "skip", "kill", "killnowait" }

  local function scene(more)
    local r = router(options(more))
    local callee = r:join { roles = core.all_roles }
    callee:register "com.x"
    allow(r, core.asked(callee:send { REGISTER, callee:next_request(), {}, "ask.x" }))
    return r, r:join(core.streamer), callee
  end

  it("that is judged takes the question back", function()
    for _, mode in ipairs(modes) do
      local r, alice, callee = scene()
      local question = core.asked(alice:call "ask.x")
      assert.actions({ { alice, unask = question },
        { alice, core.failure(CALL, 1, canceled) } }, alice:cancel(1, mode))
      assert.is_nil(r:question(question))
      assert.actions({}, allow(r, question))
      assert.actions({}, alice:cancel(1, mode))
      assert.equal("68", told(callee, alice:call "com.x"))
    end
  end)

  it("that is judged lets those behind go on", function()
    local r, alice, callee = scene()
    local question = core.asked(alice:call "ask.x")
    alice:call "com.x"
    alice:call "ask.x"
    local actions = alice:cancel(1)
    assert.equal(question, actions[1].unask)
    assert.equal(canceled, told(alice, actions))
    assert.equal("68", told(callee, actions))
    assert.equal(3, r:question(core.asked(actions)).message.id)
  end)

  it("that waits takes it out", function()
    for _, mode in ipairs(modes) do
      local r, alice, callee = scene()
      local question = core.asked(alice:call "ask.x")
      alice:call "com.x"
      alice:call "com.x"
      assert.actions({ { alice, core.failure(CALL, 2, canceled) } }, alice:cancel(2, mode))
      assert.actions({}, alice:cancel(2, mode))
      local actions = allow(r, question)
      assert.equal("68 68", told(callee, actions))
      assert.equal("", told(alice, actions))
    end
  end)

  it("that waits leaves no gap in the request ids", function()
    for _, check in ipairs { "lenient", "sequential", "strict" } do
      local r, alice, callee = scene { request_id_check = check }
      local question = core.asked(alice:call "ask.x")
      alice:call "com.x"
      alice:publish("com.y", {}, nil, acknowledged)
      alice:cancel(2)
      local actions = allow(r, question)
      assert.equal("17", told(alice, actions), check)
      assert.equal("68", told(callee, actions))
      assert.equal("17", told(alice, alice:publish("com.y", {}, nil, acknowledged)))
    end
  end)

  it("that nobody knows means nothing", function()
    local r, alice = scene()
    local question = core.asked(alice:call "ask.x")
    alice:publish "com.x"
    assert.actions({}, alice:cancel(2))
    assert.actions({}, alice:cancel(7))
    assert.not_nil(r:question(question))
  end)

  it("that is at a callee goes there, past what is judged", function()
    local _, alice, callee = scene()
    local invocation = callee:first(alice:call "com.x", core.INVOCATION)
    alice:call "ask.x"
    assert.actions({ { callee, { core.INTERRUPT, invocation[2], core.any } } },
      alice:cancel(1, "kill"))
  end)

  it("whose later chunks wait goes to the callee", function()
    local r, alice, callee = scene()
    local invocation = callee:first(alice:chunk(1, "com.x", { 1 }, { progress = true }),
      core.INVOCATION)
    local question = core.asked(alice:send { SUBSCRIBE, 2, {}, "ask.x" })
    assert.actions({}, alice:chunk(1, "com.x", { 2 }, { progress = true }))
    local actions = alice:cancel(1, "killnowait")
    assert.equal(canceled, told(alice, actions))
    assert.actions({ { callee, { core.INTERRUPT, invocation[2], core.any } } },
      { actions[2] })
    actions = allow(r, question)
    assert.equal("33", told(alice, actions))
    assert.equal("", told(callee, actions))
  end)
end)

core.describe("A call in chunks that is judged", function(router)
  local progress = { progress = true }

  local function scene(more, uri)
    local r = router(options(more))
    local callee, alice = r:join { roles = core.all_roles }, r:join(core.streamer)
    allow(r, core.asked(callee:send { REGISTER, callee:next_request(), {}, "ask.x" }))
    callee:register "com.x"
    local question = core.asked(alice:chunk(1, uri or "ask.x", { 1 }, progress))
    return r, alice, callee, question
  end

  it("has its later chunks wait, and is asked about once", function()
    for _, check in ipairs { "lenient", "sequential", "strict" } do
      local r, alice, callee, question = scene { request_id_check = check }
      assert.actions({}, alice:chunk(1, "ask.x", { 2 }, progress))
      assert.actions({}, alice:chunk(1, "ask.x", { 3 }))
      assert.actions({
        { callee, { core.INVOCATION, 1, core.id, progress, { 1 } } },
        { callee, { core.INVOCATION, 1, core.id, progress, { 2 } } },
        { callee, { core.INVOCATION, 1, core.id, {}, { 3 } } },
      }, allow(r, question))
    end
  end)

  it("has its grant in later chunks", function()
    local r, alice, callee, question = scene()
    alice:chunk(1, "ask.x", { 2 }, progress)
    local actions = allow(r, question, { disclose = true, trustlevel = 4 })
    for _, message in ipairs(callee:messages(actions)) do
      assert.like(core.including { caller = alice.session, trustlevel = 4 }, message[4])
    end
    assert.like(core.including { caller = alice.session, trustlevel = 4 },
      callee:first(alice:chunk(1, "ask.x", { 3 }), core.INVOCATION)[4])
  end)

  it("is denied as a whole: what comes after is late", function()
    for _, check in ipairs { "lenient", "sequential", "strict" } do
      local r, alice, _, question = scene { request_id_check = check }
      assert.actions({}, alice:chunk(1, "ask.x", { 2 }, progress))
      assert.actions({ { alice, core.failure(CALL, 1, not_authorized) } }, deny(r, question))
      assert.actions({}, alice:chunk(1, "ask.x", { 3 }, progress))
      assert.actions({}, alice:chunk(1, "ask.x", { 4 }))
    end
  end)

  it("is canceled as a whole: what comes after is late", function()
    for _, check in ipairs { "lenient", "sequential", "strict" } do
      local r, alice, _, question = scene { request_id_check = check }
      assert.actions({}, alice:chunk(1, "ask.x", { 2 }, progress))
      assert.actions({ { alice, unask = question },
        { alice, core.failure(CALL, 1, "wamp.error.canceled") } }, alice:cancel(1))
      assert.actions({}, alice:chunk(1, "ask.x", { 3 }, progress))
      assert.actions({}, alice:chunk(1, "ask.x", { 4 }))
      assert.is_nil(r:wakes_in())
    end
  end)

  it("is canceled as a whole while it waits", function()
    for _, check in ipairs { "lenient", "sequential", "strict" } do
      local r, alice, callee, question = scene { request_id_check = check }
      assert.actions({}, alice:chunk(2, "com.x", { 1 }, progress))
      assert.actions({}, alice:chunk(2, "com.x", { 2 }, progress))
      assert.actions({ { alice, core.failure(CALL, 2, "wamp.error.canceled") } }, alice:cancel(2))
      assert.actions({}, alice:chunk(2, "com.x", { 3 }, progress))
      local actions = allow(r, question)
      assert.equal("68", told(callee, actions), check)
      assert.actions({}, alice:chunk(2, "com.x", { 4 }))
    end
  end)

  it("is denied by a rule as a whole", function()
    for _, check in ipairs { "lenient", "sequential", "strict" } do
      local r = router(options { request_id_check = check })
      local alice = r:join(core.streamer)
      assert.equal(not_authorized, told(alice, alice:chunk(1, "no.x", { 1 }, progress)))
      assert.actions({}, alice:chunk(1, "no.x", { 2 }, progress))
      assert.actions({}, alice:chunk(1, "no.x", { 3 }))
    end
  end)
end)
