--- What policies hand over that no message can have: it is an error where it stands, and the realm,
--- the policy's own session in it and the one who called go on.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local testing = require "nexus.testing"

local head <const> = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1, attributes = { org = "string", teams = "list" } }
policy.roles.user = { { allow = "*", uri = "com.acme.**" },
  { ask = "call", uri = "com.acme.ask.{how}" } }
function policy.authenticate.anonymous() return { authrole = "user" } end
-- it hears everything, so what is published has to be a message
policy.subscriptions["com.**"] = function() end
policy.subscriptions["wamp.session.on_leave"] = function() end
local tries <const>, raises <const>, answers <const> = {}, {}, {}
]]

local tail <const> = [=[
policy.procedures["com.acme.try"] = function(call)
  local ok <const>, words <const> = pcall(tries[call.args[1]], call)
  return ok, not ok and tostring(words):gsub("^.-%.lua:%d+: ", "") or nexus.null
end
policy.procedures["com.acme.raise"] = function(call) error(raises[call.args[1]]()) end
policy.procedures["com.acme.again"] = function(call)
  local _ <const>, failure <const> = pcall(nexus.realm.call, nexus.realm, "com.acme.raise",
    call.args[1])
  return failure.uri
end
policy.procedures["com.acme.alive"] = function()
  return nexus.realm:publish("com.acme.x", {}, {}, { acknowledge = true })
end
function policy.authorize(request) return answers[request.params.how]() end
return policy
]=]

