--- What editors and people are told of policies: it is what the router knows, and all of it.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local testing = require "nexus.testing"

local function run(flags)
  local program = daemon.spawn { flags = "types " .. (flags or "") }
  local code = program:wait()
  program:assert_clean()
  assert.same({ 0, "" }, { code, program:log() })
  return program:out()
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

--- The names of the fields of a class.
local function fields_of(class)
  local block = run():match("%-%-%-@class " .. class:gsub("%.", "%%.") .. "\n(.-)\n\n")
  local names = {}
  for name in block:gmatch "%-%-%-@field ([%w_]+)" do
    names[#names + 1] = name
  end
  return names
end

describe("nexusd types", function()
  it("writes what is in lua/types and lua/REFERENCE.md", function()
    local how = "run: nexusd types > lua/types/nexus.lua; nexusd types --reference > " ..
      "lua/REFERENCE.md"
    assert.is_true(run() == read "lua/types/nexus.lua", how)
    assert.is_true(run "--reference" == read "lua/REFERENCE.md", how)
  end)

  it("writes Lua, and no type that it does not tell of", function()
    local name = os.tmpname()
    local file = assert(io.open(name, "w"))
    file:write(run())
    file:close()
    assert.is_truthy(loadfile(name, "t"))
    os.remove(name)
    local text, count = run(), 0
    for class in text:gmatch "nexus%.%u%w*" do
      assert.is_truthy(text:find("---@class " .. class .. "\n", 1, true), class)
      count = count + 1
    end
    assert.is_true(count > 50)
    assert.matches("^%-%-%-@meta nexus\n", text)
  end)

  it("knows every function of the module, and no other", function()
    local router = testing.router { policy = policies.write([[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
policy.roles.user = { { allow = "call", uri = "**" } }
policy.procedures["com.names"] = function(call)
  local of = call.args[1] == "" and nexus or nexus[call.args[1] ]
  local names = nexus.list{}
  for name in pairs(of) do names[#names + 1] = name end
  return names
end
return policy
]]) }
    local user = router:session { authrole = "user" }
    local tables = { "", "json", "msgpack", "cbor", "log", "uri", "crypto", "metrics", "http" }
    for _, of in ipairs(tables) do
      local known, there = fields_of(of == "" and "nexus" or "nexus." .. of),
        user:call("com.names", of)
      table.sort(known)
      table.sort(there)
      assert.are.same(there, known)
    end
    router:close()
  end)

  it("tells of fields that views have", function()
    local function quoted(class)
      return '"' .. table.concat(fields_of(class), '", "') .. '"'
    end
    local router = testing.router { policy = policies.write(([[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
local function look(view, ...)
  for _, name in ipairs{ ... } do local _ = view[name] end
end
policy.roles.user = { { ask = "*", uri = "**" } }
function policy.authenticate.anonymous(hello)
  look(hello, %s)
  look(hello.transport, %s)
  return { authrole = "user" }
end
function policy.authorize(request)
  look(request, %s)
  look(request.session, %s)
  return true
end
function policy.intercept.publish(message) look(message, %s) end
function policy.filter(event) look(event, %s) end
policy.procedures["com.call"] = function(call) look(call, %s) return true end
local heard = 0
policy.subscriptions["com.event"] = function(event) look(event, %s) heard = heard + 1 end
policy.procedures["com.heard"] = function() return heard end
return policy
]]):format(quoted "nexus.Hello", quoted "nexus.Transport", quoted "nexus.Request",
      quoted "nexus.Session", quoted "nexus.Message", quoted "nexus.Publication",
      quoted "nexus.Call", quoted "nexus.Event")) }
    local user = router:join {}
    assert.is_true(user:call "com.call")
    user:publish("com.event", { 1 }, nil, { acknowledge = true })
    assert.equal(1, user:call "com.heard")
    assert.are.same({}, router:log { level = "error" })
    router:close()
  end)

  it("tells of all keys of records, and of no others", function()
    local known, there = fields_of "nexus.Principal", {}
    local file = assert(io.open("src/auth/auth_record.c"))
    for name in file:read("a"):gmatch '{"([%w_]+)", CREDENTIAL_' do
      there[name] = true
    end
    file:close()
    local names = {}
    for name in pairs(there) do names[#names + 1] = name end
    table.sort(known)
    table.sort(names)
    assert.is_true(#names > 15)
    assert.are.same(names, known)
  end)

  it("tells of keys that a policy may have, with the type that is wanted", function()
    local keys = fields_of "nexus.Policy"
    for _, key in ipairs(keys) do
      local program = daemon.spawn { flags = ("check '%s'"):format(policies.write(
        ("return { api = 1, %s = io }"):format(key == "api" and "check" or key))) }
      program:wait()
      assert.is_nil(program:log():find("no such key", 1, true), key)
    end
    assert.is_true(#keys > 20)
  end)
end)
