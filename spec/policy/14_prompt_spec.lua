--- nexus.policy.eval, and nexusd repl --admin: a prompt in the policy that runs.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local policy <const> = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1, attributes = { org = "string" } }
local store <const> = nexus.kv "things"
local limiter <const> = nexus.limiter{ rate = 1 }
local counter <const> = nexus.metrics.counter "asked"
local t <const> = { store = store, limiter = limiter, counter = counter }
function policy.authenticate.anonymous() return { authrole = "user" } end
policy.roles.user = { { allow = "*", uri = "**" } }
policy.procedures["com.acme.things"] = function(call) return t[call] end
policy.procedures["com.acme.get"] = function(call) return store:get(call.args[1]) end
function policy.on_load() store:set("a", 1) end
return policy
]]

describe("a prompt in the policy that runs", function()
  local nexusd, socket, audit

  before_each(function()
    socket, audit = os.tmpname(), os.tmpname()
    os.remove(socket)
    local config = policies.config(policy)
    config.admin_socket, config.audit = socket, { file = audit }
    nexusd = daemon.start { config = config }
  end)

  after_each(function()
    wamp.close_all()
    nexusd:stop()
    os.remove(audit)
  end)

  local function repl(input, flags)
    local name = os.tmpname()
    local file = assert(io.open(name, "wb"))
    file:write(input)
    file:close()
    local pipe = io.popen(("'%s' repl --admin '%s' %s <'%s' 2>'%s.err'; echo $?"):format(
      os.getenv "NEXUSD", socket, flags or "", name, name))
    local out, code = pipe:read("a"):match "^(.-)(%d+)\n$"
    pipe:close()
    local errors = assert(io.open(name .. ".err")):read "a"
    os.remove(name)
    os.remove(name .. ".err")
    return tonumber(code), out, errors
  end

  local things <const> = "local t = policy.procedures['com.acme.things'] "

  it("reads", function()
    local code, out, errors = repl([[
nexus.realm.uri, nexus.realm:count()
for session in nexus.realm:sessions{ authrole = "admin" } do
  print(session.authid)
end
]] .. things .. [[ return t("store"):get("a"), t("store"):size()
nexus.realm_version == policy.version, #nexus.realm_version
x = 1
x
]], "--realm realm1")
    assert.equal(0, code)
    assert.equal('"realm1"\t1\nadmin\n1\t1\nfalse\t64\n', out)
    assert.matches('there is no global "x"', errors)
  end)

  it("changes nothing, unless it is told that it may", function()
    for _, line in ipairs {
      'nexus.realm:publish("com.acme.x")', 'nexus.realm:call("com.acme.get", "a")',
      'nexus.realm:kill{ authrole = "user" }', "nexus.spawn(print)", "nexus.after(1, print)",
      'nexus.realm:register("com.acme.y", print)', 'nexus.realm:subscribe("com.acme.y", print)',
      things .. 't("store"):set("a", 2)', things .. 't("store"):delete("a")',
      things .. 't("store"):incr("a")', things .. 't("store"):add("b", 2)',
      things .. 't("store"):update("a", function() return 2 end)',
      things .. 't("limiter"):take("a")', things .. 't("counter"):inc()',
      'nexus.http.get("http://127.0.0.1/")',
      'for s in nexus.realm:sessions{} do s:set{ org = "x" } end',
      'for s in nexus.realm:sessions{} do s.vars.a = 1 end',
      'for s in nexus.realm:sessions{} do s:kill() end',
    } do
      local code, out, errors = repl(line .. "\n")
      assert.same({ 0, "" }, { code, out })
      assert.is_truthy(errors:find("the prompt only reads; use --live", 1, true),
        line .. ": " .. errors)
    end
    assert.is_nil(nexusd:log():find("policy-prompt-acts", 1, true))
    local code, out, errors = repl(things .. 't("store"):set("a", 2)\n' ..
      'nexus.realm:call("com.acme.get", "a")\nnexus.sleep(0.01)\n', "--live")
    assert.same({ 0, "2\n", "" }, { code, out, errors })
    assert.is_truthy(nexusd:log():find("policy-prompt-acts", 1, true))
    assert.is_truthy(daemon.eventually(function()
      local text = io.open(audit):read "a"
      return text:find('"prompt"', 1, true) and text:find("com.acme.get", 1, true)
    end))
  end)

  it("says what failed, and is bounded", function()
    local code, out, errors = repl('error "oh"\nwhile true do end\nerror{}\n1\n', "--live")
    assert.same({ 0, "1\n" }, { code, out })
    assert.matches("line:1: oh", errors)
    assert.matches("50 ms without waiting", errors)
  end)

  it("is for nobody who comes by another address", function()
    local client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "anonymous" } })
    policies.expect_welcome(client)
    client:send { wamp.CALL, 1, wamp.dict {}, "nexus.policy.eval", wamp.list { "1" } }
    assert.equal("wamp.error.not_authorized", client:receive()[5])
    local operator = wamp.connect { transport = "unix", path = socket, serializer = "json" }
    operator:send { wamp.HELLO, "realm1", wamp.dict { roles = wamp.roles() } }
    operator:receive()
    for i, args in ipairs { {}, { 1 }, { "1", 1 }, { (" "):rep(65537) } } do
      operator:send { wamp.CALL, i, wamp.dict {}, "nexus.policy.eval", wamp.list(args) }
      assert.equal("wamp.error.invalid_argument", operator:receive()[5])
    end
    operator:send { wamp.CALL, 5, wamp.dict {}, "nexus.policy.eval", wamp.list { "1 +" } }
    assert.same({ outcome = "more", output = "" }, operator:receive()[4][1])
  end)

  it("is found by the variable NEXUS_ADMIN", function()
    local function output_of(command)
      local pipe = assert(io.popen(("NEXUS_ADMIN='%s' '%s' 2>&1 %s\necho $?"):format(socket,
        os.getenv "NEXUSD", command)))
      local text = pipe:read "a"
      pipe:close()
      return text
    end
    assert.equal("3\n0\n", output_of "repl --realm realm1 <<'E'\n1 + 2\nE")
    assert.matches("^realm1: unchanged %x+\n0\n$", output_of "reload --realm realm1")
    assert.matches("wamp.error.no_such_realm\n1\n$", output_of "repl --realm realm2 <<'E'\n1\nE")
  end)

  it("says what is wrong with the command", function()
    local function run(flags)
      local program = daemon.spawn { flags = "repl " .. flags }
      return program:wait(), program:log()
    end
    assert.same({ 2, "nexusd repl: missing: POLICY, or --admin SOCKET; try nexusd repl --help\n" },
      { run "" })
    assert.same({ 2, "nexusd repl: --live needs --admin SOCKET, or the variable NEXUS_ADMIN; "
      .. "try nexusd repl --help\n" },
      { run "x --live" })
    assert.same({ 2, "nexusd repl: --admin, --realm and --live are for the policy that runs, "
      .. "without POLICY; " ..
      "try nexusd repl --help\n" }, { run "--admin x y" })
    assert.same({ 1, "nexusd repl: /nowhere: No such file or directory\n" },
      { run "--admin /nowhere" })
  end)
end)
