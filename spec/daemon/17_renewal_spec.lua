--- SIGHUP: the configuration is read again. What policies are given changes, and no session ends.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local policy = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
assert(nexus.config.word ~= "bad", "no such word")
function policy.authenticate.anonymous() return { authrole = "guest" } end
policy.roles.guest = { { allow = "*", uri = "com.acme.**" } }
policy.procedures["com.acme.told"] = function()
  return nexus.config.word, nexus.crypto.hex(nexus.crypto.sha256(nexus.secret "key"))
end
return policy
]]

local function sha(text)
  local pipe = assert(io.popen(("printf %%s '%s' | openssl sha256 -r"):format(text)))
  local digits = pipe:read "a":match "^%x+"
  pipe:close()
  return digits
end

describe("SIGHUP", function()
  local nexusd, config, key, client

  local function write(path, text)
    local file = assert(io.open(path, "wb"))
    file:write(text)
    assert(file:close())
  end

  --- Signals, and waits until so many lines of the log have these words.
  local function hup(words, count)
    nexusd:signal "HUP"
    local function seen() return select(2, nexusd:log():gsub(words, "")) end
    assert.truthy(daemon.eventually(function() return seen() >= count end), nexusd:log())
    assert.equal(count, seen())
  end

  local function save(text)
    write(nexusd:path "nexusd.lua", text or daemon.config_text(config))
  end

  local function told()
    local id = client:next_id()
    client:send { wamp.CALL, id, wamp.dict {}, "com.acme.told" }
    local answer = client:receive()
    return answer[1] == wamp.RESULT and answer[4] or nil
  end

  before_each(function()
    key = daemon.folder() .. "/renewal.key"
    write(key, "first secret")
    config = policies.config(policy, { realm = { watch = false, settings = { word = "one" },
      secrets = { key = { file = key } } } })
    config.realms.other = { policy = "open" }
    nexusd = daemon.start { config = config }
    client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "anonymous" } })
    policies.expect_welcome(client)
    local id = client:next_id()
    client:send { wamp.SUBSCRIBE, id, wamp.dict {}, "com.acme.topic" }
    client:expect { wamp.SUBSCRIBED, id, wamp.id }
    assert.same({ "one", sha "first secret" }, told())
  end)

  after_each(function()
    wamp.close_all()
    nexusd:stop()
  end)

  it("gives policies what the configuration says now", function()
    config.realms.realm1.settings.word = "two"
    save()
    hup("policy%-reloaded[^\n]*by=SIGHUP", 1)
    assert.same({ "two", sha "first secret" }, told())
    write(key, "second secret")
    hup("policy%-reloaded", 2)
    assert.same({ "two", sha "second secret" }, told())
    config.realms.realm1.settings.word = nil
    config.realms.realm1.settings.ward = "three"
    config.realms.realm1.budgets = { procedure = { wall = 1 } }
    save()
    hup("policy%-reloaded", 3)
    assert.is_nil(told()) -- which is no word of the settings any more
    assert.matches("nil cannot be sent", nexusd:wait_for_log("policy-failed"), 1, true)
    for _, words in ipairs { "needs-restart", "configuration-refused" } do
      assert.is_nil(nexusd:log():find(words, 1, true))
    end
  end)

  it("judges what sessions hold again, or does not, as the configuration says now", function()
    write(config.realms.realm1.policy .. "/policy.lua", (policy:gsub('allow = "%*"',
      'allow = "call publish"')))
    config.realms.realm1.recheck = false
    save()
    hup("policy%-reloaded", 1)
    local function publish()
      client:send { wamp.PUBLISH, client:next_id(), { exclude_me = false }, "com.acme.topic" }
    end
    publish()
    assert.equal(wamp.EVENT, client:receive()[1])
    config.realms.realm1.recheck = true
    save()
    hup("policy%-reloaded", 2)
    publish()
    assert.same({ "one", sha "first secret" }, told()) -- and no event before
  end)

  it("leaves all as it is when nothing has changed", function()
    for _ = 1, 3 do
      nexusd:signal "HUP"
    end
    config.realms.realm1.settings.word = "two"
    save()
    hup("policy%-reloaded", 1)
    config.workers = 2
    save()
    hup("needs%-restart[^\n]*option=workers", 1)
    assert.equal(1, select(2, nexusd:log():gsub("policy%-reloaded", "")))
  end)

  it("names what needs a restart", function()
    config.workers = 2
    config.listen[2] = "127.0.0.1:1"
    config.limits = { max_connections = 77 }
    config.realms.realm1.max_sessions = 5
    config.realms.new = { policy = "open" }
    config.realms.other = nil
    save()
    hup("needs%-restart", 6)
    for _, name in ipairs { "workers", "listen[2]", "limits", 'realms["realm1"].max_sessions',
      'realms["new"]', 'realms["other"]' } do
      local quoted = name:find '"' and ('"%s"'):format(name:gsub('"', '\\"')) or name
      assert.truthy(nexusd:log():find("option=" .. quoted .. "\n", 1, true), nexusd:log())
    end
    assert.same({ "one", sha "first secret" }, told())
  end)

  it("changes nothing by a file that is wrong", function()
    save "return { listen = { '127.0.0.1:0' }, relms = {} }"
    hup("configuration%-refused", 1)
    assert.matches('nexusd.lua:1: relms: no such option (did you mean "realms"?)',
      nexusd:log(), 1, true)
    save "while true do end"
    hup("configuration%-refused", 2)
    assert(os.remove(nexusd:path "nexusd.lua"))
    hup("configuration%-refused", 3)
    assert.same({ "one", sha "first secret" }, told())
  end)

  it("leaves a realm as it is when its policy refuses what it is given", function()
    config.realms.realm1.settings.word = "bad"
    save()
    hup("policy%-reload%-failed[^\n]*no such word", 1)
    assert.same({ "one", sha "first secret" }, told())
    hup("policy%-reload%-failed[^\n]*no such word", 2)
    config.realms.realm1.settings.word = "three"
    save()
    hup("policy%-reloaded", 1)
    assert.same({ "three", sha "first secret" }, told())
  end)

  it("leaves a realm as it is when a secret cannot be read", function()
    config.realms.realm1.settings.word = "two"
    config.realms.realm1.secrets.key = { env = "NEXUS_NO_SUCH" }
    save()
    hup("configuration%-refused[^\n]*realm=realm1", 1)
    assert.same({ "one", sha "first secret" }, told())
    config.realms.realm1.secrets.key = { file = key }
    save()
    assert(os.remove(key))
    hup("configuration%-refused", 2)
    assert.truthy(nexusd:log():find("secrets.key: cannot read", 1, true))
    write(key, "third secret")
    hup("policy%-reloaded", 1)
    assert.same({ "two", sha "third secret" }, told())
  end)
end)
