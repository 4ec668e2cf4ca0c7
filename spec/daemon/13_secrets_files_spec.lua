-- A mistake in a file of users is told with its line, and without what stands there.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local secret = "wonder_land"
local hidden = "; what stands there is not shown, since it may be a secret"

--- Users of the file, and what is said of it.
local mistakes = {
  { [[ticket = "wonder_land, x = 1]], "unfinished string" .. hidden },
  { [[ticket = "wonder_land\q"]], "invalid escape sequence" .. hidden },
  { [[ticket = wonder_land]], "found a name where a value is wanted" .. hidden },
  { [[ticket = wonder_land-2]], "found a name where a value is wanted" .. hidden },
  { [[ticket = my wonder_land]], "'}' expected" .. hidden },
  { [[ticket "wonder_land"]], "found a name where a value is wanted" .. hidden },
  { [[ticket = 5, x = "wonder_land"]], 'users["alice"].x: no such key' },
  { [[wampcra = "wonder_land"]], 'users["alice"].wampcra: found string; allowed: a table' },
}

--- Records that are looked at when somebody logs in, by the method that does.
local records = {
  { "ticket", [[ticket_hash = "wonder_land"]] },
  { "ticket", [[ticket_hash = "$argon2id$v=19$m=1,t=1,p=1$wonder_land$wonder_land"]] },
  { "ticket", [[ticket = { wonder_land = 1 }]] },
  { "wampcra", [[wampcra = { secret = "wonder_land", salt = "x" }]] },
  { "wamp-scram", [[scram = { kdf = "wonder_land", salt = "AAAAAAAAAAA=" }]] },
  { "wamp-scram", [[scram = { kdf = "pbkdf2", salt = "AAAAAAAAAAA=", iterations = 4096,
      stored_key = "wonder_land", server_key = "wonder_land" }]] },
  { "cryptosign", [[pubkeys = "wonder_land"]] },
}

local function write(path, line)
  local file = assert(io.open(path, "w"))
  file:write("return { users = {\n  alice = { role = 'user', ", line, " },\n},\n",
    "roles = { user = {} } }\n")
  assert(file:close())
end

describe("a mistake in a file of users", function()
  local path = daemon.folder() .. "/users.lua"

  local function check()
    local program = daemon.spawn { flags = "--check-config", config = {
      listen = { "127.0.0.1:0" },
      realms = { realm1 = { policy = "users", settings = { file = path } } } } }
    local code = program:wait()
    return code, program:log() .. program:out()
  end

  for _, row in ipairs(mistakes) do
    it("does not show what it is: " .. row[1]:gsub("%W+", " "), function()
      write(path, row[1])
      local code, text = check()
      assert.equal(78, code)
      assert.is_nil(text:find(secret, 1, true), text)
      assert.matches("users.lua:2: " .. row[2], text, 1, true)
    end)
  end

  for _, row in ipairs(records) do
    it("is not shown by a login either: " .. row[2]:gsub("%W+", " "), function()
      write(path, row[2])
      local nexusd = daemon.start { config = { listen = { "127.0.0.1:0" },
        log = { level = "debug" }, audit = { file = "log" },
        realms = { realm1 = { policy = "users", settings = { file = path } } } } }
      local client = policies.connect(nexusd)
      policies.hello(client, { authmethods = { row[1] }, authid = "alice",
        authextra = { nonce = "AAECAwQFBgcICQoLDA0ODw==", pubkey = ("a1"):rep(32) } })
      local said = client:expect { wamp.ABORT, wamp.capture(wamp.including {}),
        "wamp.error.authentication_failed" }
      wamp.close_all()
      nexusd:stop()
      assert.is_nil((said.message or ""):find(secret, 1, true))
      assert.is_nil(nexusd:log():find(secret, 1, true))
      assert.matches("record for ", nexusd:log(), 1, true)
    end)
  end
end)
