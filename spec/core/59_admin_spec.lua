--- What the router does for administrators: asked for as a call, answered when it is done.
-- SPDX-License-Identifier: MIT
local core = require "core"
local meta = require "meta"

local failed = "nexus.error.tls_reload_failed"

core.describe("nexus.tls.reload", function(router)
  local r, alice

  --- The request of a call that waits for the router.
  local function ask(peer)
    local actions = peer:call "nexus.tls.reload"
    local request = peer.last_request
    assert.actions({ { peer, admin = request, by = peer.session } }, actions)
    return request
  end

  before_each(function()
    r = router { anonymous_admin = true }
    alice = r:join()
  end)

  it("is asked of the router, and answers with a number", function()
    local request = ask(alice)
    assert.actions({ { alice, { core.RESULT, request, {}, { 3 } } } },
      r:admin_done(alice, request, { count = 3 }))
  end)

  it("answers with what went wrong", function()
    local request = ask(alice)
    local message = { core.ERROR, core.CALL, request, {}, failed, { "no such file" } }
    assert.actions({ { alice, message } },
      r:admin_done(alice, request, { error = failed, words = "no such file" }))
  end)

  it("answers each call, in whatever order", function()
    local first, second = ask(alice), ask(alice)
    assert.actions({ { alice, { core.RESULT, second, {}, { 2 } } } },
      r:admin_done(alice, second, { count = 2 }))
    assert.actions({ { alice, { core.RESULT, first, {}, { 1 } } } },
      r:admin_done(alice, first, { count = 1 }))
  end)

  it("answers nobody when the session is over, or is another one", function()
    local request = ask(alice)
    assert.actions({}, r:admin_done(alice, request, { count = 1, session = alice.session + 1 }))
    local bob = r:join()
    local asked = ask(bob)
    bob:drop()
    assert.actions({}, r:admin_done(bob, asked, { count = 1 }))
    assert.actions({ { alice, { core.RESULT, request, {}, { 1 } } } },
      r:admin_done(alice, request, { count = 1 }))
  end)

  it("answers nobody who is saying goodbye", function()
    local request = ask(alice)
    r:close_realm()
    assert.actions({}, r:admin_done(alice, request, { count = 1 }))
  end)

  it("is for administrators", function()
    r = router {}
    alice = r:join()
    local actions = alice:call "nexus.tls.reload"
    assert.equal(1, #actions)
    assert.equal(meta.not_authorized, actions[1][2][5])
  end)
end)
