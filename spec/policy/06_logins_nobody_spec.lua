--- Challenges of names that nobody has: they look like those of users, whoever logs in meanwhile.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local wamp = require "wamp"

local policy = ([[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
local known <const> = {
  alice = { authrole = "member", secret = "right" },
  root = { authrole = "admin", authprovider = "book", secret = "%s", salt = "AAECAwQFBgc=",
    iterations = 5000, keylen = 32 },
}

function policy.authenticate.wampcra(hello)
  return known[hello.authid]
end

function policy.authenticate.scram(hello)
  return hello.authid == "alice" and %s or hello.authid == "root" and %s or nil
end

policy.roles.member, policy.roles.admin = {}, {}
return policy
]]):format(("A"):rep(43) .. "=",
  (policies.scram_record("right", "saltsalt", 4096):gsub("'user'", "'member'")),
  (policies.scram_record("right", ("s"):rep(20), 5000):gsub("'user'", "'admin'")))

for _, workers in ipairs { 1, 2 } do
  describe(("nobody, with %d workers,"):format(workers), function()
    local nexusd

    setup(function()
      nexusd = policies.start(policy, { workers = workers })
    end)

    teardown(function()
      nexusd:stop()
    end)

    local function challenge(method, authid)
      local client = policies.connect(nexusd)
      policies.hello(client, { authmethods = { method }, authid = authid,
        authextra = { nonce = "cm9wck5HZndFYmVSV2diTkVrcU8=" } })
      local extra = client:expect { wamp.CHALLENGE, method, wamp.capture(wamp.including {}) }
      client:drop()
      return extra
    end

    --- What a challenge of wampcra shows that does not change from try to try.
    local function cra(authid)
      local extra = challenge("wampcra", authid)
      return extra.challenge:match('"authrole".-,"authprovider":"[^"]*"') .. " "
        .. table.concat({ extra.salt and #extra.salt or "-", extra.iterations or "-",
          extra.keylen or "-" }, "/")
    end

    local function scram(method)
      return function(authid)
        local extra = challenge(method, authid)
        return table.concat({ extra.kdf, extra.iterations, extra.salt }, " ")
      end
    end

    local function without_salt(look)
      return (look:gsub("%S+$", function(salt) return tostring(#salt) end))
    end

    for name, look in pairs { wampcra = cra, ["wamp-scram"] = scram "wamp-scram",
        scram = scram "scram" } do
      it("is like one of the users, and always the same one, by " .. name, function()
        local alice, root = without_salt(look "alice"), without_salt(look "root")
        assert.not_equal(alice, root)
        local seen, first = {}, {}
        for i = 1, 30 do
          first[i] = look("nobody" .. i)
          seen[without_salt(first[i])] = true
        end
        assert.same({ [alice] = true, [root] = true }, seen)
        for i = 1, 30 do
          look(i % 2 == 0 and "alice" or "root")
          assert.equal(first[i], look("nobody" .. i))
        end
      end)
    end

    it("has one salt for both flavours of SCRAM, as users have", function()
      for _, authid in ipairs { "alice", "root", "nobody1", "nobody2" } do
        assert.equal(scram "scram"(authid), scram "wamp-scram"(authid))
      end
    end)

    it("is told of the provider that users without one have", function()
      assert.equal('"authrole":"member","authmethod":"wampcra","authprovider":"policy" -/-/-',
        cra "alice")
    end)
  end)
end