describe("what no message can have", function()
  local router, alice

  local function open(text)
    router = testing.router { policy = policies.write(head .. text .. tail) }
    alice = router:join { method = "anonymous" }
  end

  after_each(function()
    router:close()
  end)

  local function is_alive()
    assert.equal("integer", math.type(alice:call "com.acme.alive"))
  end

  it("is refused by the functions of the realm, and its session goes on", function()
    open [[
local realm <const> = nexus.realm
function tries.call_uri() realm:call("com.\xff") end
function tries.call_nul() realm:call{ "com.a\0b" } end
function tries.topic() realm:publish("com.\xff", {}) end
function tries.cut() realm:publish("com.\xe2\x28", {}) end
function tries.acknowledge() realm:publish("com.x", {}, {}, { acknowledge = 7 }) end
function tries.eligible() realm:publish("com.x", {}, {}, { eligible = { "bob" } }) end
function tries.retain() realm:publish("com.x", {}, {}, { retain = "yes" }) end
function tries.register() realm:register("com.\xff", print) end
function tries.subscribe() realm:subscribe("com.\xff", print) end
function tries.retained() realm:retained("com.\xff") end
function tries.named() nexus.realm_named("com.\xff") end
function tries.reason() realm:kill{ authid = "nobody", reason = "com.\xff" } end
function tries.message() realm:kill{ authid = "nobody", message = "\xff" } end
function tries.kill_reason(call) call.caller:kill("com.acme.\xff") end
function tries.kill_nul(call) call.caller:kill("com.acme\0x") end
function tries.kill_message(call) call.caller:kill(nil, "go\xff") end
function tries.deny_error() nexus.deny{ error = "com.\xff" } end
function tries.deny_message() nexus.deny{ message = "no\0pe" } end
function tries.allow_uri() nexus.allow{ uri = "com.\xff" } end
function tries.raise() nexus.raise("com.\xff") end
function tries.set_list(call) call.caller:set{ teams = { a = "red" } } end
function tries.set_own(call) call.caller:set{ authid = "root" } end
function tries.has_own(call) call.caller:has("id", 7) end
]]
    local no_text <const> = ": found octets that are no text; allowed: UTF-8 without U+0000"
    for name, words in pairs {
      call_uri = "nexus.realm:call: the URI" .. no_text,
      call_nul = "nexus.realm:call: the URI" .. no_text,
      acknowledge = "PUBLISH.acknowledge: expected a boolean",
      eligible = "PUBLISH.eligible: expected a list of session ids",
      retain = "PUBLISH.retain: expected a boolean",
      register = "register: a pattern is not valid UTF-8",
      subscribe = "subscribe: a pattern is not valid UTF-8",
      reason = "reason" .. no_text,
      message = "message" .. no_text,
      kill_reason = "session:kill: the reason" .. no_text,
      kill_nul = "session:kill: the reason" .. no_text,
      kill_message = "session:kill: the message" .. no_text,
      deny_error = "nexus.deny.error" .. no_text,
      deny_message = "nexus.deny.message" .. no_text,
      allow_uri = "nexus.allow.uri: found a string; allowed: a URI",
      set_list = "teams: a list is wanted, found a dict",
      set_own = '"authid" is none of the attributes that policy.attributes declares',
      has_own = '"id" is none of the attributes that policy.attributes declares',
    } do
      assert.same({ false, words }, { alice:call("com.acme.try", name) })
      is_alive()
    end
    for _, name in ipairs { "topic", "cut", "retained", "named", "raise" } do
      -- their words have the octets in them, so they cannot be sent either
      assert.is_false((alice:try_call("com.acme.try", name)))
      is_alive()
    end
    assert.is_true(alice.open)
  end)

  it("is not sent as an error, which a policy may write into", function()
    open [[
local function made(key, value)
  return function()
    local failure <const> = nexus.error("com.acme.error.mine")
    failure[key] = value
    return failure
  end
end
raises.octets = made("uri", "com.\xff")
raises.spaces = made("uri", "no uri")
raises.args = made("args", 7)
raises.text = made("args", { "\xff" })
raises.kwargs = made("kwargs", { 1, 2 })
raises.sound = made("kwargs", { left = 0 })
]]
    for _, name in ipairs { "octets", "spaces", "args", "text", "kwargs" } do
      local ok, failure = alice:try_call("com.acme.raise", name)
      assert.is_false(ok)
      assert.equal("wamp.error.runtime_error", failure.uri)
      assert.equal("wamp.error.runtime_error", alice:call("com.acme.again", name))
      is_alive()
    end
    assert.equal("com.acme.error.mine", alice:call("com.acme.again", "sound"))
  end)

  it("is no answer of authorize", function()
    open [[
function answers.octets() return nexus.deny{ message = "no\xff" } end
function answers.nul() return false, "no\0pe" end
function answers.words() return false, "no\xff" end
function answers.error() return nexus.deny{ error = "com.\xff" } end
function answers.sound() return false, "n\u{f6}" end
]]
    for _, name in ipairs { "octets", "nul", "words", "error" } do
      local ok, failure = alice:try_call("com.acme.ask." .. name)
      assert.is_false(ok)
      assert.equal("wamp.error.authorization_failed", failure.uri)
      assert.is_nil(failure.args[1])
    end
    local _, failure = alice:try_call "com.acme.ask.sound"
    assert.same({ "wamp.error.not_authorized", "n\u{f6}" }, { failure.uri, failure.args[1] })
    assert.equal(1, #router:log { msg = "policy.authorize returned false, and octets that are no "
      .. "text; allowed: UTF-8 without U+0000" })
  end)

  it("is no word of a refusal that was changed after it was made", function()
    open [[
function answers.changed()
  local words <const> = { message = ("no "):rep(40) .. nexus.now(), error = "com.acme.error.no" }
  local answer <const> = nexus.deny(words)
  words.message, words.error = nil, nil
  for i = 1, 3000 do local _ <const> = ("x"):rep(130) .. i end
  return answer
end
]]
    local _, failure = alice:try_call "com.acme.ask.changed"
    assert.equal("com.acme.error.no", failure.uri)
    assert.equal(("no "):rep(40), failure.args[1]:sub(1, 120))
  end)

  it("leaves the table of a call as it was", function()
    open [[
local long <const> = { "com.acme.alive", arg = 1 }
function tries.wrong() nexus.realm:call(long) end
function tries.still() error(long[1], 0) end
]]
    assert.same({ false, 'nexus.realm:call: arg: no such option (did you mean "args"?)' },
      { alice:call("com.acme.try", "wrong") })
    assert.same({ false, "com.acme.alive" }, { alice:call("com.acme.try", "still") })
  end)
end)
