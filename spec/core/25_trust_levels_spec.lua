--- call_trustlevels and publication_trustlevels: the configured level, for those who announced it.
-- SPDX-License-Identifier: MIT
local core = require "core"

local subscriber = { roles = {
  subscriber = { features = { publication_trustlevels = true } } } }

core.describe("Trust levels", function(router)
  it("are announced", function()
    local roles = router():join().welcome.roles
    assert.is_true(roles.dealer.features.call_trustlevels)
    assert.is_true(roles.broker.features.publication_trustlevels)
  end)

  for _, row in ipairs { { 0, 0 }, { 7, 7 }, { -1, nil }, {} } do
    it(("that are configured as %s reach callees that announced them"):format(row[1]), function()
      local r = router { trustlevel = row[1] }
      local alice, carol, bob = r:join(core.callee "call_trustlevels"), r:join(), r:join()
      local a, c = alice:register "com.a", carol:register "com.c"
      assert.actions({ { alice, { core.INVOCATION, 1, a, { trustlevel = row[2] } } } },
        bob:call "com.a")
      assert.actions({ { carol, { core.INVOCATION, 1, c, {} } } }, bob:call "com.c")
    end)

    it(("that are configured as %s reach subscribers that announced them"):format(row[1]),
      function()
        local r = router { trustlevel = row[1] }
        local alice, carol, bob = r:join(subscriber), r:join(), r:join()
        local id = alice:subscribe "com.x"
        carol:subscribe "com.x"
        assert.actions({
          { alice, { core.EVENT, id, core.id, { trustlevel = row[2] } } },
          { carol, { core.EVENT, id, core.id, {} } },
        }, bob:publish "com.x")
      end)
  end
end)
