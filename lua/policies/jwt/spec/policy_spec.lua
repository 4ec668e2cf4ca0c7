--- The policy "jwt".
-- SPDX-License-Identifier: MIT
local testing <const> = require "nexus.testing"

local KEY <const> = "a secret of some octets, for HS256"

local function shell(input, command)
  local pipe <const> = assert(io.popen(("printf '%%s' '%s' | %s"):format(input, command)))
  local text <const> = pipe:read "a"
  pipe:close()
  return (text:gsub("%s", ""))
end

local to_url <const> = "tr '+/' '-_' | tr -d '='"

local function token(claims, key)
  local body <const> = shell('{"alg":"HS256"}', "base64 -w0 | " .. to_url) .. "."
    .. shell(claims, "base64 -w0 | " .. to_url)
  return body .. "." .. shell(body, ("openssl dgst -sha256 -hmac '%s' -binary | base64 -w0 | %s")
    :format(key or KEY, to_url))
end

describe("jwt", function()
  local router
  local settings <const> = { alg = "HS256", attributes = { org = "string" },
    roles = { user = { { allow = "publish", uri = "com.acme.{session.org}" } } } }

  local function claims(more)
    return ('{"sub":"alice","role":"user","aud":"realm1","org":"acme","exp":1767225700%s}')
      :format(more or "")
  end

  before_each(function()
    router = testing.router{ policy = "policy.lua", settings = settings,
      secrets = { jwt_key = KEY } }
  end)

  after_each(function() router:close() end)

  it("lets in who has a token, as the token says", function()
    local alice <const> = router:join{ ticket = token(claims()) }
    assert.are.equal("alice", alice.authid)
    assert.are.equal("user", alice.authrole)
    assert.is_true(router:allows(alice, "publish", "com.acme.acme"))
    assert.is_false((router:allows(alice, "publish", "com.acme.beta")))
    assert.is_truthy(router:join{ authid = "alice", ticket = token(claims()) })
  end)

  it("ends the session with the token", function()
    local alice <const> = router:join{ ticket = token(claims()) }
    router:advance(99)
    assert.is_true(alice.open)
    router:advance(2)
    assert.is_false(alice.open)
    assert.is_nil((router:try_join{ ticket = token(claims()) }))
  end)

  it("refuses all others, and says why in the log alone", function()
    for why, how in pairs{
      ["somebody else's"] = { authid = "bob", ticket = token(claims()) },
      ["no sub or no exp"] = { ticket = token '{"role":"user","aud":"realm1","exp":1767225700}' },
      ["no sub or no exp "] = { ticket = token '{"sub":"a","role":"user","aud":"realm1"}' },
      ["none of settings.roles"] = { ticket =
        token '{"sub":"a","role":"king","aud":"realm1","exp":1767225700}' },
      [""] = { ticket = token(claims(), "another secret, which is as long") },
      [" "] = { ticket =
        token '{"sub":"a","role":"user","aud":"realm2","exp":1767225700}' },
      ["  "] = { ticket = "no token" },
    } do
      local session <const>, failure <const> = router:try_join(how)
      assert.is_nil(session, why)
      assert.are.equal("wamp.error.authentication_denied", failure.uri)
      local lines <const> = router:log{ msg = "token refused" }
      why = why:match "^(.-) *$"
      assert.is_truthy(lines[#lines].with:find(why, 1, true), why)
    end
  end)

  it("needs an algorithm and rules", function()
    for _, name in ipairs{ "alg", "roles" } do
      local some <const> = { alg = "HS256", roles = {} }
      some[name] = nil
      local ok <const>, words <const> = pcall(testing.router, { policy = "policy.lua",
        settings = some })
      assert.is_false(ok)
      assert.is_truthy(tostring(words):find("settings." .. name .. " is missing", 1, true), words)
    end
  end)
end)
