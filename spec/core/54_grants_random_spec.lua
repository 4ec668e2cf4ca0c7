--- Any part of a message replaced by any values, on the way between any serializers.
-- SPDX-License-Identifier: MIT
local core = require "core"
require "meta" -- for assert.like

local EVENT, INVOCATION, RESULT, ERROR = core.EVENT, core.INVOCATION, core.RESULT, core.ERROR

local function pick(list)
  return list[math.random(#list)]
end

local function scalar()
  local which = math.random(8)
  return which == 1 and core.null or which == 2 and math.random(-1 << 40, 1 << 40)
    or which == 3 and math.random() * 1e6 + 0.5 or which == 4 and (math.random(2) == 1)
    or which == 5 and core.binary(string.char(math.random(0, 255), 0))
    or which == 6 and "é\0\"" or ("x"):rep(math.random(0, 40))
end

local function any(depth)
  if depth == 0 or math.random(3) > 1 then
    return scalar()
  elseif math.random(2) == 1 then
    local list = {}
    for i = 1, math.random(0, 3) do
      list[i] = any(depth - 1)
    end
    return core.list(list)
  end
  return { ["k" .. math.random(9)] = any(depth - 1), k = scalar() }
end

--- Positional and named arguments, each of them at times empty or not there.
local function payload()
  local args, kwargs
  if math.random(4) > 1 then
    args = {}
    for i = 1, math.random(0, 3) do
      args[i] = any(3)
    end
    args = core.list(args)
  end
  if math.random(3) == 1 then
    kwargs = math.random(4) > 1 and { a = any(2), b = scalar() } or {}
  end
  return args, kwargs
end

--- The elements that a receiver sees: nothing, a list, or a list and a dict.
local function seen(args, kwargs)
  if kwargs and next(kwargs) then
    return { args or core.list {}, kwargs }
  end
  return { args and #args > 0 and args or nil }
end

local function said_of(message, from)
  return { table.unpack(message, from) }
end

describe("Random rewriting", function()
  local seed = tonumber(os.getenv "SEED") or 1

  local function make(sender, receiver)
    local r = core.router { intercepts = { "publish", "call", "result", "error" } }
    return r, r:join(nil, { codec = sender }), r:join(nil, { codec = receiver })
  end

  --- Says it with a payload; the question is answered by a rewriting one; returns what the other is
  -- told and what it should be told.
  local function rewrite(r, peer, other, message, code, first)
    local args, kwargs = payload()
    local new_args, new_kwargs = payload()
    message[#message + 1] = (args or kwargs) and (args or core.list {})
    message[#message + 1] = kwargs
    local question = core.asked(peer:send(message))
    local actions = r:decide { question = question, verdict = "allow",
      codec = pick(core.codec_names), grant = { args = new_args, kwargs = new_kwargs } }
    local told = other:first(actions, code)
    assert.not_nil(told)
    return said_of(told, first), seen(new_args or args, new_kwargs or kwargs)
  end

  local function check(told, expected)
    assert.equal(#expected, #told)
    for i = 1, #expected do
      assert.like(expected[i], told[i])
    end
  end

  it("brings what was not replaced, and what was, and nothing else", function()
    math.randomseed(seed)
    for _ = 1, 200 do
      local r, alice, bob = make(pick(core.codec_names), pick(core.codec_names))
      bob:subscribe "com.x"
      bob:register "com.x"
      check(rewrite(r, alice, bob, { core.PUBLISH, 1, {}, "com.x" }, EVENT, 5))
      check(rewrite(r, alice, bob, { core.CALL, 2, {}, "com.x" }, INVOCATION, 5))
      check(rewrite(r, bob, alice, { core.YIELD, 1, {} }, RESULT, 4))
      r:decide { question = core.asked(alice:send { core.CALL, 3, {}, "com.x" }),
        verdict = "allow" }
      check(rewrite(r, bob, alice, { ERROR, core.INVOCATION, 2, { x_n = 1 }, "com.x.sorry" },
        ERROR, 6))
    end
  end)
end)
