--- Random sessions, rules, lists, audiences and predicates: who gets an event, by a model that only
-- knows what they mean.
-- SPDX-License-Identifier: MIT
local core = require "core"

local random = math.random

local attributes = { "a", "b", "c", "d" }
local scalars = { "x", "y", "z", "1", 1, 2, -1, 0.5, true, false }

local function pick(list)
  return list[random(#list)]
end

---- what sessions have ----

local function random_attribute()
  local which = random(8)
  if which <= 4 then
    return pick(scalars)
  elseif which <= 6 then
    local values = core.list {}
    for i = 1, random(0, 3) do
      values[i] = pick(scalars)
    end
    return values
  elseif which == 7 then
    return { x = "y" }
  end
  return nil
end

local function random_hello()
  local hello = {}
  for _, name in ipairs(attributes) do
    hello[name] = random_attribute()
  end
  return hello
end

local function is_same(one, other)
  return math.type(one) == math.type(other) and type(one) == type(other) and one == other
end

local function is_list(value)
  return getmetatable(value) == getmetatable(core.list {})
end

--- The values that an attribute has: none when it is absent, or nothing that compares.
local function values_of(hello, name)
  local value = hello[name]
  if value == nil then
    return {}
  elseif type(value) ~= "table" then
    return { value }
  end
  return is_list(value) and value or {}
end

local function has(hello, name, value)
  for _, one in ipairs(values_of(hello, name)) do
    if is_same(one, value) then
      return true
    end
  end
  return false
end

---- predicates ----

--- A random function of what a session has: a tree, run as Lua would run code.
local function random_code(depth)
  if depth == 0 or random(5) == 1 then
    return { answer = random(2) == 1 }
  end
  local code = { attribute = pick(attributes) }
  if random(3) == 1 then
    code.has = pick(scalars)
    code.yes, code.no = random_code(depth - 1), random_code(depth - 1)
    return code
  elseif random(12) == 1 then
    code.is_self = true
  end
  code.otherwise, code.cases = random_code(depth - 1), {}
  for i = 1, random(3) do
    code.cases[i] = { pick(scalars), random_code(depth - 1) }
  end
  return code
end

--- Returns the answer; `looks`, if there are any, get what was looked at, each thing once.
local function run(code, hello, looks, seen)
  local function look(key, ...)
    if looks and not seen[key] then
      seen[key] = true
      looks[#looks + 1] = { ... }
    end
  end
  if code.answer ~= nil then
    return code.answer
  elseif code.has ~= nil then
    local key = ("has %s %s %s"):format(code.attribute, math.type(code.has) or type(code.has),
      tostring(code.has))
    look(key, "has", code.attribute, code.has)
    return run(has(hello, code.attribute, code.has) and code.yes or code.no, hello, looks, seen)
  elseif code.is_self then
    look("self", "self")
  end
  look("value " .. code.attribute, "value", code.attribute)
  local value = hello[code.attribute]
  for _, case in ipairs(code.cases) do
    if type(value) ~= "table" and value ~= nil and is_same(value, case[1]) then
      return run(case[2], hello, looks, seen)
    end
  end
  return run(code.otherwise, hello, looks, seen)
end

---- audiences ----

local function random_values()
  local values = {}
  for i = 1, random(0, 3) do
    values[i] = random(3) == 1 and { publisher = pick(attributes) } or pick(scalars)
  end
  return values
end

local function random_audience(depth, has_predicates)
  local which = random(depth > 0 and 9 or 5)
  if which == 1 then
    return "nobody"
  elseif which <= 3 then
    return { only = pick(attributes), values = random_values() }
  elseif which <= 5 then
    if has_predicates and random(2) == 1 then
      return { code = random_code(4) }
    end
    return { except = pick(attributes), values = random_values() }
  end
  return { [which <= 7 and "both" or "either"] = {
    random_audience(depth - 1, has_predicates), random_audience(depth - 1, has_predicates) } }
end

--- The same with functions for predicates, which know sessions by id.
local function runnable(audience, hellos)
  if type(audience) == "table" and audience.code then
    return { predicate = function(id)
      local looks = {}
      return run(audience.code, hellos[id], looks, {}), looks
    end }
  end
  for _, key in ipairs { "both", "either" } do
    local pair = type(audience) == "table" and audience[key]
    if pair then
      return { [key] = { runnable(pair[1], hellos), runnable(pair[2], hellos) } }
    end
  end
  return audience
end

local function has_one_of(hello, name, values, publisher)
  for _, value in ipairs(values) do
    local all = type(value) == "table" and values_of(publisher, value.publisher) or { value }
    for _, one in ipairs(all) do
      if has(hello, name, one) then
        return true
      end
    end
  end
  return false
end

local function is_in(audience, hello, publisher)
  if audience == nil then
    return true
  elseif audience == "nobody" then
    return false
  elseif audience.only then
    return has_one_of(hello, audience.only, audience.values, publisher)
  elseif audience.except then
    return not has_one_of(hello, audience.except, audience.values, publisher)
  elseif audience.code then
    return run(audience.code, hello)
  elseif audience.both then
    return is_in(audience.both[1], hello, publisher) and is_in(audience.both[2], hello, publisher)
  end
  return is_in(audience.either[1], hello, publisher) or is_in(audience.either[2], hello, publisher)
end

local function has_code(audience)
  if type(audience) ~= "table" then
    return false
  end
  local pair = audience.both or audience.either
  return audience.code ~= nil or pair ~= nil and (has_code(pair[1]) or has_code(pair[2]))
end

---- publications ----

local function random_options()
  local options = {}
  if random(3) == 1 then
    options["eligible_" .. pick(attributes)] = { pick(scalars), pick(scalars) }
  end
  if random(3) == 1 then
    options["exclude_" .. pick(attributes)] = { pick(scalars) }
  end
  return options
end

local function options_pass(options, hello)
  for key, values in pairs(options) do
    local kind, name = key:match "^(%a+)_(%a)$"
    local found = false
    for _, value in ipairs(kind and values or {}) do
      found = found or has(hello, name, value)
    end
    if kind == "eligible" and not found or kind == "exclude" and found then
      return false
    end
  end
  return true
end

local function rules_with(filter)
  return { { name = "anonymous", rules = {
    { effect = "allow", actions = "*", uri = "**", filter = filter } } } }
end

--- The sessions, by id, that got the event of the topic.
local function receivers(r, actions)
  local got = {}
  for _, action in ipairs(actions) do
    if action[2] and action[2][1] == core.EVENT then
      assert.is_nil(got[action[1].session])
      got[action[1].session] = true
    end
  end
  return got, r
end

--- What the model expects, of those who are not the publisher.
local function expected(scene, round)
  local all = {}
  for id, hello in pairs(scene.hellos) do
    if id ~= scene.publisher.session and options_pass(round.options, hello) and
      is_in(round.rule, hello, scene.hello) and is_in(round.answer, hello, scene.hello) then
      all[id] = true
    end
  end
  return all
end

local function new_scene(router, count)
  local scene = { r = router { asks_filter = true }, hellos = {}, hello = random_hello() }
  scene.publisher = scene.r:join(scene.hello)
  for _ = 1, count do
    local hello = random_hello()
    local peer = scene.r:join(hello)
    peer:subscribe "com.x"
    scene.hellos[peer.session] = hello
  end
  return scene
end

--- One publication; returns who got it.
local function publish(scene, round, options)
  local r = scene.r
  r:renew { rules = rules_with(round.rule), asks_filter = true }
  local actions = scene.publisher:publish("com.x", { 1 }, nil, options or round.options)
  return receivers(r, r:decide { question = core.asked(actions), verdict = "allow",
    audience = round.answer and runnable(round.answer, scene.hellos) })
end

local function random_round()
  return {
    rule = random(3) == 1 and random_audience(2, false) or nil,
    answer = random(5) ~= 1 and random_audience(3, true) or nil,
    options = random_options(),
  }
end

describe("Random audiences", function()
  for seed = 1, 12 do
    it(("let in whom they mean, with seed %d"):format(seed), function()
      math.randomseed(seed)
      local scene = new_scene(core.router, 40)
      for _ = 1, 60 do
        local round = random_round()
        assert.same(expected(scene, round), (publish(scene, round)))
      end
    end)

    it(("let in late subscribers whom they mean, with seed %d"):format(seed), function()
      math.randomseed(seed)
      for _ = 1, 15 do
        local scene, round = new_scene(core.router, 3), random_round()
        local options = { retain = true }
        for k, v in pairs(round.options) do
          options[k] = v
        end
        publish(scene, round, options)
        scene.publisher:drop()
        scene.publisher = { session = 0 }
        scene.hellos = {}
        for _ = 1, 12 do
          local hello = random_hello()
          local peer = scene.r:join(hello)
          scene.hellos[peer.session] = hello
          local actions = peer:send { core.SUBSCRIBE, 1, { get_retained = true }, "com.x" }
          local question = core.asked(actions)
          assert.is_true(question == nil or has_code(round.answer))
          if question then
            actions = scene.r:decide { question = question, verdict = "allow",
              audience = runnable(round.answer, scene.hellos) }
          end
          local is_expected = expected(scene, round)[peer.session] or false
          assert.equal(is_expected, receivers(scene.r, actions)[peer.session] or false)
        end
      end
    end)
  end
end)
