--- What list and lookup are for registrations and for subscriptions alike.
--
--   index.describe { uri = "wamp.registration.", add = "register", remove = "unregister",
--     argument = "procedure", router = router, scene = scene }
--
-- scene() gives a router, alice, bob and ids: alice has "com.x" exactly and "com." as prefix and as
-- wildcard, bob shares "com.x".
-- SPDX-License-Identifier: MIT
local assert = require "luassert"
local busted = require "busted"
local core = require "core"
local meta = require "meta"

local index = {}

local list, null = core.list, core.null

local function sorted(ids)
  table.sort(ids)
  return list(ids)
end

function index.describe(api)
  local router, scene = api.router, api.scene
  local list_uri, lookup_uri = api.uri .. "list", api.uri .. "lookup"

  local function add(peer, uri, options)
    return peer[api.add](peer, uri, options)
  end

  local function remove(peer, id)
    return peer[api.remove](peer, id)
  end

  busted.describe("list", function()
    busted.it("has all three kinds, empty ones too", function()
      local alice = router():join()
      local none = { exact = list {}, prefix = list {}, wildcard = list {} }
      assert.like(none, (meta.one(alice, list_uri)))
      assert.like(none, (meta.one(alice, list_uri, { "surplus", 5 }, { match = "exact" })))
    end)

    busted.it("gives ids in ascending order", function()
      local _, alice, bob, ids = scene()
      local exact, prefix = { ids.exact }, { ids.prefix }
      for i = 1, 20 do
        exact[i + 1] = add(i % 2 == 0 and alice or bob, "com.e" .. 20 - i)
        prefix[i + 1] = add(bob, "com.p" .. i, { match = "prefix" })
      end
      assert.like({ exact = sorted(exact), prefix = sorted(prefix),
        wildcard = list { ids.wildcard } }, (meta.one(bob, list_uri)))
    end)

    busted.it("forgets what is gone", function()
      local _, alice, bob, ids = scene()
      alice:drop()
      assert.like({ exact = list { ids.exact }, prefix = list {}, wildcard = list {} },
        (meta.one(bob, list_uri)))
      remove(bob, ids.exact)
      assert.like({ exact = list {}, prefix = list {}, wildcard = list {} },
        (meta.one(bob, list_uri)))
    end)
  end)

  busted.describe("lookup", function()
    busted.it("finds what has this very name and kind", function()
      local _, _, bob, ids = scene()
      local rows = {
        { { "com.x" }, ids.exact }, { { "com.x", {} }, ids.exact },
        { { "com.x", { match = "exact" } }, ids.exact },
        { { "com.x", { match = "exact", surplus = 1 }, "surplus" }, ids.exact },
        { { "com.", { match = "prefix" } }, ids.prefix },
        { { "com.", { match = "wildcard" } }, ids.wildcard },
        { { "com.x", { match = "prefix" } }, null }, { { "com.x", { match = "wildcard" } }, null },
        { { "com.y" }, null }, { { "com.x.y" }, null }, { { "com" }, null },
        { { "" }, null }, { { "com." }, null }, { { "com..x" }, null }, { { "com.a b" }, null },
        { { "com.a b", { match = "prefix" } }, null },
        { { "com.#", { match = "wildcard" } }, null },
      }
      for _, row in ipairs(rows) do
        assert.like(row[2], (meta.one(bob, lookup_uri, row[1])))
      end
      assert.like(ids.exact, (meta.one(bob, lookup_uri, { "com.x" }, { match = "prefix" })))
    end)

    busted.it("refuses what is no text, no dict of options, no kind", function()
      local alice = router():join()
      meta.refused(alice, meta.invalid_argument, lookup_uri)
      meta.refused(alice, meta.invalid_argument, lookup_uri, nil, { [api.argument] = "com.x" })
      meta.refused_at(alice, meta.invalid_argument, lookup_uri, {}, 1, meta.no_texts)
      meta.refused_at(alice, meta.invalid_argument, lookup_uri, { "com.x" }, 2,
        { 5, "prefix", true, list { "prefix" } })
      meta.refused_at(alice, meta.invalid_argument, lookup_uri, { "com.x" }, 2, {
        { match = "Prefix" }, { match = "" }, { match = "regex" }, { match = 5 },
        { match = true }, { match = list { "exact" } }, { match = {} },
      })
    end)
  end)
end

return index
